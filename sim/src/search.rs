//! Looks for inputs that a fuzz target does not survive, and makes a find small. This is what there
//! is on a machine without libFuzzer: it does not see which branches an input takes, but it knows
//! what an input is made of, and the same seed tries the same inputs on every machine.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::frame::{TcpHeader, tcp_segment};
use crate::rng::{Chance, Rng};
use crate::{duel, parsing};

/// Longest input tried: 512 actions of 4 bytes, and the setting.
pub const LONGEST: usize = 2052;
/// Bytes of an action of a duel, and of its setting.
const RECORD: usize = 4;
/// First actions of most duels: a connection comes to be, and the rest has something to work on.
pub const OPENING: [u8; 16] = [21, 0, 0, 0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 1, 1, 0];

/// What an input is given to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// [`duel::run`].
    Connection,
    /// [`parsing::run`].
    Segment,
}

impl Target {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Connection, Self::Segment];

    /// As in the names of folders and commands.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Segment => "segment",
        }
    }

    /// The promise that `input` breaks, if it does. A panic is caught and is one, too.
    pub fn failure(self, input: &[u8]) -> Option<String> {
        let outcome = catch_unwind(AssertUnwindSafe(|| match self {
            Self::Connection => duel::run(input).map(drop),
            Self::Segment => parsing::run(input),
        }));
        match outcome {
            Ok(outcome) => outcome.err(),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
                Some(format!("panic: {}", text.unwrap_or("of an unknown kind")))
            }
        }
    }

    /// What happens with `input`, in words.
    pub fn explain(self, input: &[u8]) -> String {
        match self {
            Self::Connection => duel::explain(input),
            Self::Segment => format!("{input:02x?}\n{:?}\n", parsing::run(input)),
        }
    }

    /// The input number `number` of a seed; half of them are made from those of `corpus`.
    pub fn input(self, seed: u64, number: u64, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut rng = Rng::derive(seed, self.name(), number);
        let known = !corpus.is_empty() && rng.happens(Chance::percent(50));
        let mut input = match self {
            _ if known => rng.pick(corpus).clone(),
            Self::Connection => any_duel(&mut rng),
            Self::Segment => any_segment(&mut rng),
        };
        let unit = self.unit();
        let changes = if known || self == Self::Segment { 1 + rng.index(8) } else { 0 };
        for _ in 0..changes {
            change(&mut rng, &mut input, unit, corpus);
        }
        input.truncate(LONGEST);
        input
    }

    /// Bytes that belong together.
    const fn unit(self) -> usize {
        match self {
            Self::Connection => RECORD,
            Self::Segment => 1,
        }
    }

    /// Leaves out of an input what does not matter for how it fails: pieces of ever smaller size
    /// first, then values.
    pub fn shrink(self, mut input: Vec<u8>) -> Vec<u8> {
        let Some(wanted) = self.failure(&input).map(|what| kind(&what)) else { return input };
        let fails = |input: &[u8]| self.failure(input).is_some_and(|what| kind(&what) == wanted);
        let unit = self.unit();
        let mut size = (input.len() / 2).next_multiple_of(unit);
        while size >= unit {
            let mut at = 0;
            while at < input.len() {
                let mut less = input.clone();
                less.drain(at..(at + size).min(input.len()));
                if fails(&less) {
                    input = less;
                } else {
                    at += size;
                }
            }
            size = if size == unit { 0 } else { (size / 2).next_multiple_of(unit) };
        }
        for at in 0..input.len() {
            let smaller = [0, input[at] & 0x1f, input[at] / 2];
            for value in smaller.into_iter().filter(|&value| value < input[at]) {
                let mut less = input.clone();
                less[at] = value;
                if fails(&less) {
                    input = less;
                    break;
                }
            }
        }
        input
    }
}

/// How it fails: the first words, which stay the same while the numbers change.
fn kind(what: &str) -> String {
    what.chars().filter(|letter| letter.is_alphabetic() || *letter == ' ').take(24).collect()
}

fn any_duel(rng: &mut Rng) -> Vec<u8> {
    let mut input = vec![0; RECORD];
    rng.fill(&mut input);
    if rng.happens(Chance::percent(90)) {
        input.extend(OPENING);
    }
    let mut actions = vec![0; RECORD * rng.index(200)];
    rng.fill(&mut actions);
    input.extend(actions);
    input
}

/// A segment with options that are right or nearly so.
fn any_segment(rng: &mut Rng) -> Vec<u8> {
    const KINDS: [(u8, u8); 9] =
        [(1, 1), (2, 4), (3, 3), (4, 2), (5, 10), (5, 18), (5, 34), (8, 10), (254, 4)];
    let mut options = Vec::new();
    for _ in 0..rng.index(6) {
        let (kind, len) = *rng.pick(&KINDS);
        let start = options.len();
        options.resize(start + usize::from(len), 0);
        rng.fill(&mut options[start..]);
        options[start] = kind;
        if let Some(field) = options.get_mut(start + 1).filter(|_| len > 1) {
            *field = len;
        }
    }
    options.truncate(40);
    let header = TcpHeader {
        source: 1 + rng.below(65_535) as u16,
        destination: 1 + rng.below(65_535) as u16,
        seq: rng.draw() as u32,
        ack: rng.draw() as u32,
        flags: rng.draw() as u8,
        window: rng.draw() as u16,
        urgent: rng.draw() as u16,
        options,
    };
    let mut text = vec![0; rng.index(40)];
    rng.fill(&mut text);
    tcp_segment(&header, &text)
}

/// One change, as fuzzers make them.
fn change(rng: &mut Rng, input: &mut Vec<u8>, unit: usize, corpus: &[Vec<u8>]) {
    let units = input.len() / unit;
    let at = rng.index(units.max(1)) * unit;
    let len = (1 + rng.index(8)) * unit;
    let end = (at + len).min(input.len());
    match rng.index(7) {
        0 => drop(input.drain(at.min(end)..end)),
        1 => {
            let piece = input.get(at..end).unwrap_or_default().to_vec();
            input.splice(at.min(end)..at.min(end), piece);
        }
        2 => {
            let mut piece = vec![0; len];
            rng.fill(&mut piece);
            input.splice(at.min(end)..at.min(end), piece);
        }
        3 if !corpus.is_empty() => {
            // What another one does from some point on.
            let other = rng.pick(corpus);
            let from = rng.index((other.len() / unit).max(1)) * unit;
            input.truncate(at);
            input.extend(other.iter().skip(from));
        }
        4 => input.truncate(at),
        _single_byte => {
            let index = rng.index(input.len());
            if let Some(byte) = input.get_mut(index) {
                *byte = if rng.happens(Chance::percent(50)) {
                    byte.wrapping_add(1 + rng.below(4) as u8)
                } else {
                    rng.draw() as u8
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_inputs_and_numbers_differ() {
        for target in Target::ALL {
            let corpus = [vec![1; 64], vec![2; 128]];
            let made = |number| target.input(7, number, &corpus);
            assert_eq!(made(3), made(3));
            assert!((0..50).any(|number| made(number) != made(number + 1)));
            assert!((0..200).all(|number| made(number).len() <= LONGEST));
        }
    }

    #[test]
    fn a_find_shrinks_to_what_matters() {
        // A whole header but for its data offset, which says less than a header is.
        let mut input = vec![0x55; 60];
        input[12] = 0x40;
        assert_eq!(Target::Segment.failure(&input), None);
        assert_eq!(Target::Segment.shrink(input.clone()), input);
        assert_eq!(kind("byte 12 was 0x3, is 0x4"), kind("byte 7 was 0x1, is 0x2"));
    }
}
