//! `connect`: waiting for it, and making a socket that is not writable until it has come about.
//!
//! A Unix socket is writable from the start. So where a program does not wait in `connect`, the
//! supervisor fills its end with as many bytes as it takes. When the connection is there, they are
//! read away here: the end becomes writable, and who polls or waits in `write` goes on. If it
//! fails, our end is closed on top of them: the program's shows an error and hang-up, and SO_ERROR
//! says which.

use core::net::SocketAddr;
use std::os::fd::BorrowedFd;

use rustix::event::epoll::EventFlags;
use socket::Errno;

use super::stream::Stream;
use super::{Exchange, Role, Waiting, hub};
use crate::request::{Answer, End};

/// A connection that is being opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Connecting {
    /// The program waits in `connect`.
    Waited,
    /// It does not; its end is being filled.
    Filling,
    /// Its end is full: so many bytes.
    Full(usize),
}

impl Exchange {
    /// `connect`. Of UDP it settles the only peer.
    pub(super) fn connect(
        &mut self,
        ticket: u64,
        end: End,
        to: Option<SocketAddr>,
        wait: bool,
    ) -> Option<Result<Answer, Errno>> {
        let real = to.map(|to| self.outward(to));
        let Some(entry) = self.ends.get_mut(&end) else { return Some(Err(Errno::BADF)) };
        match &mut entry.role {
            Role::Datagrams(datagrams) => {
                datagrams.connected = to.is_some();
                entry.alias = real.zip(to);
                self.begin(ticket, end, |id, hub, out| match real {
                    Some(real) => hub.connect(id, real, out),
                    None => hub.disconnect(id, out),
                })
            }
            Role::Idle | Role::Listener => {
                // As Linux: a socket that is not connected may be asked to be so.
                let Some((real, to)) = real.zip(to) else { return Some(Ok(Answer::Done)) };
                self.open_connection(ticket, end, (real, to), wait)
            }
            Role::Connecting(_) if wait => {
                entry.waiting.push((ticket, Waiting::Connection));
                None
            }
            Role::Connecting(_) => Some(Err(Errno::ALREADY)),
            // As Linux: the first `connect` after the outcome tells it.
            Role::Stream(stream) if !stream.told => {
                stream.told = true;
                Some(Ok(Answer::Done))
            }
            Role::Stream(_) => Some(Err(Errno::ISCONN)),
            Role::Dead => Some(Err(entry.error.take().unwrap_or(Errno::CONNABORTED))),
        }
    }

    fn open_connection(
        &mut self,
        ticket: u64,
        end: End,
        alias: (SocketAddr, SocketAddr),
        wait: bool,
    ) -> Option<Result<Answer, Errno>> {
        let Some(entry) = self.ends.get_mut(&end) else { return Some(Err(Errno::BADF)) };
        let id = entry.socket;
        match hub(&self.stack, |hub, out| hub.connect(id, alias.0, out)) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(error) => return Some(Err(error)),
        }
        entry.alias = Some(alias);
        if !wait {
            entry.role = Role::Connecting(Connecting::Filling);
            return Some(Err(Errno::INPROGRESS));
        }
        entry.role = Role::Connecting(Connecting::Waited);
        self.settle(end);
        self.connection(ticket, end)
    }

    /// The answer for who waits in `connect`.
    pub(super) fn connection(&mut self, ticket: u64, end: End) -> Option<Result<Answer, Errno>> {
        let Some(entry) = self.ends.get_mut(&end) else { return Some(Err(Errno::BADF)) };
        match &mut entry.role {
            Role::Connecting(_) => {
                entry.waiting.push((ticket, Waiting::Connection));
                None
            }
            Role::Stream(stream) => {
                stream.told = true;
                Some(Ok(Answer::Done))
            }
            Role::Idle | Role::Listener | Role::Datagrams(_) | Role::Dead => {
                Some(Err(entry.error.take().unwrap_or(Errno::CONNABORTED)))
            }
        }
    }

    /// The program's end is full.
    pub(super) fn filled(&mut self, end: End, bytes: usize) -> Result<(), Errno> {
        let entry = self.entry(end)?;
        if let Role::Connecting(connecting @ Connecting::Filling) = &mut entry.role {
            *connecting = Connecting::Full(bytes);
            self.settle(end);
        }
        Ok(())
    }

    /// Looks whether a connection has come about.
    pub(super) fn settle(&mut self, end: End) {
        let Some(entry) = self.ends.get_mut(&end) else { return };
        let Role::Connecting(connecting) = entry.role else { return };
        let id = entry.socket;
        if connecting == Connecting::Filling {
            return;
        }
        match (hub(&self.stack, |hub, _| hub.completed(id)), connecting) {
            (Err(Errno::INPROGRESS), _) => {}
            (Ok(()), _) => {
                if let (Connecting::Full(bytes), Some(ours)) = (connecting, entry.ours()) {
                    drain(ours, bytes);
                }
                entry.role = Role::Stream(Stream::default());
                self.start(end);
            }
            (Err(error), Connecting::Full(_) | Connecting::Filling) => {
                entry.error = Some(error);
                entry.role = Role::Dead;
                self.by_socket.remove(&id);
                self.stack.unwatch(id);
                // It is closed as far as TCP is concerned.
                let _ = hub(&self.stack, |hub, out| hub.close(id, out));
                self.bury(end);
            }
            // The same socket may try again.
            (Err(error), Connecting::Waited) => {
                entry.error = Some(error);
                entry.role = Role::Idle;
            }
        }
    }

    /// The first turn of a connection: what came before was nobody's edge.
    pub(super) fn start(&mut self, end: End) {
        self.pump(end, EventFlags::IN);
        self.pump(end, EventFlags::empty());
    }
}

/// Reads away what the supervisor filled in.
fn drain(ours: BorrowedFd<'_>, bytes: usize) {
    let mut sink = [0u8; 16 * 1024];
    let mut left = bytes;
    while left > 0 {
        let piece = left.min(sink.len());
        match rustix::io::read(ours, &mut sink[..piece]) {
            // It was all there before we were told of it.
            Ok(0) | Err(_) => return,
            Ok(n) => left -= n,
        }
    }
}
