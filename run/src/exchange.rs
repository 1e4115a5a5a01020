//! [`Exchange`]: the stack's side of programs' sockets. It answers [`Request`]s and relays between
//! pairs of Unix sockets and the hub, in one thread that waits in `epoll`.
//!
//! ```text
//!     requests --> submit() --+                       +--> take_event(): answers, notices
//!                             v                       |
//!     pair readable, writable --> turn(end) --> stream.rs, datagram.rs, listen.rs, connect.rs
//!                             ^
//!     hub: Ready::Changed --> News
//! ```
//!
//! Nothing here blocks: what has to wait is in the list of its socket and tried again at every
//! turn of that. Turns are short, so that one socket never holds up the others.

mod connect;
mod datagram;
mod listen;
mod news;
mod options;
mod stream;
mod tcp_info;

use core::net::{Ipv4Addr, SocketAddr};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use layer::boundary::SocketId;
use layer::{Duration, Out};
use rustc_hash::FxBuildHasher;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use socket::net::Stack;
use socket::{Errno, Hub, Kind};

use self::connect::Connecting;
use self::datagram::Datagrams;
use self::news::News;
use self::stream::Stream;
use crate::request::{Answer, End, Event, Notice, Request, Side};

/// Sockets whose connection was reset and that their program has not closed; their error can still
/// be asked for. Beyond, the oldest are forgotten.
const MOST_DEAD: usize = 1024;

/// Tokens below are for others that wait in the same place.
const FIRST_END: u64 = 16;
/// The token of [`News`].
const NEWS: u64 = 0;

/// Events that one `epoll_wait` takes.
const EVENTS: usize = 128;

/// What a DNS query is.
const DNS_PORT: u16 = 53;

/// The stack's side of programs' sockets. See the module's head.
pub struct Exchange {
    stack: Stack,
    dns: Option<SocketAddr>,
    epoll: OwnedFd,
    news: Arc<News>,
    ends: BTreeMap<End, Entry>,
    by_socket: HashMap<SocketId, End, FxBuildHasher>,
    next: u64,
    events: VecDeque<Event>,
    /// Turns that stopped so that others get theirs.
    again: VecDeque<End>,
    dead: VecDeque<End>,
    ready: Vec<epoll::Event>,
}

/// One socket.
struct Entry {
    socket: SocketId,
    /// Our end of the pair, until we have closed it.
    ours: Option<OwnedFd>,
    role: Role,
    waiting: Vec<(u64, Waiting)>,
    /// For SO_ERROR, where the hub has told it already.
    error: Option<Errno>,
    /// Where datagrams and connections go instead of where the program says: real, asked.
    alias: Option<(SocketAddr, SocketAddr)>,
}

/// What a socket is.
enum Role {
    /// TCP, neither listening nor connected.
    Idle,
    Listener,
    Connecting(Connecting),
    Stream(Stream),
    Datagrams(Datagrams),
    /// It is over; the program does not know yet or has not closed it.
    Dead,
}

/// A request whose answer is late.
enum Waiting {
    /// Bind, listen, or connect of UDP.
    Completion,
    /// Connect of TCP.
    Connection,
    Accept,
    Send {
        to: Option<SocketAddr>,
        data: Vec<u8>,
    },
    Datagram,
}

/// A call into the hub.
fn hub<R>(
    stack: &Stack,
    call: impl FnOnce(&mut Hub, &mut Out<'_, Hub>) -> Result<R, Errno>,
) -> Result<R, Errno> {
    let errno = |error: io::Error| error.raw_os_error().map_or(Errno::NETDOWN, Errno::from_raw);
    stack.with_hub(call).map_err(errno)
}

impl Exchange {
    /// An exchange on `stack` without sockets. Queries to any DNS server go to `dns` if given.
    ///
    /// # Errors
    ///
    /// No descriptors.
    pub fn new(stack: Stack, dns: Option<SocketAddr>) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let news = Arc::new(News::new()?);
        let edge = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&epoll, news.descriptor(), epoll::EventData::new_u64(NEWS), edge)?;
        Ok(Self {
            stack,
            dns,
            epoll,
            news,
            ends: BTreeMap::new(),
            by_socket: HashMap::default(),
            next: FIRST_END,
            events: VecDeque::new(),
            again: VecDeque::new(),
            dead: VecDeque::new(),
            ready: Vec::with_capacity(EVENTS),
        })
    }

    /// As `watch`, but tells of changes only: more to read, more room to write.
    pub(crate) fn watch_edges(&self, descriptor: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        let data = epoll::EventData::new_u64(token);
        let edges = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
        Ok(epoll::add(&self.epoll, descriptor, data, edges)?)
    }

    /// `None` if the answer comes later.
    fn attempt(&mut self, ticket: u64, request: Request) -> Option<Result<Answer, Errno>> {
        let done = |result: Result<(), Errno>| Some(result.map(|()| Answer::Done));
        match request {
            Request::Open(kind) => Some(self.open(kind)),
            Request::Bind(end, address) => {
                self.begin(ticket, end, |id, hub, out| hub.bind(id, address, out))
            }
            Request::Listen(end, backlog) => self.listen(ticket, end, backlog),
            Request::Accept { end, wait } => self.accept(ticket, end, wait),
            Request::Ring(end) => {
                self.ring(end, true);
                Some(Ok(Answer::Done))
            }
            Request::Connect { end, to, wait } => self.connect(ticket, end, to, wait),
            Request::Filled(end, bytes) => done(self.filled(end, bytes)),
            Request::Local(end) => Some(self.local(end)),
            Request::Peer(end) => Some(self.peer(end)),
            Request::Set { end, level, name, value } => {
                done(self.set_option(end, level, name, &value))
            }
            Request::Get { end, level, name } => {
                Some(self.get_option(end, level, name).map(Answer::Value))
            }
            Request::Shutdown(end, how) => Some(self.shutdown(end, how)),
            Request::Send { end, to, data, wait } => self.send(ticket, end, to, data, wait),
            Request::Source(end) => Some(self.source(end)),
            Request::Await(end) => self.await_datagram(ticket, end),
            Request::Break(end) => {
                self.bury(end);
                Some(Ok(Answer::Done))
            }
        }
    }

    fn entry(&mut self, end: End) -> Result<&mut Entry, Errno> {
        self.ends.get_mut(&end).ok_or(Errno::BADF)
    }

    /// A call whose outcome a transport must tell.
    fn begin(
        &mut self,
        ticket: u64,
        end: End,
        call: impl FnOnce(SocketId, &mut Hub, &mut Out<'_, Hub>) -> Result<(), Errno>,
    ) -> Option<Result<Answer, Errno>> {
        let Some(entry) = self.ends.get_mut(&end) else { return Some(Err(Errno::BADF)) };
        let id = entry.socket;
        match hub(&self.stack, |hub, out| call(id, hub, out)) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(error) => return Some(Err(error)),
        }
        // Usually it is there by now.
        match hub(&self.stack, |hub, _| hub.completed(id)) {
            Err(Errno::INPROGRESS) => {
                entry.waiting.push((ticket, Waiting::Completion));
                None
            }
            result => Some(result.map(|()| Answer::Done)),
        }
    }

    fn open(&mut self, kind: Kind) -> Result<Answer, Errno> {
        let socket = hub(&self.stack, |hub, _| hub.socket(kind))?;
        let role = match kind {
            Kind::Tcp => Role::Idle,
            Kind::Udp => Role::Datagrams(Datagrams::default()),
        };
        let (end, descriptor) = self.adopt(socket, kind, role)?;
        Ok(Answer::Opened { end, descriptor })
    }

    /// Makes a pair for a socket of the hub.
    fn adopt(&mut self, socket: SocketId, kind: Kind, role: Role) -> Result<(End, OwnedFd), Errno> {
        match self.pair(kind) {
            Ok((ours, theirs)) => {
                let end = End(self.next);
                self.next += 1;
                let (waiting, error, alias) = (Vec::new(), None, None);
                let ours = Some(ours);
                self.ends.insert(end, Entry { socket, ours, role, waiting, error, alias });
                self.by_socket.insert(socket, end);
                self.stack.watch(socket, Arc::clone(&self.news) as _);
                Ok((end, theirs))
            }
            Err(error) => {
                // It was never anybody's.
                let _ = hub(&self.stack, |hub, out| hub.abort(socket, out));
                Err(error)
            }
        }
    }

    /// Our end, which never blocks and is waited for, and the program's.
    fn pair(&self, kind: Kind) -> Result<(OwnedFd, OwnedFd), Errno> {
        let kind = match kind {
            Kind::Tcp => SocketType::STREAM,
            // Unlike SOCK_DGRAM it says when the other end is gone, and has no limit of ten.
            Kind::Udp => SocketType::SEQPACKET,
        };
        let flags = epoll::EventFlags::IN
            | epoll::EventFlags::OUT
            | epoll::EventFlags::RDHUP
            | epoll::EventFlags::ET;
        let make = || {
            let (ours, theirs) = socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?;
            rustix::io::ioctl_fionbio(&ours, true)?;
            let token = epoll::EventData::new_u64(self.next);
            epoll::add(&self.epoll, &ours, token, flags)?;
            Ok((ours, theirs))
        };
        make().map_err(|error: rustix::io::Errno| Errno::from_raw(error.raw_os_error()))
    }

    /// Something may have changed about a socket; `flags` is what `epoll` said, if it was that.
    fn turn(&mut self, end: End, flags: epoll::EventFlags) {
        let Some(entry) = self.ends.get_mut(&end) else { return };
        let gone = flags.contains(epoll::EventFlags::HUP);
        match &entry.role {
            Role::Stream(_) => self.pump(end, flags),
            Role::Datagrams(_) => self.carry_datagrams(end, flags),
            Role::Connecting(_) | Role::Listener | Role::Idle | Role::Dead if gone => {
                return self.close(end);
            }
            Role::Connecting(_) => self.settle(end),
            Role::Listener => {
                // Who waits in `accept` comes before those who only wait for a chance to.
                self.retry(end);
                return self.ring(end, false);
            }
            Role::Idle | Role::Dead => {}
        }
        self.retry(end);
    }

    /// Tries again what waits at a socket.
    fn retry(&mut self, end: End) {
        let Some(entry) = self.ends.get_mut(&end) else { return };
        for (ticket, waiting) in core::mem::take(&mut entry.waiting) {
            let result = match waiting {
                Waiting::Completion => self.completion(ticket, end),
                Waiting::Connection => self.connection(ticket, end),
                Waiting::Accept => self.accept(ticket, end, true),
                Waiting::Send { to, data } => self.send(ticket, end, to, data, true),
                Waiting::Datagram => self.await_datagram(ticket, end),
            };
            if let Some(result) = result {
                self.events.push_back(Event::Answer(ticket, result));
            }
        }
    }

    fn completion(&mut self, ticket: u64, end: End) -> Option<Result<Answer, Errno>> {
        let Some(entry) = self.ends.get_mut(&end) else { return Some(Err(Errno::BADF)) };
        match hub(&self.stack, |hub, _| hub.completed(entry.socket)) {
            Err(Errno::INPROGRESS) => {
                entry.waiting.push((ticket, Waiting::Completion));
                None
            }
            result => Some(result.map(|()| Answer::Done)),
        }
    }

    fn local(&mut self, end: End) -> Result<Answer, Errno> {
        let id = self.entry(end)?.socket;
        let local = hub(&self.stack, |hub, _| hub.local_addr(id)).unwrap_or_default();
        Ok(Answer::Name(local.unwrap_or_else(|| (Ipv4Addr::UNSPECIFIED, 0).into())))
    }

    fn peer(&mut self, end: End) -> Result<Answer, Errno> {
        let id = self.entry(end)?.socket;
        let remote = hub(&self.stack, |hub, _| hub.peer_addr(id)).map_err(|error| match error {
            Errno::BADF => Errno::NOTCONN,
            other => other,
        })?;
        Ok(Answer::Name(self.entry(end)?.asked(remote)))
    }

    /// Where a program's packets to `to` really go.
    fn outward(&self, to: SocketAddr) -> SocketAddr {
        match self.dns {
            Some(dns) if to.port() == DNS_PORT => dns,
            // As Linux: nowhere is here.
            _ if to.ip().is_unspecified() => (Ipv4Addr::LOCALHOST, to.port()).into(),
            Some(_) | None => to,
        }
    }

    fn shutdown(&mut self, end: End, how: Shutdown) -> Result<Answer, Errno> {
        let entry = self.entry(end)?;
        let id = entry.socket;
        match &entry.role {
            // What was written before comes first, so the pair carries the end as well.
            Role::Stream(_) => Ok(Answer::Native),
            Role::Datagrams(_) => {
                hub(&self.stack, |hub, out| hub.shutdown(id, how, out))?;
                Ok(Answer::Native)
            }
            Role::Listener | Role::Connecting(_) | Role::Idle => {
                hub(&self.stack, |hub, out| hub.shutdown(id, how, out))?;
                Ok(Answer::Done)
            }
            Role::Dead => Err(Errno::NOTCONN),
        }
    }

    /// The program has closed its end, and so do we.
    fn close(&mut self, end: End) {
        // Done already, or somebody lingers: then the hub goes on alone.
        self.forget(end, |id, hub, out| hub.close(id, out));
    }

    fn forget(
        &mut self,
        end: End,
        finish: impl FnOnce(SocketId, &mut Hub, &mut Out<'_, Hub>) -> Result<(), Errno>,
    ) {
        let Some(entry) = self.ends.remove(&end) else { return };
        self.by_socket.remove(&entry.socket);
        self.stack.unwatch(entry.socket);
        if !matches!(entry.role, Role::Dead) {
            // EINPROGRESS: it lingers. Whatever else it says, there is nobody to tell.
            let _ = hub(&self.stack, |hub, out| finish(entry.socket, hub, out));
        }
        for (ticket, _) in entry.waiting {
            self.events.push_back(Event::Answer(ticket, Err(Errno::BADF)));
        }
        self.events.push_back(Event::Notice(Notice::Gone(end)));
    }

    /// The connection ended by `error`: the program must see a reset.
    fn reset(&mut self, end: End, error: Errno) {
        let Some(entry) = self.ends.get_mut(&end) else { return };
        entry.error = Some(error);
        entry.role = Role::Dead;
        let id = entry.socket;
        self.by_socket.remove(&id);
        self.stack.unwatch(id);
        // The hub has ended it already.
        let _ = hub(&self.stack, |hub, out| hub.close(id, out));
        self.events.push_back(Event::Notice(Notice::Reset(end)));
    }

    /// Closes our end of a connection that was reset. What it was, is remembered for a while.
    fn bury(&mut self, end: End) {
        let Some(entry) = self.ends.get_mut(&end) else { return };
        entry.ours = None;
        self.dead.push_back(end);
        if self.dead.len() > MOST_DEAD
            && let Some(oldest) = self.dead.pop_front()
        {
            self.close(oldest);
        }
    }
}

impl Side for Exchange {
    fn watch(&self, descriptor: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        let data = epoll::EventData::new_u64(token);
        Ok(epoll::add(&self.epoll, descriptor, data, epoll::EventFlags::IN)?)
    }

    fn ignore(&self, descriptor: BorrowedFd<'_>) {
        // It was not waited for.
        let _ = epoll::delete(&self.epoll, descriptor);
    }

    fn take_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn wait(&mut self, tokens: &mut Vec<u64>, limit: Option<Duration>) -> io::Result<()> {
        let idle = self.again.is_empty() && self.events.is_empty();
        let limit = if idle && self.news.may_sleep() { limit } else { Some(Duration::ZERO) };
        let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
        self.ready.clear();
        let waited = epoll::wait(&self.epoll, spare_capacity(&mut self.ready), limit.as_ref());
        self.news.woke();
        match waited {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for at in 0..self.ready.len() {
            let Some(&epoll::Event { flags, data }) = self.ready.get(at) else { break };
            match data.u64() {
                NEWS => {}
                token if token < FIRST_END => tokens.push(token),
                number => self.turn(End(number), flags),
            }
        }
        for socket in self.news.take() {
            if let Some(&end) = self.by_socket.get(&socket) {
                self.turn(end, epoll::EventFlags::empty());
            }
        }
        for _ in 0..self.again.len() {
            let Some(end) = self.again.pop_front() else { break };
            self.turn(end, epoll::EventFlags::IN | epoll::EventFlags::OUT);
        }
        Ok(())
    }

    fn submit(&mut self, ticket: u64, request: Request) {
        if let Some(result) = self.attempt(ticket, request) {
            self.events.push_back(Event::Answer(ticket, result));
        }
    }

    fn cancel(&mut self, ticket: u64, end: End) {
        let Some(entry) = self.ends.get_mut(&end) else { return };
        let before = entry.waiting.len();
        entry.waiting.retain(|(waiting, _)| *waiting != ticket);
        // Every request is answered once.
        if entry.waiting.len() < before {
            let interrupted = Err(Errno::from_raw(nix::libc::EINTR));
            self.events.push_back(Event::Answer(ticket, interrupted));
        }
    }
}

impl Drop for Exchange {
    /// Its programs are gone: their sockets are closed.
    fn drop(&mut self) {
        for end in self.ends.keys().copied().collect::<Vec<_>>() {
            self.close(end);
        }
    }
}

impl Entry {
    fn ours(&self) -> Option<BorrowedFd<'_>> {
        self.ours.as_ref().map(AsFd::as_fd)
    }

    /// The address that the program believes to talk to.
    fn asked(&self, real: SocketAddr) -> SocketAddr {
        self.alias.filter(|alias| alias.0 == real).map_or(real, |alias| alias.1)
    }
}
