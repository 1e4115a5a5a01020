//! The ways a connection ends from our side, and TIME-WAIT (RFC 9293 3.6, 3.10.4, 3.10.5).

use layer::boundary::{Reachability, SocketError, TcpState};
use layer::{Instant, Reason};

use crate::conn::guard::limit;
use crate::conn::output::emit;
use crate::conn::state::Event;
use crate::conn::{Ends, Fate, Io, Open};
use crate::segment::{Flags, Segment};
use crate::send::Fin;
use crate::seq::Seq;

impl Open {
    /// The application sends nothing more: FIN after what is queued (RFC 9293 3.10.4).
    ///
    /// RFC 9293 3.6.1 MAY-1: half-duplex close: receiving goes on.
    pub fn shutdown(&mut self, ends: &Ends, io: &mut Io<'_, '_>) {
        if self.snd.fin == Fin::No {
            self.snd.fin = Fin::Queued;
            self.enter(Event::Close, ends, io);
        }
    }

    /// The application is done with the socket.
    pub fn close(&mut self, ends: &Ends, io: &mut Io<'_, '_>) -> Fate {
        self.orphan = true;
        let linger_zero = self.options.linger.is_some_and(|linger| linger.is_zero());
        // RFC 9293 3.6.1 SHLD-3: data that nobody will read is not quietly acknowledged.
        let unread = self.rcv.window.charged() > 0;
        if linger_zero || unread {
            io.stats.abort_on_close += u64::from(unread);
            return self.abort(ends, io);
        }
        self.shutdown(ends, io);
        self.arm_fin_wait_2(io);
        Fate::Stay
    }

    /// Resets the connection (RFC 9293 3.10.5).
    pub fn abort(&mut self, ends: &Ends, io: &mut Io<'_, '_>) -> Fate {
        match self.state {
            TcpState::SynReceived
            | TcpState::Established
            | TcpState::FinWait1
            | TcpState::FinWait2
            | TcpState::CloseWait => self.send_reset(ends, io),
            TcpState::Closed
            | TcpState::Listen
            | TcpState::SynSent
            | TcpState::Closing
            | TcpState::LastAck
            | TcpState::TimeWait => {}
        }
        Fate::failed(SocketError::ConnectionAborted)
    }

    /// What is kept of it in TIME-WAIT.
    pub fn time_wait(&self, io: &Io<'_, '_>) -> TimeWait {
        TimeWait {
            snd_nxt: self.snd.nxt,
            rcv_nxt: self.rcv.nxt,
            challenged: None,
            // RFC 9293 3.6.1 MUST-13: 2 MSL.
            until: io.now + io.config.time_wait,
        }
    }
}

/// TIME-WAIT: just enough to answer old segments and to recognise new ones.
#[derive(Clone, Copy, Debug)]
pub struct TimeWait {
    snd_nxt: Seq,
    rcv_nxt: Seq,
    /// When a bare segment was last answered (RFC 5961 7).
    challenged: Option<Instant>,
    /// When it ends.
    pub until: Instant,
}

/// What a segment does to a connection in TIME-WAIT.
pub enum Reopened {
    /// It is answered or dropped.
    No,
    /// RFC 9293 3.6.1 MAY-2: a new SYN beyond the old numbers opens a new connection, which must
    /// begin beyond ours.
    Yes(Segment, Seq),
}

impl TimeWait {
    /// A segment for a connection that has ended.
    pub fn arrives(&mut self, ends: &Ends, io: &mut Io<'_, '_>, segment: Segment) -> Reopened {
        let fresh_syn = segment.flags.has(Flags::SYN)
            && !segment.flags.has(Flags::ACK)
            && !segment.flags.has(Flags::RST)
            && segment.seq.after(self.rcv_nxt);
        if fresh_syn {
            return Reopened::Yes(segment, self.snd_nxt);
        }
        // RFC 1337 fix F1: a reset does not end TIME-WAIT early.
        if segment.flags.has(Flags::RST) {
            io.out.drop(Reason::TcpBlindReset, segment);
            return Reopened::No;
        }
        if segment.flags.has(Flags::FIN) {
            // RFC 9293 3.10.7.4: the peer did not get our last ACK; 2 MSL start again.
            self.until = io.now + io.config.time_wait;
        }
        let expected = segment.is_empty() && segment.seq == self.rcv_nxt;
        let allowed = !segment.is_empty() || limit(&mut self.challenged, io);
        if !expected && allowed {
            let mut ack = Segment::bare(ends.local, ends.remote, Flags::ACK, self.snd_nxt);
            ack.ack = self.rcv_nxt;
            emit(io, ends, ack, Reachability::Unknown);
        }
        io.out.consume(segment);
        Reopened::No
    }
}

/// The reset that answers a segment for which there is no connection (RFC 9293 3.10.7.1).
pub fn reset_for(segment: &Segment) -> Option<Segment> {
    if segment.flags.has(Flags::RST) {
        return None;
    }
    let (from, to) = (segment.destination, segment.source);
    if segment.flags.has(Flags::ACK) {
        return Some(Segment::bare(from, to, Flags::RST, segment.ack));
    }
    let mut reset = Segment::bare(from, to, Flags::RST.with(Flags::ACK), Seq(0));
    reset.ack = segment.seq.plus(segment.len());
    Some(reset)
}
