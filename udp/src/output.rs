//! Sending: what may go, and the header it goes with.
//!
//! Broadcasts go only from sockets that asked for it (SO_BROADCAST). Which addresses are broadcast
//! addresses depends on the subnets, which IP knows; so an address that could be one (its last two
//! bits are ones: no subnet with a broadcast address is smaller) is looked up first, and the
//! socket remembers the last one that was not.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use etherparse::UdpHeader;
use layer::boundary::{
    Cast, IpErrorKind, IpOut, Reachability, Route, Send, SocketError, SocketId, protocol,
};
use layer::{ChecksumState, Offload, Out, PacketBuf, Reason};

use crate::command::is_nobodys;
use crate::socket::{Purpose, Socket, Waiting};
use crate::{HEADER, MAX_PAYLOAD_V4, MAX_PAYLOAD_V6, Udp};

/// What is to happen with a datagram.
enum Verdict {
    Go(SocketAddr),
    /// Wait until IP has said what this destination is.
    Wait(SocketAddr),
    Refuse(SocketError),
}

impl Udp {
    pub(crate) fn send_datagram(
        &mut self,
        id: SocketId,
        source: Option<IpAddr>,
        to: Option<SocketAddr>,
        packet: PacketBuf,
        out: &mut Out<'_, Self>,
    ) {
        if let Some(remote) = to
            && !self.sockets.contains_key(&id)
            && let Err(error) = self.bind_by_itself(id, remote)
        {
            return self.refuse(id, error, packet, out);
        }
        let Some(socket) = self.sockets.get_mut(&id) else {
            return self.refuse(id, SocketError::NotConnected, packet, out);
        };
        match judge(socket, to, packet.len()) {
            Verdict::Go(to) => self.emit(id, source, to, packet, out),
            Verdict::Refuse(error) => self.refuse(id, error, packet, out),
            Verdict::Wait(to) => {
                if socket.waiting.len() >= Socket::WAITING {
                    return out.drop(Reason::UdpUnsendable, packet);
                }
                socket.waiting.push_back(Waiting { source, to, packet });
                self.waiting += 1;
                self.resume(id, out);
            }
        }
    }

    /// Goes on with datagrams that wait for a lookup, if none is under way.
    pub(crate) fn resume(&mut self, id: SocketId, out: &mut Out<'_, Self>) {
        while let Some(socket) = self.sockets.get_mut(&id)
            && socket.question.is_none()
            && let Some(Waiting { source, to, packet }) = socket.waiting.pop_front()
        {
            match judge(socket, Some(to), packet.len()) {
                Verdict::Go(to) => self.emit(id, source, to, packet, out),
                Verdict::Refuse(error) => self.refuse(id, error, packet, out),
                Verdict::Wait(_) => {
                    let insisted = source.or(Some(socket.local.ip())).filter(|&ip| !is_nobodys(ip));
                    socket.waiting.push_front(Waiting { source, to, packet });
                    let purpose = Purpose::Broadcast(to.ip());
                    return self.look_up(id, purpose, insisted, to.ip(), out);
                }
            }
            self.waiting -= 1;
        }
    }

    /// IP has said what `address` is: send or refuse what waited for that.
    pub(crate) fn classified(
        &mut self,
        id: SocketId,
        address: IpAddr,
        route: Result<Route, IpErrorKind>,
        out: &mut Out<'_, Self>,
    ) {
        let refused = match route {
            Ok(route) if route.cast == Cast::Broadcast => Some(SocketError::PermissionDenied),
            Ok(_) => None,
            Err(kind) => Some(kind.socket_error()),
        };
        let Some(error) = refused else {
            if let Some(socket) = self.sockets.get_mut(&id) {
                socket.permitted = Some(address);
            }
            return self.resume(id, out);
        };
        while let Some(socket) = self.sockets.get_mut(&id)
            && socket.waiting.front().is_some_and(|waiting| waiting.to.ip() == address)
            && let Some(waiting) = socket.waiting.pop_front()
        {
            self.waiting -= 1;
            self.refuse(id, error, waiting.packet, out);
        }
        self.resume(id, out);
    }

    fn refuse(
        &mut self,
        id: SocketId,
        error: SocketError,
        packet: PacketBuf,
        out: &mut Out<'_, Self>,
    ) {
        out.drop(Reason::UdpUnsendable, packet);
        self.tell(id, error, out);
    }

    fn emit(
        &mut self,
        id: SocketId,
        source: Option<IpAddr>,
        to: SocketAddr,
        mut packet: PacketBuf,
        out: &mut Out<'_, Self>,
    ) {
        let Some(socket) = self.sockets.get(&id) else { return };
        let header = UdpHeader {
            source_port: socket.local.port(),
            destination_port: to.port(),
            length: u16::try_from(packet.len() + HEADER).unwrap_or(u16::MAX),
            // Summed by whoever puts it on the wire, with the pseudo-header that IP adds.
            checksum: 0,
        };
        packet.prepend(HEADER).copy_from_slice(&header.to_bytes());
        // RFC 1122 4.1.3.4: a checksum is always made.
        *packet.offload_mut() =
            Offload { checksum: ChecksumState::Partial { start: 0, field: 6 }, segmentation: None };
        self.stats.out_datagrams += 1;
        out.down.push(IpOut::Datagram(Send {
            interface: socket.interface,
            // RFC 1122 4.1.3.5: the application may choose the source, or leave it to IP.
            source: source.or(Some(socket.local.ip())).filter(|&ip| !is_nobodys(ip)),
            destination: to.ip(),
            protocol: protocol::UDP,
            ttl: socket.options.ttl,
            tos: socket.options.tos,
            dont_fragment: socket.options.dont_fragment,
            reachability: Reachability::Unknown,
            packet,
        }));
    }
}

/// Whether and where a datagram may go.
fn judge(socket: &Socket, to: Option<SocketAddr>, len: usize) -> Verdict {
    let peer = socket.peer;
    let Some(to) = to.or(peer.map(|peer| peer.address)) else {
        return Verdict::Refuse(SocketError::NotConnected);
    };
    if to.is_ipv4() != socket.local.is_ipv4() {
        return Verdict::Refuse(SocketError::FamilyNotSupported);
    }
    if to.port() == 0 {
        return Verdict::Refuse(SocketError::InvalidInput);
    }
    let longest = if to.is_ipv4() { MAX_PAYLOAD_V4 } else { MAX_PAYLOAD_V6 };
    if len > longest {
        return Verdict::Refuse(SocketError::MessageTooLong);
    }
    if socket.options.broadcast {
        return Verdict::Go(to);
    }
    if let Some(peer) = peer.filter(|peer| peer.address.ip() == to.ip()) {
        return match peer.cast {
            Cast::Unicast | Cast::Multicast => Verdict::Go(to),
            Cast::Broadcast => Verdict::Refuse(SocketError::PermissionDenied),
        };
    }
    if to.ip() == Ipv4Addr::BROADCAST {
        return Verdict::Refuse(SocketError::PermissionDenied);
    }
    if could_be_broadcast(to.ip()) && socket.permitted != Some(to.ip()) {
        return Verdict::Wait(to);
    }
    Verdict::Go(to)
}

fn could_be_broadcast(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => !v4.is_multicast() && v4.octets()[3] & 3 == 3,
        IpAddr::V6(_) => false,
    }
}
