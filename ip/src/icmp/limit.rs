//! A token bucket (RFC 1122 3.2.2, RFC 1812 4.3.2.8): so many a second, so many at once.

use layer::Instant;

const SECOND_NS: u64 = 1_000_000_000;

/// Credit in nanoseconds: it grows with time, a token costs a fixed part of a second.
#[derive(Debug)]
pub(super) struct Bucket {
    /// What one token costs, ns; `None` where none is ever given.
    cost: Option<u64>,
    full: u64,
    credit: u64,
    at: Instant,
}

impl Bucket {
    /// A full bucket.
    pub(super) fn new(per_second: u32, burst: u32) -> Self {
        let cost = SECOND_NS.checked_div(u64::from(per_second)).map(|cost| cost.max(1));
        let full = cost.unwrap_or_default() * u64::from(burst.max(1));
        Self { cost, full, credit: full, at: Instant::ZERO }
    }

    /// Takes `tokens`, at least one, if that many are there.
    pub(super) fn take(&mut self, now: Instant, tokens: u64) -> bool {
        let Some(cost) = self.cost else { return false };
        let passed = now.as_nanos().saturating_sub(self.at.as_nanos());
        self.at = self.at.max(now);
        self.credit = self.credit.saturating_add(passed).min(self.full);
        match self.credit.checked_sub(cost * tokens.max(1)) {
            Some(rest) => {
                self.credit = rest;
                true
            }
            None => false,
        }
    }
}
