//! One trial: two instances of the layer driven in step, every call weighed by the laws.

use layer::outlet::Driver;
use layer::{Accounted, Instant, Layer, Note, Reason};
use proptest::test_runner::TestCaseError;

use crate::{Action, Limits, Subject, Trial};

/// Items put out lately that an answer can be made of.
const REMEMBERED: usize = 4;

type DriverOf<L> = Driver<<L as Layer>::ToAbove, <L as Layer>::ToBelow>;
type Verdict = Result<(), TestCaseError>;

/// Breaks off with the law's name when it does not hold.
macro_rules! law {
    ($holds:expr, $name:literal, $($why:tt)+) => {
        if !$holds {
            let why = format!($($why)+);
            return Err(TestCaseError::fail(format!(concat!("law ", $name, ": {}"), why)));
        }
    };
}

/// Runs the trial on two instances and compares them after each step.
pub(crate) fn obey<S: Subject>(
    subject: &S,
    trial: &Trial<<S::L as Layer>::FromBelow, <S::L as Layer>::FromAbove>,
) -> Verdict {
    let mut one = Run::new(subject, trial.room_up, trial.room_down);
    let mut other = Run::new(subject, trial.room_up, trial.room_down);
    for action in &trial.actions {
        one.step(action)?;
        other.step(action)?;
        one.agrees_with(&mut other)?;
    }
    // A law about deadlines is only as good as the room it was given: end with plenty.
    one.finish()?;
    other.finish()?;
    one.agrees_with(&mut other)
}

/// An instance with its driver, and what the laws have to remember about it.
struct Run<'s, S: Subject> {
    subject: &'s S,
    limits: Limits,
    layer: S::L,
    driver: DriverOf<S::L>,
    now: Instant,
    /// The last call was a `poll` with room to spare: until something comes in or the deadline
    /// passes, there is nothing to do (L3).
    quiet: bool,
    /// What came up and down since the last comparison (L1).
    up: Vec<<S::L as Layer>::ToAbove>,
    down: Vec<<S::L as Layer>::ToBelow>,
    /// What was put out last, for answers.
    lately_up: Vec<<S::L as Layer>::ToAbove>,
    lately_down: Vec<<S::L as Layer>::ToBelow>,
}

/// What a call did, in counts.
struct Tally {
    held_before: usize,
    held_after: usize,
    /// Pushed, lost at the hard limit included.
    put_out: usize,
    /// Dropped and counted, or consumed.
    used_up: usize,
}

impl<'s, S: Subject> Run<'s, S> {
    fn new(subject: &'s S, room_up: usize, room_down: usize) -> Self {
        let mut driver = Driver::new(0);
        driver.up.set_capacity(room_up);
        driver.down.set_capacity(room_down);
        driver.ledger.listen(true);
        Self {
            subject,
            limits: subject.limits(),
            layer: subject.build(),
            driver,
            // Not the origin, so that a deadline of zero means the past.
            now: Instant::from_secs(1_000),
            quiet: false,
            up: Vec::new(),
            down: Vec::new(),
            lately_up: Vec::new(),
            lately_down: Vec::new(),
        }
    }

    fn step(
        &mut self,
        action: &Action<<S::L as Layer>::FromBelow, <S::L as Layer>::FromAbove>,
    ) -> Verdict {
        match action {
            Action::Receive(item) => self.receive(item.clone()),
            Action::Send(item) => self.send(item.clone()),
            Action::AnswerBelow(choice) => {
                let item = pick(&self.lately_down, *choice);
                match item.and_then(|item| self.subject.answer_below(item, *choice)) {
                    Some(answer) => self.receive(answer),
                    None => Ok(()),
                }
            }
            Action::AnswerAbove(choice) => {
                let item = pick(&self.lately_up, *choice);
                match item.and_then(|item| self.subject.answer_above(item, *choice)) {
                    Some(answer) => self.send(answer),
                    None => Ok(()),
                }
            }
            Action::Advance(span) => {
                self.now += *span;
                Ok(())
            }
            Action::Poll => self.poll(),
            Action::ToDeadline => self.poll_around_deadline(),
            Action::DrainUp => {
                self.driver.up.drain().for_each(drop);
                Ok(())
            }
            Action::DrainDown => {
                self.driver.down.drain().for_each(drop);
                Ok(())
            }
        }
    }

    fn receive(&mut self, item: <S::L as Layer>::FromBelow) -> Verdict {
        self.quiet = false;
        let now = self.now;
        let tally = self.call(|layer, driver| layer.receive(now, item, &mut driver.out()))?;
        self.conserves("receive", 1, &tally)
    }

    fn send(&mut self, item: <S::L as Layer>::FromAbove) -> Verdict {
        self.quiet = false;
        let now = self.now;
        let tally = self.call(|layer, driver| layer.send(now, item, &mut driver.out()))?;
        self.conserves("send", 1, &tally)
    }

    fn poll(&mut self) -> Verdict {
        let now = self.now;
        let due = self.layer.poll_at();
        let idle = self.quiet && due.is_none_or(|at| at > now);
        let work = self.subject.work(&self.layer);
        let tally = self.call(|layer, driver| layer.poll(now, &mut driver.out()))?;
        self.conserves("poll", 0, &tally)?;
        if idle {
            let said = tally.put_out + tally.used_up;
            law!(
                said == 0,
                "L3 (quiet before the deadline)",
                "poll at {now} did {said} things, due {due:?}"
            );
            let after = self.subject.work(&self.layer);
            law!(
                work == after,
                "L7 (poll costs what is due)",
                "poll at {now} went from {work:?} to {after:?} entries, due {due:?}"
            );
        }
        self.quiet = self.driver.up.room() > 0 && self.driver.down.room() > 0;
        if self.quiet && self.limits.polls == 1 {
            self.honest()?;
        }
        Ok(())
    }

    /// L2, after a poll that had room.
    fn honest(&self) -> Verdict {
        let (now, at) = (self.now, self.layer.poll_at());
        law!(
            at.is_none_or(|at| at > now),
            "L2 (honest deadline)",
            "after poll at {now}, poll_at is {at:?}"
        );
        Ok(())
    }

    fn poll_around_deadline(&mut self) -> Verdict {
        let Some(at) = self.layer.poll_at() else { return self.poll() };
        if at > self.now {
            self.now = self.now.max(at - core::time::Duration::from_nanos(1));
            self.poll()?;
        }
        self.now = self.now.max(at);
        self.poll()
    }

    /// Empties the outlets, gives them room, and expects the layer to come to rest.
    fn finish(&mut self) -> Verdict {
        self.driver.up.drain().for_each(drop);
        self.driver.down.drain().for_each(drop);
        let room = self.limits.outputs + self.limits.held_items + 1;
        self.driver.up.set_capacity(room);
        self.driver.down.set_capacity(room);
        for _ in 0..self.limits.polls {
            self.poll()?;
        }
        self.honest()
    }

    /// Makes a call, counts what it did, and holds it to its limits (L5).
    fn call(
        &mut self,
        call: impl FnOnce(&mut S::L, &mut DriverOf<S::L>),
    ) -> Result<Tally, TestCaseError> {
        let held_before = self.layer.held_items();
        let (up, down) = (self.driver.up.len(), self.driver.down.len());
        let lost = self.driver.up.overflowed() + self.driver.down.overflowed();
        let used = self.driver.ledger.total_drops() + self.driver.ledger.consumed();
        call(&mut self.layer, &mut self.driver);
        remember(&mut self.lately_up, self.driver.up.iter().skip(up));
        remember(&mut self.lately_down, self.driver.down.iter().skip(down));
        self.up.extend(self.driver.up.iter().skip(up).cloned());
        self.down.extend(self.driver.down.iter().skip(down).cloned());
        let lost = self.driver.up.overflowed() + self.driver.down.overflowed() - lost;
        let used = self.driver.ledger.total_drops() + self.driver.ledger.consumed() - used;
        let tally = Tally {
            held_before,
            held_after: self.layer.held_items(),
            put_out: self.driver.up.len() - up + self.driver.down.len() - down
                + usize::try_from(lost).unwrap_or(usize::MAX),
            used_up: usize::try_from(used).unwrap_or(usize::MAX),
        };
        self.bounded(&tally)?;
        Ok(tally)
    }

    fn bounded(&self, tally: &Tally) -> Verdict {
        let (held, bytes) = (tally.held_after, self.layer.held_bytes());
        let Limits { held_items, held_bytes, outputs, .. } = self.limits;
        law!(held <= held_items, "L5 (bounded)", "{held} items held, limit {held_items}");
        law!(bytes <= held_bytes, "L5 (bounded)", "{bytes} bytes held, limit {held_bytes}");
        let put_out = tally.put_out;
        law!(put_out <= outputs, "L5 (bounded)", "{put_out} items from one call, limit {outputs}");
        Ok(())
    }

    fn conserves(&self, call: &str, came_in: usize, tally: &Tally) -> Verdict {
        let Tally { held_before, held_after, put_out, used_up } = tally;
        let before = came_in + held_before;
        let after = held_after + put_out + used_up;
        let holds = if self.limits.exact { before == after } else { before <= after };
        law!(
            holds,
            "L6 (conservation)",
            "{call}: {came_in} in and {held_before} held, then {held_after} held, \
             {put_out} put out, {used_up} dropped or consumed"
        );
        Ok(())
    }

    /// L1: both instances did the same since the last comparison.
    fn agrees_with(&mut self, other: &mut Self) -> Verdict {
        let (ours, theirs) = (core::mem::take(&mut self.up), core::mem::take(&mut other.up));
        law!(ours == theirs, "L1 (deterministic)", "up: {ours:?}, then {theirs:?}");
        let (ours, theirs) = (core::mem::take(&mut self.down), core::mem::take(&mut other.down));
        law!(ours == theirs, "L1 (deterministic)", "down: {ours:?}, then {theirs:?}");
        let (ours, theirs) = (self.notes(), other.notes());
        law!(ours == theirs, "L1 (deterministic)", "notes: {ours:?}, then {theirs:?}");
        let (ours, theirs) = (self.state(), other.state());
        law!(
            ours == theirs,
            "L1 (deterministic)",
            "poll_at, items, bytes, consumed, drops: {ours:?}, then {theirs:?}"
        );
        Ok(())
    }

    fn notes(&mut self) -> Vec<Note> {
        self.driver.ledger.take_notes()
    }

    fn state(&self) -> (Option<Instant>, usize, usize, u64, Vec<(Reason, u64)>) {
        let (layer, ledger) = (&self.layer, &self.driver.ledger);
        let (items, bytes) = (layer.held_items(), layer.held_bytes());
        (layer.poll_at(), items, bytes, ledger.consumed(), ledger.nonzero().collect())
    }
}

fn pick<T>(lately: &[T], choice: u32) -> Option<&T> {
    let index = usize::try_from(choice).ok()?.checked_rem(lately.len())?;
    lately.get(index)
}

fn remember<'i, T: Clone + 'i>(lately: &mut Vec<T>, items: impl Iterator<Item = &'i T>) {
    lately.extend(items.cloned());
    let excess = lately.len().saturating_sub(REMEMBERED);
    lately.drain(..excess);
}

/// L7, at scale: `poll` with nothing due touches none of the entries that a test has filled
/// `layer` with. `work` counts the entries that polls have looked at so far.
///
/// # Panics
///
/// If something is due at `now`, or `poll` puts something out, or `work` grows.
pub fn idle_poll_touches_nothing<L: Layer>(layer: &mut L, now: Instant, work: impl Fn(&L) -> u64) {
    let due = layer.poll_at();
    assert!(
        due.is_none_or(|at| at > now),
        "the test is to poll at {now} with nothing due: {due:?}"
    );
    let mut driver = Driver::new(64);
    let before = work(layer);
    layer.poll(now, &mut driver.out());
    let put_out = driver.up.len() + driver.down.len();
    assert_eq!(put_out, 0, "law L3 (quiet before the deadline)");
    let touched = work(layer) - before;
    assert_eq!(touched, 0, "law L7 (poll costs what is due): entries touched");
}
