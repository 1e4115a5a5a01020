//! The same stages without threads: a seeded scheduler on virtual time.
//!
//! Delivery only marks a stage as ready; each step runs one turn of a ready stage chosen by the
//! seed. Same stages, same seed, same input: same trace. Every order of turns that threads can
//! produce is a possible choice here, so a failure that depends on it has a seed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use layer::Instant;
use layer::time::earliest;

use crate::alarm::{Alarm, Wake};
use crate::lane::Ring;
use crate::stage::Turn;

/// A bell that only remembers that it rang.
#[derive(Default)]
struct Ready(AtomicBool);

impl Ring for Ready {
    fn ring(&self, _: Option<Instant>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Nobody sleeps in virtual time.
struct NoSleeper;

impl Wake for NoSleeper {
    fn wake(&self) {}
}

/// An alarm for a stage that a scheduler runs.
pub fn virtual_alarm() -> Alarm {
    Alarm::new(Arc::new(NoSleeper))
}

/// One turn: when, and whose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Virtual time.
    pub now: Instant,
    /// The stage.
    pub stage: &'static str,
}

/// Stages, a seed and a virtual clock.
pub struct Schedule {
    tasks: Vec<(Arc<dyn Turn>, Arc<Ready>)>,
    now: Instant,
    random: u64,
}

impl Schedule {
    /// No stages yet; the clock stands at zero.
    pub fn new(seed: u64) -> Self {
        Self { tasks: Vec::new(), now: Instant::ZERO, random: seed }
    }

    /// Takes a stage in. The order in which they are added is part of what makes a trace.
    pub fn add(&mut self, work: Arc<dyn Turn>) {
        let ready = Arc::new(Ready::default());
        let bell: Arc<dyn Ring> = ready.clone();
        work.bind(Arc::downgrade(&bell));
        self.tasks.push((work, ready));
    }

    /// The virtual time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Moves the virtual clock, which never goes back.
    pub fn advance_to(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    /// The earliest deadline of any stage.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.tasks.iter().fold(None, |at, (work, _)| earliest(at, work.alarm().due()))
    }

    /// Runs one turn of a stage that was rung for or whose deadline has come. `None` if there is
    /// none: time must pass, or something must come from outside.
    pub fn step(&mut self) -> Option<Step> {
        let now = self.now;
        let ready: Vec<usize> = (0..self.tasks.len())
            .filter(|&index| {
                let (work, ready) = &self.tasks[index];
                ready.0.load(Ordering::Relaxed) || work.alarm().due().is_some_and(|at| at <= now)
            })
            .collect();
        if ready.is_empty() {
            return None;
        }
        let choice = ready[(self.draw() % ready.len() as u64) as usize];
        let (work, flag) = &self.tasks[choice];
        flag.0.store(false, Ordering::Relaxed);
        if work.turn(now) {
            flag.ring(None);
        }
        Some(Step { now, stage: work.name() })
    }

    /// SplitMix64: small, and good enough to choose among a few stages.
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
