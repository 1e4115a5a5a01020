//! The stack's sockets under tokio: [`TcpListener`], [`TcpStream`], [`UdpSocket`], named and shaped
//! as in `tokio::net`.
//!
//! ```no_run
//! # async fn example(stack: &socket::net::Stack) -> std::io::Result<()> {
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! let mut stream = socket_tokio::TcpStream::connect(stack, "10.9.0.1:80").await?;
//! stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await?;
//! let mut page = String::new();
//! stream.read_to_string(&mut page).await?;
//! # Ok(())
//! # }
//! ```
//!
//! They are a thin coat over `socket::net`, whose `poll_*` functions know no runtime: tasks are
//! woken by the stack itself, without a reactor, so tokio's `enable_io` is not needed. A task's
//! call into the hub runs the stack as far as that call goes, as a thread's does, and does not
//! wait. Two things may: dropping the last handle of a socket with SO_LINGER of some time, as in
//! std and tokio, and calls of `socket::net` made through `get_ref`, which answer `WouldBlock`
//! instead because every socket here is non-blocking.
//!
//! With the feature `axum`, [`TcpListener`] is an `axum::serve::Listener`.

#[cfg(feature = "axum")]
mod serve;
mod tcp;
mod udp;

#[cfg(feature = "axum")]
pub use crate::serve::PeerAddr;
pub use crate::tcp::{OwnedReadHalf, OwnedWriteHalf, TcpListener, TcpStream};
pub use crate::udp::UdpSocket;
