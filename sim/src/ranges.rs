//! [`Ranges`]: a set of numbers, kept as ranges that do not touch.

use std::collections::BTreeMap;

/// A set of numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges(BTreeMap<u32, u32>);

impl Ranges {
    /// Adds `start` to before `end`.
    pub fn insert(&mut self, mut start: u32, mut end: u32) {
        if start >= end {
            return;
        }
        // All that begin by `end` and reach `start` melt into one.
        while let Some((&left, &right)) = self.0.range(..=end).next_back() {
            if right < start {
                break;
            }
            self.0.remove(&left);
            (start, end) = (start.min(left), end.max(right));
        }
        self.0.insert(start, end);
    }

    /// All of `start` to before `end` is in it.
    pub fn contains(&self, start: u32, end: u32) -> bool {
        start >= end || self.0.range(..=start).next_back().is_some_and(|(_, &right)| end <= right)
    }

    /// The first number from 0 that is not in it.
    pub fn first_gap(&self) -> u32 {
        self.0.get(&0).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_melt_where_they_touch() {
        let mut ranges = Ranges::default();
        for (start, end) in [(5, 8), (10, 12), (0, 2), (8, 10), (3, 3)] {
            ranges.insert(start, end);
        }
        assert_eq!(ranges.0, BTreeMap::from([(0, 2), (5, 12)]));
        assert_eq!(ranges.first_gap(), 2);
        assert!(ranges.contains(5, 12) && !ranges.contains(4, 6) && !ranges.contains(11, 13));
        ranges.insert(1, 20);
        assert_eq!(ranges.0, BTreeMap::from([(0, 20)]));
    }
}
