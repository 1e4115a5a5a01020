//! The clock: the one place where the operating system's time enters. Everything else is told.

use std::time;

use layer::Instant;
use rustix::time::{ClockId, clock_gettime};

/// The monotonic clock, counted from the clock's construction.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: time::Instant,
    /// The same on the kernel's clock, ns: asking it costs half as much as asking std.
    origin_ns: u64,
}

impl Clock {
    /// A clock that begins one second before now: a deadline of "at once" is then always past.
    #[expect(clippy::disallowed_methods, reason = "this file is where the clock is read")]
    pub fn start() -> Self {
        let now = time::Instant::now();
        let before = time::Duration::from_secs(1);
        let origin_ns = monotonic_ns().saturating_sub(1_000_000_000);
        Self { origin: now.checked_sub(before).unwrap_or(now), origin_ns }
    }

    /// What time it is.
    pub fn now(self) -> Instant {
        Instant::from_nanos(monotonic_ns().saturating_sub(self.origin_ns))
    }

    /// The time of day: nanoseconds since 1970, for captures only.
    #[expect(clippy::disallowed_methods, reason = "this file is where the clock is read")]
    pub fn unix_ns() -> u64 {
        let since = time::SystemTime::now().duration_since(time::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }

    /// The same point in time as the standard library names it, for waiting.
    pub(crate) fn at(self, instant: Instant) -> Option<time::Instant> {
        self.origin.checked_add(instant.since(Instant::ZERO))
    }
}

/// CLOCK_MONOTONIC, which std's clock is too, ns.
fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let (secs, nanos) = (u64::try_from(now.tv_sec), u64::try_from(now.tv_nsec));
    secs.unwrap_or(0).saturating_mul(1_000_000_000).saturating_add(nanos.unwrap_or(0))
}
