//! tcp <-> hub.
//!
//! Flow is by credit, per connection. A chunk handed up stays charged to the connection's receive
//! window until [`TcpCommand::Consumed`]; [`TcpEvent::Room`] grants space in the send buffer, and
//! the hub never sends more than it was granted. So the hub always takes, and one slow reader never
//! holds up another.

use core::net::SocketAddr;
use core::time::Duration;

use bytes::Bytes;

use super::{LimitedTimes, Limiting, SocketError, SocketId, TcpInfo, TimerInfo};
use crate::InterfaceId;

/// A local address to bind to: an unspecified address means any of ours, port 0 any free one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoundAddress {
    /// Address and port.
    pub address: SocketAddr,
    /// Only on this interface.
    pub interface: Option<InterfaceId>,
}

/// hub -> tcp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TcpCommand {
    /// Reserve a local address; answered by [`TcpEvent::Bound`]. Freed by `Close` or `Abort`.
    Bind {
        /// For this socket.
        socket: SocketId,
        /// What to reserve.
        local: BoundAddress,
        /// SO_REUSEADDR: connections in TIME-WAIT do not stand in the way.
        reuse_address: bool,
        /// SO_REUSEPORT: others with the same option may share it.
        reuse_port: bool,
    },
    /// Accept connections on a bound socket, or change the backlog.
    Listen {
        /// The bound socket.
        socket: SocketId,
        /// Connections that may wait to be accepted.
        backlog: u32,
        /// What accepted connections start with.
        options: Box<TcpOptions>,
    },
    /// Open a connection; a socket that is not bound gets an address and a free port.
    Connect {
        /// The new or bound socket.
        socket: SocketId,
        /// The peer.
        remote: SocketAddr,
        /// What it starts with.
        options: Box<TcpOptions>,
    },
    /// The application took a connection: one more may wait.
    Accepted {
        /// The listening socket.
        listener: SocketId,
    },
    /// Append to the send buffer; within the room granted.
    Send {
        /// The connection.
        socket: SocketId,
        /// What to send, by reference.
        data: Bytes,
    },
    /// As `Send`; everything up to the last byte of `data` is urgent (MSG_OOB, RFC 9293 3.8.5).
    SendUrgent {
        /// The connection.
        socket: SocketId,
        /// What to send, by reference.
        data: Bytes,
    },
    /// The application took `bytes` of what was delivered: the window may open.
    Consumed {
        /// The connection.
        socket: SocketId,
        /// How many bytes.
        bytes: u32,
    },
    /// Send FIN after what is queued; go on receiving.
    Shutdown {
        /// The connection.
        socket: SocketId,
    },
    /// The application is done with the socket (RFC 9293 3.10.4; with unread data RST, SHLD-3).
    /// The hub forgets the id; nothing more comes up for it.
    Close {
        /// Connection, listener or bound socket.
        socket: SocketId,
    },
    /// Reset the connection (RFC 9293 3.10.5). The hub forgets the id.
    Abort {
        /// Connection, listener or bound socket.
        socket: SocketId,
    },
    /// Change the options of a connection or listener.
    Configure {
        /// Which.
        socket: SocketId,
        /// All of them, changed or not.
        options: Box<TcpOptions>,
    },
    /// Ask for [`TcpEvent::Info`].
    Query {
        /// The connection.
        socket: SocketId,
    },
}

/// tcp -> hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TcpEvent {
    /// The answer to `Bind`.
    Bound {
        /// Which socket.
        socket: SocketId,
        /// The address with the port now reserved, or why not.
        result: Result<SocketAddr, SocketError>,
    },
    /// A passive open is complete; the connection waits to be accepted.
    Incoming {
        /// The listening socket.
        listener: SocketId,
        /// The new connection, numbered by tcp from [`SocketId::ACCEPTED`].
        socket: SocketId,
        /// Our end.
        local: SocketAddr,
        /// The peer's end.
        remote: SocketAddr,
    },
    /// An active open is complete.
    Established {
        /// The connection.
        socket: SocketId,
        /// Our end.
        local: SocketAddr,
        /// The peer's end.
        remote: SocketAddr,
    },
    /// Bytes in order, charged to the receive window until consumed.
    Data {
        /// The connection.
        socket: SocketId,
        /// The bytes, by reference.
        chunk: Bytes,
    },
    /// The peer calls the bytes before `end` urgent (RFC 9293 3.8.5): for the first time, or it has
    /// moved on. The bytes themselves come in line, as `Data`, before or after this.
    Urgent {
        /// The connection.
        socket: SocketId,
        /// Bytes of the stream, from its first, before the end of the urgent data.
        end: u64,
    },
    /// The bytes that wait to be read keep far more memory alive than they are: copy them
    /// together. From here on tcp charges the connection as if that were done.
    Collapse {
        /// The connection.
        socket: SocketId,
    },
    /// The peer has sent everything (FIN, in order).
    Finished {
        /// The connection.
        socket: SocketId,
    },
    /// So many more bytes may be sent.
    Room {
        /// The connection.
        socket: SocketId,
        /// How many bytes more.
        bytes: u32,
    },
    /// Something that does not end the connection went wrong (RFC 9293 MUST-47 soft errors).
    SoftError {
        /// The connection.
        socket: SocketId,
        /// What.
        error: SocketError,
    },
    /// The connection is over; the last event of this id. After `Abort` it is not sent, after
    /// `Close` only if SO_LINGER has a time.
    Closed {
        /// The connection.
        socket: SocketId,
        /// How it ended.
        reason: CloseReason,
    },
    /// The answer to `Query`.
    Info {
        /// The connection.
        socket: SocketId,
        /// What is known about it.
        info: Box<ConnectionInfo>,
    },
}

impl TcpEvent {
    /// Which socket it concerns; for `Incoming` the new one.
    pub fn socket(&self) -> SocketId {
        match self {
            Self::Bound { socket, .. }
            | Self::Incoming { socket, .. }
            | Self::Established { socket, .. }
            | Self::Data { socket, .. }
            | Self::Urgent { socket, .. }
            | Self::Finished { socket }
            | Self::Collapse { socket }
            | Self::Room { socket, .. }
            | Self::SoftError { socket, .. }
            | Self::Closed { socket, .. }
            | Self::Info { socket, .. } => *socket,
        }
    }
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// Both sides sent and acknowledged FIN.
    Finished,
    /// It failed or was reset.
    Failed(SocketError),
}

/// Options of a connection, under their socket-option names where POSIX or Linux has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpOptions {
    /// TCP_NODELAY: no Nagle.
    pub nodelay: bool,
    /// TCP_CORK: nothing but full segments until taken back.
    pub cork: bool,
    /// SO_SNDBUF: send buffer, bytes, fixed; `None` lets it grow with the congestion window.
    pub send_buffer: Option<u32>,
    /// SO_RCVBUF: receive buffer, bytes, fixed; `None` lets it grow with what is read.
    pub receive_buffer: Option<u32>,
    /// TCP_NOTSENT_LOWAT: no more room is granted while so many bytes wait unsent. Room granted
    /// before it was set stays granted.
    pub notsent_lowat: Option<u32>,
    /// SO_KEEPALIVE.
    pub keepalive: bool,
    /// TCP_KEEPIDLE.
    pub keepalive_idle: Duration,
    /// TCP_KEEPINTVL.
    pub keepalive_interval: Duration,
    /// TCP_KEEPCNT.
    pub keepalive_probes: u8,
    /// TCP_USER_TIMEOUT; `None` is the default (R2).
    pub user_timeout: Option<Duration>,
    /// SO_LINGER; `Some(0)` makes close an abort. With a time, `Close` is answered by
    /// [`TcpEvent::Closed`] when everything was acknowledged, or reset after that time.
    pub linger: Option<Duration>,
    /// TCP_MAXSEG: upper bound of the MSS, bytes.
    pub max_segment: Option<u16>,
    /// IP_TTL.
    pub ttl: Option<u8>,
    /// IP_TOS; the ECN bits are TCP's own.
    pub tos: u8,
    /// TCP_CONGESTION; `None` is the stack's default.
    pub congestion: Option<&'static str>,
    /// TCP_QUICKACK: while set, no acknowledgement is delayed.
    pub quickack: bool,
    /// Of a listener: it also takes every connection that no other listener is for, whatever its
    /// address and port. One a stack.
    pub everywhere: bool,
}

impl Default for TcpOptions {
    fn default() -> Self {
        Self {
            nodelay: false,
            cork: false,
            send_buffer: None,
            receive_buffer: None,
            notsent_lowat: None,
            keepalive: false,
            // RFC 9293 3.8.4 MUST-28: no less than two hours by default. Linux's other two.
            keepalive_idle: Duration::from_secs(7200),
            keepalive_interval: Duration::from_secs(75),
            keepalive_probes: 9,
            user_timeout: None,
            linger: None,
            max_segment: None,
            ttl: None,
            tos: 0,
            congestion: None,
            quickack: false,
            everywhere: false,
        }
    }
}

/// The states of RFC 9293 3.3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TcpState {
    /// No connection.
    Closed,
    /// Waiting for a SYN.
    Listen,
    /// SYN sent.
    SynSent,
    /// SYN received and answered.
    SynReceived,
    /// Data flows.
    Established,
    /// Our FIN is out.
    FinWait1,
    /// Our FIN is acknowledged.
    FinWait2,
    /// The peer's FIN came first.
    CloseWait,
    /// Both FINs are out, ours not acknowledged.
    Closing,
    /// The peer finished first; our FIN is not acknowledged.
    LastAck,
    /// Waiting out old duplicates.
    TimeWait,
}

impl TcpState {
    /// As the RFC and `ss` spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "CLOSED",
            Self::Listen => "LISTEN",
            Self::SynSent => "SYN-SENT",
            Self::SynReceived => "SYN-RECEIVED",
            Self::Established => "ESTABLISHED",
            Self::FinWait1 => "FIN-WAIT-1",
            Self::FinWait2 => "FIN-WAIT-2",
            Self::CloseWait => "CLOSE-WAIT",
            Self::Closing => "CLOSING",
            Self::LastAck => "LAST-ACK",
            Self::TimeWait => "TIME-WAIT",
        }
    }
}

/// A snapshot of one connection, in the manner of Linux's `tcp_info`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// Which.
    pub socket: SocketId,
    /// Our end.
    pub local: SocketAddr,
    /// The peer's end.
    pub remote: SocketAddr,
    /// State.
    pub state: TcpState,
    /// Bytes waiting in or handed up from the receive buffer and not consumed.
    pub receive_queue: u32,
    /// Bytes in the send buffer, acknowledged ones gone.
    pub send_queue: u32,
    /// Congestion control, as in TCP_CONGESTION.
    pub congestion: &'static str,
    /// Congestion window, bytes.
    pub cwnd: u32,
    /// Slow start threshold, bytes.
    pub ssthresh: u32,
    /// Bytes sent and not acknowledged.
    pub in_flight: u32,
    /// Peer's window, bytes.
    pub snd_wnd: u32,
    /// Our window as last offered, bytes.
    pub rcv_wnd: u32,
    /// Largest segment we send, payload bytes.
    pub mss: u32,
    /// Smoothed round trip.
    pub srtt: Option<Duration>,
    /// Its variation.
    pub rttvar: Option<Duration>,
    /// Retransmission timeout.
    pub rto: Duration,
    /// Segments sent again, in all.
    pub retransmits: u64,
    /// Payload bytes acknowledged by the peer.
    pub bytes_acked: u64,
    /// Payload bytes received in order.
    pub bytes_received: u64,
    /// Segments received and sent.
    pub segs_in: u64,
    /// Segments sent, resends included.
    pub segs_out: u64,
    /// What limits sending now.
    pub limiting: Limiting,
    /// How long what limited it so far.
    pub limited: LimitedTimes,
    /// The timer that matters most now, if one runs.
    pub timer: Option<TimerInfo>,
    /// The same and more, as programs know it from Linux.
    pub tcp: TcpInfo,
}

impl ConnectionInfo {
    /// A connection of which little is known: opening, or in TIME-WAIT.
    pub fn bare(socket: SocketId, local: SocketAddr, remote: SocketAddr, state: TcpState) -> Self {
        Self {
            socket,
            local,
            remote,
            state,
            receive_queue: 0,
            send_queue: 0,
            congestion: "",
            cwnd: 0,
            ssthresh: 0,
            in_flight: 0,
            snd_wnd: 0,
            rcv_wnd: 0,
            mss: 0,
            srtt: None,
            rttvar: None,
            rto: Duration::ZERO,
            retransmits: 0,
            bytes_acked: 0,
            bytes_received: 0,
            segs_in: 0,
            segs_out: 0,
            limiting: Limiting::Application,
            limited: LimitedTimes::default(),
            timer: None,
            tcp: TcpInfo::in_state(state),
        }
    }
}
