//! What is known of one TCP connection, in the terms of Linux's `struct tcp_info`.
//!
//! [`TcpInfo`] has Linux's field names without their prefix, Linux's meanings and Linux's units, so
//! that `ss -i` and programs that read TCP_INFO need no second dictionary. Sizes that Linux counts
//! in segments are counted here in bytes and turned into segments of `snd_mss`, rounded up.
//!
//! Left out: `tcpi_fackets`, `tcpi_rehash`, `tcpi_fastopen_client_fail`: they mean nothing here.

use core::time::Duration;

use super::TcpState;

/// What keeps a sender from sending right now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Limiting {
    /// The application: there is nothing to send, or it asked to wait (Nagle, TCP_CORK).
    #[default]
    Application,
    /// The send buffer: all of it is out, and there is no place for more.
    SendBuffer,
    /// The peer's receive window.
    ReceiveWindow,
    /// The congestion window.
    CongestionWindow,
    /// The pace: it may be sent, but not yet.
    Pacing,
    /// Loss recovery.
    Recovery,
}

/// How long a connection has been kept from sending, by what; in all its life, ns precise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitedTimes {
    /// By [`Limiting::Application`].
    pub application: Duration,
    /// By [`Limiting::SendBuffer`].
    pub send_buffer: Duration,
    /// By [`Limiting::ReceiveWindow`].
    pub receive_window: Duration,
    /// By [`Limiting::CongestionWindow`].
    pub congestion_window: Duration,
    /// By [`Limiting::Pacing`].
    pub pacing: Duration,
    /// By [`Limiting::Recovery`].
    pub recovery: Duration,
}

/// Which timer of a connection runs, in the words of `ss -o`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimerKind {
    /// Retransmission, tail loss probe or reordering.
    Retransmit,
    /// Probing an idle peer.
    Keepalive,
    /// TIME-WAIT, or waiting in FIN-WAIT-2 without an owner.
    TimeWait,
    /// Probing a closed window.
    Persist,
}

impl TimerKind {
    /// As `ss` spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Retransmit => "on",
            Self::Keepalive => "keepalive",
            Self::TimeWait => "timewait",
            Self::Persist => "persist",
        }
    }
}

/// A running timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerInfo {
    /// Which.
    pub kind: TimerKind,
    /// Until it runs out.
    pub left: Duration,
    /// How often it ran out in a row.
    pub retries: u8,
}

/// `tcpi_ca_state`: how congestion control sees the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum CaState {
    /// Nothing is known to be lost.
    #[default]
    Open = 0,
    /// Duplicates or SACK blocks came, nothing is taken for lost yet.
    Disorder = 1,
    /// The window was cut because of ECN.
    Cwr = 2,
    /// Fast recovery.
    Recovery = 3,
    /// After a timeout.
    Loss = 4,
}

/// Linux's `struct tcp_info`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpInfo {
    /// Linux's number of the state, see [`TcpState::linux`].
    pub state: u8,
    /// See [`CaState`].
    pub ca_state: CaState,
    /// Timeouts in a row that nothing has answered yet.
    pub retransmits: u8,
    /// Window probes in a row that nothing has answered yet.
    pub probes: u8,
    /// How often the retransmission timeout is doubled now.
    pub backoff: u8,
    /// Bits [`TcpInfo::TIMESTAMPS`] to [`TcpInfo::ECN_SEEN`].
    pub options: u8,
    /// The peer's window scale.
    pub snd_wscale: u8,
    /// Our window scale.
    pub rcv_wscale: u8,
    /// `delivery_rate` was measured while the application had too little to send.
    pub delivery_rate_app_limited: bool,
    /// Retransmission timeout, us.
    pub rto: u32,
    /// Longest delay of an acknowledgement, us.
    pub ato: u32,
    /// Payload of the largest segment we send, bytes.
    pub snd_mss: u32,
    /// Payload of the largest segment received, bytes.
    pub rcv_mss: u32,
    /// Segments sent and not acknowledged. Of a listener: connections that wait.
    pub unacked: u32,
    /// Segments the peer has reported. Of a listener: how many connections may wait.
    pub sacked: u32,
    /// Segments taken for lost.
    pub lost: u32,
    /// Segments sent again and not acknowledged.
    pub retrans: u32,
    /// Since text was last sent, ms.
    pub last_data_sent: u32,
    /// Since text last came, ms.
    pub last_data_recv: u32,
    /// Since an acknowledgement last came, ms.
    pub last_ack_recv: u32,
    /// Largest IP packet on the path, bytes.
    pub pmtu: u32,
    /// Largest window we would offer now, bytes.
    pub rcv_ssthresh: u32,
    /// Smoothed round trip, us; 0 before the first.
    pub rtt: u32,
    /// Its mean deviation, us.
    pub rttvar: u32,
    /// Slow start threshold, segments; `0x7fff_ffff` while there is none.
    pub snd_ssthresh: u32,
    /// Congestion window, segments.
    pub snd_cwnd: u32,
    /// The MSS we told the peer, less our options, bytes.
    pub advmss: u32,
    /// Segments by which the path is seen to reorder; 3 until more is seen.
    pub reordering: u32,
    /// Round trip as the receiver measures it, us; 0 if it does not.
    pub rcv_rtt: u32,
    /// Bytes that the application takes in a round trip; 0 if nobody measures it.
    pub rcv_space: u32,
    /// Segments sent again, in all.
    pub total_retrans: u32,
    /// Pace, bytes/s; `u64::MAX` without one.
    pub pacing_rate: u64,
    /// Payload bytes of ours that are acknowledged.
    pub bytes_acked: u64,
    /// Payload bytes received in order.
    pub bytes_received: u64,
    /// Segments sent.
    pub segs_out: u32,
    /// Segments received.
    pub segs_in: u32,
    /// Bytes in the send buffer that were never sent.
    pub notsent_bytes: u32,
    /// Shortest round trip of the last five minutes, us; 0 before the first.
    pub min_rtt: u32,
    /// Segments received with text.
    pub data_segs_in: u32,
    /// Segments sent with text.
    pub data_segs_out: u32,
    /// Latest measurement of what arrives at the peer, bytes/s.
    pub delivery_rate: u64,
    /// Time with something in the send buffer, us.
    pub busy_time: u64,
    /// Of that, limited by the peer's window, us.
    pub rwnd_limited: u64,
    /// Of that, limited by our send buffer, us.
    pub sndbuf_limited: u64,
    /// Segments of ours that arrived, resends included.
    pub delivered: u32,
    /// Of those, marked by the network (ECN).
    pub delivered_ce: u32,
    /// Payload bytes sent, resends included.
    pub bytes_sent: u64,
    /// Payload bytes sent again.
    pub bytes_retrans: u64,
    /// Segments that the peer reported to have got twice.
    pub dsack_dups: u32,
    /// Acknowledgements that showed reordering.
    pub reord_seen: u32,
    /// Segments received out of order.
    pub rcv_ooopack: u32,
    /// The peer's window, bytes.
    pub snd_wnd: u32,
    /// Our window as last offered, bytes.
    pub rcv_wnd: u32,
    /// Retransmission timeouts, in all.
    pub total_rto: u16,
    /// Of those, the first ones of a row.
    pub total_rto_recoveries: u16,
}

impl TcpInfo {
    /// TCPI_OPT_TIMESTAMPS.
    pub const TIMESTAMPS: u8 = 1;
    /// TCPI_OPT_SACK.
    pub const SACK: u8 = 2;
    /// TCPI_OPT_WSCALE.
    pub const WSCALE: u8 = 4;
    /// TCPI_OPT_ECN: agreed on.
    pub const ECN: u8 = 8;
    /// TCPI_OPT_ECN_SEEN: a packet came with an ECN mark.
    pub const ECN_SEEN: u8 = 16;
    /// `snd_ssthresh` of a connection that has seen no loss (TCP_INFINITE_SSTHRESH).
    pub const NO_SSTHRESH: u32 = 0x7fff_ffff;

    /// All zero but the state.
    pub fn in_state(state: TcpState) -> Self {
        Self { state: state.linux(), ..Self::default() }
    }
}

impl TcpState {
    /// Linux's number (`include/net/tcp_states.h`).
    pub const fn linux(self) -> u8 {
        match self {
            Self::Established => 1,
            Self::SynSent => 2,
            Self::SynReceived => 3,
            Self::FinWait1 => 4,
            Self::FinWait2 => 5,
            Self::TimeWait => 6,
            Self::Closed => 7,
            Self::CloseWait => 8,
            Self::LastAck => 9,
            Self::Listen => 10,
            Self::Closing => 11,
        }
    }
}
