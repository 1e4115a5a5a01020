//! Calls of programs: their arguments, and what is asked of the stack's side.

use core::ffi::c_long;
use std::net::Shutdown;
use std::os::fd::OwnedFd;

use nix::libc;
use rustix::net::SendFlags;
use rustix::net::sockopt::Timeout;
use socket::{Errno, Kind};

use super::owner::{Inode, Space};
use super::receive::{Form, Receive};
use super::{Ours, Supervisor, Then, is_blocking, patience};
use crate::memory::{self, EPERM, LONGEST, Memory, Message, Name, int};
use crate::request::{End, Request, Side};
use crate::sys::{Notification, Verdict};

/// Options that the pair has itself: how long calls on it wait.
const OF_THE_PAIR: [i32; 5] = [
    libc::SO_RCVTIMEO,
    libc::SO_SNDTIMEO,
    libc::SO_RCVLOWAT,
    // SO_RCVTIMEO_NEW and SO_SNDTIMEO_NEW.
    66,
    67,
];

/// Longest value of an option that is read.
const LONGEST_VALUE: usize = 256;

/// Largest backlog; Linux's net.core.somaxconn.
const MOST_BACKLOG: i32 = 4096;

const PROTONOSUPPORT: Errno = Errno::from_raw(libc::EPROTONOSUPPORT);
const SOCKTNOSUPPORT: Errno = Errno::from_raw(libc::ESOCKTNOSUPPORT);

/// A call on a socket of ours.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) call: &'a Notification,
    pub(super) inode: Inode,
    pub(super) ours: Ours,
}

impl Call<'_> {
    fn argument(&self, index: usize) -> u64 {
        self.call.arguments.get(index).copied().unwrap_or(0)
    }

    fn int(&self, index: usize) -> i32 {
        int(self.argument(index))
    }

    fn space(&self) -> Space {
        Space(self.call.thread)
    }

    pub(super) fn end(&self) -> End {
        self.ours.end
    }
}

/// The verdict, or `None` if it comes later.
type Now = Result<Option<Verdict>, Errno>;

impl<S: Side> Supervisor<S> {
    /// Understands a call.
    pub(super) fn call(&mut self, call: &Notification) -> Now {
        let number = c_long::from(call.number);
        if number == libc::SYS_socket {
            return self.open(call);
        }
        let descriptor = int(call.arguments[0]);
        let ours = Inode::at(call.thread, descriptor)
            .and_then(|inode| Some((inode, self.sockets.get_mut(&inode)?)));
        // Not a socket, or not one of ours: there is no INET among them.
        let Some((inode, ours)) = ours else { return Ok(Some(Verdict::Native)) };
        ours.seen = (call.thread, descriptor);
        let it = Call { call, inode, ours: *ours };
        let udp = it.ours.kind == Kind::Udp;
        match number {
            libc::SYS_bind => self.bind(&it),
            libc::SYS_listen => {
                let backlog = it.int(1).clamp(0, MOST_BACKLOG).unsigned_abs();
                self.plain(&it, Request::Listen(it.end(), backlog))
            }
            libc::SYS_connect => self.connect(&it),
            libc::SYS_accept => self.accept(&it, 0),
            libc::SYS_accept4 => self.accept(&it, it.int(3)),
            libc::SYS_getsockname => self.named(&it, Request::Local(it.end())),
            libc::SYS_getpeername => self.named(&it, Request::Peer(it.end())),
            libc::SYS_setsockopt => self.set_option(&it),
            libc::SYS_getsockopt => self.get_option(&it),
            libc::SYS_shutdown => self.shutdown(&it),
            libc::SYS_sendto if udp => self.send_to(&it),
            libc::SYS_sendmsg if udp => self.send_message(&it, false),
            libc::SYS_sendmmsg if udp => self.send_message(&it, true),
            libc::SYS_recvfrom if udp => {
                let message = Message::single(it.argument(1), it.argument(2));
                let form = Form::From { name: it.argument(4), len: it.argument(5) };
                self.receive(it.call, Receive { it: it.into(), message, flags: it.int(3), form })
            }
            libc::SYS_recvmsg => self.receive_message(&it, it.int(2), false),
            libc::SYS_recvmmsg => self.receive_message(&it, it.int(3), true),
            // Of a connection, the pair takes data as it is.
            _ => Ok(Some(Verdict::Native)),
        }
    }

    /// A copy of the socket's descriptor.
    pub(super) fn copy(&mut self, inode: Inode, seen: (u32, i32)) -> Result<OwnedFd, Errno> {
        let copied = self.owners.copy(inode, seen.0, seen.1);
        if copied.as_ref().is_err_and(|&error| error == EPERM) {
            self.closed_book();
        }
        copied
    }

    fn closed_book(&mut self) {
        self.say(
            "a process may not be looked into (it is not dumpable): its sockets cannot work; run \
             it as root, or as a user who may read its file",
        );
    }

    /// Something of the program's memory; who may not be looked into is told why.
    fn look<R>(&mut self, result: Result<R, Errno>) -> Result<R, Errno> {
        if result.as_ref().is_err_and(|&error| error == EPERM) {
            self.closed_book();
        }
        result
    }

    fn open(&mut self, call: &Notification) -> Now {
        let [_, kind, protocol, ..] = call.arguments;
        let (flags, protocol) = (int(kind), int(protocol));
        let kind = match (flags & 0xf, protocol) {
            (libc::SOCK_STREAM, 0 | libc::IPPROTO_TCP) => Kind::Tcp,
            (libc::SOCK_DGRAM, 0 | libc::IPPROTO_UDP) => Kind::Udp,
            (libc::SOCK_RAW, _) | (libc::SOCK_DGRAM, libc::IPPROTO_ICMP) => {
                self.say("raw and ping sockets are not offered: EPERM");
                return Err(EPERM);
            }
            (libc::SOCK_STREAM | libc::SOCK_DGRAM, _) => return Err(PROTONOSUPPORT),
            _ => return Err(SOCKTNOSUPPORT),
        };
        self.ask(call, None, Request::Open(kind), Then::Open { kind, flags });
        Ok(None)
    }

    fn plain(&mut self, it: &Call<'_>, request: Request) -> Now {
        self.ask(it.call, Some(it.end()), request, Then::Plain);
        Ok(None)
    }

    fn named(&mut self, it: &Call<'_>, request: Request) -> Now {
        let then = Then::Name { to: it.argument(1), len: it.argument(2) };
        self.ask(it.call, Some(it.end()), request, then);
        Ok(None)
    }

    fn bind(&mut self, it: &Call<'_>) -> Now {
        let name = memory::name(&it.space(), it.argument(1), it.int(2));
        let address = match self.look(name)? {
            Name::Internet(address) => address.into(),
            // As Linux: AF_UNSPEC is taken for AF_INET by old programs' sake.
            Name::Unspecified => (core::net::Ipv4Addr::UNSPECIFIED, 0).into(),
            Name::Foreign => return Err(Errno::AFNOSUPPORT),
        };
        self.plain(it, Request::Bind(it.end(), address))
    }

    fn connect(&mut self, it: &Call<'_>) -> Now {
        let name = memory::name(&it.space(), it.argument(1), it.int(2));
        let to = match self.look(name)? {
            Name::Internet(address) => Some(address.into()),
            Name::Unspecified => None,
            Name::Foreign => return Err(Errno::AFNOSUPPORT),
        };
        let end = it.end();
        if it.ours.kind == Kind::Udp {
            let then = Then::Peer { connected: to.is_some() };
            self.ask(it.call, Some(end), Request::Connect { end, to, wait: true }, then);
            return Ok(None);
        }
        let copy = self.copy(it.inode, it.ours.seen)?;
        let wait = is_blocking(&copy, 0);
        self.ask(it.call, Some(end), Request::Connect { end, to, wait }, Then::Connect);
        if wait {
            self.limit(it.call, patience(&copy, Timeout::Send), Errno::INPROGRESS);
        }
        Ok(None)
    }

    fn accept(&mut self, it: &Call<'_>, flags: i32) -> Now {
        let copy = self.copy(it.inode, it.ours.seen)?;
        let end = it.end();
        let then = Then::Accept { name: it.argument(1), len: it.argument(2), flags };
        if let Some(held) = self.held.get_mut(&end).and_then(std::collections::VecDeque::pop_front)
        {
            return self.hand_over_held(it, held, then);
        }
        let wait = is_blocking(&copy, 0);
        self.ask(it.call, Some(end), Request::Accept { end, wait }, then);
        if wait {
            self.limit(it.call, patience(&copy, Timeout::Recv), Errno::AGAIN);
        }
        Ok(None)
    }

    fn set_option(&mut self, it: &Call<'_>) -> Now {
        let (level, name) = (it.int(1), it.int(2));
        if level == libc::SOL_SOCKET && OF_THE_PAIR.contains(&name) {
            return Ok(Some(Verdict::Native));
        }
        let len = usize::try_from(it.int(4)).map_err(|_| Errno::INVAL)?;
        let mut value = vec![0; len.min(LONGEST_VALUE)];
        let read = it.space().read(it.argument(3), &mut value);
        self.look(read)?;
        self.plain(it, Request::Set { end: it.end(), level, name, value })
    }

    fn get_option(&mut self, it: &Call<'_>) -> Now {
        let (level, name) = (it.int(1), it.int(2));
        if level == libc::SOL_SOCKET && OF_THE_PAIR.contains(&name) {
            return Ok(Some(Verdict::Native));
        }
        let then = Then::Value { to: it.argument(3), len: it.argument(4) };
        let end = it.end();
        self.ask(it.call, Some(end), Request::Get { end, level, name }, then);
        Ok(None)
    }

    fn shutdown(&mut self, it: &Call<'_>) -> Now {
        let how = match it.int(1) {
            libc::SHUT_RD => Shutdown::Read,
            libc::SHUT_WR => Shutdown::Write,
            libc::SHUT_RDWR => Shutdown::Both,
            _ => return Err(Errno::INVAL),
        };
        self.plain(it, Request::Shutdown(it.end(), how))
    }

    fn send_to(&mut self, it: &Call<'_>) -> Now {
        let name = memory::name(&it.space(), it.argument(4), it.int(5));
        let to = Some(self.look(name)?.internet()?);
        let message = Message::single(it.argument(1), it.argument(2));
        if it.argument(2) >= LONGEST as u64 {
            return Err(Errno::MSGSIZE);
        }
        let data = message.gather(&it.space())?;
        let copy = self.copy(it.inode, it.ours.seen)?;
        let (end, wait) = (it.end(), is_blocking(&copy, it.int(3)));
        let request = Request::Send { end, to, data, wait };
        self.ask(it.call, Some(end), request, Then::Sent { many: None });
        Ok(None)
    }

    /// `sendmsg`, and of `sendmmsg` the first: that fewer went than were given is allowed for.
    fn send_message(&mut self, it: &Call<'_>, many: bool) -> Now {
        if many && it.argument(2) == 0 {
            return Ok(Some(Verdict::Value(0)));
        }
        let flags = it.int(if many { 3 } else { 2 });
        let read = Message::read(&it.space(), it.argument(1));
        let message = self.look(read)?;
        if message.name == 0 {
            // The pair carries it, all of them if there are many.
            let connected = it.ours.connected;
            return if connected { Ok(Some(Verdict::Native)) } else { Err(Errno::DESTADDRREQ) };
        }
        let to = memory::name(&it.space(), message.name, message.name_len)?.internet()?;
        if message.room() >= LONGEST {
            return Err(Errno::MSGSIZE);
        }
        let data = message.gather(&it.space())?;
        let copy = self.copy(it.inode, it.ours.seen)?;
        let (end, wait) = (it.end(), is_blocking(&copy, flags));
        let request = Request::Send { end, to: Some(to), data, wait };
        let then = Then::Sent { many: many.then(|| it.argument(1)) };
        self.ask(it.call, Some(end), request, then);
        Ok(None)
    }

    /// `recvmsg`, and of `recvmmsg` the first.
    fn receive_message(&mut self, it: &Call<'_>, flags: i32, many: bool) -> Now {
        if flags & libc::MSG_ERRQUEUE != 0 {
            // Errors are told by the calls they are about; nothing queues up.
            return Err(Errno::AGAIN);
        }
        if it.ours.kind == Kind::Tcp {
            return Ok(Some(Verdict::Native));
        }
        if many && it.argument(2) == 0 {
            return Ok(Some(Verdict::Value(0)));
        }
        let read = Message::read(&it.space(), it.argument(1));
        let message = self.look(read)?;
        let form = if many { Form::Many(it.argument(1)) } else { Form::Message };
        self.receive(it.call, Receive { it: (*it).into(), message, flags, form })
    }
}

/// Fills a socket until it takes no more. Returns how much that was.
pub(super) fn fill(copy: &OwnedFd) -> usize {
    let junk = [0u8; 32 * 1024];
    let mut filled = 0;
    while let Ok(n) = rustix::net::send(copy, &junk, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
        filled += n;
    }
    filled
}
