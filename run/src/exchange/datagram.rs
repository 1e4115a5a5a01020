//! UDP: one datagram a message of the pair.
//!
//! A message of a Unix socket cannot say where it came from. Where the program's socket is
//! connected, there is nothing to say, and datagrams queue up in the pair. Where it is not, one
//! datagram at a time is in the pair, and its sender is kept here until the supervisor, who takes
//! it out for `recvfrom`, asks. A program that reads it without asking does no harm.
//!
//! An error (a port that is closed) is an empty message: it makes the program look, and who looks
//! by `recvfrom` or `recvmsg` gets the error. `read` and `recv` are not seen here and get 0.

use core::net::SocketAddr;
use std::os::fd::BorrowedFd;

use rustix::event::epoll::EventFlags;
use rustix::net::{RecvFlags, SendFlags};
use socket::{Errno, Flags};

use super::{Exchange, Role, Waiting, hub};
use crate::memory::LONGEST;
use crate::request::{Answer, End};
use crate::sys;

/// Datagrams in one direction before others get their turn.
const ROUNDS: usize = 64;

/// Memory of datagrams that wait in the pair, from which on the hub keeps the rest. Linux's default
/// for a socket's send buffer is a little more.
const MOST_WAITING: usize = 128 * 1024;

/// A UDP socket.
#[derive(Default)]
pub(super) struct Datagrams {
    /// It has one peer.
    pub(super) connected: bool,
    /// Who sent what is in the pair.
    source: Option<SocketAddr>,
    /// What the empty message in the pair stands for.
    error: Option<Errno>,
    /// Sent by the program, not taken by the hub yet.
    down: Option<Vec<u8>>,
}

impl Exchange {
    /// Carries datagrams both ways, and closes if the program has.
    pub(super) fn carry_datagrams(&mut self, end: End, flags: EventFlags) {
        let gone = flags.contains(EventFlags::HUP);
        if flags.is_empty() || flags.contains(EventFlags::IN) || gone {
            self.carry_datagrams_down(end);
        }
        if gone {
            return self.close(end);
        }
        self.deliver(end);
    }

    fn carry_datagrams_down(&mut self, end: End) {
        let Some(entry) = self.ends.get_mut(&end) else { return };
        let id = entry.socket;
        let Some(ours) = entry.ours.as_ref() else { return };
        let Role::Datagrams(datagrams) = &mut entry.role else { return };
        let mut buffer = Vec::new();
        for _ in 0..ROUNDS {
            let data = match datagrams.down.take() {
                Some(data) => data,
                None => {
                    buffer.resize(LONGEST, 0);
                    match rustix::net::recv(ours, &mut buffer[..], RecvFlags::DONTWAIT) {
                        // An empty datagram, or the end: then there is nobody to say which.
                        Ok((n, _)) if n > 0 || !is_hung(ours) => buffer[..n].to_vec(),
                        Ok(_) | Err(_) => return,
                    }
                }
            };
            match hub(&self.stack, |hub, out| hub.send_to(id, &data, None, None, out)) {
                // Without a peer there is nobody to send it to, and no way to say so.
                Ok(_) | Err(Errno::DESTADDRREQ) => {}
                Err(Errno::AGAIN) => {
                    datagrams.down = Some(data);
                    return;
                }
                Err(error) => datagrams.fail(ours, error),
            }
        }
        self.again.push_back(end);
    }

    /// Moves datagrams from the hub to the pair.
    pub(super) fn deliver(&mut self, end: End) {
        let Some(entry) = self.ends.get_mut(&end) else { return };
        let (id, alias) = (entry.socket, entry.alias);
        let Some(ours) = entry.ours.as_ref() else { return };
        let Role::Datagrams(datagrams) = &mut entry.role else { return };
        let mut buffer = Vec::new();
        for _ in 0..ROUNDS {
            let most = if datagrams.connected { MOST_WAITING } else { 1 };
            if sys::unread(rustix::fd::AsFd::as_fd(ours)) >= most {
                return;
            }
            buffer.resize(LONGEST, 0);
            let received =
                hub(&self.stack, |hub, out| hub.recv_from(id, &mut buffer, Flags::default(), out));
            match received {
                Ok(received) => {
                    let asked = alias.filter(|alias| alias.0 == received.from);
                    datagrams.source = Some(asked.map_or(received.from, |alias| alias.1));
                    let data = &buffer[..received.copied];
                    // There was room, and who has closed misses nothing.
                    let _ = rustix::net::send(ours, data, SendFlags::DONTWAIT);
                }
                Err(Errno::AGAIN | Errno::BADF) => return,
                Err(error) => return datagrams.fail(ours, error),
            }
        }
        self.again.push_back(end);
    }

    /// `sendto` and `sendmsg`.
    pub(super) fn send(
        &mut self,
        ticket: u64,
        end: End,
        to: Option<SocketAddr>,
        data: Vec<u8>,
        wait: bool,
    ) -> Option<Result<Answer, Errno>> {
        let real = to.map(|to| self.outward(to));
        let Some(entry) = self.ends.get_mut(&end) else { return Some(Err(Errno::BADF)) };
        if let (Some(real), Some(to)) = (real, to) {
            entry.alias = Some((real, to));
        }
        let id = entry.socket;
        match hub(&self.stack, |hub, out| hub.send_to(id, &data, real, None, out)) {
            Err(Errno::AGAIN) if wait => {
                entry.waiting.push((ticket, Waiting::Send { to, data }));
                None
            }
            result => Some(result.map(Answer::Sent)),
        }
    }

    /// Who sent what was just taken out of the pair.
    pub(super) fn source(&mut self, end: End) -> Result<Answer, Errno> {
        let Role::Datagrams(datagrams) = &mut self.entry(end)?.role else {
            return Err(Errno::NOTCONN);
        };
        let told = match (datagrams.error.take(), datagrams.source) {
            (Some(error), _) => Err(error),
            (None, Some(source)) => Ok(Answer::Name(source)),
            (None, None) => Err(Errno::AGAIN),
        };
        self.deliver(end);
        told
    }

    /// Waits until a datagram is in the pair.
    pub(super) fn await_datagram(
        &mut self,
        ticket: u64,
        end: End,
    ) -> Option<Result<Answer, Errno>> {
        self.deliver(end);
        let Some(entry) = self.ends.get_mut(&end) else { return Some(Err(Errno::BADF)) };
        if entry.ours().is_some_and(|ours| sys::unread(ours) > 0) {
            return Some(Ok(Answer::Done));
        }
        entry.waiting.push((ticket, Waiting::Datagram));
        None
    }
}

impl Datagrams {
    /// Makes the program look for an error.
    fn fail(&mut self, ours: &std::os::fd::OwnedFd, error: Errno) {
        self.error = Some(error);
        // Where it is full, the program will look anyway.
        let _ = rustix::net::send(ours, &[], SendFlags::DONTWAIT);
    }
}

/// The other end is closed.
fn is_hung(ours: &std::os::fd::OwnedFd) -> bool {
    let ours: BorrowedFd<'_> = rustix::fd::AsFd::as_fd(ours);
    let mut polled = [rustix::event::PollFd::from_borrowed_fd(ours, rustix::event::PollFlags::IN)];
    let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    // It cannot fail with one valid descriptor; if it did, nobody would be there.
    rustix::event::poll(&mut polled, Some(&now)).is_err()
        || polled[0].revents().contains(rustix::event::PollFlags::HUP)
}
