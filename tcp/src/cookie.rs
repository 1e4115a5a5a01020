//! SYN cookies: a handshake without memory (RFC 4987 3.6), for listeners whose backlog is full.
//!
//! Our initial number says all that must be known of a SYN when its ACK comes:
//!
//! ```text
//!   iss = hash(tuple) + irs + (minute << 24) + (hash(tuple, irs, minute) + mss index) mod 2^24
//! ```
//!
//! The sum with the peer's number and the minute lets numbers of one tuple grow with time, as those
//! of RFC 6528 do. Of 2^32 numbers 16 are right at a time: two minutes, eight sizes.
//!
//! If the peer sends timestamps, the low 6 bits of our TSval carry what else its SYN offered, and
//! come back in TSecr: the window scale (15: none), SACK, ECN. Without them these are not used.

use core::hash::Hasher;

use layer::{Duration, Instant};
use siphasher::sip::SipHasher24;

use crate::isn::{truncate, write_address};
use crate::options::Options;
use crate::recv::paws::clock;
use crate::seq::Seq;
use crate::table::Tuple;

/// A cookie is good in the minute (ms) in which it was made, and in the next.
const MINUTE: u64 = 60_000;
const MINUTES: u32 = 2;

/// How long a cookie can be good: Linux's `TCP_SYNCOOKIE_VALID`.
pub const LIFE: Duration = Duration::from_secs(120);

/// Segment sizes that a cookie can tell, rising: the least we send, the default of IPv4, that of
/// IPv6, and what tunnels, Ethernet (IPv6, IPv4) and jumbo frames leave. Rounding is downward.
const SIZES: [u16; 8] = [48, 536, 1220, 1300, 1380, 1440, 1460, 8940];

const LOW: u32 = 0x00ff_ffff;

/// Makes cookies and knows its own.
#[derive(Clone, Copy, Debug)]
pub struct Cookies {
    key: [u8; 16],
}

impl Cookies {
    /// With a secret that was drawn at the start of the stack.
    pub fn new(key: [u8; 16]) -> Self {
        Self { key }
    }

    /// The initial number that answers a SYN with this initial number and segment size.
    pub fn make(&self, now: Instant, tuple: &Tuple, irs: Seq, mss: u16) -> Seq {
        let minute = minute(now);
        let index = SIZES.iter().rposition(|&size| size <= mss).unwrap_or(0);
        let index = u32::try_from(index).unwrap_or_default();
        let low = self.hash(tuple, Some((irs, minute))).wrapping_add(index) & LOW;
        self.base(tuple, irs).plus(minute << 24).plus(low)
    }

    /// The segment size in a cookie of ours for this tuple and initial number, if it is one and
    /// not too old.
    pub fn check(&self, now: Instant, tuple: &Tuple, irs: Seq, cookie: Seq) -> Option<u16> {
        let told = cookie.since(self.base(tuple, irs));
        let age = minute(now).wrapping_sub(told >> 24) & 0xff;
        if age >= MINUTES {
            return None;
        }
        let made = minute(now).wrapping_sub(age);
        let index = told.wrapping_sub(self.hash(tuple, Some((irs, made)))) & LOW;
        SIZES.get(usize::try_from(index).ok()?).copied()
    }

    fn base(&self, tuple: &Tuple, irs: Seq) -> Seq {
        irs.plus(self.hash(tuple, None))
    }

    fn hash(&self, tuple: &Tuple, moment: Option<(Seq, u32)>) -> u32 {
        let mut hasher = SipHasher24::new_with_key(&self.key);
        write_address(&mut hasher, tuple.local);
        write_address(&mut hasher, tuple.remote);
        if let Some((irs, minute)) = moment {
            hasher.write_u32(irs.0);
            hasher.write_u32(minute);
        }
        truncate(hasher.finish())
    }
}

fn minute(now: Instant) -> u32 {
    truncate(now.as_millis() / MINUTE)
}

/// What our TSval can carry of a SYN's options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carried {
    /// Its window scale.
    pub scale: Option<u8>,
    /// SACK permitted.
    pub sack: bool,
    /// It asks for ECN.
    pub ecn: bool,
}

const CARRIED: u32 = 0x3f;
const NO_SCALE: u32 = 0xf;
const SACK: u32 = 0x10;
const ECN: u32 = 0x20;

impl Carried {
    /// The TSval that carries it: not later than our timestamp clock says, and at most two times
    /// 64 ms earlier.
    pub fn stamp(self, offset: u32, now: Instant) -> u32 {
        let scale = self.scale.map_or(NO_SCALE, |shift| u32::from(shift.min(Options::MAX_SCALE)));
        let bits = scale | if self.sack { SACK } else { 0 } | if self.ecn { ECN } else { 0 };
        let millis = clock(0, now);
        let stamp = (millis & !CARRIED) | bits;
        // Timestamps must not run ahead, or the connection's own would look old (RFC 7323 5).
        let late = if Seq(stamp).after(Seq(millis)) { CARRIED + 1 } else { 0 };
        stamp.wrapping_sub(late).wrapping_add(offset)
    }

    /// What a TSval of ours that comes back carries.
    pub fn read(offset: u32, echo: u32) -> Self {
        let bits = echo.wrapping_sub(offset) & CARRIED;
        let scale = u8::try_from(bits & NO_SCALE).ok();
        Self {
            scale: scale.filter(|&scale| scale <= Options::MAX_SCALE),
            sack: bits & SACK != 0,
            ecn: bits & ECN != 0,
        }
    }
}

#[cfg(test)]
mod tests;
