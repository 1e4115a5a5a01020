//! `axum::serve` on the stack: [`TcpListener`] is an `axum::serve::Listener`.

use core::future::{Future, pending};
use core::net::SocketAddr;
use std::io;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};

use crate::{TcpListener, TcpStream};

impl Listener for TcpListener {
    type Io = TcpStream;
    type Addr = SocketAddr;

    fn accept(&mut self) -> impl Future<Output = (TcpStream, SocketAddr)> + Send {
        let listener = &*self;
        async move {
            match listener.accept().await {
                Ok(accepted) => accepted,
                // Nothing but the end of the listener or of the stack makes accepting fail here,
                // and after that nobody comes.
                Err(_) => pending().await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Self::local_addr(self)
    }
}

/// The peer's end, for `ConnectInfo` of axum:
/// `router.into_make_service_with_connect_info::<PeerAddr>()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddr(pub SocketAddr);

impl Connected<IncomingStream<'_, TcpListener>> for PeerAddr {
    fn connect_info(stream: IncomingStream<'_, TcpListener>) -> Self {
        Self(*stream.remote_addr())
    }
}
