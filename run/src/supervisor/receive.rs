//! Receiving datagrams with their senders: `recvfrom`, `recvmsg`, `recvmmsg` on UDP.
//!
//! The datagram is taken out of the program's end of the pair, through a copy of its descriptor;
//! then the stack's side is asked who sent it.

use core::net::SocketAddr;

use nix::libc;
use rustix::net::RecvFlags;
use rustix::net::sockopt::Timeout;
use socket::Errno;

use super::calls::Call;
use super::owner::{Inode, Space};
use super::{Supervisor, Then, is_blocking, patience};
use crate::memory::{self, Memory, Message};
use crate::request::{End, Request, Side};
use crate::sys::{Notification, Verdict};

/// `sizeof(struct msghdr)`: where `msg_len` of a `struct mmsghdr` is.
const MANY_LEN: u64 = 56;

/// Which socket.
#[derive(Clone, Copy)]
pub(super) struct Which {
    inode: Inode,
    seen: (u32, i32),
    end: End,
}

impl From<Call<'_>> for Which {
    fn from(it: Call<'_>) -> Self {
        Self { inode: it.inode, seen: it.ours.seen, end: it.ours.end }
    }
}

impl From<&Call<'_>> for Which {
    fn from(it: &Call<'_>) -> Self {
        (*it).into()
    }
}

/// A call that receives a datagram.
pub(super) struct Receive {
    pub(super) it: Which,
    pub(super) message: Message,
    pub(super) flags: i32,
    pub(super) form: Form,
}

/// Which call it was, and where its results go.
pub(super) enum Form {
    /// `recvfrom`.
    From { name: u64, len: u64 },
    /// `recvmsg`.
    Message,
    /// `recvmmsg`, whose first element is there.
    Many(u64),
}

/// A datagram that was taken.
pub(super) struct Taken {
    data: Vec<u8>,
    /// As long as it was sent.
    len: usize,
}

impl<S: Side> Supervisor<S> {
    /// Takes a datagram, or waits for one.
    pub(super) fn receive(
        &mut self,
        call: &Notification,
        receive: Receive,
    ) -> Result<Option<Verdict>, Errno> {
        let Which { inode, seen, end } = receive.it;
        let copy = self.copy(inode, seen)?;
        let mut flags = RecvFlags::DONTWAIT | RecvFlags::TRUNC;
        flags.set(RecvFlags::PEEK, receive.flags & libc::MSG_PEEK != 0);
        let mut data = vec![0; receive.message.room()];
        match rustix::net::recv(&copy, &mut data[..], flags) {
            Ok((n, len)) => {
                data.truncate(n);
                let then = Then::Received(receive, Taken { data, len });
                self.ask(call, Some(end), Request::Source(end), then);
            }
            Err(rustix::io::Errno::AGAIN) if is_blocking(&copy, receive.flags) => {
                self.ask(call, Some(end), Request::Await(end), Then::Receive(receive));
                self.limit(call, patience(&copy, Timeout::Recv), Errno::AGAIN);
            }
            Err(error) => return Err(Errno::from_raw(error.raw_os_error())),
        }
        Ok(None)
    }
}

impl Receive {
    /// Writes what was received where the call wants it; returns what the call does.
    pub(super) fn finish(
        &self,
        thread: u32,
        from: Option<SocketAddr>,
        taken: &Taken,
    ) -> Result<i64, Errno> {
        let space = Space(thread);
        self.message.scatter(&space, &taken.data)?;
        let cut = taken.len > taken.data.len();
        let wanted = if self.flags & libc::MSG_TRUNC != 0 { taken.len } else { taken.data.len() };
        let told = if cut { libc::MSG_TRUNC } else { 0 };
        match self.form {
            Form::From { name, len } => {
                if let Some(from) = from {
                    memory::write_name(&space, name, len, from)?;
                }
            }
            Form::Message => self.message.finish(&space, from, told)?,
            Form::Many(at) => {
                self.message.finish(&space, from, told)?;
                let len = u32::try_from(wanted).unwrap_or(u32::MAX);
                space.write(at + MANY_LEN, &len.to_ne_bytes())?;
                return Ok(1);
            }
        }
        Ok(i64::try_from(wanted).unwrap_or(i64::MAX))
    }
}
