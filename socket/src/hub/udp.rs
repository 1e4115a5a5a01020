//! UDP sockets: datagrams in and out.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::collections::VecDeque;

use layer::boundary::{BoundAddress, Cast, SocketId, UdpCommand, UdpEvent, UdpOptions};
use layer::{Either, InterfaceId, Out, PacketBuf};

use super::{Flags, Hub, Protocol, Readiness};
use crate::Errno;

/// Longest payload: 65,535 less the headers of IPv4 and UDP.
const LONGEST: usize = 65_507;

/// A UDP socket.
#[derive(Debug, Default)]
pub(super) struct UdpSocket {
    /// UDP knows the id.
    pub(super) known: bool,
    /// Answers of UDP that are awaited: to a bind, to a connect.
    awaited: u8,
    /// What is being connected to.
    connecting: Option<SocketAddr>,
    pub(super) local: Option<SocketAddr>,
    pub(super) remote: Option<SocketAddr>,
    pub(super) options: UdpOptions,
    inbox: VecDeque<Waiting>,
    read_shut: bool,
    write_shut: bool,
}

/// A datagram not received yet.
#[derive(Debug)]
struct Waiting {
    envelope: Received,
    packet: PacketBuf,
}

/// What is known of a datagram received: `recvmsg(2)` with IP_PKTINFO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Bytes copied.
    pub copied: usize,
    /// Bytes it had; more than `copied` if the buffer was too small (MSG_TRUNC).
    pub len: usize,
    /// Its sender.
    pub from: SocketAddr,
    /// Where it was sent to.
    pub to: SocketAddr,
    /// Which interface it came in on.
    pub interface: InterfaceId,
    /// How it was addressed.
    pub cast: Cast,
}

impl UdpSocket {
    pub(super) fn under_way(&self) -> bool {
        self.awaited > 0
    }

    pub(super) fn readiness(&self, error: bool, starved: bool) -> Readiness {
        Readiness {
            readable: !self.inbox.is_empty() || self.read_shut || error,
            priority: false,
            writable: !starved && !self.under_way(),
            read_hangup: self.read_shut,
            hangup: self.read_shut && self.write_shut,
            error,
        }
    }

    pub(super) fn shutdown(&mut self, read: bool, write: bool) -> Result<(), Errno> {
        if self.remote.is_none() {
            return Err(Errno::NOTCONN);
        }
        self.read_shut |= read;
        self.write_shut |= write;
        Ok(())
    }
}

impl Hub {
    pub(super) fn bind_udp(
        &mut self,
        id: SocketId,
        local: BoundAddress,
        out: &mut Out<'_, Self>,
    ) -> Result<(), Errno> {
        let socket = self.get(id)?;
        let reuse = socket.reuse.address || socket.reuse.port;
        let Protocol::Udp(udp) = &mut socket.protocol else { return Err(Errno::OPNOTSUPP) };
        if udp.known {
            return Err(Errno::INVAL);
        }
        udp.known = true;
        udp.awaited += 1;
        let options = udp.options;
        let bind = UdpCommand::Bind { socket: id, local, reuse, options };
        self.command(Either::B(bind), out);
        self.touch(id, out);
        Err(Errno::INPROGRESS)
    }

    /// Gives a socket that is not bound any address of that family and a free port.
    fn bind_somewhere(
        &mut self,
        id: SocketId,
        remote: SocketAddr,
        out: &mut Out<'_, Self>,
    ) -> Result<(), Errno> {
        if self.udp(id)?.known {
            return Ok(());
        }
        let any: IpAddr = match remote {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let interface = self.get(id)?.interface;
        let local = BoundAddress { address: SocketAddr::new(any, 0), interface };
        match self.bind_udp(id, local, out) {
            Ok(()) | Err(Errno::INPROGRESS) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(super) fn connect_udp(
        &mut self,
        id: SocketId,
        remote: Option<SocketAddr>,
        out: &mut Out<'_, Self>,
    ) -> Result<(), Errno> {
        // One question at a time: a second one would take the place of the first.
        if self.udp(id)?.connecting.is_some() || self.udp(id)?.awaited > 0 {
            return Err(Errno::ALREADY);
        }
        if let Some(remote) = remote {
            self.bind_somewhere(id, remote, out)?;
        }
        let udp = self.udp(id)?;
        if !udp.known {
            return Ok(());
        }
        udp.connecting = remote;
        udp.awaited += 1;
        self.command(Either::B(UdpCommand::Connect { socket: id, remote }), out);
        self.touch(id, out);
        Err(Errno::INPROGRESS)
    }

    /// Takes the connection of a UDP socket back: `connect(2)` with AF_UNSPEC.
    pub fn disconnect(&mut self, id: SocketId, out: &mut Out<'_, Self>) -> Result<(), Errno> {
        self.connect_udp(id, None, out)
    }

    /// `sendto(2)`: one datagram, to `to` or the connected peer, from `source` if that is given. A
    /// socket that is not bound gets a free port. An error of a datagram sent before is told
    /// instead, once.
    pub fn send_to(
        &mut self,
        id: SocketId,
        data: &[u8],
        to: Option<SocketAddr>,
        source: Option<IpAddr>,
        out: &mut Out<'_, Self>,
    ) -> Result<usize, Errno> {
        let room = self.has_room(out);
        let socket = self.get(id)?;
        if let Some(error) = socket.take_error() {
            return Err(error);
        }
        let Protocol::Udp(udp) = &socket.protocol else { return Err(Errno::OPNOTSUPP) };
        let to = to.map(Self::this_host);
        let target = to.or(udp.remote).or(udp.connecting).ok_or(Errno::DESTADDRREQ)?;
        if target.port() == 0 {
            return Err(Errno::INVAL);
        }
        if udp.write_shut {
            return Err(Errno::PIPE);
        }
        if to.is_none() && udp.remote.is_none() {
            return Err(Errno::AGAIN);
        }
        if data.len() > LONGEST {
            return Err(Errno::MSGSIZE);
        }
        if target.ip() == Ipv4Addr::BROADCAST && !udp.options.broadcast {
            return Err(Errno::ACCES);
        }
        if !room {
            self.starve(id, out);
            return Err(Errno::AGAIN);
        }
        self.bind_somewhere(id, target, out)?;
        let packet = PacketBuf::copy_from(data);
        self.command(Either::B(UdpCommand::Send { socket: id, source, to, packet }), out);
        self.touch(id, out);
        Ok(data.len())
    }

    /// `recvfrom(2)`: one datagram; what does not fit into `buffer` is lost.
    pub fn recv_from(
        &mut self,
        id: SocketId,
        buffer: &mut [u8],
        flags: Flags,
        out: &mut Out<'_, Self>,
    ) -> Result<Received, Errno> {
        let socket = self.get(id)?;
        if let Some(error) = socket.take_error() {
            return Err(error);
        }
        let Protocol::Udp(udp) = &mut socket.protocol else { return Err(Errno::OPNOTSUPP) };
        let Some(Waiting { envelope, packet }) = udp.inbox.front() else {
            return self.no_datagram(id);
        };
        let received = Received { copied: packet.copy_to(buffer), ..*envelope };
        if !flags.peek {
            udp.inbox.pop_front();
            self.taken(1, received.len, out);
            let bytes = u32::try_from(received.len).unwrap_or(u32::MAX);
            self.command(Either::B(UdpCommand::Consumed { socket: id, bytes }), out);
            self.touch(id, out);
        }
        Ok(received)
    }

    /// After shutdown there is nothing to wait for: an empty datagram from nobody.
    fn no_datagram(&mut self, id: SocketId) -> Result<Received, Errno> {
        let udp = self.udp(id)?;
        let remote = udp.remote.filter(|_| udp.read_shut).ok_or(Errno::AGAIN)?;
        let to = udp.local.unwrap_or(remote);
        let interface = InterfaceId::default();
        Ok(Received { copied: 0, len: 0, from: remote, to, interface, cast: Cast::Unicast })
    }

    pub(super) fn close_udp(&mut self, id: SocketId, out: &mut Out<'_, Self>) {
        let Ok(udp) = self.udp(id) else { return };
        let known = udp.known;
        let waiting = core::mem::take(&mut udp.inbox);
        let bytes = waiting.iter().map(|datagram| datagram.envelope.len).sum();
        self.taken(waiting.len(), bytes, out);
        if known {
            self.command(Either::B(UdpCommand::Close { socket: id }), out);
        }
    }

    pub(super) fn udp(&mut self, id: SocketId) -> Result<&mut UdpSocket, Errno> {
        match &mut self.get(id)?.protocol {
            Protocol::Udp(udp) => Ok(udp),
            Protocol::Tcp(_) => Err(Errno::OPNOTSUPP),
        }
    }

    pub(super) fn udp_event(&mut self, event: UdpEvent, out: &mut Out<'_, Self>) {
        let id = event.socket();
        let Some(socket) = self.sockets.get_mut(&id) else { return out.consume(event) };
        let Protocol::Udp(udp) = &mut socket.protocol else { return out.consume(event) };
        match event {
            UdpEvent::Bound { socket: _, result } => {
                udp.awaited = udp.awaited.saturating_sub(1);
                match result {
                    Ok(local) => udp.local = Some(local),
                    Err(error) => {
                        udp.known = false;
                        socket.error = Some(error.into());
                    }
                }
            }
            UdpEvent::Connected { socket: _, result } => {
                udp.awaited = udp.awaited.saturating_sub(1);
                let target = udp.connecting.take();
                match result {
                    Ok(local) => {
                        udp.local = Some(local);
                        udp.remote = target;
                    }
                    Err(error) => socket.error = Some(error.into()),
                }
            }
            UdpEvent::Datagram { socket: _, from, to, interface, cast, packet } => {
                let len = packet.len();
                let envelope = Received { copied: 0, len, from, to, interface, cast };
                udp.inbox.push_back(Waiting { envelope, packet });
                self.inbox.add(len);
                return self.touch(id, out);
            }
            UdpEvent::Error { socket: _, error } => socket.error = Some(error.into()),
        }
        out.consume(());
        self.touch(id, out);
    }
}
