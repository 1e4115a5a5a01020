//! A stack in another process: [`Remote`] is its supervisor's end, [`serve`] the daemon's.
//!
//! ```text
//!    supervisor                                   daemon, one thread a supervisor
//!    Remote --- Asked: requests, cancel  ----->   serve: Exchange
//!           <-- Told: answers, notices, fds --
//!    program's end of a pair ================ our end, in the daemon
//! ```
//!
//! When the daemon dies, its ends of all pairs are closed with it, and calls are told `ENETDOWN`.
//! When the supervisor dies, the daemon closes all sockets of its programs, and nobody else's.

use core::net::{Ipv4Addr, SocketAddr};
use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use layer::Duration;
use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};
use socket::Errno;
use socket::net::Stack;

use crate::exchange::Exchange;
use crate::request::{End, Event, Notice, Request, Side};
use crate::wire::{Asked, Told, Wire};

/// Both sides must be of this version.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The token of the socket between the two.
const WIRE: u64 = 15;

/// A stack in another process.
pub struct Remote {
    wire: Wire,
    epoll: OwnedFd,
    /// Requests without an answer.
    open: BTreeSet<u64>,
    events: VecDeque<Event>,
    gone: bool,
    ready: Vec<epoll::Event>,
}

impl Remote {
    /// Introduces itself on a connection to a daemon; answers with an address of its stack.
    ///
    /// # Errors
    ///
    /// The daemon is gone, or of another version.
    pub fn new(socket: OwnedFd, dns: Option<SocketAddr>) -> io::Result<(Self, Ipv4Addr)> {
        let mut wire = Wire::new(socket)?;
        wire.ask(&Asked::Hello(VERSION.to_owned(), dns))?;
        let address = loop {
            poll(&mut [PollFd::new(&wire, PollFlags::IN)], None)?;
            let alive = wire.fill()?;
            match wire.next_told()? {
                Some(Told::Welcome(address)) => break address,
                Some(Told::Stranger(version)) => {
                    let why = format!("the daemon is of version {version}, not {VERSION}");
                    return Err(io::Error::other(why));
                }
                Some(Told::Event(_)) => {}
                None if !alive => return Err(io::ErrorKind::ConnectionReset.into()),
                None => {}
            }
        };
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let edge = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
        epoll::add(&epoll, &wire, epoll::EventData::new_u64(WIRE), edge)?;
        let (open, events) = (BTreeSet::new(), VecDeque::new());
        Ok((
            Self { wire, epoll, open, events, gone: false, ready: Vec::with_capacity(16) },
            address,
        ))
    }

    /// Takes what has come.
    fn carry(&mut self) -> io::Result<bool> {
        self.wire.flush()?;
        let alive = self.wire.fill()?;
        while let Some(told) = self.wire.next_told()? {
            let Told::Event(event) = told else { continue };
            if let Event::Answer(ticket, _) = &event {
                self.open.remove(ticket);
            }
            self.events.push_back(event);
        }
        Ok(alive)
    }

    /// The daemon is gone: nothing will be answered any more.
    fn lose(&mut self) {
        self.gone = true;
        // Who waits for it would be woken for nothing from here on.
        let _ = epoll::delete(&self.epoll, &self.wire);
        tracing::warn!("the daemon is gone: the network is down");
        for ticket in core::mem::take(&mut self.open) {
            self.events.push_back(Event::Answer(ticket, Err(Errno::NETDOWN)));
        }
    }

    fn say(&mut self, asked: &Asked) {
        if !self.gone && self.wire.ask(asked).is_err() {
            self.lose();
        }
    }
}

impl Side for Remote {
    fn submit(&mut self, ticket: u64, request: Request) {
        if self.gone {
            self.events.push_back(Event::Answer(ticket, Err(Errno::NETDOWN)));
            return;
        }
        self.open.insert(ticket);
        self.say(&Asked::Request(ticket, request));
    }

    fn cancel(&mut self, ticket: u64, end: End) {
        self.say(&Asked::Cancel(ticket, end));
    }

    fn take_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn watch(&self, descriptor: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        let data = epoll::EventData::new_u64(token);
        Ok(epoll::add(&self.epoll, descriptor, data, epoll::EventFlags::IN)?)
    }

    fn ignore(&self, descriptor: BorrowedFd<'_>) {
        // It was not waited for.
        let _ = epoll::delete(&self.epoll, descriptor);
    }

    fn wait(&mut self, tokens: &mut Vec<u64>, limit: Option<Duration>) -> io::Result<()> {
        let limit = if self.events.is_empty() { limit } else { Some(Duration::ZERO) };
        let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
        self.ready.clear();
        match epoll::wait(&self.epoll, spare_capacity(&mut self.ready), limit.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in core::mem::take(&mut self.ready) {
            match event.data.u64() {
                WIRE if !self.gone => {
                    if !self.carry().unwrap_or(false) {
                        self.lose();
                    }
                }
                WIRE => {}
                token => tokens.push(token),
            }
        }
        self.ready.reserve(16);
        Ok(())
    }
}

/// Serves one supervisor until it is gone. `address` is what its programs are told to have.
///
/// # Errors
///
/// What it said made no sense, or there are no descriptors.
pub fn serve(socket: OwnedFd, stack: &Stack, address: Ipv4Addr) -> io::Result<()> {
    let mut wire = Wire::new(socket)?;
    let dns = loop {
        poll(&mut [PollFd::new(&wire, PollFlags::IN)], None)?;
        let alive = wire.fill()?;
        match wire.next_asked()? {
            Some(Asked::Hello(version, dns)) if version == VERSION => break dns,
            Some(Asked::Hello(..) | Asked::Request(..) | Asked::Cancel(..)) => {
                return wire.tell(Told::Stranger(VERSION.to_owned()));
            }
            None if !alive => return Ok(()),
            None => {}
        }
    };
    wire.tell(Told::Welcome(address))?;
    let mut exchange = Exchange::new(stack.clone(), dns)?;
    exchange.watch_edges(wire.as_fd(), WIRE)?;
    let mut tokens = Vec::new();
    loop {
        wire.flush()?;
        let alive = wire.fill()?;
        while let Some(asked) = wire.next_asked()? {
            match asked {
                Asked::Request(ticket, request) => exchange.submit(ticket, request),
                Asked::Cancel(ticket, end) => exchange.cancel(ticket, end),
                Asked::Hello(..) => {}
            }
            tell(&mut wire, &mut exchange)?;
        }
        if !alive {
            return Ok(());
        }
        tokens.clear();
        while tokens.is_empty() {
            exchange.wait(&mut tokens, None)?;
            tell(&mut wire, &mut exchange)?;
        }
    }
}

/// Passes on what the exchange says.
fn tell(wire: &mut Wire, exchange: &mut Exchange) -> io::Result<()> {
    while let Some(event) = exchange.take_event() {
        match event {
            // Nobody has asked for these by a ticket of its own.
            Event::Answer(0, _) => {}
            event @ (Event::Answer(..) | Event::Notice(Notice::Gone(_) | Notice::Reset(_))) => {
                wire.tell(Told::Event(event))?;
            }
        }
    }
    Ok(())
}
