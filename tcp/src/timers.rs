//! The timers of one connection: an `Option<Instant>` each, owned here; the layer's deadline heap
//! is only a hint.

use layer::Instant;
use layer::time::earliest;

use crate::pack::packed;

/// When something is due, if it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timers {
    /// Resend what is not acknowledged (RFC 6298 5).
    pub retransmit: Option<Instant>,
    /// Probe a closed window, or override silly-window avoidance (RFC 9293 3.8.6.1).
    pub persist: Option<Instant>,
    /// What was sent before something that arrived is lost by then (RFC 8985 6.3).
    pub reorder: Option<Instant>,
    /// Probe the tail (RFC 8985 7.2).
    pub probe: Option<Instant>,
    /// Acknowledge what is owed (RFC 9293 3.8.6.3).
    pub delayed_ack: Option<Instant>,
    /// The application's own timeout for what waits (RFC 9293 3.8.3).
    pub user_timeout: Option<Instant>,
    /// Ask an idle peer whether it is still there (RFC 9293 3.8.4).
    pub keepalive: Option<Instant>,
    /// Who closed the socket waits no longer for what was written (SO_LINGER).
    pub linger: Option<Instant>,
    /// A closed socket waited long enough in FIN-WAIT-2.
    pub fin_wait_2: Option<Instant>,
}

packed!(Timers {
    retransmit,
    persist,
    reorder,
    probe,
    delayed_ack,
    user_timeout,
    keepalive,
    linger,
    fin_wait_2,
});

impl Timers {
    /// The earliest of them.
    pub fn next(&self) -> Option<Instant> {
        let Self {
            retransmit,
            persist,
            reorder,
            probe,
            delayed_ack,
            user_timeout,
            keepalive,
            linger,
            fin_wait_2,
        } = *self;
        let (data, ack) = ([retransmit, persist, reorder, probe], delayed_ack);
        let life = [user_timeout, keepalive, linger, fin_wait_2];
        data.into_iter().chain(life).fold(ack, earliest)
    }
}

/// Takes a timer that is due, so that it fires once.
pub fn fired(timer: &mut Option<Instant>, now: Instant) -> bool {
    let due = timer.is_some_and(|at| at <= now);
    if due {
        *timer = None;
    }
    due
}
