//! udp <-> hub.

use core::net::{IpAddr, SocketAddr};

use super::{BoundAddress, Cast, SocketError, SocketId};
use crate::{InterfaceId, PacketBuf};

/// hub -> udp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UdpCommand {
    /// Reserve a local address; answered by [`UdpEvent::Bound`].
    Bind {
        /// For this socket.
        socket: SocketId,
        /// What to reserve.
        local: BoundAddress,
        /// SO_REUSEADDR, SO_REUSEPORT: others with the same option may share it.
        reuse: bool,
        /// What it starts with.
        options: UdpOptions,
    },
    /// Exchange datagrams with this peer only; answered by [`UdpEvent::Connected`]. Binds first
    /// if need be.
    Connect {
        /// The new or bound socket.
        socket: SocketId,
        /// The peer; `None` takes the connection back.
        remote: Option<SocketAddr>,
    },
    /// Send one datagram. May be lost like any other.
    Send {
        /// From this socket; one that is not bound gets a free port.
        socket: SocketId,
        /// From this address of ours (RFC 1122 4.1.3.5: a reply comes from the address that was
        /// asked); `None` is the socket's own, or IP's choice.
        source: Option<IpAddr>,
        /// To whom; `None` to the connected peer.
        to: Option<SocketAddr>,
        /// The payload.
        packet: PacketBuf,
    },
    /// The application took a datagram of `bytes` payload bytes.
    Consumed {
        /// The socket.
        socket: SocketId,
        /// Its payload, bytes.
        bytes: u32,
    },
    /// Change the options.
    Configure {
        /// The socket.
        socket: SocketId,
        /// All of them, changed or not.
        options: UdpOptions,
    },
    /// The application is done with the socket; the hub forgets the id.
    Close {
        /// The socket.
        socket: SocketId,
    },
}

/// udp -> hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UdpEvent {
    /// The answer to `Bind`.
    Bound {
        /// Which socket.
        socket: SocketId,
        /// The address with the port now reserved, or why not.
        result: Result<SocketAddr, SocketError>,
    },
    /// The answer to `Connect`.
    Connected {
        /// Which socket.
        socket: SocketId,
        /// Our end, with the source address packets will have, or why not.
        result: Result<SocketAddr, SocketError>,
    },
    /// A datagram, charged to the receive buffer until consumed.
    Datagram {
        /// Which socket.
        socket: SocketId,
        /// Who sent it.
        from: SocketAddr,
        /// The address and port it was sent to.
        to: SocketAddr,
        /// Which interface it came in on.
        interface: InterfaceId,
        /// How it was addressed.
        cast: Cast,
        /// The payload, possibly empty.
        packet: PacketBuf,
    },
    /// A datagram sent before went wrong (RFC 1122 4.1.3.3).
    Error {
        /// Which socket.
        socket: SocketId,
        /// What.
        error: SocketError,
    },
}

impl UdpEvent {
    /// Which socket it concerns.
    pub fn socket(&self) -> SocketId {
        match self {
            Self::Bound { socket, .. }
            | Self::Connected { socket, .. }
            | Self::Datagram { socket, .. }
            | Self::Error { socket, .. } => *socket,
        }
    }
}

/// Options of a UDP socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UdpOptions {
    /// SO_BROADCAST: sending to broadcast addresses is allowed.
    pub broadcast: bool,
    /// SO_RCVBUF, bytes; `None` is the stack's default.
    pub receive_buffer: Option<u32>,
    /// IP_TTL.
    pub ttl: Option<u8>,
    /// IP_TOS.
    pub tos: u8,
    /// IP_MTU_DISCOVER = DO: never fragment.
    pub dont_fragment: bool,
}
