//! What the layer shows of its sockets: for `ss`.

use core::net::SocketAddr;

use layer::boundary::SocketId;

use crate::Udp;
use crate::socket::Socket;

/// A snapshot of one socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketInfo {
    /// Which.
    pub socket: SocketId,
    /// Our end; unspecified means any of our addresses.
    pub local: SocketAddr,
    /// The only peer, if it is connected.
    pub remote: Option<SocketAddr>,
    /// Bytes delivered and not read, with what each datagram costs besides.
    pub receive_queue: u32,
}

impl Udp {
    /// All sockets that hold a port, in the order of their ids.
    pub fn infos(&self) -> Vec<SocketInfo> {
        let of = |(id, socket): (&SocketId, &Socket)| SocketInfo {
            socket: *id,
            local: socket.local,
            remote: socket.peer.map(|peer| peer.address),
            receive_queue: socket.charged(),
        };
        let mut infos: Vec<SocketInfo> = self.sockets.iter().map(of).collect();
        infos.sort_unstable_by_key(|info| info.socket);
        infos
    }
}
