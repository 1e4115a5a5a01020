//! What crosses from layer to layer. One type a direction and boundary; the file to read second.
//!
//! ```text
//!    application
//!        |  hub's own calls
//!      hub          ^ TcpEvent / UdpEvent       | TcpCommand / UdpCommand
//!      tcp | udp    ^ IpIn                      v IpOut
//!      ip           ^ NetIn                     v NetOut
//!      arp          ^ EthIn                     v EthOut
//!      link         ^ Frame                     v Frame
//!    kernel
//! ```
//!
//! Every item between link, arp, ip and the transports carries its `interface`; addresses are of
//! both families from the first day.

mod info;
mod tcp;
mod udp;

use core::net::IpAddr;

pub use info::{CaState, LimitedTimes, Limiting, TcpInfo, TimerInfo, TimerKind};
pub use tcp::{
    BoundAddress, CloseReason, ConnectionInfo, TcpCommand, TcpEvent, TcpOptions, TcpState,
};
pub use udp::{UdpCommand, UdpEvent, UdpOptions};

use crate::{InterfaceId, Interfaced, MacAddr, Numbered, PacketBuf, Side, Sided};

/// Items that a driver moves at once, at most; also the default room of an outlet.
pub const BATCH: usize = 64;

/// EtherTypes, as in the Ethernet header.
pub mod ethertype {
    /// IPv4.
    pub const IPV4: u16 = 0x0800;
    /// ARP.
    pub const ARP: u16 = 0x0806;
    /// IPv6.
    pub const IPV6: u16 = 0x86dd;
}

/// Protocol numbers, as in the IP header.
pub mod protocol {
    /// ICMP for IPv4.
    pub const ICMP: u8 = 1;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// ICMP for IPv6.
    pub const ICMPV6: u8 = 58;
}

/// kernel <-> link: one raw Ethernet frame, with offload metadata on the packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Which device it came from or goes to.
    pub interface: InterfaceId,
    /// The frame from its destination address on, without preamble and frame check sequence.
    pub packet: PacketBuf,
}

/// To whom something was addressed, at the link or at IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cast {
    /// To us alone.
    Unicast,
    /// To everybody on the link or subnet.
    Broadcast,
    /// To a group.
    Multicast,
}

/// link -> arp: a frame that passed, without its Ethernet header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EthIn {
    /// Which interface it came in on.
    pub interface: InterfaceId,
    /// The station that sent it.
    pub source: MacAddr,
    /// How it was addressed.
    pub cast: Cast,
    /// What the payload is, see [`ethertype`].
    pub ethertype: u16,
    /// The payload, padding included: only the protocol above knows its length.
    pub packet: PacketBuf,
}

/// arp -> link: a payload and the station it goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EthOut {
    /// Which interface it leaves by.
    pub interface: InterfaceId,
    /// The station, or a group.
    pub destination: MacAddr,
    /// What the payload is, see [`ethertype`].
    pub ethertype: u16,
    /// The payload.
    pub packet: PacketBuf,
}

/// Whether an address of ours may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressState {
    /// Being probed (RFC 5227 2.1.1); with optimistic detection it is used meanwhile.
    Tentative,
    /// Usable.
    Ready,
    /// Claimed by another station too: not used any more.
    Conflict,
}

/// What a router said (RFC 4861); for the day IPv6 is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouterFact {
    /// A default router lives for so many seconds; 0 takes it back.
    Default {
        /// Its address.
        router: IpAddr,
        /// Lifetime, s.
        lifetime_s: u16,
    },
    /// A prefix is on the link.
    Prefix {
        /// The prefix.
        prefix: IpAddr,
        /// Its length, bits.
        length: u8,
        /// Lifetime, s.
        lifetime_s: u32,
    },
}

/// arp -> ip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetIn {
    /// An IP packet.
    Packet {
        /// Which interface it came in on.
        interface: InterfaceId,
        /// How the frame was addressed.
        cast: Cast,
        /// [`ethertype::IPV4`] or [`ethertype::IPV6`].
        ethertype: u16,
        /// From the IP header on, padding included.
        packet: PacketBuf,
    },
    /// A neighbour did not answer; one item for each packet that had waited for it.
    Unreachable {
        /// On which interface.
        interface: InterfaceId,
        /// Who did not answer.
        next_hop: IpAddr,
        /// What could not be sent, from the IP header on.
        packet: PacketBuf,
    },
    /// The state of one of our addresses changed.
    Address {
        /// On which interface.
        interface: InterfaceId,
        /// Which address.
        address: IpAddr,
        /// What it is now.
        state: AddressState,
    },
    /// A router announced something.
    Router {
        /// On which interface.
        interface: InterfaceId,
        /// What.
        fact: RouterFact,
    },
}

/// To which neighbour a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextHop {
    /// This neighbour: its link address must be known or found out.
    Neighbour(IpAddr),
    /// Everybody on the link.
    Broadcast,
    /// A multicast group: its link address follows from the group (RFC 1112 6.4).
    Group(IpAddr),
}

/// What a transport has noticed of the way to its peer; the hint rides on ordinary traffic
/// (RFC 1122 2.3.2.1, RFC 4861 7.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reachability {
    /// Nothing.
    #[default]
    Unknown,
    /// It has just heard from the other end: the neighbour is there.
    Confirmed,
    /// It has asked several times and heard nothing (R1 of RFC 9293 3.8.3): the neighbour may be
    /// gone and is to be asked again.
    Doubted,
}

/// ip -> arp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetOut {
    /// Which interface it leaves by.
    pub interface: InterfaceId,
    /// The neighbour.
    pub next_hop: NextHop,
    /// [`ethertype::IPV4`] or [`ethertype::IPV6`].
    pub ethertype: u16,
    /// What the transport knows of the way through this neighbour.
    pub reachability: Reachability,
    /// From the IP header on.
    pub packet: PacketBuf,
}

/// ip -> transports: a datagram for us, whole and checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Which interface it came in on.
    pub interface: InterfaceId,
    /// Sender.
    pub source: IpAddr,
    /// The address of ours (or group) it was sent to.
    pub destination: IpAddr,
    /// How it was addressed: the stricter of link and IP.
    pub cast: Cast,
    /// See [`protocol`].
    pub protocol: u8,
    /// Time to live or hop limit on arrival.
    pub ttl: u8,
    /// DSCP and ECN.
    pub tos: u8,
    /// MTU of the interface, bytes: what a TCP listener derives its MSS from.
    pub mtu: u32,
    /// Bytes of IP header just before `packet`, for [`PacketBuf::retreat`]: an ICMP error quotes
    /// them. 0 if they are gone.
    pub header_len: usize,
    /// The transport header and payload.
    pub packet: PacketBuf,
}

/// What went wrong with a packet of ours, in ICMP's terms (RFC 792, RFC 1122 3.2.2) or locally.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IpErrorKind {
    /// Destination unreachable 0, 6, 11 and the like: the network.
    NetUnreachable,
    /// Destination unreachable 1, 7, 8, 12: the host.
    HostUnreachable,
    /// Destination unreachable 2: nobody speaks the protocol.
    ProtocolUnreachable,
    /// Destination unreachable 3: nobody listens on the port.
    PortUnreachable,
    /// Destination unreachable 4, or a local MTU: fragmentation needed and not allowed.
    FragmentationNeeded {
        /// The next hop's MTU, bytes; 0 from old routers (RFC 1191 5).
        mtu: u32,
    },
    /// Destination unreachable 5: source route failed.
    SourceRouteFailed,
    /// Destination unreachable 9, 10, 13 and the like: forbidden.
    Prohibited,
    /// Time exceeded 0: TTL.
    TtlExceeded,
    /// Time exceeded 1: reassembly.
    ReassemblyTimeExceeded,
    /// Parameter problem.
    ParameterProblem {
        /// Offset of the offending byte.
        pointer: u32,
    },
    /// Local: we have no route to the destination.
    NoRoute,
    /// Local: no usable source address.
    NoSource,
    /// Local: the neighbour did not answer ARP.
    NeighbourFailed,
}

/// ip -> transports: something went wrong with a packet of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpError {
    /// Which interface it came in on, or was to leave by.
    pub interface: InterfaceId,
    /// What.
    pub kind: IpErrorKind,
    /// Who says so; `None` if we do.
    pub reporter: Option<IpAddr>,
    /// Source of the packet in question: an address of ours.
    pub source: IpAddr,
    /// Its destination.
    pub destination: IpAddr,
    /// Its protocol.
    pub protocol: u8,
    /// Its length as an IP packet, bytes; where offloads are used, that of the uncut packet.
    pub length: u32,
    /// Its transport header as far as quoted: 8 bytes or more.
    pub quote: PacketBuf,
}

/// ip -> transports: the answer to [`IpOut::Lookup`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The asker's token.
    pub token: u64,
    /// For which transport.
    pub protocol: u8,
    /// What was asked.
    pub destination: IpAddr,
    /// How it would be sent, or why it cannot be.
    pub route: Result<Route, IpErrorKind>,
}

/// How packets to some destination leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// By which interface.
    pub interface: InterfaceId,
    /// From which address of ours (RFC 1122 3.3.4.3).
    pub source: IpAddr,
    /// Largest IP packet, bytes: path MTU if known, else the interface's.
    pub mtu: u32,
    /// Largest IP packet of the interface, bytes: what we can take (RFC 9293 3.7.1).
    pub link_mtu: u32,
    /// What the destination is.
    pub cast: Cast,
}

/// ip -> transports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IpIn {
    /// A datagram for us.
    Datagram(Datagram),
    /// Something went wrong with a packet of ours.
    Error(IpError),
    /// The path MTU to a destination changed (RFC 1191); told to every transport.
    PathMtu {
        /// For which transport.
        protocol: u8,
        /// To where.
        destination: IpAddr,
        /// Largest IP packet, bytes.
        mtu: u32,
    },
    /// The answer to a lookup.
    Path(Path),
}

/// transports -> ip: a datagram to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Send {
    /// Leave by this interface only; `None` follows the routes.
    pub interface: Option<InterfaceId>,
    /// From this address of ours; `None` lets IP choose.
    pub source: Option<IpAddr>,
    /// Receiver.
    pub destination: IpAddr,
    /// See [`protocol`].
    pub protocol: u8,
    /// Time to live; `None` is the default (64).
    pub ttl: Option<u8>,
    /// DSCP and ECN.
    pub tos: u8,
    /// Never fragment: too big becomes [`IpErrorKind::FragmentationNeeded`].
    pub dont_fragment: bool,
    /// What the transport knows of the way there.
    pub reachability: Reachability,
    /// The transport header and payload. Where the checksum state is `Partial`, the field is 0 and
    /// IP adds the pseudo-header.
    pub packet: PacketBuf,
}

/// Why a transport refuses a datagram; IP answers with the fitting ICMP error where that is allowed
/// (RFC 1122 3.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectReason {
    /// Nobody listens on the port (RFC 1122 4.1.3.1).
    PortUnreachable,
}

/// transports -> ip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IpOut {
    /// Send this.
    Datagram(Send),
    /// Nobody here wants that datagram: tell its sender.
    Reject {
        /// Why.
        reason: RejectReason,
        /// The datagram as it came up.
        datagram: Datagram,
    },
    /// How would packets to `destination` leave? Answered by [`IpIn::Path`] with the same token.
    Lookup {
        /// Given back in the answer.
        token: u64,
        /// Who asks.
        protocol: u8,
        /// Leave by this interface only.
        interface: Option<InterfaceId>,
        /// The source the application insists on, if it does; refused if it is not ours.
        source: Option<IpAddr>,
        /// Where to.
        destination: IpAddr,
    },
    /// A transport has validated a "fragmentation needed" (RFC 5927): believe it.
    PathMtu {
        /// To where.
        destination: IpAddr,
        /// Largest IP packet, bytes.
        mtu: u32,
    },
}

/// Names a socket in every command and event between transports and hub. The hub numbers the
/// sockets it opens upward from 0; a transport numbers those it accepts from [`SocketId::ACCEPTED`]
/// upward; so neither needs to ask the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(pub u64);

impl SocketId {
    /// The first id a transport gives to a connection it accepted.
    pub const ACCEPTED: Self = Self(1 << 63);
}

/// What an application is told when something fails; POSIX knows a number for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketError {
    /// The address or port is in use.
    AddressInUse,
    /// The address is not ours.
    AddressNotAvailable,
    /// The peer refused.
    ConnectionRefused,
    /// The peer reset the connection.
    ConnectionReset,
    /// The connection was aborted here.
    ConnectionAborted,
    /// Nobody answered in time.
    TimedOut,
    /// No route, or the network says no.
    NetworkUnreachable,
    /// The host cannot be reached.
    HostUnreachable,
    /// The other side does not speak the protocol.
    ProtocolUnreachable,
    /// Forbidden on the way, or by an option not set (broadcast).
    PermissionDenied,
    /// The datagram is too long to be sent.
    MessageTooLong,
    /// No memory or table space.
    NoBuffers,
    /// The call makes no sense on this socket or in this state.
    InvalidInput,
    /// The socket is not connected.
    NotConnected,
    /// The address family is not spoken.
    FamilyNotSupported,
    /// The network is down.
    NetworkDown,
}

impl SocketError {
    /// Linux's errno value.
    pub const fn errno(self) -> i32 {
        match self {
            Self::AddressInUse => 98,
            Self::AddressNotAvailable => 99,
            Self::ConnectionRefused => 111,
            Self::ConnectionReset => 104,
            Self::ConnectionAborted => 103,
            Self::TimedOut => 110,
            Self::NetworkUnreachable => 101,
            Self::HostUnreachable => 113,
            Self::ProtocolUnreachable => 92,
            Self::PermissionDenied => 13,
            Self::MessageTooLong => 90,
            Self::NoBuffers => 105,
            Self::InvalidInput => 22,
            Self::NotConnected => 107,
            Self::FamilyNotSupported => 97,
            Self::NetworkDown => 100,
        }
    }
}

impl IpErrorKind {
    /// What a socket is told (Linux's table; RFC 1122 4.2.3.9 says which are only hints to TCP).
    pub const fn socket_error(self) -> SocketError {
        match self {
            Self::NetUnreachable | Self::NoRoute | Self::NoSource => {
                SocketError::NetworkUnreachable
            }
            Self::HostUnreachable
            | Self::NeighbourFailed
            | Self::TtlExceeded
            | Self::ReassemblyTimeExceeded
            | Self::SourceRouteFailed => SocketError::HostUnreachable,
            Self::ProtocolUnreachable | Self::ParameterProblem { .. } => {
                SocketError::ProtocolUnreachable
            }
            Self::PortUnreachable => SocketError::ConnectionRefused,
            Self::FragmentationNeeded { .. } => SocketError::MessageTooLong,
            Self::Prohibited => SocketError::HostUnreachable,
        }
    }
}

impl IpIn {
    /// For which transport it is.
    pub fn protocol(&self) -> u8 {
        match self {
            Self::Datagram(datagram) => datagram.protocol,
            Self::Error(error) => error.protocol,
            Self::PathMtu { protocol, .. } => *protocol,
            Self::Path(path) => path.protocol,
        }
    }
}

/// TCP is side A, everything else side B.
impl Sided for IpIn {
    fn side(&self) -> Side {
        if self.protocol() == protocol::TCP { Side::A } else { Side::B }
    }
}

impl Interfaced for Frame {
    fn interface(&self) -> InterfaceId {
        self.interface
    }
}

impl Interfaced for EthIn {
    fn interface(&self) -> InterfaceId {
        self.interface
    }
}

impl Interfaced for EthOut {
    fn interface(&self) -> InterfaceId {
        self.interface
    }
}

impl Interfaced for NetOut {
    fn interface(&self) -> InterfaceId {
        self.interface
    }
}

impl Numbered for Frame {
    fn serial(&self) -> u32 {
        self.packet.serial()
    }
}

impl Numbered for EthIn {
    fn serial(&self) -> u32 {
        self.packet.serial()
    }
}

impl Numbered for NetIn {
    fn serial(&self) -> u32 {
        match self {
            Self::Packet { packet, .. } => packet.serial(),
            Self::Unreachable { .. } | Self::Address { .. } | Self::Router { .. } => 0,
        }
    }
}

impl Numbered for IpIn {
    fn serial(&self) -> u32 {
        match self {
            Self::Datagram(datagram) => datagram.packet.serial(),
            Self::Error(_) | Self::PathMtu { .. } | Self::Path(_) => 0,
        }
    }
}
