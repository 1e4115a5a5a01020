//! The seat: who waits for the devices.
//!
//! ```text
//!   application waits in `read`          its reader thread
//!   ---------------------------          -----------------
//!   seat free: sits down, polls,   <--   makes way when asked, then only looks
//!   carries the stack on, stands         now and then whether somebody still
//!   up as soon as its data is there      comes back; if not, sits down again
//! ```
//!
//! Without this a round trip needs two wake-ups more: the reader is woken by the device, and the
//! application by the reader. A thread that would only sleep saves both by doing the reader's
//! work. It leaves the seat with its data in hand and normally comes back at once for more. The
//! reader does not take the seat for that while, for being woken is what is to be saved; it looks
//! every [`WATCH`], so whatever else waits for the devices waits that much longer, at most twice.
//!
//! Where several threads wait for the stack, the reader keeps the seat: a leader would have to wake
//! another as often as it is spared itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use layer::{Duration, Instant};
use parking_lot::{Mutex, MutexGuard};

use super::EventFd;
use super::reader::Loop;
use crate::alarm::{Parker, Wake};
use crate::clock::Clock;

/// How often the reader looks after a seat that threads leave and take.
const WATCH: Duration = Duration::from_micros(250);

/// How long the reader keeps a seat that it had to take back.
const KEEP: Duration = Duration::from_millis(10);

/// Who waits for the seat waits no longer than this: a turn of the reader is over before.
const TURN: Duration = Duration::from_millis(1);

/// The place in which one thread waits for the devices. See the module's head.
pub struct Seat {
    /// What the one in the seat does; gone once the stack has ended.
    place: Mutex<Option<Loop>>,
    /// Wakes whoever sits.
    event: Arc<EventFd>,
    /// Wakes the reader while another sits.
    owner: Parker,
    /// The reader sits.
    taken_by_owner: AtomicBool,
    /// Somebody asks the reader to make way.
    asked: AtomicBool,
    /// The reader sleeps until it is woken: whoever stands up does that.
    unwatched: AtomicBool,
    /// Whoever stood up asks the reader to sit down at once.
    vacated: AtomicBool,
    /// How often anybody but the reader stood up.
    stood_up: AtomicU64,
    /// The reader does not make way before then, ns.
    kept_until: AtomicU64,
    stop: AtomicBool,
    clock: Clock,
}

/// Tells the reader, when it is dropped, that somebody stood up.
struct StandUp<'a> {
    seat: &'a Seat,
    others: &'a dyn Fn() -> bool,
}

impl Drop for StandUp<'_> {
    fn drop(&mut self) {
        let Seat { stood_up, vacated, unwatched, owner, .. } = self.seat;
        stood_up.fetch_add(1, Ordering::SeqCst);
        if (self.others)() {
            vacated.store(true, Ordering::SeqCst);
            owner.wake();
        } else if unwatched.swap(false, Ordering::SeqCst) {
            owner.wake();
        }
    }
}

impl Seat {
    /// A seat for what `work` does; `event` must end its waiting.
    pub(super) fn new(work: Loop, event: Arc<EventFd>, clock: Clock) -> Self {
        Self {
            place: Mutex::new(Some(work)),
            event,
            owner: Parker::default(),
            taken_by_owner: AtomicBool::new(false),
            asked: AtomicBool::new(false),
            unwatched: AtomicBool::new(false),
            vacated: AtomicBool::new(false),
            stood_up: AtomicU64::new(0),
            kept_until: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            clock,
        }
    }

    /// Carries the stack on in the calling thread until `wanted` says true, at most `limit`. False
    /// if another thread sits and shall go on, or the stack has ended. `others` says that other
    /// threads wait as well.
    pub fn lead(
        &self,
        wanted: &dyn Fn() -> bool,
        limit: Option<Duration>,
        others: &dyn Fn() -> bool,
    ) -> bool {
        let Some(mut place) = self.sit_down(others) else { return false };
        let Some(work) = place.as_mut() else { return false };
        // Also when a round panics: somebody must wait for the devices.
        let _stand_up = StandUp { seat: self, others };
        let mut now = self.clock.now();
        let end = limit.map(|limit| now + limit);
        while !wanted() && !self.stop.load(Ordering::SeqCst) {
            if end.is_some_and(|end| now >= end) {
                break;
            }
            now = work.round(now, end);
        }
        drop(place);
        true
    }

    /// One round without waiting, in a thread that has just given the stack much to send: what
    /// comes back for it then needs no other thread, nor a lock that both want. Only if nobody
    /// sits; a reader that does is asked to make way for the next visit.
    pub fn visit(&self, others: &dyn Fn() -> bool) {
        if others() {
            return;
        }
        let Some(mut place) = self.place.try_lock() else {
            self.ask();
            return;
        };
        let Some(work) = place.as_mut() else { return };
        let _stand_up = StandUp { seat: self, others };
        work.round(self.clock.now(), Some(Instant::ZERO));
        drop(place);
    }

    /// Asks the reader to make way, unless it shall sit for a while. True if it was asked.
    fn ask(&self) -> bool {
        let kept = self.clock.now().as_nanos() < self.kept_until.load(Ordering::Relaxed);
        if kept || !self.taken_by_owner.load(Ordering::SeqCst) {
            return false;
        }
        if !self.asked.swap(true, Ordering::SeqCst) {
            self.event.wake();
        }
        true
    }

    /// How often a thread other than the reader sat here.
    pub fn led(&self) -> u64 {
        self.stood_up.load(Ordering::Relaxed)
    }

    /// Ends the waiting of whoever sits, so that it looks whether it wants to go on.
    pub fn nudge(&self) {
        self.event.wake();
    }

    fn sit_down(&self, others: &dyn Fn() -> bool) -> Option<MutexGuard<'_, Option<Loop>>> {
        if others() {
            return None;
        }
        if let Some(place) = self.place.try_lock() {
            return Some(place);
        }
        if self.ask() { self.place.try_lock_for(TURN) } else { None }
    }

    /// The reader's part, until the stack ends.
    pub(super) fn own(&self) {
        while !self.stop.load(Ordering::SeqCst) {
            let mut place = self.place.lock();
            let Some(work) = place.as_mut() else { return };
            self.taken_by_owner.store(true, Ordering::SeqCst);
            self.asked.store(false, Ordering::SeqCst);
            let mut now = self.clock.now();
            while !self.stop.load(Ordering::SeqCst) && !self.asked.load(Ordering::SeqCst) {
                now = work.round(now, None);
            }
            self.taken_by_owner.store(false, Ordering::SeqCst);
            // To the one who asked, before anybody else.
            MutexGuard::unlock_fair(place);
            self.watch();
        }
    }

    /// Returns when the reader is to sit down again.
    fn watch(&self) {
        let mut before = None;
        loop {
            let seen = self.stood_up.load(Ordering::SeqCst);
            let quiet = before.replace(seen) == Some(seen);
            let occupied = self.place.is_locked();
            if quiet && !occupied {
                let until = self.clock.now() + KEEP;
                self.kept_until.store(until.as_nanos(), Ordering::Relaxed);
                return;
            }
            let unwatched = quiet && self.sleep_unwatched(seen);
            let next = if unwatched { None } else { Some(self.clock.now() + WATCH) };
            self.owner.sleep(self.clock, next);
            self.unwatched.store(false, Ordering::SeqCst);
            if self.stop.load(Ordering::SeqCst) || self.vacated.swap(false, Ordering::SeqCst) {
                return;
            }
        }
    }

    /// Somebody sits and may do so for long: the reader needs no clock, but must be woken when they
    /// stand up. False if they just did.
    fn sleep_unwatched(&self, seen: u64) -> bool {
        self.unwatched.store(true, Ordering::SeqCst);
        self.stood_up.load(Ordering::SeqCst) == seen
    }

    /// Ends all waiting and gives back the devices.
    pub(super) fn end(&self) {
        self.stop.store(true, Ordering::SeqCst);
        self.event.wake();
        self.owner.wake();
        // One who sits may have missed a wake-up that another one took: its round ends, too, when
        // the devices say something, but that is not to be waited for.
        while self.place.try_lock_for(TURN).map(|mut place| place.take()).is_none() {
            self.event.wake();
        }
    }
}
