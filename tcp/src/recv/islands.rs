//! Which numbers are there beyond a hole: the runs that SACK blocks report (RFC 2018 3).
//!
//! ```text
//!   RCV.NXT      island               island
//!      |  hole  |======================|  hole |====|
//! ```
//!
//! Kept beside the pieces themselves, because an island may be a thousand of them, and every early
//! segment asks for up to four. All questions are binary searches.

use std::collections::VecDeque;

use crate::seq::Seq;

/// Runs without a hole, in order, none touching the next: first number and one past the last.
#[derive(Debug, Default)]
pub struct Islands {
    runs: VecDeque<(Seq, Seq)>,
}

impl Islands {
    /// Numbers from `from` to before `to`, none of them known, are there.
    pub fn add(&mut self, from: Seq, to: Seq) {
        // The first run that does not end before the new numbers: it may touch them.
        let at = self.runs.partition_point(|run| run.1.before(from));
        let joins_left = self.runs.get(at).is_some_and(|run| run.1 == from);
        let next = if joins_left { at + 1 } else { at };
        let joins_right = self.runs.get(next).is_some_and(|run| run.0 == to);
        match (joins_left, joins_right) {
            (false, false) => self.runs.insert(at, (from, to)),
            (false, true) => self.change(next, |run| run.0 = from),
            (true, false) => self.change(at, |run| run.1 = to),
            (true, true) => {
                if let Some((_, end)) = self.runs.remove(next) {
                    self.change(at, |run| run.1 = end);
                }
            }
        }
    }

    fn change(&mut self, at: usize, how: impl FnOnce(&mut (Seq, Seq))) {
        if let Some(run) = self.runs.get_mut(at) {
            how(run);
        }
    }

    /// Everything before `seq` is taken.
    pub fn forget_before(&mut self, seq: Seq) {
        while self.runs.front().is_some_and(|run| run.1.at_or_before(seq)) {
            self.runs.pop_front();
        }
        if let Some(first) = self.runs.front_mut() {
            first.0 = first.0.max(seq);
        }
    }

    /// Nothing from `seq` on is there any more: it was given up for want of memory (RFC 2018 8).
    pub fn forget_after(&mut self, seq: Seq) {
        while self.runs.back().is_some_and(|run| seq.at_or_before(run.0)) {
            self.runs.pop_back();
        }
        if let Some(last) = self.runs.back_mut() {
            last.1 = last.1.min(seq);
        }
    }

    /// Gives back what no run needs.
    pub fn release(&mut self) {
        self.runs.shrink_to_fit();
    }

    /// The run that holds `seq`.
    pub fn find(&self, seq: Seq) -> Option<(Seq, Seq)> {
        let at = self.runs.partition_point(|run| run.1.at_or_before(seq));
        self.runs.get(at).copied().filter(|run| run.0.at_or_before(seq))
    }
}
