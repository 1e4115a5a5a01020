//! Are our addresses ours? Probing, announcing and defending (RFC 5227), address by address.
//!
//! ```text
//!            0..1 s    1..2 s   1..2 s    2 s              2 s
//!   Fresh ---------> P -------> P -------> P -----> Ready A -----> A  Settled
//!     |                \_________ a conflict ________/    \_ a conflict: defend, or give up
//!     +-> optimistic: an announcement                       at most once in 10 s
//!     |                v
//!     +-> off: Ready  Lost
//! ```
//!
//! Home of RFC 5227 1.1 and 2.1 to 2.4. It decides; `arp.rs` sends. Left out: choosing another
//! address after a conflict, hence MAX_CONFLICTS and RATE_LIMIT_INTERVAL, which slow that down.

use core::hash::Hasher;
use core::net::Ipv4Addr;
use core::time::Duration;

use layer::boundary::AddressState;
use layer::{Instant, MacAddr};
use siphasher::sip::SipHasher13;

use crate::config::{Acd, Config};
use crate::message::Message;

// RFC 5227 1.1: the constants, by their names.
const PROBE_WAIT: Duration = Duration::from_secs(1);
const PROBE_NUM: u32 = 3;
const PROBE_MIN: Duration = Duration::from_secs(1);
const PROBE_MAX: Duration = Duration::from_secs(2);
const ANNOUNCE_WAIT: Duration = Duration::from_secs(2);
const ANNOUNCE_NUM: u32 = 2;
const ANNOUNCE_INTERVAL: Duration = Duration::from_secs(2);
const DEFEND_INTERVAL: Duration = Duration::from_secs(10);

/// Our addresses and how sure we are of each. A handful, searched in order.
#[derive(Debug)]
pub(crate) struct Claims {
    acd: Acd,
    mac: MacAddr,
    key: [u8; 16],
    claims: Vec<Claim>,
}

#[derive(Debug)]
struct Claim {
    address: Ipv4Addr,
    phase: Phase,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Nobody has told us the time yet.
    Fresh,
    /// `sent` probes went out.
    Probing { sent: u32, next_at: Instant },
    /// Ours; `sent` announcements went out.
    Announcing { sent: u32, next_at: Instant, defended_at: Option<Instant> },
    /// Ours.
    Settled { defended_at: Option<Instant> },
    /// Somebody else's.
    Lost,
}

/// What may be done with an address of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Everything.
    Usable,
    /// Nothing yet: what is sent from it waits.
    NotYet,
    /// Nothing any more.
    Lost,
}

/// What is due for an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// It comes into use: tell IP that it is tentative; `announce` it right away.
    Begin { announce: bool },
    /// Send a probe.
    Probe,
    /// It is ours: tell IP.
    Ready,
    /// Send an announcement.
    Announce,
}

/// Somebody else claims an address of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conflict {
    /// We go on using it and say so to everybody.
    Defend,
    /// We go on using it, but have said so lately, or never do.
    Bear,
    /// We stop using it.
    GiveUp,
}

impl Claims {
    pub(crate) fn new(config: &Config) -> Self {
        let claim = |&address| Claim { address, phase: Phase::Fresh };
        Self {
            acd: config.acd,
            mac: config.mac,
            key: config.key,
            claims: config.addresses.iter().map(claim).collect(),
        }
    }

    /// What may be done with `address`; `None` if it is not one of ours.
    pub(crate) fn standing(&self, address: Ipv4Addr) -> Option<Standing> {
        let claim = self.claims.iter().find(|claim| claim.address == address)?;
        Some(self.standing_in(claim.phase))
    }

    /// The first address that may be used.
    pub(crate) fn first_usable(&self) -> Option<Ipv4Addr> {
        let usable = |claim: &&Claim| self.standing_in(claim.phase) == Standing::Usable;
        self.claims.iter().find(usable).map(|claim| claim.address)
    }

    /// Our addresses and their states, in order of preference.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Ipv4Addr, AddressState)> + '_ {
        self.claims.iter().map(|claim| {
            let state = match claim.phase {
                Phase::Fresh | Phase::Probing { .. } => AddressState::Tentative,
                Phase::Announcing { .. } | Phase::Settled { .. } => AddressState::Ready,
                Phase::Lost => AddressState::Conflict,
            };
            (claim.address, state)
        })
    }

    /// When something is due.
    pub(crate) fn poll_at(&self) -> Option<Instant> {
        self.claims.iter().filter_map(|claim| claim.phase.next_at()).min()
    }

    /// The next thing that is due, if any.
    pub(crate) fn due(&mut self, now: Instant) -> Option<(Ipv4Addr, Act)> {
        let is_due = |claim: &Claim| claim.phase.next_at().is_some_and(|at| at <= now);
        let at = self.claims.iter().position(is_due)?;
        let Claim { address, phase } = *self.claims.get(at)?;
        let (act, next) = self.advance(now, address, phase)?;
        self.claims.get_mut(at)?.phase = next;
        Some((address, act))
    }

    /// Somebody else sent `message`: does it contest an address of ours?
    pub(crate) fn contested(
        &mut self,
        now: Instant,
        message: &Message,
    ) -> Option<(Ipv4Addr, Conflict)> {
        let acd = self.acd;
        let claimed = |claim: &&mut Claim| {
            message.sender_ip == claim.address
                // RFC 5227 2.1.1: who probes for the same address is a rival. Once we use it, a
                // probe is a question like any other (2.5), and the answer settles it.
                || (acd == Acd::Strict
                    && claim.phase.is_unproven()
                    && message.is_probe()
                    && message.target_ip == claim.address)
        };
        let claim = self.claims.iter_mut().find(claimed)?;
        let conflict = claim.phase.contest(now, acd)?;
        Some((claim.address, conflict))
    }

    fn standing_in(&self, phase: Phase) -> Standing {
        match (phase, self.acd) {
            (Phase::Lost, _) => Standing::Lost,
            // RFC 5227 2.1: an address is probed before it is used.
            (Phase::Fresh | Phase::Probing { .. }, Acd::Strict) => Standing::NotYet,
            (Phase::Fresh | Phase::Probing { .. }, Acd::Optimistic | Acd::Off)
            | (Phase::Announcing { .. } | Phase::Settled { .. }, _) => Standing::Usable,
        }
    }

    /// What is due in `phase`, and the phase after it.
    fn advance(&self, now: Instant, address: Ipv4Addr, phase: Phase) -> Option<(Act, Phase)> {
        let ready = Phase::Announcing { sent: 0, next_at: now, defended_at: None };
        match phase {
            Phase::Fresh if self.acd == Acd::Off => Some((Act::Ready, ready)),
            Phase::Fresh => {
                let wait = self.random(address, 0, Duration::ZERO, PROBE_WAIT);
                let announce = self.acd == Acd::Optimistic;
                let probing = Phase::Probing { sent: 0, next_at: now + wait };
                Some((Act::Begin { announce }, probing))
            }
            Phase::Probing { sent, .. } if sent < PROBE_NUM => {
                let sent = sent + 1;
                let wait = if sent < PROBE_NUM {
                    self.random(address, sent, PROBE_MIN, PROBE_MAX)
                } else {
                    ANNOUNCE_WAIT
                };
                Some((Act::Probe, Phase::Probing { sent, next_at: now + wait }))
            }
            Phase::Probing { .. } => Some((Act::Ready, ready)),
            // RFC 5227 2.3: two announcements, two seconds apart.
            Phase::Announcing { sent, defended_at, .. } => {
                let sent = sent + 1;
                let next = if sent < ANNOUNCE_NUM {
                    Phase::Announcing { sent, next_at: now + ANNOUNCE_INTERVAL, defended_at }
                } else {
                    Phase::Settled { defended_at }
                };
                Some((Act::Announce, next))
            }
            Phase::Settled { .. } | Phase::Lost => None,
        }
    }

    /// Uniformly between `least` and `most`, differently for every host, address and probe, so that
    /// hosts that start together do not probe together (RFC 5227 2.1.1).
    fn random(&self, address: Ipv4Addr, nth: u32, least: Duration, most: Duration) -> Duration {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        hasher.write(b"acd wait");
        hasher.write(&self.mac.0);
        hasher.write(&address.octets());
        hasher.write_u32(nth);
        let span = u64::try_from((most - least).as_micros()).unwrap_or(0);
        least + Duration::from_micros(hasher.finish().checked_rem(span).unwrap_or(0))
    }
}

impl Phase {
    fn next_at(self) -> Option<Instant> {
        match self {
            Self::Fresh => Some(Instant::ZERO),
            Self::Probing { next_at, .. } | Self::Announcing { next_at, .. } => Some(next_at),
            Self::Settled { .. } | Self::Lost => None,
        }
    }

    fn is_unproven(self) -> bool {
        match self {
            Self::Fresh | Self::Probing { .. } => true,
            Self::Announcing { .. } | Self::Settled { .. } | Self::Lost => false,
        }
    }

    /// Somebody claims the address. What is done about it, and the phase after it.
    fn contest(&mut self, now: Instant, acd: Acd) -> Option<Conflict> {
        let defended_at = match self {
            Self::Lost => return None,
            Self::Fresh | Self::Probing { .. } => {
                if acd == Acd::Off {
                    return Some(Conflict::Bear);
                }
                // RFC 5227 2.1.1: whoever was there first keeps it.
                *self = Self::Lost;
                return Some(Conflict::GiveUp);
            }
            Self::Announcing { defended_at, .. } | Self::Settled { defended_at } => defended_at,
        };
        let lately = defended_at.is_some_and(|at| now < at + DEFEND_INTERVAL);
        match acd {
            Acd::Off => Some(Conflict::Bear),
            // RFC 5227 2.4 (b): the second conflict within DEFEND_INTERVAL takes it away.
            Acd::Strict if lately => {
                *self = Self::Lost;
                Some(Conflict::GiveUp)
            }
            // RFC 5227 2.4 (c): defended for ever, at most once in DEFEND_INTERVAL.
            Acd::Optimistic if lately => Some(Conflict::Bear),
            Acd::Strict | Acd::Optimistic => {
                *defended_at = Some(now);
                Some(Conflict::Defend)
            }
        }
    }
}

#[cfg(test)]
mod tests;
