//! The ways a connection ends from our side (RFC 9293 3.6, 3.10.4, 3.10.5).

use layer::boundary::{SocketError, TcpState};

use crate::conn::state::Event;
use crate::conn::{Ends, Fate, Io, Open};
use crate::recv::paws::Stamps;
use crate::segment::{Flags, Segment};
use crate::send::Fin;
use crate::seq::Seq;
use crate::timewait::Wait;

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
        self.arm_linger(io);
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
    pub fn time_wait(&self, ends: &Ends) -> Wait {
        Wait {
            snd_nxt: self.snd.nxt,
            rcv_nxt: self.rcv.nxt,
            stamps: self.rcv.stamps.map(Stamps::kept),
            ttl: ends.ttl,
            tos: ends.tos,
        }
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
