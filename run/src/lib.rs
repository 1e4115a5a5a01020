//! Unmodified programs on the stack: `stackd run -- PROGRAM`.
//!
//! ```text
//!   PROGRAM                          supervisor                       stack
//!     socket(AF_INET) --notified-->  Request::Open  ---------------> hub.socket
//!       fd 5 <------ ADDFD, SEND --  Answer::Opened <-- socketpair
//!     connect(5, ..)  --notified-->  Request::Connect -------------> hub.connect
//!     write(5), poll, epoll ... ====== AF_UNIX pair ====== relay ==> hub.send_bytes
//! ```
//!
//! A program's INET socket is one end of a pair of Unix sockets; the other end is ours. Calls that
//! a Unix socket cannot answer (`bind`, `connect`, `getpeername`, ...) stop in a seccomp filter and
//! are answered by the supervisor; all others are the kernel's, at full speed, on the pair. So
//! static programs and those of other run times work as well as those with a C library.
//!
//! * [`filter`]: which calls are notified.
//! * [`request`]: what is asked of the stack's side.
//! * [`exchange`]: the stack's side: sockets, and the relay between pairs and the hub.
//! * [`supervisor`]: the program's side: notifications, who is who, what goes into its memory.
//! * [`remote`]: the two sides in two processes.
//! * [`program`]: starting the program, its signals, its end.
//!
//! **No leak.** Nothing in the program can open an INET socket, so there is none: what it inherits
//! is closed but for descriptors 0 to 2, of which none may be one. An empty network namespace,
//! where one can be made, is the second wall.
//!
//! **Identity** is the inode of the program's end: numbers may be duplicated, passed on, inherited.
//!
//! Left out: IPv6, raw sockets, programs that other programs must not look into (set-user-ID, not
//! dumpable), descriptors that other processes pass in, `MSG_OOB` and `SO_ZEROCOPY`.

pub mod exchange;
pub mod filter;
mod memory;
pub mod program;
pub mod remote;
pub mod request;
pub mod supervisor;
mod sys;
mod wire;

pub use exchange::Exchange;
pub use program::{Outcome, Program, RunError};
pub use remote::Remote;
