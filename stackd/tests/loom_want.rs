//! The flag for want of room, in every interleaving: a producer that found no room is told.

#![expect(clippy::unwrap_used, reason = "helpers of tests count as no test")]

use std::sync::atomic::Ordering::{Acquire, Release, SeqCst};

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicUsize};
use loom::thread;

mod sync {
    pub(crate) use loom::sync::atomic::{AtomicBool, Ordering, fence};
}

#[path = "../src/want.rs"]
#[expect(unreachable_pub, reason = "in the library these are public")]
mod want;

use want::Want;

/// A queue with room for one item, which is full.
struct Full {
    items: AtomicUsize,
    want: Want,
    told: AtomicBool,
}

fn check(produce: fn(&Full) -> bool, consume: fn(&Full)) {
    loom::model(move || {
        let full = Arc::new(Full {
            items: AtomicUsize::new(1),
            want: Want::default(),
            told: AtomicBool::new(false),
        });
        let other = Arc::clone(&full);
        let producer = thread::spawn(move || produce(&other));
        consume(&full);
        let found_room = producer.join().unwrap();
        assert!(found_room || full.told.load(SeqCst), "waits for room that is there");
    });
}

fn consume(full: &Full) {
    full.items.store(0, Release);
    if full.want.answer() {
        full.told.store(true, SeqCst);
    }
}

#[test]
fn a_producer_is_told() {
    fn produce(full: &Full) -> bool {
        full.want.raise();
        full.items.load(Acquire) == 0
    }
    check(produce, consume);
}

#[test]
#[should_panic(expected = "waits for room that is there")]
fn looking_before_raising_is_caught() {
    fn produce(full: &Full) -> bool {
        let found_room = full.items.load(Acquire) == 0;
        full.want.raise();
        found_room
    }
    check(produce, consume);
}
