//! The stack for C and for everything that speaks C; `include/stack.h` is made from this crate.
//!
//! ```text
//!    host/      stack_host_*   a host without threads or clock: packets and now in, packets and
//!                              the next deadline out; calls never wait
//!    sockets/   stack_*        a stack on threads over a TAP or a descriptor; blocking sockets
//! ```
//!
//! Rules of the boundary, for every function:
//!
//! * A number that is negative is an errno of Linux, negated; a pointer that is null is a failure
//!   whose errno `stack_last_error` knows. `stack_error_text` has the words.
//! * Null where something must be is `EFAULT`, never a crash; lengths are checked.
//! * A panic never crosses: it is caught and answered by `EIO`.
//!
//! `unsafe` stands only in the files called `sys.rs`, which turn pointers into references and do
//! nothing else. What they rely on is said at the head of the header.

mod address;
mod answer;
mod host;
mod pointers;
mod sockets;

pub use address::Address;
pub use host::{Host, sys as host_calls};
pub use sockets::{Socket, Stack, sys as socket_calls};
