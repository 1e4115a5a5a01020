//! The clock: the one place where the operating system's time enters. Everything else is told.

use std::time;

use layer::Instant;

/// The monotonic clock, counted from the clock's construction.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: time::Instant,
}

impl Clock {
    /// A clock that begins one second before now: a deadline of "at once" is then always past.
    #[expect(clippy::disallowed_methods, reason = "this file is where the clock is read")]
    pub fn start() -> Self {
        let now = time::Instant::now();
        Self { origin: now.checked_sub(time::Duration::from_secs(1)).unwrap_or(now) }
    }

    /// What time it is.
    #[expect(clippy::disallowed_methods, reason = "this file is where the clock is read")]
    pub fn now(self) -> Instant {
        let passed = time::Instant::now().duration_since(self.origin);
        Instant::ZERO + passed
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
