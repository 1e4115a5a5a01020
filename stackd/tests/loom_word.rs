//! Every interleaving of the state word, by loom: nothing is stranded, nothing runs twice at once.
//! With three threads, every one with up to three preemptions: all would take a minute.
//!
//! The file under test is compiled here against loom's atomics, so this runs in any `cargo test`.
//! What it leaves out: the queues themselves, which are crossbeam's and stand here for a mutex
//! around a vector, and the lane's flag for want of room, which `loom_lane.rs` checks.

#![expect(clippy::unwrap_used, reason = "helpers of tests count as no test")]

use std::sync::atomic::Ordering::SeqCst;

use loom::sync::atomic::AtomicBool;
use loom::sync::{Arc, Mutex};
use loom::thread;

mod sync {
    pub(crate) use loom::sync::atomic::{AtomicU8, Ordering};
}

#[path = "../src/word.rs"]
#[expect(unreachable_pub, reason = "in the library these are public")]
mod word;

use word::{Word, Work};

const FOREVER: u32 = u32::MAX;

/// A stage in a nutshell: a queue, and what came out of it.
#[derive(Default)]
struct Toy {
    word: Word,
    queue: Mutex<Vec<u32>>,
    /// Not loom's, like `inside`: they only watch, and need no interleavings of their own.
    taken: std::sync::Mutex<Vec<u32>>,
    inside: std::sync::atomic::AtomicBool,
    handed_over: AtomicBool,
    neighbour: Option<Arc<Toy>>,
}

impl Work for Toy {
    fn turn(&self) -> bool {
        assert!(!self.inside.swap(true, SeqCst), "two turns at once");
        let batch = core::mem::take(&mut *self.queue.lock().unwrap());
        self.taken.lock().unwrap().extend(&batch);
        self.inside.store(false, SeqCst);
        if let Some(neighbour) = &self.neighbour {
            for item in batch {
                neighbour.push(item);
            }
        }
        false
    }

    fn hand_over(&self) {
        // Not a store: loom would let it be ordered before the swap that it follows.
        self.handed_over.swap(true, SeqCst);
    }
}

impl Toy {
    fn push(&self, item: u32) {
        self.queue.lock().unwrap().push(item);
        self.word.deliver(self, FOREVER);
    }

    fn take_over(&self) {
        if self.handed_over.swap(false, SeqCst) {
            self.word.resume(self, FOREVER);
        }
    }

    fn assert_took(&self, items: &[u32]) {
        assert!(self.queue.lock().unwrap().is_empty(), "stranded in the queue");
        let mut taken = self.taken.lock().unwrap().clone();
        taken.sort_unstable();
        assert_eq!(taken, items);
    }
}

fn model_of_three(check: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(check);
}

#[test]
fn two_deliverers_and_the_owner_strand_nothing() {
    model_of_three(|| {
        let toy = Arc::new(Toy::default());
        let deliverers: Vec<_> = [1, 2]
            .map(|item| {
                let toy = Arc::clone(&toy);
                thread::spawn(move || toy.push(item))
            })
            .into();
        // The owner, whose deadline has come.
        toy.word.deliver(&*toy, FOREVER);
        for deliverer in deliverers {
            deliverer.join().unwrap();
        }
        toy.assert_took(&[1, 2]);
    });
}

#[test]
fn one_deliverer_keeps_its_order() {
    loom::model(|| {
        let toy = Arc::new(Toy::default());
        let other = Arc::clone(&toy);
        let deliverer = thread::spawn(move || {
            other.push(1);
            other.push(2);
        });
        toy.word.deliver(&*toy, FOREVER);
        deliverer.join().unwrap();
        assert_eq!(*toy.taken.lock().unwrap(), [1, 2]);
    });
}

#[test]
fn nested_delivery_strands_nothing() {
    loom::model(|| {
        let upper = Arc::new(Toy::default());
        let lower = Arc::new(Toy { neighbour: Some(Arc::clone(&upper)), ..Toy::default() });
        let to_lower = Arc::clone(&lower);
        let deliverer = thread::spawn(move || to_lower.push(1));
        upper.push(2);
        lower.push(3);
        deliverer.join().unwrap();
        lower.assert_took(&[1, 3]);
        upper.assert_took(&[1, 2, 3]);
    });
}

/// A stage that answers its neighbour from within the neighbour's own delivery.
#[derive(Default)]
struct Pong {
    word: Word,
    queue: Mutex<Vec<u32>>,
    taken: std::sync::Mutex<Vec<u32>>,
}

struct Pair {
    a: Pong,
    b: Pong,
}

struct Half<'a>(&'a Pair, bool);

impl Half<'_> {
    fn me(&self) -> &Pong {
        if self.1 { &self.0.a } else { &self.0.b }
    }

    fn push(&self, item: u32) {
        self.me().queue.lock().unwrap().push(item);
        self.me().word.deliver(self, FOREVER);
    }
}

impl Work for Half<'_> {
    fn turn(&self) -> bool {
        let batch = core::mem::take(&mut *self.me().queue.lock().unwrap());
        for item in batch {
            self.me().taken.lock().unwrap().push(item);
            if item > 0 {
                Half(self.0, !self.1).push(item - 1);
            }
        }
        false
    }

    fn hand_over(&self) {}
}

#[test]
fn delivery_back_into_a_running_stage_returns_and_is_not_lost() {
    loom::model(|| {
        let pair = Arc::new(Pair { a: Pong::default(), b: Pong::default() });
        let other = Arc::clone(&pair);
        let deliverer = thread::spawn(move || Half(&other, true).push(2));
        Half(&pair, false).push(0);
        deliverer.join().unwrap();
        let mut b = pair.b.taken.lock().unwrap().clone();
        b.sort_unstable();
        assert_eq!((&*pair.a.taken.lock().unwrap(), b), (&vec![2, 0], vec![0, 1]));
    });
}

#[test]
fn a_word_handed_over_is_carried_on_by_the_owner() {
    model_of_three(|| {
        let toy = Arc::new(Toy::default());
        let deliverers: Vec<_> = [1, 2]
            .map(|item| {
                let toy = Arc::clone(&toy);
                thread::spawn(move || {
                    toy.queue.lock().unwrap().push(item);
                    toy.word.deliver(&*toy, 1);
                })
            })
            .into();
        toy.take_over();
        for deliverer in deliverers {
            deliverer.join().unwrap();
        }
        // The owner was woken by `hand_over`.
        toy.take_over();
        toy.assert_took(&[1, 2]);
    });
}

/// The shortcut that strands items: a lock that is tried, and a last look before unlocking.
#[derive(Default)]
struct Shortcut {
    locked: AtomicBool,
    queue: Mutex<Vec<u32>>,
}

impl Shortcut {
    fn push(&self, item: u32) {
        self.queue.lock().unwrap().push(item);
        if self.locked.swap(true, SeqCst) {
            return;
        }
        while !self.queue.lock().unwrap().is_empty() {
            self.queue.lock().unwrap().clear();
        }
        self.locked.store(false, SeqCst);
    }
}

#[test]
#[should_panic(expected = "stranded in the queue")]
fn the_shortcut_is_caught() {
    loom::model(|| {
        let shortcut = Arc::new(Shortcut::default());
        let other = Arc::clone(&shortcut);
        let deliverer = thread::spawn(move || other.push(1));
        shortcut.push(2);
        deliverer.join().unwrap();
        assert!(shortcut.queue.lock().unwrap().is_empty(), "stranded in the queue");
    });
}
