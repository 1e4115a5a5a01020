//! Answers of the stack's side: what goes into the program's memory and descriptor table.

use std::os::fd::{AsFd, OwnedFd};

use nix::libc;
use rustix::net::RecvFlags;
use socket::{Errno, Kind};

use super::calls::{Call, fill};
use super::owner::Space;
use super::receive::{Receive, Taken};
use super::{Held, Pending, Supervisor, Then};
use crate::memory::{self, Memory};
use crate::request::{Answer, End, Request, Side};
use crate::sys::{self, Notification, Verdict};

/// `sizeof(struct msghdr)`: where `msg_len` of a `struct mmsghdr` is.
const MANY_LEN: u64 = 56;

/// What the stack's side said.
type Said = Result<Answer, Errno>;

impl<S: Side> Supervisor<S> {
    /// Ends a call.
    pub(super) fn finish(&mut self, pending: Pending, said: Said) {
        let Pending { call, end, then, deadline: _ } = pending;
        if let (Then::Accept { .. }, Some(listener)) = (&then, end) {
            self.silence(listener);
        }
        match (then, said) {
            (Then::Open { kind, flags }, Ok(Answer::Opened { end, descriptor })) => {
                self.hand_over(&call, end, kind, &descriptor, flags);
            }
            (
                Then::Accept { name, len, flags },
                Ok(Answer::Accepted { end: new, descriptor, remote }),
            ) => {
                let held = Held { end: new, descriptor, remote };
                if let Some(listener) = end {
                    self.accepted(&call, listener, held, (name, len, flags));
                }
            }
            (Then::Connect, said) => self.connected(&call, end, said),
            (Then::Peer { connected }, Ok(_)) => {
                self.change(end, |ours| ours.connected = connected);
                self.answer(&call, Verdict::Value(0));
            }
            (Then::Receive(receive), Ok(_)) => {
                let verdict = match self.receive(&call, receive) {
                    Ok(None) => return,
                    Ok(Some(verdict)) => verdict,
                    Err(error) => Verdict::Error(error.raw()),
                };
                self.answer(&call, verdict);
            }
            (Then::Received(receive, taken), said) => self.received(&call, &receive, &taken, said),
            (_, Err(error)) => {
                self.answer(&call, Verdict::Error(error.raw()));
            }
            (then, Ok(answer)) => {
                let verdict = match written(call.thread, &then, &answer) {
                    Ok(verdict) => verdict,
                    Err(error) => Verdict::Error(error.raw()),
                };
                self.answer(&call, verdict);
            }
        }
    }

    /// The answer to a call that is over: a connection is kept for the next `accept`. Any other
    /// descriptor is dropped, and with it its socket.
    pub(super) fn unclaimed(&mut self, id: u64, said: Said) {
        let listener = self.orphans.remove(&id);
        if let (Some(listener), Ok(Answer::Accepted { end, descriptor, remote })) = (listener, said)
        {
            self.hold(listener, Held { end, descriptor, remote });
        }
    }

    /// Gives the program a descriptor as its call's result.
    fn hand_over(
        &mut self,
        call: &Notification,
        end: End,
        kind: Kind,
        descriptor: &OwnedFd,
        flags: i32,
    ) -> bool {
        let nonblocking = flags & libc::SOCK_NONBLOCK != 0;
        // It is a socket, so it can be.
        let _ = rustix::io::ioctl_fionbio(descriptor, nonblocking);
        self.register(end, kind, descriptor, (call.thread, -1));
        let close_on_exec = flags & libc::SOCK_CLOEXEC != 0;
        let given =
            sys::hand_over(self.listener.as_fd(), call.id, descriptor.as_fd(), close_on_exec);
        match given.as_ref().map_err(std::io::Error::raw_os_error) {
            Ok(()) => return true,
            // It was interrupted: there is nobody to tell.
            Err(Some(libc::ENOENT)) => {}
            // EMFILE, for one.
            Err(number) => {
                self.answer(call, Verdict::Error(number.unwrap_or(libc::EMFILE)));
            }
        }
        false
    }

    fn accepted(
        &mut self,
        call: &Notification,
        listener: End,
        held: Held,
        (name, len, flags): (u64, u64, i32),
    ) {
        if !sys::is_waiting(self.listener.as_fd(), call.id) {
            return self.hold(listener, held);
        }
        if let Err(error) = memory::write_name(&Space(call.thread), name, len, held.remote) {
            self.answer(call, Verdict::Error(error.raw()));
            return self.hold(listener, held);
        }
        if !self.hand_over(call, held.end, Kind::Tcp, &held.descriptor, flags) {
            self.hold(listener, held);
        }
    }

    /// Takes away the byte that says that a connection waits. That wakes the stack's side, which
    /// puts in another if more do.
    fn silence(&mut self, listener: End) {
        let inode = self.by_end.get(&listener).copied();
        let seen = inode.and_then(|inode| Some((inode, self.sockets.get(&inode)?.seen)));
        if let Some((inode, seen)) = seen
            && let Ok(copy) = self.copy(inode, seen)
        {
            // There is none where the call waited for the connection.
            let _ = rustix::net::recv(&copy, &mut [0u8; 1][..], RecvFlags::DONTWAIT);
        }
    }

    /// Keeps a connection for the next `accept`, of which there must be a sign.
    fn hold(&mut self, listener: End, held: Held) {
        self.held.entry(listener).or_default().push_back(held);
        self.tell(Request::Ring(listener));
    }

    /// A connection that was kept goes to this call.
    pub(super) fn hand_over_held(
        &mut self,
        it: &Call<'_>,
        held: Held,
        then: Then,
    ) -> Result<Option<Verdict>, Errno> {
        if let Then::Accept { name, len, flags } = then {
            self.silence(it.end());
            self.accepted(it.call, it.end(), held, (name, len, flags));
        }
        if self.held.get(&it.end()).is_some_and(|held| !held.is_empty()) {
            self.tell(Request::Ring(it.end()));
        }
        Ok(None)
    }

    fn connected(&mut self, call: &Notification, end: Option<End>, said: Said) {
        let ours = end.and_then(|end| self.by_end.get(&end)).copied();
        let ours = ours.and_then(|inode| Some((inode, *self.sockets.get(&inode)?)));
        let Some((inode, ours)) = ours else {
            self.answer(call, Verdict::Error(libc::EBADF));
            return;
        };
        let verdict = match said {
            Ok(_) => Verdict::Value(0),
            Err(Errno::ISCONN) if ours.owed => Verdict::Value(0),
            Err(Errno::INPROGRESS) => {
                // Not writable before it is connected.
                let filled = self.copy(inode, ours.seen).map_or(0, |copy| fill(&copy));
                self.tell(Request::Filled(ours.end, filled));
                Verdict::Error(libc::EINPROGRESS)
            }
            Err(error) => Verdict::Error(error.raw()),
        };
        let told = self.answer(call, verdict);
        self.change(end, |ours| ours.owed = verdict == Verdict::Value(0) && !told);
    }

    fn received(&mut self, call: &Notification, receive: &Receive, taken: &Taken, said: Said) {
        let from = match said {
            Ok(Answer::Name(from)) => Some(from),
            // Nobody sent it: reading was shut down.
            Ok(_) | Err(Errno::AGAIN) => None,
            Err(error) => {
                self.answer(call, Verdict::Error(error.raw()));
                return;
            }
        };
        let verdict = match receive.finish(call.thread, from, taken) {
            Ok(n) => Verdict::Value(n),
            Err(error) => Verdict::Error(error.raw()),
        };
        self.answer(call, verdict);
    }

    fn change(&mut self, end: Option<End>, change: impl FnOnce(&mut super::Ours)) {
        let inode = end.and_then(|end| self.by_end.get(&end));
        if let Some(ours) = inode.and_then(|inode| self.sockets.get_mut(inode)) {
            change(ours);
        }
    }
}

/// Writes a result into the program's memory.
fn written(thread: u32, then: &Then, answer: &Answer) -> Result<Verdict, Errno> {
    let space = Space(thread);
    match (then, answer) {
        (Then::Name { to, len }, Answer::Name(address)) => {
            memory::write_name(&space, *to, *len, *address)?;
        }
        (Then::Value { to, len }, Answer::Value(value)) => {
            memory::write_sized(&space, *to, *len, value, None)?;
        }
        (Then::Sent { many: None }, Answer::Sent(n)) => {
            return Ok(Verdict::Value(i64::try_from(*n).unwrap_or(i64::MAX)));
        }
        (Then::Sent { many: Some(at) }, Answer::Sent(n)) => {
            let len = u32::try_from(*n).unwrap_or(u32::MAX);
            space.write(at + MANY_LEN, &len.to_ne_bytes())?;
            return Ok(Verdict::Value(1));
        }
        (_, Answer::Native) => return Ok(Verdict::Native),
        _ => {}
    }
    Ok(Verdict::Value(0))
}
