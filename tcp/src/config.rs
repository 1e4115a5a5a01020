//! Every number that a connection does not learn by itself, with its reason.

use layer::Duration;

use crate::memory::MemoryLimits;

/// Bytes of a buffer, Linux's three numbers. What grows, grows by what a connection moves in a
/// round trip; what an application sized itself (SO_RCVBUF, SO_SNDBUF) stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferSizes {
    /// What a connection may hold however short memory is: without it none could go on.
    pub least: u32,
    /// What a connection starts with.
    pub initial: u32,
    /// What it grows to.
    pub most: u32,
}

impl BufferSizes {
    /// One size that never changes.
    pub const fn fixed(bytes: u32) -> Self {
        Self { least: 4096, initial: bytes, most: bytes }
    }
}

/// When SYNs are answered by cookies: Linux's `tcp_syncookies` 0, 1 and 2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SynCookies {
    /// Never: what the backlog has no room for is dropped.
    Off,
    /// When the backlog is full.
    #[default]
    WhenFull,
    /// Always: nothing is kept of a SYN. For tests.
    Always,
}

/// Whether connections use ECN; Linux's `tcp_ecn` in brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EcnPolicy {
    /// Never (0).
    Off,
    /// If the peer asks for it (2).
    Passive,
    /// Ask for it, too (1).
    Active,
}

/// The settings of one TCP layer.
#[derive(Clone, Debug)]
pub struct Config {
    /// Secret for sequence numbers, ports and the connection table; from the OS, once, at start.
    pub key: [u8; 16],
    /// Receive buffers that no application sized (Linux's `tcp_rmem`). The most is also what the
    /// window scale is chosen for: by default all that a scale of 8 can say, enough for 1 Gbit/s at
    /// 130 ms. A device that loses what a window lets in wants less.
    pub receive_buffer: BufferSizes,
    /// Send buffers that no application sized (Linux's `tcp_wmem`). The most is twice the largest
    /// receive buffer, because a buffer holds two congestion windows: one out, one in waiting.
    pub send_buffer: BufferSizes,
    /// Memory for the buffers of all connections (Linux's `tcp_mem`). By default 256 MiB: eight
    /// connections at 16 MiB each way before anything gives way.
    pub memory: MemoryLimits,
    /// Shortest retransmission timeout. RFC 6298 2.4 says 1 s; Linux says 200 ms, and so do we:
    /// with 1 s a single tail loss stops a local transfer for as long as 10,000 round trips.
    pub rto_min: Duration,
    /// Longest retransmission timeout (RFC 6298 2.5: at least 60 s).
    pub rto_max: Duration,
    /// First retransmission timeout (RFC 6298 2.1).
    pub rto_initial: Duration,
    /// Resends of a data segment before giving up: R2 of RFC 9293 3.8.3, at least 100 s.
    /// Linux's `tcp_retries2`.
    pub retries: u32,
    /// Resends after which the way to the peer is doubted: R1 of RFC 9293 3.8.3, at least 3.
    /// Linux's `tcp_retries1`.
    pub doubt_after: u32,
    /// Resends for a socket that is closed already: more than 100 s as well, and Linux's number.
    pub orphan_retries: u32,
    /// Resends of a SYN: 1+2+..+128 s = 255 s, at least the 3 minutes of MUST-23.
    pub syn_retries: u32,
    /// Resends of a SYN-ACK: Linux's `tcp_synack_retries`; 63 s.
    pub syn_ack_retries: u32,
    /// Longest delay of an acknowledgement (RFC 9293 MUST-40: below 0.5 s). Linux's shortest.
    pub delayed_ack: Duration,
    /// 2 MSL: how long TIME-WAIT lasts; Linux's 60 s.
    pub time_wait: Duration,
    /// How long a closed socket waits in FIN-WAIT-2 for the peer; Linux's `tcp_fin_timeout`.
    pub fin_wait_2: Duration,
    /// Most connections at once, all states but half-open ones of listeners.
    pub max_connections: usize,
    /// Most half-open connections of all listeners together; each listener has its backlog besides.
    /// The default is 2.7 MB of them.
    pub max_half_open: usize,
    /// When SYNs are answered by cookies (RFC 4987 3.6).
    pub syn_cookies: SynCookies,
    /// Pieces kept out of order per connection: bounds the work of one segment. Full-sized segments
    /// are kept as far as the buffer goes.
    pub max_pieces: usize,
    /// An idle connection takes its small form after so long without a segment. Longer than the
    /// pauses within a conversation: changing the form back and forth costs about two segments.
    /// Nothing else depends on it: with zero a connection rests after every step, and the packet
    /// scripts come out the same.
    pub idle_after: Duration,
    /// Shortest time between two answers to segments that should not have come (RFC 5961 7).
    pub challenge_interval: Duration,
    /// Congestion control of connections that name none: "cubic" or "reno".
    pub congestion: &'static str,
    /// Offer and accept timestamps (RFC 7323 3).
    pub timestamps: bool,
    /// Explicit congestion notification (RFC 3168); Linux's `tcp_ecn`.
    pub ecn: EcnPolicy,
    /// Offer and accept selective acknowledgements (RFC 2018).
    pub sack: bool,
    /// Ephemeral ports, first and last; Linux's `ip_local_port_range`.
    pub ephemeral_ports: (u16, u16),
}

impl Config {
    /// The defaults, with a secret. There is no default secret.
    pub fn new(key: [u8; 16]) -> Self {
        Self {
            key,
            receive_buffer: BufferSizes { least: 4096, initial: 65_536, most: 65_535 << 8 },
            send_buffer: BufferSizes { least: 4096, initial: 65_536, most: 32 << 20 },
            memory: MemoryLimits::of(256 << 20),
            rto_min: Duration::from_millis(200),
            rto_max: Duration::from_secs(120),
            rto_initial: Duration::from_secs(1),
            retries: 15,
            doubt_after: 3,
            orphan_retries: 8,
            syn_retries: 7,
            syn_ack_retries: 5,
            delayed_ack: Duration::from_millis(40),
            time_wait: Duration::from_secs(60),
            fin_wait_2: Duration::from_secs(60),
            max_connections: 1 << 17,
            max_half_open: 16_000,
            syn_cookies: SynCookies::WhenFull,
            max_pieces: 2048,
            idle_after: Duration::from_secs(1),
            challenge_interval: Duration::from_millis(500),
            congestion: crate::cc::NAMES[0],
            timestamps: true,
            ecn: EcnPolicy::Passive,
            sack: true,
            ephemeral_ports: (32768, 60999),
        }
    }
}
