//! One neighbour: what is known of its Ethernet address, and when it is asked for again.
//!
//! ```text
//!               ask x3                  time                  a packet goes out
//!   Incomplete --------> Failed     Reachable - - -> (Stale) ------------------> Probing
//!       |                  |            ^                                        |     |
//!       +------ heard -----+----------->+<-------------- heard, confirmed -------+     v ask x3
//!                                                                                     gone
//! ```
//!
//! Stale is Reachable whose time is over: nothing happens at that moment, so no timer runs for it,
//! and a neighbour nobody talks to costs nothing. Timers run only while we ask.
//!
//! Home of the timeouts of RFC 1122 2.3.2.1, with the states of RFC 4861 7.3.2, which are the
//! same for both families. Left out: RFC 4861's Delay; a packet to a stale neighbour probes at
//! once, unless the transport vouches for it.

use core::time::Duration;

use layer::boundary::Reachability;
use layer::{Instant, MacAddr};

use crate::config::Limits;

/// What is known of a neighbour, as shown to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NeighbourState {
    /// Asked for; packets wait.
    Incomplete,
    /// Heard lately.
    Reachable,
    /// Not heard for a while; used, and probed with the next packet.
    Stale,
    /// Used, and being asked by unicast whether it is still there.
    Probing,
    /// Did not answer: packets are refused for a while.
    Failed,
    /// Set by hand.
    Static,
}

/// What to do with a packet to a neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Advice {
    /// It goes there.
    Send(MacAddr),
    /// It goes there, and so does a request.
    SendAndAsk(MacAddr),
    /// It waits; the question is out already.
    Wait,
    /// It waits; a request is broadcast.
    WaitAndAsk,
    /// It comes back.
    Unreachable,
}

/// What is due with a neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing yet.
    Rest,
    /// Ask again: it by unicast, or everybody.
    Ask(Option<MacAddr>),
    /// Nobody answered; what waits comes back.
    Failed,
    /// Did not answer where it used to be: to be forgotten.
    Gone,
}

/// A neighbour with address `A`. Every state holds only what exists in it.
#[derive(Clone, Debug)]
pub(crate) struct Neighbour<A> {
    pub(crate) address: A,
    /// The address of ours that asks for it: that of the packet that waits.
    pub(crate) from: A,
    /// The earliest hint given to the deadlines, see `layer::deadline`.
    pub(crate) hinted: Option<Instant>,
    state: State,
    /// When we last learnt its address.
    heard_at: Option<Instant>,
    /// When we last sent to it; `None` if it only spoke to us.
    used_at: Option<Instant>,
    asked_at: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Incomplete(Asking),
    /// Stale from `until` on.
    Reachable {
        mac: MacAddr,
        until: Instant,
    },
    Probing {
        mac: MacAddr,
        asking: Asking,
    },
    Failed {
        until: Instant,
    },
    Static {
        mac: MacAddr,
    },
}

/// Requests so far, and when the next is due.
#[derive(Clone, Copy, Debug)]
struct Asking {
    tries: u32,
    again_at: Instant,
}

impl<A: Copy> Neighbour<A> {
    fn with(address: A, from: A, state: State) -> Self {
        Self { address, from, hinted: None, state, heard_at: None, used_at: None, asked_at: None }
    }

    /// One that is to be asked for, now, on behalf of `from`.
    pub(crate) fn unknown(now: Instant, address: A, from: A, limits: &Limits) -> Self {
        let asking = Asking { tries: 1, again_at: now + limits.request_interval };
        let mut neighbour = Self::with(address, from, State::Incomplete(asking));
        (neighbour.used_at, neighbour.asked_at) = (Some(now), Some(now));
        neighbour
    }

    /// One that spoke to us.
    pub(crate) fn known(now: Instant, address: A, mac: MacAddr, limits: &Limits) -> Self {
        let state = State::Reachable { mac, until: now + limits.reachable };
        let mut neighbour = Self::with(address, address, state);
        neighbour.heard_at = Some(now);
        neighbour
    }

    /// One set by hand.
    pub(crate) fn fixed(address: A, mac: MacAddr) -> Self {
        Self::with(address, address, State::Static { mac })
    }

    /// A packet from `from` goes to this neighbour; `hint` is the transport's word.
    pub(crate) fn consult(
        &mut self,
        now: Instant,
        from: A,
        hint: Reachability,
        limits: &Limits,
    ) -> Advice {
        self.used_at = Some(now);
        // RFC 9293 3.8.3: a transport that hears nothing doubts the neighbour, however lately it
        // was heard.
        let doubted = hint == Reachability::Doubted;
        match self.state {
            State::Static { mac } => Advice::Send(mac),
            // RFC 1122 2.3.2.1: advice from a higher layer keeps an entry alive.
            State::Reachable { mac, .. } | State::Probing { mac, .. }
                if hint == Reachability::Confirmed =>
            {
                self.state = State::Reachable { mac, until: now + limits.reachable };
                Advice::Send(mac)
            }
            State::Reachable { mac, until } if now < until && !doubted => Advice::Send(mac),
            // RFC 1122 2.3.2.1: unicast poll, while the old address stays in use.
            State::Reachable { mac, until } if now < until + limits.stale => {
                let asks = self.may_ask(now, limits);
                let asking = self.begin(now, from, asks, limits);
                self.state = State::Probing { mac, asking };
                if asks { Advice::SendAndAsk(mac) } else { Advice::Send(mac) }
            }
            State::Probing { mac, .. } => Advice::Send(mac),
            State::Incomplete(_) => Advice::Wait,
            State::Failed { until } if now < until => Advice::Unreachable,
            State::Reachable { .. } | State::Failed { .. } => {
                let asks = self.may_ask(now, limits);
                self.state = State::Incomplete(self.begin(now, from, asks, limits));
                if asks { Advice::WaitAndAsk } else { Advice::Wait }
            }
        }
    }

    /// The neighbour said where it is. True if that is news.
    pub(crate) fn heard(&mut self, now: Instant, mac: MacAddr, limits: &Limits) -> bool {
        let before = self.mac();
        match self.state {
            State::Static { .. } => return false,
            State::Incomplete(_)
            | State::Reachable { .. }
            | State::Probing { .. }
            | State::Failed { .. } => {}
        }
        self.heard_at = Some(now);
        self.state = State::Reachable { mac, until: now + limits.reachable };
        before != Some(mac)
    }

    /// The deadline has come, or may have.
    pub(crate) fn due(&mut self, now: Instant, limits: &Limits) -> Step {
        if self.deadline().is_none_or(|at| at > now) {
            return Step::Rest;
        }
        match self.state {
            State::Reachable { .. } | State::Failed { .. } | State::Static { .. } => Step::Rest,
            State::Incomplete(Asking { tries, .. }) if tries < limits.tries => {
                self.state = State::Incomplete(self.ask(now, tries, limits));
                Step::Ask(None)
            }
            State::Incomplete(_) => {
                self.state = State::Failed { until: now + limits.hold_down };
                Step::Failed
            }
            State::Probing { mac, asking } if asking.tries < limits.tries => {
                let asking = self.ask(now, asking.tries, limits);
                self.state = State::Probing { mac, asking };
                Step::Ask(Some(mac))
            }
            // RFC 1122 2.3.2.1: no reply from N successive polls deletes the entry.
            State::Probing { .. } => Step::Gone,
        }
    }

    /// When it has to be looked at.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Incomplete(asking) | State::Probing { asking, .. } => Some(asking.again_at),
            State::Reachable { .. } | State::Failed { .. } | State::Static { .. } => None,
        }
    }

    /// May be forgotten to make room. Not while it is asked for: a new entry would ask again at
    /// once, beyond the rate of RFC 1122 2.3.2.1.
    pub(crate) fn may_go(&self, now: Instant, limits: &Limits) -> bool {
        match self.state {
            State::Static { .. } | State::Incomplete(_) => false,
            State::Reachable { .. } | State::Probing { .. } | State::Failed { .. } => {
                self.may_ask(now, limits)
            }
        }
    }

    /// When we last sent to it. Neighbours that only spoke to us sort first: a flood of made-up
    /// ones displaces its own kind before the gateway.
    pub(crate) fn used_at(&self) -> Option<Instant> {
        self.used_at
    }

    /// Time since its address was learnt.
    pub(crate) fn age(&self, now: Instant) -> Option<Duration> {
        self.heard_at.map(|at| now.since(at))
    }

    /// Until when it is trusted or refused.
    pub(crate) fn expires_at(&self) -> Option<Instant> {
        match self.state {
            State::Reachable { until, .. } | State::Failed { until } => Some(until),
            State::Incomplete(_) | State::Probing { .. } | State::Static { .. } => None,
        }
    }

    /// Where it is, or was last known to be.
    pub(crate) fn mac(&self) -> Option<MacAddr> {
        match self.state {
            State::Reachable { mac, .. } | State::Probing { mac, .. } | State::Static { mac } => {
                Some(mac)
            }
            State::Incomplete(_) | State::Failed { .. } => None,
        }
    }

    /// How it is shown at `now`; `None` where it has expired altogether.
    pub(crate) fn shown(&self, now: Instant, limits: &Limits) -> Option<NeighbourState> {
        match self.state {
            State::Incomplete(_) => Some(NeighbourState::Incomplete),
            State::Reachable { until, .. } if now < until => Some(NeighbourState::Reachable),
            State::Reachable { until, .. } if now < until + limits.stale => {
                Some(NeighbourState::Stale)
            }
            State::Probing { .. } => Some(NeighbourState::Probing),
            State::Failed { until } if now < until => Some(NeighbourState::Failed),
            State::Reachable { .. } | State::Failed { .. } => None,
            State::Static { .. } => Some(NeighbourState::Static),
        }
    }

    /// It is being asked for, by broadcast.
    pub(crate) fn is_incomplete(&self) -> bool {
        match self.state {
            State::Incomplete(_) => true,
            State::Reachable { .. }
            | State::Probing { .. }
            | State::Failed { .. }
            | State::Static { .. } => false,
        }
    }

    // RFC 1122 2.3.2.1: requests to one address at most once a second.
    fn may_ask(&self, now: Instant, limits: &Limits) -> bool {
        self.asked_at.is_none_or(|at| at + limits.request_interval <= now)
    }

    /// Starts to ask on behalf of `from`: at once if `asks`, else when the rate allows.
    fn begin(&mut self, now: Instant, from: A, asks: bool, limits: &Limits) -> Asking {
        self.from = from;
        if asks {
            return self.ask(now, 0, limits);
        }
        let last = self.asked_at.unwrap_or(now);
        Asking { tries: 0, again_at: last + limits.request_interval }
    }

    fn ask(&mut self, now: Instant, tries: u32, limits: &Limits) -> Asking {
        self.asked_at = Some(now);
        Asking { tries: tries + 1, again_at: now + limits.request_interval }
    }
}
