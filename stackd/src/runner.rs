//! Threads for stages: who runs a turn, and the owner's thread that keeps the deadlines.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};

use layer::Instant;

use crate::alarm::Parker;
use crate::clock::Clock;
use crate::lane::Ring;
use crate::stage::Turn;
use crate::word::{Word, Work};

/// Turns that a delivering thread runs on the spot before it leaves the rest to the owner: a
/// thousand packets, so that neither a device's reader nor an application is captured for long.
const ROUNDS: u32 = 16;

/// A stage with its state word.
pub struct Runner {
    word: Word,
    work: Arc<dyn Turn>,
    /// The word was handed to the owner, still Running.
    baton: AtomicBool,
    clock: Clock,
}

impl Runner {
    /// Makes `work` a stage that runs by itself: whoever rings for it runs it, if nobody does.
    pub fn new(work: Arc<dyn Turn>, clock: Clock) -> Arc<Self> {
        let (word, baton) = (Word::default(), AtomicBool::new(false));
        let runner = Arc::new(Self { word, work, baton, clock });
        let me: Arc<dyn Ring> = runner.clone();
        runner.work.bind(Arc::downgrade(&me));
        runner
    }

    /// The owner's part: takes over from a tired deliverer, and keeps the deadline. Call it after
    /// every wake, with the time.
    pub fn tend(&self, now: Instant) {
        if self.baton.swap(false, Ordering::AcqRel) {
            self.word.resume(&self.from(None), ROUNDS);
        }
        if self.work.alarm().take_due(now) {
            self.ring(Some(now));
        }
    }

    /// As [`Runner::tend`], now.
    pub fn attend(&self) {
        self.tend(self.clock.now());
    }

    fn from(&self, now: Option<Instant>) -> Run<'_> {
        Run { runner: self, now: Cell::new(now) }
    }

    /// The owner is about to sleep: until when, at most?
    pub fn lie_down(&self) -> Option<Instant> {
        let until = self.work.alarm().lie_down();
        if self.baton.load(Ordering::SeqCst) { Some(Instant::ZERO) } else { until }
    }

    /// The owner slept enough.
    pub fn get_up(&self) {
        self.work.alarm().get_up();
    }

    /// What it runs.
    pub fn work(&self) -> &Arc<dyn Turn> {
        &self.work
    }
}

impl Ring for Runner {
    fn ring(&self, now: Option<Instant>) {
        self.word.deliver(&self.from(now), ROUNDS);
    }
}

/// A run of several turns: the first one may know the time already.
struct Run<'a> {
    runner: &'a Runner,
    now: Cell<Option<Instant>>,
}

impl Work for Run<'_> {
    fn turn(&self) -> bool {
        let now = self.now.take().unwrap_or_else(|| self.runner.clock.now());
        self.runner.work.turn(now)
    }

    fn hand_over(&self) {
        self.runner.baton.store(true, Ordering::SeqCst);
        self.runner.work.alarm().wake();
    }
}

/// The thread that owns a stage: it sleeps until the stage's deadline.
pub struct Owner {
    stop: Arc<AtomicBool>,
    parker: Arc<Parker>,
    thread: Option<JoinHandle<()>>,
}

impl Owner {
    /// Starts a thread for `runner`, whose alarm must wake `parker`.
    ///
    /// # Errors
    ///
    /// When the system has no thread left.
    pub fn start(runner: &Arc<Runner>, parker: Arc<Parker>) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (weak, clock) = (Arc::downgrade(runner), runner.clock);
        let (sleeper, stopped) = (Arc::clone(&parker), Arc::clone(&stop));
        let thread = thread::Builder::new()
            .name(runner.work.name().to_owned())
            .spawn(move || own(&weak, &sleeper, &stopped, clock))?;
        Ok(Self { stop, parker, thread: Some(thread) })
    }
}

impl Drop for Owner {
    /// Wakes the thread, waits for its end.
    fn drop(&mut self) {
        use crate::alarm::Wake;
        self.stop.store(true, Ordering::SeqCst);
        self.parker.wake();
        if let Some(thread) = self.thread.take() {
            // A panic over there has been reported there.
            let _ = thread.join();
        }
    }
}

/// Lets this thread's deadlines be kept to the microsecond: the kernel's default slack of 50 us,
/// kind to batteries, would blur pacing. Best effort.
pub(crate) fn be_punctual() {
    let _ = rustix::thread::set_current_timer_slack(core::num::NonZeroU64::new(1_000));
}

fn own(runner: &Weak<Runner>, parker: &Parker, stop: &AtomicBool, clock: Clock) {
    be_punctual();
    while !stop.load(Ordering::SeqCst) {
        let Some(runner) = runner.upgrade() else { return };
        runner.tend(clock.now());
        let until = runner.lie_down();
        parker.sleep(clock, until);
        runner.get_up();
    }
}
