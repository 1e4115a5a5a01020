//! [`Supervisor`]: the program's side. It takes notifications, finds out whose socket they are
//! about, asks the stack's side, and answers.
//!
//! ```text
//!    notification --> whose socket? --> not ours: the kernel goes on
//!                          |
//!                          v
//!                calls.rs: arguments, memory --> Request, and what Then
//!                                                        |
//!    answer <-- answers.rs: memory, descriptors <-- Event::Answer
//! ```
//!
//! A call that waits is a notification that is not answered yet. A signal may end the call; its
//! thread then comes back with another, and the first is forgotten. What was done for it meanwhile
//! is not lost: a connection that was accepted is kept for the next `accept`.

mod answers;
mod calls;
mod owner;
mod receive;

use core::net::SocketAddr;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use layer::Duration;
use nix::libc;
use rustc_hash::FxBuildHasher;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::time::{ClockId, clock_gettime};
use socket::{Errno, Kind};

use self::owner::{Inode, Owners};
use self::receive::{Receive, Taken};
use crate::request::{End, Event, Notice, Request, Side};
use crate::sys::{self, Notification, Verdict};

/// Notifications taken before the relays get their turn.
const BATCH: usize = 64;

/// Answers the calls of programs. See the module's head.
pub(crate) struct Supervisor<S> {
    listener: OwnedFd,
    side: S,
    owners: Owners,
    sockets: BTreeMap<Inode, Ours>,
    by_end: HashMap<End, Inode, FxBuildHasher>,
    pending: BTreeMap<u64, Pending>,
    /// What a thread waits for: it can be in one call only.
    by_thread: HashMap<u32, u64, FxBuildHasher>,
    /// Connections that were accepted for calls that ended before they were answered.
    held: HashMap<End, VecDeque<Held>, FxBuildHasher>,
    /// Calls to `accept` that are over, and their listeners: an answer may be under way.
    orphans: HashMap<u64, End, FxBuildHasher>,
    /// What was said already.
    said: Vec<&'static str>,
}

/// A socket of ours.
#[derive(Clone, Copy, Debug)]
struct Ours {
    end: End,
    kind: Kind,
    /// UDP with one peer.
    connected: bool,
    /// Where it was seen last: thread and number.
    seen: (u32, i32),
    /// The answer to a `connect` that came about did not reach the program.
    owed: bool,
}

/// A connection that nobody took.
struct Held {
    end: End,
    descriptor: OwnedFd,
    remote: SocketAddr,
}

/// A call that waits for an answer of the stack's side.
struct Pending {
    call: Notification,
    /// The socket it is about, but for `socket`.
    end: Option<End>,
    then: Then,
    deadline: Option<(Duration, Errno)>,
}

/// What to do with the answer.
enum Then {
    /// Give the program its new socket.
    Open { kind: Kind, flags: i32 },
    /// Nothing more.
    Plain,
    /// As `Plain`; it is UDP and then has a peer, or no more.
    Peer { connected: bool },
    /// Fill the program's end if the connection is not there yet.
    Connect,
    /// Give the program its new connection, and say whose it is.
    Accept { name: u64, len: u64, flags: i32 },
    /// Write an address.
    Name { to: u64, len: u64 },
    /// Write the value of an option.
    Value { to: u64, len: u64 },
    /// So many bytes went; of `sendmmsg`, say so at that place.
    Sent { many: Option<u64> },
    /// Try to receive again.
    Receive(Receive),
    /// Write what was received.
    Received(Receive, Taken),
}

/// Since some point in the past.
fn now() -> Duration {
    let time = clock_gettime(ClockId::Monotonic);
    Duration::try_from(time).unwrap_or_default()
}

impl<S: Side> Supervisor<S> {
    pub(crate) fn new(listener: OwnedFd, side: S) -> Self {
        Self {
            listener,
            side,
            owners: Owners::default(),
            sockets: BTreeMap::new(),
            by_end: HashMap::default(),
            pending: BTreeMap::new(),
            by_thread: HashMap::default(),
            held: HashMap::default(),
            orphans: HashMap::default(),
            said: Vec::new(),
        }
    }

    /// Waits for anything to do.
    pub(crate) fn wait(&mut self, tokens: &mut Vec<u64>) -> io::Result<()> {
        let first =
            self.pending.values().filter_map(|pending| pending.deadline).min_by_key(|d| d.0);
        let limit = first.map(|(deadline, _)| deadline.saturating_sub(now()));
        self.side.wait(tokens, limit)?;
        if first.is_some() {
            self.expire();
        }
        Ok(())
    }

    /// Takes notifications.
    pub(crate) fn listen(&mut self) {
        for _ in 0..BATCH {
            let mut polled = [PollFd::new(&self.listener, PollFlags::IN)];
            let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
            let is_there = poll(&mut polled, Some(&at_once)).is_ok_and(|n| n > 0);
            let flags = polled[0].revents();
            if !flags.contains(PollFlags::IN) {
                if is_there {
                    // Nobody is under the filter any more.
                    self.side.ignore(self.listener.as_fd());
                }
                return;
            }
            // ENOENT: the thread was killed meanwhile.
            if let Ok(call) = sys::receive(self.listener.as_fd()) {
                self.take(&call);
                self.settle();
            }
        }
    }

    fn take(&mut self, call: &Notification) {
        if let Some(older) = self.by_thread.remove(&call.thread) {
            self.abandon(older);
        }
        let verdict = match self.call(call) {
            Ok(Some(verdict)) => verdict,
            Ok(None) => return,
            Err(error) => Verdict::Error(error.raw()),
        };
        self.answer(call, verdict);
    }

    /// Asks the stack's side on behalf of a call.
    fn ask(&mut self, call: &Notification, end: Option<End>, request: Request, then: Then) {
        // What was read of its memory was its memory only if it still waits.
        if !sys::is_waiting(self.listener.as_fd(), call.id) {
            return;
        }
        self.pending.insert(call.id, Pending { call: *call, end, then, deadline: None });
        self.by_thread.insert(call.thread, call.id);
        self.side.submit(call.id, request);
    }

    /// The call ends with `errno` if it has waited for `limit`.
    fn limit(&mut self, call: &Notification, limit: Option<Duration>, errno: Errno) {
        let deadline = limit.map(|limit| (now() + limit, errno));
        if let Some(pending) = self.pending.get_mut(&call.id) {
            pending.deadline = deadline;
        }
    }

    fn expire(&mut self) {
        let now = now();
        let over: Vec<(u64, Errno)> = self
            .pending
            .iter()
            .filter_map(|(id, pending)| pending.deadline.map(|(at, errno)| (*id, at, errno)))
            .filter(|(_, at, _)| *at <= now)
            .map(|(id, _, errno)| (id, errno))
            .collect();
        for (id, errno) in over {
            let Some(call) = self.pending.get(&id).map(|pending| pending.call) else { continue };
            self.abandon(id);
            self.answer(&call, Verdict::Error(errno.raw()));
        }
    }

    /// Nobody waits for the answer to this call any more.
    fn abandon(&mut self, id: u64) {
        let Some(pending) = self.pending.remove(&id) else { return };
        self.by_thread.remove(&pending.call.thread);
        if let Some(end) = pending.end {
            if let Then::Accept { .. } = pending.then {
                self.orphans.insert(id, end);
            }
            self.side.cancel(id, end);
        }
    }

    fn answer(&self, call: &Notification, verdict: Verdict) -> bool {
        // ENOENT: a signal came first, and the program knows.
        sys::answer(self.listener.as_fd(), call.id, verdict).is_ok()
    }

    /// Handles everything that the stack's side has to say.
    pub(crate) fn settle(&mut self) {
        while let Some(event) = self.side.take_event() {
            match event {
                Event::Answer(id, result) => {
                    let Some(pending) = self.pending.remove(&id) else {
                        self.unclaimed(id, result);
                        continue;
                    };
                    self.by_thread.remove(&pending.call.thread);
                    self.finish(pending, result);
                }
                Event::Notice(Notice::Gone(end)) => {
                    self.held.remove(&end);
                    if let Some(inode) = self.by_end.remove(&end) {
                        self.sockets.remove(&inode);
                    }
                }
                Event::Notice(Notice::Reset(end)) => {
                    self.mark_reset(end);
                    self.tell(Request::Break(end));
                }
            }
        }
    }

    /// Asks for what has no answer of interest.
    fn tell(&mut self, request: Request) {
        // Notifications are numbered upwards from a random number, so 0 is nobody's.
        self.side.submit(0, request);
    }

    /// Puts a byte into our queue of a pair, so that closing it is a reset for the program.
    fn mark_reset(&mut self, end: End) {
        let Some(inode) = self.by_end.get(&end).copied() else { return };
        let Some(ours) = self.sockets.get(&inode) else { return };
        if let Some(copy) = self.owners.anywhere(inode, ours.seen) {
            let flags = rustix::net::SendFlags::DONTWAIT | rustix::net::SendFlags::NOSIGNAL;
            // Where it is full, there is a byte already.
            let _ = rustix::net::send(copy, &[0], flags);
        }
    }

    /// Says something on stderr, once.
    fn say(&mut self, what: &'static str) {
        if !self.said.contains(&what) {
            self.said.push(what);
            tracing::warn!("{what}");
        }
    }

    /// Registers the program's end of a new pair.
    fn register(&mut self, end: End, kind: Kind, descriptor: &OwnedFd, seen: (u32, i32)) {
        let Ok(inode) = Inode::of(descriptor) else { return };
        let ours = Ours { end, kind, connected: false, seen, owed: false };
        self.sockets.insert(inode, ours);
        self.by_end.insert(end, inode);
    }
}

/// Blocking calls end after this on a socket with such a timeout, as the kernel would do.
fn patience(copy: &OwnedFd, which: rustix::net::sockopt::Timeout) -> Option<Duration> {
    rustix::net::sockopt::socket_timeout(copy, which).ok().flatten()
}

/// Whether calls on this socket wait.
fn is_blocking(copy: &OwnedFd, flags: i32) -> bool {
    let nonblocking = rustix::fs::fcntl_getfl(copy)
        .is_ok_and(|flags| flags.contains(rustix::fs::OFlags::NONBLOCK));
    !nonblocking && flags & libc::MSG_DONTWAIT == 0
}
