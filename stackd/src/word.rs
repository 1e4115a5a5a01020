//! The state word: who runs a stage, so that nobody waits for it and nothing is stranded in it.
//!
//! ```text
//!                 deliver: you run it
//!        +------+ -------------------> +---------+  deliver: returns   +---------------------+
//!        | Idle |                      | Running | -----------------> | Running + Notified  |
//!        +------+ <------------------- +---------+ <----------------- +---------------------+
//!              compare-exchange, fails     ^          before another turn       |
//!              while NOTIFIED is set       +------------------------------------+
//! ```
//!
//! The rules, in order of importance:
//!
//! 1. Enqueue first, then call [`Word::deliver`]. Whoever moves the word out of Idle runs the
//!    stage; everybody else leaves a mark and goes on. A delivery made from inside the stage's own
//!    turn finds Running and returns, so nesting is never deeper than there are stages.
//! 2. The mark is taken back *before* another turn looks at the queues. What is enqueued after
//!    that look sets the mark again, and the exchange that leaves Running then fails.
//! 3. Who has run enough rounds gives the word away still Running: its new holder calls
//!    [`Word::resume`]. Nobody else can get in between.
//!
//! The tempting shortcut, to look at the queue once more before unlocking, strands items: look
//! (empty), delivery elsewhere fails to lock, push was before that, unlock. `tests/loom_word.rs`
//! checks the rules in every interleaving, and that the shortcut is caught.

use super::sync::{AtomicU8, Ordering};

const IDLE: u8 = 0;
const RUNNING: u8 = 1;
const NOTIFIED: u8 = 2;

/// What a word guards: queues with somebody who empties them.
pub trait Work {
    /// Takes what is queued, in order, as far as it can be dealt with now. True if another turn
    /// would find more to do at once. Only the holder of the word calls it.
    fn turn(&self) -> bool;

    /// The caller has run enough rounds; the word stays Running. Somebody else, normally the
    /// owner's thread, must be made to call [`Word::resume`].
    fn hand_over(&self);
}

/// Idle, Running or Running + Notified, in one atomic.
#[derive(Debug)]
pub struct Word(AtomicU8);

impl Default for Word {
    fn default() -> Self {
        Self(AtomicU8::new(IDLE))
    }
}

impl Word {
    /// Something was enqueued (or a deadline has come): sees to it that a turn follows. Runs at
    /// most `rounds` turns here, if nobody is running already.
    pub fn deliver(&self, work: &impl Work, rounds: u32) {
        let idle =
            self.0.compare_exchange(IDLE, RUNNING, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        // Somebody is running: leave the mark, unless they have just stopped.
        if idle || self.0.fetch_or(RUNNING | NOTIFIED, Ordering::AcqRel) & RUNNING == 0 {
            self.resume(work, rounds);
        }
    }

    /// Goes on where [`Work::hand_over`] stopped. Only for whom the word was handed to.
    pub fn resume(&self, work: &impl Work, rounds: u32) {
        for _ in 0..rounds {
            let more = work.turn();
            if !more && self.leave() {
                return;
            }
            // Rule 2. Acquire: what was enqueued before the mark was set is seen by the next turn.
            self.0.swap(RUNNING, Ordering::AcqRel);
        }
        work.hand_over();
    }

    /// Running to Idle, unless something was delivered since the turn began.
    fn leave(&self) -> bool {
        self.0.compare_exchange(RUNNING, IDLE, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}
