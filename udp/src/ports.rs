//! Free ports that cannot be guessed (RFC 6056).
//!
//! The first candidate is a keyed hash of a counter (simple randomisation, RFC 6056 3.3.2, with
//! the random number drawn from a secret instead of a generator); from there the range is walked
//! until a port is free, so that every port of the range is found before giving up.

use core::hash::Hasher;
use core::ops::RangeInclusive;

use siphasher::sip::SipHasher13;

/// Draws ports from a range.
#[derive(Debug)]
pub(crate) struct EphemeralPorts {
    key: [u8; 16],
    first: u16,
    /// Ports in the range; at least 1.
    count: u32,
    drawn: u64,
}

impl EphemeralPorts {
    /// Draws from `range`; an empty range stands for its start alone.
    pub(crate) fn new(key: [u8; 16], range: &RangeInclusive<u16>) -> Self {
        let (first, last) = ((*range.start()).max(1), *range.end());
        let count = u32::from(last.saturating_sub(first)) + 1;
        Self { key, first, count, drawn: 0 }
    }

    /// A port for which `free` holds; `None` when the whole range is in use.
    pub(crate) fn draw(&mut self, mut free: impl FnMut(u16) -> bool) -> Option<u16> {
        // RFC 6056 3: unpredictable, over the whole range, never one in use.
        let mut hasher = SipHasher13::new_with_key(&self.key);
        hasher.write_u64(self.drawn);
        self.drawn = self.drawn.wrapping_add(1);
        let start = u32::try_from(hasher.finish() % u64::from(self.count)).unwrap_or(0);
        (0..self.count)
            .map(|step| (start + step) % self.count)
            .filter_map(|offset| u16::try_from(u32::from(self.first) + offset).ok())
            .find(|&port| free(port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // test: RFC 6056 3
    #[test]
    fn ports_cover_the_range_differ_by_secret_and_avoid_those_in_use() {
        let draw_all = |key| {
            let mut ports = EphemeralPorts::new([key; 16], &(5000..=5099));
            let mut taken = Vec::new();
            while let Some(port) = ports.draw(|port| !taken.contains(&port)) {
                taken.push(port);
            }
            taken
        };
        let (one, other) = (draw_all(1), draw_all(2));
        let mut sorted = one.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (5000..=5099).collect::<Vec<u16>>());
        assert_ne!(one, other, "another secret, another order");
        assert_ne!(one, sorted, "not one after the other");
    }

    #[test]
    fn the_top_of_the_port_space_is_reached_and_not_passed() {
        let mut ports = EphemeralPorts::new([7; 16], &(65_535..=65_535));
        assert_eq!(ports.draw(|_| true), Some(65_535));
        assert_eq!(ports.draw(|_| false), None);
    }
}
