//! The impairing bridge: loss, delay, reordering, duplication and corruption between the
//! kernel's TAP and a stack that holds the other end of a socket pair.
//!
//!     kernel -- TAP (held here) -- faults -- socket pair -- stack (started here)
//!
//! A seed decides what happens to the n-th frame of each direction, so that a run can be had
//! again as far as the traffic is the same. Both ports are without offloads: what is impaired are
//! the packets of the wire, never super-frames.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::os::fd::AsRawFd;
use std::process::{self, Command};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::content::mix;
use super::frames::Port;
use crate::netns::wait::now;

/// Frames a direction holds; more are lost, as in the queue of a router.
const QUEUE_FRAMES: usize = 1000;

/// Faults, and the stack to start behind them.
#[derive(clap::Args)]
pub(crate) struct Impair {
    /// TAP to make for the kernel
    #[arg(long)]
    tap: String,
    /// The kernel's address on it, with its prefix length
    #[arg(long)]
    address: String,
    #[arg(long, default_value_t = 1500)]
    mtu: u16,
    #[command(flatten)]
    faults: Faults,
    /// Command of the stack; `{fd}` stands for its end of the socket pair
    #[arg(last = true, required = true)]
    stack: Vec<String>,
}

/// What happens to frames; shares are percentages.
#[derive(Clone, Debug, clap::Args)]
pub(in crate::netns) struct Faults {
    #[arg(long, default_value_t = 1)]
    pub(in crate::netns) seed: u64,
    /// Frames lost
    #[arg(long, default_value_t = 0.0)]
    pub(in crate::netns) loss: f64,
    /// Delay of every frame, one way
    #[arg(long, default_value_t = 0)]
    pub(in crate::netns) delay_ms: u64,
    /// Frames late by up to half a round trip more
    #[arg(long, default_value_t = 0.0)]
    pub(in crate::netns) reorder: f64,
    /// Frames delivered twice
    #[arg(long, default_value_t = 0.0)]
    pub(in crate::netns) duplicate: f64,
    /// IP frames with one bit flipped
    #[arg(long, default_value_t = 0.0)]
    pub(in crate::netns) corrupt: f64,
}

/// What is to happen to one frame.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::netns) struct Fate {
    pub(in crate::netns) lost: bool,
    pub(in crate::netns) duplicated: bool,
    /// Delay beyond the common one.
    pub(in crate::netns) late: Duration,
    /// A number from which the bit to flip is chosen.
    pub(in crate::netns) corrupted: Option<u64>,
}

impl Faults {
    /// What is to happen to the `index`-th frame of a direction.
    pub(in crate::netns) fn fate(&self, direction: u64, index: u64) -> Fate {
        let draw = |purpose: u64| mix(mix(mix(self.seed ^ (direction << 32)) ^ index) ^ purpose);
        // 53 bits are what an f64 holds exactly.
        let share = |purpose| (draw(purpose) >> 11) as f64 / (1u64 << 53) as f64 * 100.0;
        let late_ms = self.delay_ms.max(5) as f64 * share(5) / 100.0;
        Fate {
            lost: share(0) < self.loss,
            duplicated: share(1) < self.duplicate,
            late: match share(2) < self.reorder {
                true => Duration::from_secs_f64(late_ms / 1e3),
                false => Duration::ZERO,
            },
            corrupted: (share(3) < self.corrupt).then(|| draw(4)),
        }
    }
}

/// Flips one bit after the Ethernet header of an IP frame. ARP is left alone: it has no checksum,
/// and a wrong address in a neighbour cache says nothing about TCP.
pub(in crate::netns) fn corrupt(frame: &mut [u8], choice: u64) -> bool {
    const HEADER: usize = 14;
    let is_ip = matches!(frame.get(12..HEADER), Some([0x08, 0x00] | [0x86, 0xdd]));
    if !is_ip || frame.len() == HEADER {
        return false;
    }
    let bit = choice as usize % ((frame.len() - HEADER) * 8);
    frame[HEADER + bit / 8] ^= 1 << (bit % 8);
    true
}

impl Impair {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let kind = SocketType::SEQPACKET;
        let (near, far) = socketpair(AddressFamily::UNIX, kind, SocketFlags::empty(), None)?;
        fcntl_setfd(&near, FdFlags::CLOEXEC)?;
        let number = far.as_raw_fd().to_string();
        let mut words = self.stack.iter().map(|word| word.replace("{fd}", &number));
        let program = words.next().context("no command")?;
        let ports = [Port::tap(&self.tap, &self.address, self.mtu)?, Port::Socket(near)];
        // What kills this process kills the stack too.
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", &program])
            .args(words)
            .spawn()
            .with_context(|| format!("cannot start {program}"))?;
        drop(far);
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).context("no pid")?;
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        thread::spawn(move || {
            for _ in signals.forever() {
                // A stack that is gone already ends this process too.
                let _ = kill_process(pid, Signal::TERM);
            }
        });
        let lanes = [Lane::new(0, &self.faults), Lane::new(1, &self.faults)];
        thread::scope(|scope| {
            for (lane, from, to) in [(&lanes[0], 0, 1), (&lanes[1], 1, 0)] {
                let (from, to) = (&ports[from], &ports[to]);
                scope.spawn(move || lane.take_in(from));
                scope.spawn(move || lane.give_out(to));
            }
            let status = child.wait()?;
            eprintln!("impair, to the stack: {}", lanes[0].counts());
            eprintln!("impair, from the stack: {}", lanes[1].counts());
            // The threads read for ever; the process ends them.
            process::exit(status.code().unwrap_or(1))
        })
    }
}

/// (when it is due, number in order of arrival, the frame).
type Waiting = (Instant, u64, Vec<u8>);

/// One direction: frames that wait for their time.
struct Lane<'f> {
    direction: u64,
    faults: &'f Faults,
    /// The earliest first.
    waiting: Mutex<BinaryHeap<Reverse<Waiting>>>,
    changed: Condvar,
    counts: [AtomicU64; 6],
}

const COUNTED: [&str; 6] = ["frames", "lost", "late", "twice", "corrupted", "overflowed"];

impl<'f> Lane<'f> {
    fn new(direction: u64, faults: &'f Faults) -> Lane<'f> {
        let (waiting, changed) = Default::default();
        Lane { direction, faults, waiting, changed, counts: Default::default() }
    }

    /// Reads frames, decides on their fate and puts them in the queue.
    fn take_in(&self, from: &Port) {
        let mut arrival = 0;
        for index in 0.. {
            let Ok(Some(mut frame)) = from.receive() else { break };
            self.count(0, true);
            let fate = self.faults.fate(self.direction, index);
            if self.count(1, fate.lost) {
                continue;
            }
            self.count(2, !fate.late.is_zero());
            self.count(3, fate.duplicated);
            let corrupted = fate.corrupted.is_some_and(|choice| corrupt(&mut frame, choice));
            self.count(4, corrupted);
            let due = now() + Duration::from_millis(self.faults.delay_ms) + fate.late;
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if self.count(5, waiting.len() >= QUEUE_FRAMES) {
                continue;
            }
            for _ in 0..1 + u64::from(fate.duplicated) {
                waiting.push(Reverse((due, arrival, frame.clone())));
                arrival += 1;
            }
            self.changed.notify_one();
        }
    }

    /// Sends each frame when its time has come.
    fn give_out(&self, to: &Port) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let left =
                waiting.peek().map(|Reverse((due, ..))| due.saturating_duration_since(now()));
            waiting = match left {
                Some(Duration::ZERO) => {
                    let frame = waiting.pop();
                    drop(waiting);
                    if let Some(Reverse((_, _, frame))) = frame {
                        to.send(&frame);
                    }
                    self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
                }
                Some(left) => {
                    let waited = self.changed.wait_timeout(waiting, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Counts one more of a kind if it is so; hands the fact on.
    fn count(&self, kind: usize, so: bool) -> bool {
        self.counts[kind].fetch_add(u64::from(so), Ordering::Relaxed);
        so
    }

    fn counts(&self) -> String {
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        let counts = counts.zip(COUNTED).map(|(count, name)| format!("{count} {name}"));
        counts.collect::<Vec<_>>().join(", ")
    }
}
