//! What a connection counts of itself, for TCP_INFO: segments, bytes and times (RFC 4898's
//! counters under Linux's names, see [`TcpInfo`](layer::boundary::TcpInfo)).
//!
//! Every number is changed where the thing happens, by one addition. Counters of 32 bits wrap, as
//! Linux's do. What can be told from the connection's own state is not counted a second time.

use layer::{Duration, Instant, PacketBuf};

use crate::conn::limits::Limits;
use crate::conn::{Io, Open};
use crate::pack::packed;
use crate::segment::Segment;
use crate::send::delivery::DeliveryRate;
use crate::send::scoreboard::Delivered;
use crate::seq::Seq;

/// Counters and times of one connection.
#[derive(Clone, Copy, Debug)]
pub struct Meter {
    /// Where the time goes.
    pub limits: Limits,
    /// How fast text arrives.
    pub rate: DeliveryRate,
    /// Shortest round trip of the last minutes.
    pub min_rtt: MinRtt,
    /// Largest IP packet on the path, bytes.
    pub pmtu: u32,
    /// What we told the peer, less our options, bytes.
    pub advmss: u32,
    /// Payload bytes acknowledged.
    pub bytes_acked: u64,
    /// Payload bytes sent, resends included.
    pub bytes_sent: u64,
    /// Payload bytes sent again.
    pub bytes_retrans: u64,
    /// When text last left.
    pub last_data_sent: Instant,
    /// When text last came.
    pub last_data_recv: Instant,
    /// When an acknowledgement last came.
    pub last_ack_recv: Instant,
    /// Segments received.
    pub segs_in: u32,
    /// Segments sent.
    pub segs_out: u32,
    /// Segments received with text.
    pub data_segs_in: u32,
    /// Segments sent with text.
    pub data_segs_out: u32,
    /// Segments that arrived at the peer.
    pub delivered: u32,
    /// Of those, marked by the network.
    pub delivered_ce: u32,
    /// Segments reported as got twice.
    pub dsack_dups: u32,
    /// Acknowledgements that showed reordering.
    pub reord_seen: u32,
    /// Segments received out of order.
    pub rcv_ooopack: u32,
    /// Retransmission timeouts.
    pub total_rto: u16,
    /// Of those, the first ones of a row.
    pub total_rto_recoveries: u16,
    /// The window field of the last segment was zero.
    closed: bool,
}

packed!(Meter {
    last_data_sent,
    last_data_recv,
    last_ack_recv,
    limits,
    rate,
    min_rtt,
    pmtu,
    advmss,
    bytes_acked,
    bytes_sent,
    bytes_retrans,
    segs_in,
    segs_out,
    data_segs_in,
    data_segs_out,
    delivered,
    delivered_ce,
    dsack_dups,
    reord_seen,
    rcv_ooopack,
    total_rto,
    total_rto_recoveries,
    closed,
});

/// The least round trip of a sliding time, as Linux's `tcp_min_rtt_wlen`: a path that became longer
/// is believed after it. Whole microseconds, and seconds for the age.
#[derive(Clone, Copy, Debug, Default)]
pub struct MinRtt {
    micros: u32,
    since_s: u32,
}

packed!(MinRtt { micros, since_s });

impl MinRtt {
    /// Linux's 300 s.
    const WINDOW_S: u32 = 300;

    fn sample(&mut self, rtt: Duration, now: Instant) {
        let micros = micros(rtt).max(1);
        let now_s = u32::try_from(now.as_millis() / 1000).unwrap_or(u32::MAX);
        let stale = now_s.saturating_sub(self.since_s) > Self::WINDOW_S;
        if self.micros == 0 || micros <= self.micros || stale {
            *self = Self { micros, since_s: now_s };
        }
    }

    /// Microseconds; 0 before the first sample.
    pub fn micros(self) -> u32 {
        self.micros
    }
}

/// Whole microseconds in 32 bits.
pub fn micros(span: Duration) -> u32 {
    u32::try_from(span.as_micros()).unwrap_or(u32::MAX)
}

/// Segments that a packet stands for: a super-segment is as many as it was or will be cut into.
pub fn pieces(text: &PacketBuf) -> u32 {
    let size = text.offload().segmentation.map_or(0, |s| usize::from(s.size));
    let count = if size == 0 { 1 } else { text.len().div_ceil(size).max(1) };
    u32::try_from(count).unwrap_or(u32::MAX)
}

impl Meter {
    /// A connection that opens: one segment of ours made the handshake.
    pub fn new(now: Instant, pmtu: u32, advmss: u32) -> Self {
        Self {
            limits: Limits::new(now),
            rate: DeliveryRate::default(),
            min_rtt: MinRtt::default(),
            pmtu,
            advmss,
            bytes_acked: 0,
            bytes_sent: 0,
            bytes_retrans: 0,
            last_data_sent: now,
            last_data_recv: now,
            last_ack_recv: now,
            segs_in: 0,
            segs_out: 1,
            data_segs_in: 0,
            data_segs_out: 0,
            delivered: 0,
            delivered_ce: 0,
            dsack_dups: 0,
            reord_seen: 0,
            rcv_ooopack: 0,
            total_rto: 0,
            total_rto_recoveries: 0,
            closed: false,
        }
    }

    /// A segment came, good or bad.
    pub fn arrived(&mut self, segment: &Segment, now: Instant) {
        let count = pieces(&segment.payload);
        self.segs_in = self.segs_in.wrapping_add(count);
        if !segment.payload.is_empty() {
            self.data_segs_in = self.data_segs_in.wrapping_add(count);
            self.last_data_recv = now;
        }
    }

    /// A segment leaves.
    pub fn leaves(&mut self, segment: &Segment, io: &mut Io<'_, '_>) {
        let count = pieces(&segment.payload);
        self.segs_out = self.segs_out.wrapping_add(count);
        let closed = segment.window == 0;
        io.stats.to_zero_window += u64::from(closed && !self.closed);
        io.stats.from_zero_window += u64::from(!closed && self.closed);
        self.closed = closed;
        let bytes = segment.payload.len();
        if bytes > 0 {
            self.data_segs_out = self.data_segs_out.wrapping_add(count);
            self.bytes_sent += bytes as u64;
            self.last_data_sent = io.now;
        }
    }

    /// New text leaves, up to before `end`; `all` there was.
    pub fn sent_new(&mut self, end: Seq, bytes: u32, mss: u32, all: bool, io: &mut Io<'_, '_>) {
        io.stats.orig_data_sent += u64::from(bytes.div_ceil(mss.max(1)));
        self.rate.sent(end, io.now, all);
    }

    /// The retransmission timer expired; for the `first` time in a row.
    pub fn timed_out(&mut self, first: bool) {
        self.total_rto = self.total_rto.saturating_add(1);
        self.total_rto_recoveries = self.total_rto_recoveries.saturating_add(u16::from(first));
    }
}

impl Open {
    /// An acknowledgement was taken in: it `freed` so many bytes, and delivered and reported this.
    pub fn note_delivery(
        &mut self,
        io: &mut Io<'_, '_>,
        freed: u32,
        delivered: &Delivered,
        needless: u32,
    ) {
        let (meter, mss) = (&mut self.meter, self.snd.mss.max(1));
        io.stats.pure_acks += u64::from(self.bare_arrival);
        meter.last_ack_recv = io.now;
        meter.bytes_acked += u64::from(freed);
        let segments = delivered.bytes.div_ceil(mss);
        meter.delivered = meter.delivered.wrapping_add(segments);
        io.stats.delivered += u64::from(segments);
        if needless > 0 {
            let segments = needless.div_ceil(mss);
            io.stats.dsack_recv += 1;
            io.stats.dsack_recv_segs += u64::from(segments);
            meter.dsack_dups = meter.dsack_dups.wrapping_add(segments);
        }
        meter.reord_seen = meter.reord_seen.wrapping_add(u32::from(delivered.reordered));
        if let Some(rtt) = delivered.rtt {
            meter.min_rtt.sample(rtt, io.now);
        }
        if delivered.bytes > 0 {
            let least = Duration::from_micros(u64::from(meter.min_rtt.micros()));
            meter.rate.delivered(delivered.bytes, self.snd.una, io.now, least);
        }
    }
}
