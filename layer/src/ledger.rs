//! What a layer has to tell besides packets: drops by named reason, and notes.
//!
//! Tracing, capture comments, live monitoring and the counters page all read these two; no layer
//! writes a log line.

use core::net::IpAddr;
use core::net::SocketAddr;

use crate::boundary::{IpErrorKind, SocketId, TcpState};
use crate::{Duration, InterfaceId, MacAddr};

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal,)+) => {
        /// Why a packet went no further. One counter each; a drop without a reason does not exist.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason { $($(#[doc = $doc])+ $name,)+ }

        impl Reason {
            /// Every reason, in order of the layers from below.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The name under which it is counted and shown, `layer.what`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

reasons! {
    /// Frame shorter than an Ethernet header.
    LinkRunt = "link.runt",
    /// IEEE 802.3 length frame (type field below 0x600), which nobody here speaks.
    LinkLengthFrame = "link.length_frame",
    /// Frame for another station.
    LinkOtherHost = "link.other_host",
    /// Frame from a group address or from our own.
    LinkBadSource = "link.bad_source",
    /// EtherType that no layer above speaks.
    LinkUnknownType = "link.unknown_type",
    /// Frame larger than the device's MTU allows.
    LinkOversize = "link.oversize",
    /// Offload metadata from the device that contradicts the frame.
    LinkBadOffload = "link.bad_offload",
    /// The device refused a frame or its queue was full.
    LinkDeviceFull = "link.device_full",
    /// The device is down or gone.
    LinkDeviceDown = "link.device_down",
    /// ARP packet too short or with other hardware, protocol, lengths or operation.
    ArpMalformed = "arp.malformed",
    /// ARP packet whose sender is no possible neighbour (group, zero, our own).
    ArpBadSender = "arp.bad_sender",
    /// ARP packet that concerns neither us nor a known neighbour.
    ArpNotForUs = "arp.not_for_us",
    /// An older packet waiting for the same neighbour gave way to a newer one.
    ArpQueueFull = "arp.queue_full",
    /// The neighbour table is full of entries that may not go.
    ArpTableFull = "arp.table_full",
    /// ARP request not answered: too many.
    ArpRateLimited = "arp.rate_limited",
    /// Address in conflict: nothing is sent from it (RFC 5227).
    ArpAddressConflict = "arp.address_conflict",
    /// Next hop of a family or kind that this link cannot resolve.
    ArpUnresolvable = "arp.unresolvable",
    /// Shorter than an IP header, or than its own header length.
    IpTruncated = "ip.truncated",
    /// Version is not that of the EtherType.
    IpBadVersion = "ip.bad_version",
    /// IHL below 5.
    IpBadHeaderLength = "ip.bad_header_length",
    /// Header checksum wrong.
    IpBadChecksum = "ip.bad_checksum",
    /// Total length below the header's or above the frame's.
    IpBadLength = "ip.bad_length",
    /// Source that no host may send from (RFC 1122 3.2.1.3).
    IpMartianSource = "ip.martian_source",
    /// Destination that may not appear on a wire (127/8, 0/8).
    IpMartianDestination = "ip.martian_destination",
    /// Unicast IP destination in a link-layer broadcast (RFC 1122 3.3.6).
    IpUnicastInBroadcast = "ip.unicast_in_broadcast",
    /// For another host; we do not forward.
    IpNotForUs = "ip.not_for_us",
    /// For a multicast group nobody here has joined.
    IpUnjoinedGroup = "ip.unjoined_group",
    /// Source route option, refused (RFC 7126).
    IpSourceRoute = "ip.source_route",
    /// Malformed IP option.
    IpBadOption = "ip.bad_option",
    /// No layer above speaks the protocol.
    IpUnknownProtocol = "ip.unknown_protocol",
    /// TTL 0 on arrival, or asked to be sent.
    IpTtlZero = "ip.ttl_zero",
    /// Fragment with an impossible length or offset.
    IpFragmentMalformed = "ip.fragment_malformed",
    /// Overlapping fragments: the whole datagram is dropped (RFC 5722).
    IpFragmentOverlap = "ip.fragment_overlap",
    /// First fragment too small to hold the transport header (RFC 1858).
    IpFragmentTiny = "ip.fragment_tiny",
    /// Reassembly did not complete in time.
    IpReassemblyTimeout = "ip.reassembly_timeout",
    /// Reassembly memory is full.
    IpReassemblyFull = "ip.reassembly_full",
    /// No route to the destination.
    IpNoRoute = "ip.no_route",
    /// No address of ours can be the source.
    IpNoSource = "ip.no_source",
    /// Larger than the path MTU and not to be fragmented, or larger than 65,535 bytes.
    IpTooBig = "ip.too_big",
    /// A queue inside IP is full: packets to ourselves, or fragments waiting for room below.
    IpQueueFull = "ip.queue_full",
    /// The neighbour did not answer ARP.
    IpNeighbourFailed = "ip.neighbour_failed",
    /// ICMP message too short for its type.
    IcmpTruncated = "icmp.truncated",
    /// ICMP checksum wrong.
    IcmpBadChecksum = "icmp.bad_checksum",
    /// ICMP type or code that we do not act on.
    IcmpIgnored = "icmp.ignored",
    /// ICMP error that quotes nothing usable.
    IcmpBadQuote = "icmp.bad_quote",
    /// An ICMP answer or error of ours held back by the rate limit.
    IcmpRateLimited = "icmp.rate_limited",
    /// UDP header truncated, length field below 8 or beyond the IP payload.
    UdpBadLength = "udp.bad_length",
    /// UDP checksum wrong.
    UdpBadChecksum = "udp.bad_checksum",
    /// No socket on that port.
    UdpNoPort = "udp.no_port",
    /// The socket's receive buffer is full.
    UdpReceiveBufferFull = "udp.receive_buffer_full",
    /// UDP datagram that may not be sent (port 0, too long, no such socket).
    UdpUnsendable = "udp.unsendable",
    /// ICMP error about a datagram that no socket sent.
    UdpErrorUnclaimed = "udp.error_unclaimed",
    /// TCP header truncated or data offset out of bounds.
    TcpTruncated = "tcp.truncated",
    /// TCP checksum wrong.
    TcpBadChecksum = "tcp.bad_checksum",
    /// No connection and no listener; answered by RST where that is due.
    TcpNoConnection = "tcp.no_connection",
    /// To or from a broadcast or multicast address (RFC 9293 MUST-57, MUST-63).
    TcpNotUnicast = "tcp.not_unicast",
    /// Outside the receive window.
    TcpOutsideWindow = "tcp.outside_window",
    /// Acknowledges what was never sent, or far too old.
    TcpBadAck = "tcp.bad_ack",
    /// Flags make no sense in this state.
    TcpBadFlags = "tcp.bad_flags",
    /// RST that is not exactly at RCV.NXT (RFC 5961).
    TcpBlindReset = "tcp.blind_reset",
    /// SYN on a synchronized connection (RFC 5961).
    TcpBlindSyn = "tcp.blind_syn",
    /// The listener's backlog is full.
    TcpBacklogFull = "tcp.backlog_full",
    /// The connection table is full.
    TcpTableFull = "tcp.table_full",
    /// Receive or reassembly memory is used up.
    TcpReceiveBufferFull = "tcp.receive_buffer_full",
    /// Data that was already there.
    TcpDuplicate = "tcp.duplicate",
    /// PAWS: timestamp too old (RFC 7323).
    TcpPaws = "tcp.paws",
    /// ICMP error whose quote fits no segment in flight (RFC 5927).
    TcpErrorUnclaimed = "tcp.error_unclaimed",
    /// A layer pushed past the hard limit of an outlet.
    OutletFull = "stage.outlet_full",
    /// The driver shut down with items in flight.
    Shutdown = "stage.shutdown",
}

impl Reason {
    /// How many reasons there are.
    pub const COUNT: usize = Self::ALL.len();
}

/// A fact that a layer states; it changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A packet was dropped.
    Dropped(Reason),
    /// The packet just dropped came in as this frame (see [`crate::PacketBuf::serial`]).
    DroppedFrame {
        /// The frame's number.
        serial: u32,
        /// Why.
        reason: Reason,
    },
    /// A TCP connection changed its state.
    TcpState {
        /// Which connection.
        socket: SocketId,
        /// Our end.
        local: SocketAddr,
        /// The peer's end.
        remote: SocketAddr,
        /// State before.
        from: TcpState,
        /// State after.
        to: TcpState,
    },
    /// A segment was sent again.
    TcpRetransmit {
        /// Which connection.
        socket: SocketId,
        /// First sequence number resent.
        seq: u32,
        /// Payload bytes resent.
        bytes: u32,
        /// By timeout, not by duplicate acknowledgements.
        timeout: bool,
    },
    /// The congestion window moved.
    TcpCwnd {
        /// Which connection.
        socket: SocketId,
        /// Congestion window, bytes.
        cwnd: u32,
        /// Slow start threshold, bytes.
        ssthresh: u32,
    },
    /// Loss recovery began or ended.
    TcpRecovery {
        /// Which connection.
        socket: SocketId,
        /// True where it began.
        entered: bool,
    },
    /// A neighbour's address was learnt or changed.
    Neighbour {
        /// On which interface.
        interface: InterfaceId,
        /// The neighbour.
        address: IpAddr,
        /// Its Ethernet address now; `None` when it went away.
        mac: Option<MacAddr>,
    },
    /// Somebody else uses our address (RFC 5227).
    AddressConflict {
        /// On which interface.
        interface: InterfaceId,
        /// The contested address.
        address: IpAddr,
        /// Who claims it.
        mac: MacAddr,
        /// We go on using it and said so.
        defended: bool,
    },
    /// An address of ours passed its probes and was announced.
    AddressReady {
        /// On which interface.
        interface: InterfaceId,
        /// The address.
        address: IpAddr,
    },
    /// A host answered an echo request of ours.
    EchoReply {
        /// Who.
        peer: IpAddr,
        /// Which run of questions.
        identifier: u16,
        /// Which of them.
        sequence: u16,
        /// Bytes behind the ICMP header.
        bytes: u32,
        /// Time to live on arrival.
        ttl: u8,
        /// From question to answer.
        rtt: Duration,
    },
    /// An echo request of ours came to nothing.
    EchoFailed {
        /// Whom it was for.
        peer: IpAddr,
        /// Who says so; `None` if we do.
        reporter: Option<IpAddr>,
        /// Which run of questions.
        identifier: u16,
        /// Which of them.
        sequence: u16,
        /// Why.
        kind: IpErrorKind,
    },
    /// An ICMP error was sent or received.
    Icmp {
        /// ICMP type.
        kind: u8,
        /// ICMP code.
        code: u8,
        /// The other host.
        peer: IpAddr,
        /// True if we sent it.
        sent: bool,
    },
}

/// Drops by reason, items consumed, and notes while somebody listens.
#[derive(Clone, Debug)]
pub struct Ledger {
    drops: [u64; Reason::COUNT],
    consumed: u64,
    notes: Option<Vec<Note>>,
    notes_lost: u64,
    /// The frame that is being dealt with, if it has a number.
    subject: u32,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { drops: [0; Reason::COUNT], consumed: 0, notes: None, notes_lost: 0, subject: 0 }
    }
}

impl Ledger {
    /// Notes kept between two calls of [`Ledger::take_notes`]; more are counted as lost.
    const NOTES: usize = 4096;

    /// Counts a drop.
    pub fn count_drop(&mut self, reason: Reason) {
        self.drops[reason as usize] += 1;
        self.note(|| Note::Dropped(reason));
        let serial = self.subject;
        if serial != 0 {
            self.note(|| Note::DroppedFrame { serial, reason });
        }
    }

    /// From now on, what is dropped came in as the frame of that number; 0 is nothing in
    /// particular. For drivers, around a call of `receive`.
    pub fn set_subject(&mut self, serial: u32) {
        self.subject = serial;
    }

    /// Somebody listens to notes.
    pub fn is_listening(&self) -> bool {
        self.notes.is_some()
    }

    /// Counts an item that was consumed.
    pub fn count_consumed(&mut self) {
        self.consumed += 1;
    }

    /// Keeps a note if somebody listens.
    pub fn note(&mut self, fact: impl FnOnce() -> Note) {
        if let Some(notes) = &mut self.notes {
            if notes.len() < Self::NOTES {
                notes.push(fact());
            } else {
                self.notes_lost += 1;
            }
        }
    }

    /// Starts or stops keeping notes.
    pub fn listen(&mut self, on: bool) {
        self.notes = on.then(Vec::new);
    }

    /// The notes since the last call, oldest first.
    pub fn take_notes(&mut self) -> Vec<Note> {
        self.notes.as_mut().map(core::mem::take).unwrap_or_default()
    }

    /// Packets dropped for `reason` since construction.
    pub fn drops(&self, reason: Reason) -> u64 {
        self.drops[reason as usize]
    }

    /// Packets dropped since construction, all reasons.
    pub fn total_drops(&self) -> u64 {
        self.drops.iter().sum()
    }

    /// Items consumed since construction.
    pub fn consumed(&self) -> u64 {
        self.consumed
    }

    /// Notes that found no place.
    pub fn notes_lost(&self) -> u64 {
        self.notes_lost
    }

    /// Adds `count` drops at once, e.g. an outlet's overflow.
    pub fn add_drops(&mut self, reason: Reason, count: u64) {
        self.drops[reason as usize] += count;
    }

    /// Every reason that counted at least one drop, in order of the layers from below.
    pub fn nonzero(&self) -> impl Iterator<Item = (Reason, u64)> + '_ {
        Reason::ALL.iter().map(|&reason| (reason, self.drops(reason))).filter(|&(_, n)| n > 0)
    }
}
