//! A snapshot of a connection, for the status page, `ss` and TCP_INFO.

use layer::boundary::{CaState, ConnectionInfo, TcpInfo, TimerInfo, TimerKind};
use layer::time::earliest;
use layer::{Duration, Instant, Note};

use crate::config::Config;
use crate::conn::meter::micros;
use crate::conn::{Ends, Io, Open};
use crate::send::recovery::Phase;
use crate::timers::Timers;

impl Open {
    /// A snapshot at `now`.
    pub fn info(&self, ends: &Ends, now: Instant, config: &Config) -> ConnectionInfo {
        ConnectionInfo {
            socket: ends.id,
            local: ends.local,
            remote: ends.remote,
            state: self.state,
            receive_queue: self.rcv.window.charged(),
            send_queue: u32::try_from(self.snd.buffer.len()).unwrap_or(u32::MAX),
            congestion: self.cc.name(),
            cwnd: self.cc.cwnd(),
            ssthresh: self.cc.ssthresh(),
            in_flight: self.snd.flight(),
            snd_wnd: self.snd.window.size(),
            rcv_wnd: self.rcv.window.offered(self.rcv.nxt),
            mss: self.snd.mss,
            srtt: self.snd.rtt.srtt(),
            rttvar: self.snd.rtt.rttvar(),
            rto: self.snd.rtt.rto(config),
            retransmits: self.snd.retransmits,
            bytes_acked: self.meter.bytes_acked,
            bytes_received: self.rcv.bytes_received,
            segs_in: u64::from(self.meter.segs_in),
            segs_out: u64::from(self.meter.segs_out),
            limiting: self.limiting(),
            limited: self.meter.limits.times(now),
            timer: self.timer_info(now),
            tcp: self.tcp_info(now, config),
        }
    }

    fn tcp_info(&self, now: Instant, config: &Config) -> TcpInfo {
        let (snd, meter) = (&self.snd, &self.meter);
        let times = meter.limits.times(now);
        let (delivery_rate, delivery_rate_app_limited) = meter.rate.rate();
        let segments = |bytes: u32| bytes.div_ceil(snd.mss.max(1));
        let since = |at: Instant| u32::try_from(now.since(at).as_millis()).unwrap_or(u32::MAX);
        let probing = self.timers.persist.is_some();
        let count = |n: u32| u8::try_from(n).unwrap_or(u8::MAX);
        TcpInfo {
            ca_state: self.ca_state(),
            retransmits: if probing { 0 } else { count(snd.retries) },
            probes: if probing { count(snd.retries) } else { 0 },
            backoff: count(snd.rtt.backoff()),
            options: self.agreed_options(),
            snd_wscale: snd.window.scale(),
            rcv_wscale: self.rcv.window.scale(),
            delivery_rate_app_limited,
            rto: micros(snd.rtt.rto(config)),
            ato: micros(config.delayed_ack),
            snd_mss: snd.mss,
            rcv_mss: self.rcv.ack.segment(),
            unacked: segments(snd.flight()),
            sacked: segments(snd.board.sacked_bytes()),
            lost: segments(snd.board.lost_bytes()),
            retrans: segments(snd.board.resent_bytes()),
            last_data_sent: since(meter.last_data_sent),
            last_data_recv: since(meter.last_data_recv),
            last_ack_recv: since(meter.last_ack_recv),
            pmtu: snd.mtu.narrowed().unwrap_or(meter.pmtu),
            rcv_ssthresh: self.rcv.window.capacity(),
            rtt: micros(snd.rtt.srtt().unwrap_or_default()),
            rttvar: micros(snd.rtt.rttvar().unwrap_or_default()),
            snd_ssthresh: match self.cc.ssthresh() {
                u32::MAX => TcpInfo::NO_SSTHRESH,
                bytes => segments(bytes),
            },
            snd_cwnd: segments(self.cc.cwnd()),
            advmss: meter.advmss,
            reordering: 3,
            rcv_rtt: micros(self.rcv.tuning.rtt().unwrap_or_default()),
            rcv_space: self.rcv.tuning.space(),
            total_retrans: u32::try_from(snd.retransmits).unwrap_or(u32::MAX),
            pacing_rate: u64::MAX,
            bytes_acked: meter.bytes_acked,
            bytes_received: self.rcv.bytes_received,
            segs_out: meter.segs_out,
            segs_in: meter.segs_in,
            notsent_bytes: snd.unsent(),
            min_rtt: meter.min_rtt.micros(),
            data_segs_in: meter.data_segs_in,
            data_segs_out: meter.data_segs_out,
            delivery_rate,
            busy_time: whole_micros(meter.limits.busy(now)),
            rwnd_limited: whole_micros(times.receive_window),
            sndbuf_limited: whole_micros(times.send_buffer),
            delivered: meter.delivered,
            delivered_ce: meter.delivered_ce,
            bytes_sent: meter.bytes_sent,
            bytes_retrans: meter.bytes_retrans,
            dsack_dups: meter.dsack_dups,
            reord_seen: meter.reord_seen,
            rcv_ooopack: meter.rcv_ooopack,
            snd_wnd: snd.window.size(),
            rcv_wnd: self.rcv.window.offered(self.rcv.nxt),
            total_rto: meter.total_rto,
            total_rto_recoveries: meter.total_rto_recoveries,
            ..TcpInfo::in_state(self.state)
        }
    }

    /// Linux's choice among the timers that run: what resends, what probes a window, what asks an
    /// idle peer.
    fn timer_info(&self, now: Instant) -> Option<TimerInfo> {
        let Timers { retransmit, persist, reorder, probe, keepalive, fin_wait_2, .. } = self.timers;
        let resend = [retransmit, probe].into_iter().fold(reorder, earliest);
        let (kind, at) = [
            (TimerKind::Retransmit, resend),
            (TimerKind::Persist, persist),
            (TimerKind::TimeWait, fin_wait_2),
            (TimerKind::Keepalive, keepalive),
        ]
        .into_iter()
        .find_map(|(kind, at)| Some((kind, at?)))?;
        let retries = u8::try_from(self.snd.retries).unwrap_or(u8::MAX);
        Some(TimerInfo { kind, left: at.since(now), retries })
    }

    /// States the congestion window.
    pub fn note_window(&self, ends: &Ends, io: &mut Io<'_, '_>) {
        let (socket, cwnd, ssthresh) = (ends.id, self.cc.cwnd(), self.cc.ssthresh());
        io.out.note(|| Note::TcpCwnd { socket, cwnd, ssthresh });
    }

    fn ca_state(&self) -> CaState {
        match self.snd.recovery.phase() {
            Phase::Recovery => CaState::Recovery,
            Phase::Loss => CaState::Loss,
            Phase::Open if self.snd.board.sacked_bytes() > 0 => CaState::Disorder,
            Phase::Open if self.snd.recovery.inflation() > 0 => CaState::Disorder,
            Phase::Open => CaState::Open,
        }
    }

    fn agreed_options(&self) -> u8 {
        let scaled = self.snd.window.scale() > 0 || self.rcv.window.scale() > 0;
        [
            (self.rcv.stamps.is_some(), TcpInfo::TIMESTAMPS),
            (self.snd.sack, TcpInfo::SACK),
            (scaled, TcpInfo::WSCALE),
            (self.snd.ecn.marks, TcpInfo::ECN),
        ]
        .into_iter()
        .fold(0, |bits, (agreed, bit)| if agreed { bits | bit } else { bits })
    }
}

fn whole_micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
