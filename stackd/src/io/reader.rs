//! What waits for devices: reads what is there, delivers it, and runs the stages above
//! on the spot.
//!
//! A thread of its own does that, or an application's that would only sleep (see `seat.rs`).
//! It is woken by a device, by its eventfd (room above again, a tired deliverer, the end) or by a
//! deadline of what it owns. Waiting is by `ppoll`, which takes nanoseconds. Whatever a device
//! does, the thread never spins: one that claims to be readable and gives nothing is left alone
//! for a while.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use arrayvec::ArrayVec;
use crossbeam_channel::Sender;
use layer::boundary::{BATCH, Frame};
use layer::time::earliest;
use layer::{Duration, Instant, InterfaceId, Outlet, PacketBuf, Reason};
use link::{DeviceError, Receiver};
use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::clock::Clock;
use crate::io::seat::Seat;
use crate::io::{Books, EventFd};
use crate::lane::Port;
use crate::runner::{Runner, be_punctual};

/// How long a device that is down, or that lies about being readable, is left alone.
const LEFT_ALONE: Duration = Duration::from_millis(100);

/// Empty reads in a row after which readiness is not believed.
const EMPTY_READS: u32 = 16;

/// Frames closer to each other than this come in groups, which are read as such.
const CLOSE: Duration = Duration::from_micros(4);

/// Devices of one thread, at most.
pub const MOST_DEVICES: usize = 32;

/// Frames that one read of a batch may become, at most: super-frames of UDP are taken apart.
const FRAMES: usize = 1 << 16;

/// A device stopped for good.
#[derive(Debug)]
pub struct Failure {
    /// Which device.
    pub interface: InterfaceId,
    /// What happened.
    pub error: DeviceError,
}

/// The reading half of a device.
pub struct ReadingHalf {
    /// Which interface it is.
    pub interface: InterfaceId,
    /// Where frames come from.
    pub receiver: Box<dyn Receiver>,
    /// What is counted about it.
    pub books: Arc<Mutex<Books>>,
}

/// What a reader thread needs.
pub struct ReaderConfig {
    /// The thread's name.
    pub name: String,
    /// Its devices.
    pub devices: Vec<ReadingHalf>,
    /// Where frames go; it must ring `event` when there is room again.
    pub target: Box<dyn Port<Frame>>,
    /// Stages and writers that this thread owns.
    pub owned: Vec<Arc<Runner>>,
    /// What wakes it; the owned ones' alarms must ring it.
    pub event: Arc<EventFd>,
    /// Who is told when a device is gone.
    pub failures: Sender<Failure>,
    /// What time it is.
    pub clock: Clock,
}

/// A running reader thread; dropped, it is stopped and joined.
pub struct Reader {
    seat: Arc<Seat>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// When the system has no thread left.
    ///
    /// # Panics
    ///
    /// With more than [`MOST_DEVICES`].
    pub fn start(config: ReaderConfig) -> std::io::Result<Self> {
        assert!(config.devices.len() <= MOST_DEVICES, "too many devices for one thread");
        let (name, event, clock) = (config.name.clone(), Arc::clone(&config.event), config.clock);
        let seat = Arc::new(Seat::new(Loop::new(config), event, clock));
        let owned = Arc::clone(&seat);
        let thread = thread::Builder::new().name(name).spawn(move || {
            be_punctual();
            owned.own();
        })?;
        Ok(Self { seat, thread: Some(thread) })
    }

    /// Where other threads may do its work.
    pub fn seat(&self) -> &Arc<Seat> {
        &self.seat
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.seat.end();
        if let Some(thread) = self.thread.take() {
            // A panic over there has been reported there.
            let _ = thread.join();
        }
    }
}

/// One device as its reader sees it.
struct Source {
    interface: InterfaceId,
    receiver: Box<dyn Receiver>,
    books: Arc<Mutex<Books>>,
    /// Not looked at before then.
    not_before: Option<Instant>,
    empty_reads: u32,
    bad_offloads: u64,
    /// The last read gave a single frame.
    alone: bool,
    /// When that was.
    read_at: Instant,
    readable: bool,
    gone: bool,
}

/// What whoever waits for the devices does, round by round.
pub(super) struct Loop {
    sources: Vec<Source>,
    target: Box<dyn Port<Frame>>,
    owned: Vec<Arc<Runner>>,
    event: Arc<EventFd>,
    failures: Sender<Failure>,
    clock: Clock,
    /// Frames read that found no room above yet.
    outlet: Outlet<Frame>,
    batch: Vec<PacketBuf>,
}

impl Loop {
    fn new(config: ReaderConfig) -> Self {
        let ReaderConfig { name: _, devices, target, owned, event, failures, clock } = config;
        let sources = devices
            .into_iter()
            .map(|ReadingHalf { interface, receiver, books }| Source {
                interface,
                receiver,
                books,
                not_before: None,
                empty_reads: 0,
                bad_offloads: 0,
                alone: false,
                read_at: Instant::ZERO,
                readable: false,
                gone: false,
            })
            .collect();
        let (outlet, batch) = (Outlet::with_capacity(FRAMES), Vec::with_capacity(BATCH));
        Self { sources, target, owned, event, failures, clock, outlet, batch }
    }

    /// Does what is due at `now`, then waits once, no longer than `end`, and delivers what came.
    /// Answers with the time at which it did: asking the clock costs more than most of this.
    pub(super) fn round(&mut self, now: Instant, end: Option<Instant>) -> Instant {
        for runner in &self.owned {
            runner.tend(now);
        }
        self.deliver();
        self.wait(now, end);
        let now = self.clock.now();
        for index in 0..self.sources.len() {
            if core::mem::take(&mut self.sources[index].readable) && self.outlet.is_empty() {
                self.read(index, now);
                self.deliver();
            }
        }
        now
    }

    /// Passes on what was read. What finds no room stays (R1), and nothing is read until it is
    /// gone (R3): overload is lost in the device's own queue.
    fn deliver(&mut self) {
        if !self.outlet.is_empty() && self.target.offer(&mut self.outlet) {
            self.target.notify(None);
        }
    }

    /// Sleeps until a device is readable, somebody wakes us, or a deadline comes.
    fn wait(&mut self, now: Instant, end: Option<Instant>) {
        let mut until = end;
        for runner in &self.owned {
            until = earliest(until, runner.lie_down());
        }
        let mut fds = ArrayVec::<PollFd<'_>, { MOST_DEVICES + 1 }>::new();
        let mut polled = ArrayVec::<usize, MOST_DEVICES>::new();
        fds.push(PollFd::from_borrowed_fd(self.event.as_fd(), PollFlags::IN));
        for (index, source) in self.sources.iter().enumerate() {
            if source.gone || !self.outlet.is_empty() {
                continue;
            }
            if source.not_before.is_none_or(|at| at <= now) {
                let fd = source.receiver.as_fd();
                fds.push(PollFd::from_borrowed_fd(fd, PollFlags::IN));
                polled.push(index);
            } else {
                until = earliest(until, source.not_before);
            }
        }
        let timeout = until.map(|at| at.since(now)).map(|span| Timespec {
            tv_sec: i64::try_from(span.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(span.subsec_nanos()),
        });
        // Interrupted by a signal: as if woken.
        let _ = poll(&mut fds, timeout.as_ref());
        // An error shows as readiness too; the read that follows names it.
        let readable: ArrayVec<bool, { MOST_DEVICES + 1 }> =
            fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        drop(fds);
        for runner in &self.owned {
            runner.get_up();
        }
        let (woken, readable) = readable.split_first().unwrap_or((&false, &[]));
        for (&index, &readable) in polled.iter().zip(readable) {
            self.sources[index].readable = readable;
        }
        if *woken {
            self.event.clear();
        }
    }

    fn read(&mut self, index: usize, now: Instant) {
        let source = &mut self.sources[index];
        // A device that gives one frame at a time is not asked again for nothing.
        let alone = source.alone && now.since(source.read_at) > CLOSE;
        let most = if alone { 1 } else { BATCH };
        let result = source.receiver.receive(&mut self.batch, most);
        let n = self.batch.len();
        (source.alone, source.read_at) = (n == 1, now);
        let interface = source.interface;
        for packet in self.batch.drain(..) {
            self.outlet.push(Frame { interface, packet });
        }
        source.note(n, now);
        if let Err(error) = result {
            source.fail(error, now, &self.failures);
        }
    }
}

impl Source {
    /// Counts what was read; after too many empty reads, leaves the device alone for a while.
    fn note(&mut self, n: usize, now: Instant) {
        self.not_before = None;
        // A frame that contradicts itself was there, though nothing came of it.
        let bad = self.receiver.bad_offloads() - self.bad_offloads;
        if n == 0 && bad == 0 {
            self.empty_reads += 1;
        } else {
            self.empty_reads = 0;
            self.bad_offloads += bad;
            let mut books = self.books.lock();
            books.received += n as u64;
            books.ledger.add_drops(Reason::LinkBadOffload, bad);
        }
        if self.empty_reads > EMPTY_READS {
            self.not_before = Some(now + LEFT_ALONE);
        }
    }

    fn fail(&mut self, error: DeviceError, now: Instant, failures: &Sender<Failure>) {
        match error {
            DeviceError::Down { .. } => {
                self.not_before = Some(now + LEFT_ALONE);
                let mut books = self.books.lock();
                if !books.is_down {
                    books.is_down = true;
                    tracing::warn!("{error}; waiting for it to come up");
                }
            }
            DeviceError::Gone { .. } | DeviceError::Io { .. } => {
                self.gone = true;
                // Nobody listens any more when we are shutting down.
                let _ = failures.send(Failure { interface: self.interface, error });
            }
        }
    }
}
