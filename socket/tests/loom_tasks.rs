//! Futures that wait for a socket, in every interleaving: none sleeps through a change.

#![expect(clippy::unwrap_used, reason = "helpers of tests count as no test")]

use std::sync::atomic::Ordering::SeqCst;
use std::task::{Wake, Waker};

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicUsize};
use loom::thread;

mod sync {
    pub(crate) use loom::sync::MutexGuard as Guard;
    pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};

    /// Loom's lock under parking_lot's names.
    #[derive(Debug)]
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> Guard<'_, T> {
            self.0.lock().unwrap()
        }
    }
}

#[path = "../src/net/tasks.rs"]
#[expect(dead_code, reason = "threads use the rest")]
mod tasks;

use tasks::{READ, Tasks, WRITE};

/// Says that it was woken.
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.store(true, SeqCst);
    }
}

/// A socket: how much has come.
struct Socket {
    bytes: AtomicUsize,
    tasks: Tasks,
}

impl Socket {
    /// One poll of a future that wants `wanted` bytes: true if it has them, and otherwise it waits
    /// with `waker`.
    fn poll(&self, wanted: usize, place: u64, waker: &Waker) -> bool {
        loop {
            let seen = self.tasks.epoch();
            if self.bytes.load(SeqCst) >= wanted {
                return true;
            }
            if self.tasks.wait(seen, place, waker) {
                return false;
            }
        }
    }
}

fn flag() -> (std::sync::Arc<Flag>, Waker) {
    let flag = std::sync::Arc::new(Flag(AtomicBool::new(false)));
    (std::sync::Arc::clone(&flag), Waker::from(flag))
}

fn arrive(socket: &Socket) {
    socket.bytes.fetch_add(1, SeqCst);
    socket.tasks.changed();
}

#[test]
fn two_futures_hear_of_two_changes() {
    loom::model(|| {
        let socket = Arc::new(Socket { bytes: AtomicUsize::new(0), tasks: Tasks::default() });
        let other = Arc::clone(&socket);
        let stack = thread::spawn(move || {
            arrive(&other);
            arrive(&other);
        });
        let ((read, reader), (write, writer)) = (flag(), flag());
        let had_read = socket.poll(1, READ, &reader);
        let had_write = socket.poll(2, WRITE, &writer);
        stack.join().unwrap();
        assert!(had_read || read.0.load(SeqCst), "the reader sleeps on");
        // The first change may have woken it, and then it looks again.
        let woken = write.0.load(SeqCst) && socket.poll(2, WRITE, &writer);
        assert!(had_write || woken, "the writer sleeps on");
    });
}

#[test]
fn of_two_wakers_in_one_place_the_last_is_woken() {
    loom::model(|| {
        let socket = Arc::new(Socket { bytes: AtomicUsize::new(0), tasks: Tasks::default() });
        let other = Arc::clone(&socket);
        let stack = thread::spawn(move || arrive(&other));
        let ((_, first), (woken, second)) = (flag(), flag());
        let had = socket.poll(1, READ, &first) || socket.poll(1, READ, &second);
        stack.join().unwrap();
        assert!(had || woken.0.load(SeqCst));
    });
}

#[test]
#[should_panic(expected = "sleeps on")]
fn a_future_that_does_not_look_at_the_epoch_is_caught() {
    loom::model(|| {
        let socket = Arc::new(Socket { bytes: AtomicUsize::new(0), tasks: Tasks::default() });
        let other = Arc::clone(&socket);
        let stack = thread::spawn(move || arrive(&other));
        let (woken, waker) = flag();
        let had = socket.bytes.load(SeqCst) > 0;
        if !had {
            let seen = socket.tasks.epoch();
            socket.tasks.wait(seen, READ, &waker);
        }
        stack.join().unwrap();
        assert!(had || woken.0.load(SeqCst), "sleeps on");
    });
}
