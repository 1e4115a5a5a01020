//! A stage: any layer between two lanes, run in turns by whoever brings it something.
//!
//! ```text
//!        up: Port<ToAbove> ^            | above: Lane<FromAbove>
//!                +---------|------------v---------+
//!     mailbox -> |  Outlet up      batch from above|   one lock around the layer, its outlets
//!                |          the Layer              |   and the batches it is working on
//!                |  batch from below   Outlet down |
//!                +---------^------------|---------+
//!      below: Lane<FromBelow>           v down: Port<ToBelow>
//! ```
//!
//! The rules, which together mean that no cycle of full lanes can deadlock (the upward path waits
//! on upward progress only, the downward path on downward progress only):
//!
//! * R1 Nothing blocks on a send; what does not fit stays in the outlet.
//! * R2 A stage takes from above only while it has room below.
//! * R3 A stage takes from below only while its upward outlet has room. The transports with the hub
//!   always have: what goes up from there is taken without limit.
//! * R4 After every turn, poll.
//!
//! Neighbours are told only after the stage's lock is released: they may run on the spot, in this
//! thread, and come back to this very stage.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock, Weak};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use layer::boundary::BATCH;
use layer::outlet::ROOM;
use layer::{Duration, Instant, Layer, Ledger, Note, Out, Outlet, Outs, Reason};
use parking_lot::Mutex;

use crate::alarm::Alarm;
use crate::lane::{Bell, Lane, Port, Ring};

/// A call mailed to a stage and run in its turn.
type Mail<L> = Box<dyn FnOnce(&mut L, Instant, &mut Out<'_, L>) + Send>;

/// What a thread or the scheduler can do with a stage, whatever its layer.
pub trait Turn: Send + Sync {
    /// For traces, thread names and reports.
    fn name(&self) -> &'static str;

    /// Takes at most one batch from each side, polls, passes on what came out. Never blocks. True
    /// if another turn would find more to do at once.
    fn turn(&self, now: Instant) -> bool;

    /// The stage's deadline and sleeper.
    fn alarm(&self) -> &Alarm;

    /// Says who runs this stage when it is rung for.
    fn bind(&self, runner: Weak<dyn Ring>);
}

/// Somebody who reads what layers state (see [`layer::Note`]).
pub trait Watch: Send + Sync {
    /// A stage's layer stated something. Called with no lock held.
    fn note(&self, stage: &'static str, note: &Note);
}

/// What a stage is connected to.
pub struct Ends<L: Layer> {
    /// What comes up from below, if anything does.
    pub below: Option<Arc<Lane<L::FromBelow>>>,
    /// What comes down from above, if anything does.
    pub above: Option<Arc<Lane<L::FromAbove>>>,
    /// Where it delivers upward.
    pub up: Box<dyn Port<L::ToAbove>>,
    /// Where it hands things downward.
    pub down: Box<dyn Port<L::ToBelow>>,
}

/// A layer with its lanes. See the module's head.
pub struct Stage<L: Layer> {
    name: &'static str,
    core: Mutex<Core<L>>,
    ends: Ends<L>,
    mailbox: (Sender<Mail<L>>, Receiver<Mail<L>>),
    alarm: Alarm,
    runner: Bell,
    watch: OnceLock<Arc<dyn Watch>>,
    /// The number of the frame that an item from below came in as.
    serial: OnceLock<fn(&L::FromBelow) -> u32>,
}

struct Core<L: Layer> {
    layer: L,
    up: Outlet<L::ToAbove>,
    down: Outlet<L::ToBelow>,
    ledger: Ledger,
    from_below: VecDeque<L::FromBelow>,
    from_above: VecDeque<L::FromAbove>,
    /// The latest time the layer was told; threads may arrive with slightly older ones.
    now: Instant,
    /// Losses of the outlets that are already in the ledger.
    overflowed: u64,
}

/// What a turn leaves to be done once the lock is released.
#[derive(Default)]
struct After {
    went_up: bool,
    went_down: bool,
    took_below: bool,
    took_above: bool,
    more: bool,
    notes: Vec<Note>,
}

/// While an outlet is full, a deadline that is already past cannot be met; the neighbour will ring
/// when it has room, and other deadlines are looked at this often.
const BLOCKED: Duration = Duration::from_millis(1);

impl<L: Layer> Stage<L> {
    /// Puts `layer` between `ends`. Nobody runs it until it is bound.
    pub fn new(name: &'static str, layer: L, ends: Ends<L>, alarm: Alarm) -> Self {
        let core = Core {
            layer,
            up: Outlet::with_capacity(ROOM),
            down: Outlet::with_capacity(ROOM),
            ledger: Ledger::default(),
            from_below: VecDeque::new(),
            from_above: VecDeque::new(),
            now: Instant::ZERO,
            overflowed: 0,
        };
        let (core, mailbox) = (Mutex::new(core), unbounded());
        let (runner, watch, serial) = (Bell::default(), OnceLock::new(), OnceLock::new());
        Self { name, core, ends, mailbox, alarm, runner, watch, serial }
    }

    /// From now on `watch` is told what the layer states. Only the first one is.
    pub fn watch(&self, watch: Arc<dyn Watch>) {
        let first = self.watch.set(watch).is_ok();
        if first {
            self.core.lock().ledger.listen(true);
        }
    }

    /// Whether the layer's notes are wanted at the moment. Not wanting them saves making them.
    pub fn listen(&self, on: bool) {
        let mut core = self.core.lock();
        if core.ledger.is_listening() != on {
            core.ledger.listen(on);
        }
    }

    /// From now on notes about drops say which frame it was, where frames have numbers.
    pub fn number(&self, serial: fn(&L::FromBelow) -> u32) {
        // Only the first one counts, as with `watch`.
        let _ = self.serial.set(serial);
    }

    /// Hands an item to the layer; what is dropped meanwhile came in as that item's frame.
    pub(crate) fn hand_up(
        &self,
        layer: &mut L,
        now: Instant,
        item: L::FromBelow,
        out: &mut Out<'_, L>,
    ) {
        if !out.ledger.is_listening() {
            return layer.receive(now, item, out);
        }
        let serial = self.serial.get().map_or(0, |serial| serial(&item));
        out.ledger.set_subject(serial);
        layer.receive(now, item, out);
        out.ledger.set_subject(0);
    }

    /// Calls into the layer from any thread, polls it, and passes on what came out before
    /// returning. For the top stage's applications, and for a driver without lanes.
    ///
    /// Must not be called from within the layer or a port's `offer` of the same stage.
    pub fn enter<R>(
        &self,
        now: Instant,
        call: impl FnOnce(&mut L, Instant, &mut Out<'_, L>) -> R,
    ) -> R {
        let mut core = self.core.lock();
        let now = core.tick(now);
        let (layer, mut out) = core.parts();
        let result = call(layer, now, &mut out);
        // Before its deadline a poll does nothing (law L3), and asking costs less.
        if layer.poll_at().is_some_and(|at| at <= now) {
            layer.poll(now, &mut out);
        }
        let after = core.conclude(self, now, After::default(), true);
        drop(core);
        self.tell(&after, now);
        if after.more {
            self.runner.ring(Some(now));
        }
        result
    }

    /// Mails a call to the stage; it runs in the stage's turn, possibly before this returns.
    pub fn mail(&self, call: impl FnOnce(&mut L, Instant, &mut Out<'_, L>) + Send + 'static) {
        // The receiver lives as long as the sender: both are ours.
        let _ = self.mailbox.0.send(Box::new(call));
        self.runner.ring(None);
    }

    /// Mails a question to the stage. The answer can be waited for.
    pub fn ask<R: Send + 'static>(
        &self,
        question: impl FnOnce(&mut L, Instant, &mut Out<'_, L>) -> R + Send + 'static,
    ) -> Receiver<R> {
        let (answer, answered) = bounded(1);
        self.mail(move |layer, now, out| {
            // Who asked may have gone.
            let _ = answer.try_send(question(layer, now, out));
        });
        answered
    }

    /// Nothing waits in this stage: no batch, no mail, nothing in an outlet.
    pub fn is_quiet(&self) -> bool {
        let core = self.core.lock();
        core.from_below.is_empty()
            && core.from_above.is_empty()
            && core.up.is_empty()
            && core.down.is_empty()
            && self.mailbox.1.is_empty()
            && !self.ends.below.as_ref().is_some_and(|lane| lane.is_ready())
            && !self.ends.above.as_ref().is_some_and(|lane| lane.is_ready())
    }

    /// With no lock held: tells the neighbours, who may run on the spot.
    fn tell(&self, after: &After, now: Instant) {
        let now = Some(now);
        // First: whoever writes frames down wants to know what the layer said of them.
        if let Some(watch) = self.watch.get() {
            after.notes.iter().for_each(|note| watch.note(self.name, note));
        }
        if after.went_up {
            self.ends.up.notify(now);
        }
        if after.went_down {
            self.ends.down.notify(now);
        }
        if let Some(below) = self.ends.below.as_ref().filter(|_| after.took_below) {
            below.relieve(now);
        }
        if let Some(above) = self.ends.above.as_ref().filter(|_| after.took_above) {
            above.relieve(now);
        }
        self.alarm.rouse();
    }
}

impl<L> Turn for Stage<L>
where
    L: Layer + Send,
    L::FromBelow: Send,
    L::FromAbove: Send,
    L::ToAbove: Send,
    L::ToBelow: Send,
{
    fn name(&self) -> &'static str {
        self.name
    }

    fn turn(&self, now: Instant) -> bool {
        let mut core = self.core.lock();
        let now = core.tick(now);
        let mut after = After::default();
        let mut mailed = false;
        // Looking whether there is mail costs much less than trying to take some.
        if !self.mailbox.1.is_empty() {
            for mail in self.mailbox.1.try_iter().take(BATCH) {
                let (layer, mut out) = core.parts();
                mail(layer, now, &mut out);
                mailed = true;
            }
        }
        let received = core.take_below(self, now, &mut after);
        let sent = core.take_above(self, now, &mut after);
        let (layer, mut out) = core.parts();
        // R4.
        layer.poll(now, &mut out);
        let after = core.conclude(self, now, after, mailed || received || sent);
        drop(core);
        self.tell(&after, now);
        after.more
    }

    fn alarm(&self) -> &Alarm {
        &self.alarm
    }

    fn bind(&self, runner: Weak<dyn Ring>) {
        if let Some(below) = &self.ends.below {
            below.bind_consumer(runner.clone());
        }
        if let Some(above) = &self.ends.above {
            above.bind_consumer(runner.clone());
        }
        self.ends.up.bind(runner.clone());
        self.ends.down.bind(runner.clone());
        self.runner.hang(runner);
    }
}

impl<L: Layer> Core<L> {
    fn parts(&mut self) -> (&mut L, Out<'_, L>) {
        let out = Outs { up: &mut self.up, down: &mut self.down, ledger: &mut self.ledger };
        (&mut self.layer, out)
    }

    /// Time never goes back for a layer.
    fn tick(&mut self, now: Instant) -> Instant {
        self.now = self.now.max(now);
        self.now
    }

    /// R3. True if an item was taken.
    fn take_below(&mut self, stage: &Stage<L>, now: Instant, after: &mut After) -> bool {
        if self.up.room() == 0 {
            return false;
        }
        if self.from_below.is_empty() {
            let Some(lane) = &stage.ends.below else { return false };
            after.took_below = lane.take(&mut self.from_below);
        }
        let before = self.from_below.len();
        while self.up.room() > 0 {
            let Some(item) = self.from_below.pop_front() else { break };
            let (layer, mut out) = self.parts();
            stage.hand_up(layer, now, item, &mut out);
        }
        self.from_below.len() < before
    }

    /// R2. True if an item was taken.
    fn take_above(&mut self, stage: &Stage<L>, now: Instant, after: &mut After) -> bool {
        if self.down.room() == 0 {
            return false;
        }
        if self.from_above.is_empty() {
            let Some(lane) = &stage.ends.above else { return false };
            after.took_above = lane.take(&mut self.from_above);
        }
        let before = self.from_above.len();
        while self.down.room() > 0 {
            let Some(item) = self.from_above.pop_front() else { break };
            let (layer, mut out) = self.parts();
            layer.send(now, item, &mut out);
        }
        self.from_above.len() < before
    }

    /// Passes on what came out (R1), counts what an outlet lost, publishes the deadline, and sees
    /// whether another turn would find more to do at once.
    fn conclude(
        &mut self,
        stage: &Stage<L>,
        now: Instant,
        mut after: After,
        progressed: bool,
    ) -> After {
        after.went_up = stage.ends.up.offer(&mut self.up);
        after.went_down = stage.ends.down.offer(&mut self.down);
        let overflowed = self.up.overflowed() + self.down.overflowed();
        if overflowed != self.overflowed {
            self.ledger.add_drops(Reason::OutletFull, overflowed - self.overflowed);
            self.overflowed = overflowed;
        }
        after.notes = self.ledger.take_notes();
        let progressed = progressed || after.went_up || after.went_down;
        let blocked = !self.up.is_empty() || !self.down.is_empty();
        let overdue = self.layer.poll_at().is_some_and(|at| at <= now);
        let waits = |partial: bool, ready: bool, room: usize| (partial || ready) && room > 0;
        let below = stage.ends.below.as_ref().is_some_and(|lane| lane.is_ready());
        let above = stage.ends.above.as_ref().is_some_and(|lane| lane.is_ready());
        after.more = waits(!self.from_below.is_empty(), below, self.up.room())
            || waits(!self.from_above.is_empty(), above, self.down.room())
            || (overdue && progressed && !blocked)
            || !stage.mailbox.1.is_empty();
        let unmet = overdue && !after.more;
        stage.alarm.set(if unmet { Some(now + BLOCKED) } else { self.layer.poll_at() });
        after
    }
}
