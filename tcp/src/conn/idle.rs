//! An idle connection in a few hundred bytes instead of a few thousand.
//!
//! ```text
//!            quiet for Config::idle_after
//!   Open  ------------------------------->  Idle
//!         <-------------------------------
//!            a segment, a command, a timer, an error
//! ```
//!
//! Both forms are the same connection: numbers, windows, estimates and statistics are packed and
//! unpacked bit for bit ([`crate::pack`]), and nothing that can be seen from outside tells which
//! form it has. What cannot be packed is not there while a connection is quiet: data of any kind,
//! loss recovery, timers other than keep-alive's.
//!
//! A connection that is in use never changes its form: `Config::idle_after` is longer than the
//! pauses of anything that matters, and a change costs about as much as a segment.

use std::sync::Arc;

use layer::Instant;
use layer::boundary::{TcpOptions, TcpState};

use crate::cc;
use crate::config::Config;
use crate::conn::patience::Patience;
use crate::conn::{Connection, Open, Phase, Tell};
use crate::pack::{Pack, Packer, Unpacker};
use crate::send::frto::Frto;
use crate::send::recovery;
use crate::timers::Timers;

/// What a connection usually takes, bytes.
const USUAL: usize = 384;

/// States in which a connection may be idle for long.
const STATES: [TcpState; 3] = [TcpState::Established, TcpState::CloseWait, TcpState::FinWait2];

/// A connection on which nothing happens.
#[derive(Debug)]
pub struct Idle {
    options: Arc<TcpOptions>,
    /// All of the [`Open`] but its options; first of all its state.
    packed: Box<[u8]>,
}

impl Idle {
    /// The small form of a connection that [is quiet](Open::is_quiet).
    fn of(open: &Open) -> Self {
        let Open {
            state,
            snd,
            rcv,
            cc,
            timers,
            options,
            // Nothing is to be told, nobody waits, it has an owner: see `is_quiet`.
            tell: _,
            room,
            listener: _,
            orphan: _,
            patience: _,
            keepalive,
            challenged,
            bare_arrival,
            force_one,
            meter,
        } = open;
        let mut to = Packer::new(USUAL);
        let state = STATES.iter().position(|known| known == state).unwrap_or_default();
        to.put(state as u64);
        snd.pack(&mut to);
        rcv.pack(&mut to);
        cc::pack(&**cc, &mut to);
        timers.pack(&mut to);
        room.pack(&mut to);
        keepalive.pack(&mut to);
        challenged.pack(&mut to);
        bare_arrival.pack(&mut to);
        force_one.pack(&mut to);
        meter.pack(&mut to);
        Self { options: Arc::clone(options), packed: to.into_bytes() }
    }

    /// The full form again.
    pub fn open(&self) -> Box<Open> {
        let from = &mut Unpacker::new(&self.packed);
        Box::new(Open {
            state: state_from(from),
            snd: Pack::unpack(from),
            rcv: Pack::unpack(from),
            cc: cc::unpack(from),
            timers: Pack::unpack(from),
            options: Arc::clone(&self.options),
            tell: Tell::default(),
            room: Pack::unpack(from),
            listener: None,
            orphan: false,
            patience: Patience::default(),
            keepalive: Pack::unpack(from),
            challenged: Pack::unpack(from),
            bare_arrival: Pack::unpack(from),
            force_one: Pack::unpack(from),
            meter: Pack::unpack(from),
        })
    }

    /// ESTABLISHED, CLOSE-WAIT or FIN-WAIT-2.
    pub fn state(&self) -> TcpState {
        state_from(&mut Unpacker::new(&self.packed))
    }

    /// Socket options.
    pub fn options(&self) -> &TcpOptions {
        &self.options
    }

    /// Bytes it holds.
    pub fn held_bytes(&self) -> usize {
        self.packed.len()
    }
}

fn state_from(from: &mut Unpacker<'_>) -> TcpState {
    let place = usize::try_from(from.take()).unwrap_or_default();
    STATES.get(place).copied().unwrap_or(TcpState::Established)
}

impl Open {
    /// Nothing is queued, in flight, early or unread, the hub knows all there is to know, and no
    /// mechanism is under way but keep-alive.
    fn is_quiet(&self) -> bool {
        let timers = Timers { keepalive: None, ..self.timers };
        let (snd, rcv) = (&self.snd, &self.rcv);
        let sent = snd.flight() == 0 && snd.buffer.is_empty() && snd.frto == Frto::Off;
        let received = rcv.held() == 0 && rcv.memory() == 0 && !rcv.window.is_shut();
        let untold = self.orphan || self.listener.is_some() || self.has_news();
        sent && received
            && !untold
            && timers == Timers::default()
            && STATES.contains(&self.state)
            && snd.recovery.phase() == recovery::Phase::Open
            && self.patience.is_calm()
            && self.meter.limits.is_idle()
    }
}

impl Connection {
    /// When it takes its small form, if nothing happens until then; `None` if it has it, or cannot.
    pub fn rests_at(&self, config: &Config) -> Option<Instant> {
        let Phase::Open(open) = &self.phase else { return None };
        let free = !self.orphan && !self.starved && self.charged == 0;
        let quiet = free && open.is_quiet();
        let at = open.keepalive.heard_at() + config.idle_after;
        (quiet && at < Instant::MAX).then_some(at)
    }

    /// Takes its small form, if it is quiet enough for that.
    pub fn rest(&mut self) {
        if let Phase::Open(open) = &self.phase
            && open.is_quiet()
        {
            self.phase = Phase::Idle(Idle::of(open));
        }
    }

    /// Takes its full form, in which anything may happen. True if it had the small one.
    pub fn wake(&mut self) -> bool {
        let Phase::Idle(idle) = &self.phase else { return false };
        (self.phase, self.stirred) = (Phase::Open(idle.open()), true);
        true
    }
}
