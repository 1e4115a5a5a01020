//! Requests and answers as bytes, for a stack in another process: each message is its length, a
//! kind and fields, little-endian; a descriptor travels beside the message that speaks of it, in
//! the same order.
//!
//! ```text
//!    length: u32 | kind: u8 | ticket: u64 | fields ...
//! ```
//!
//! Both sides are the same program, of the same version: the first message says so. What cannot be
//! understood ends the connection.

use core::net::{Ipv4Addr, SocketAddr};
use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use socket::{Errno, Kind};

use crate::memory::LONGEST;
use crate::request::{Answer, End, Event, Notice, Request};

#[cfg(test)]
mod tests;

/// Longest message: a datagram and what is said about it.
const MOST: usize = LONGEST + 1024;

/// Bytes read at a time.
const PIECE: usize = 64 * 1024;

/// A message from a supervisor.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A request under a ticket.
    Request(u64, Request),
    /// Nobody waits for this ticket any more.
    Cancel(u64, End),
    /// The first: what version it speaks, and where DNS queries go.
    Hello(String, Option<SocketAddr>),
}

/// A message to a supervisor.
#[derive(Debug)]
pub(crate) enum Told {
    /// What the exchange says.
    Event(Event),
    /// The answer to the first: an address of the stack.
    Welcome(Ipv4Addr),
    /// We do not understand each other: the version that is spoken here.
    Stranger(String),
}

/// A message that makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Nonsense;

impl From<Nonsense> for io::Error {
    fn from(_: Nonsense) -> Self {
        io::Error::new(io::ErrorKind::InvalidData, "a message that makes no sense")
    }
}

/// Writes fields.
struct Writer(Vec<u8>);

impl Writer {
    fn new(kind: u8, ticket: u64) -> Self {
        let mut bytes = vec![0; 4];
        bytes.push(kind);
        bytes.extend_from_slice(&ticket.to_le_bytes());
        Self(bytes)
    }

    fn number(mut self, number: u64) -> Self {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    fn int(self, number: i32) -> Self {
        self.number(u64::from(number as u32))
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self = self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    /// The text of an address, empty for none.
    fn address(self, address: Option<SocketAddr>) -> Self {
        let text = address.map(|address| address.to_string()).unwrap_or_default();
        self.bytes(text.as_bytes())
    }

    fn end(self, end: End) -> Self {
        self.number(end.0)
    }

    fn finish(mut self) -> Vec<u8> {
        let len = u32::try_from(self.0.len() - 4).unwrap_or(u32::MAX);
        self.0[..4].copy_from_slice(&len.to_le_bytes());
        self.0
    }
}

/// Reads fields.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], Nonsense> {
        let (taken, rest) = self.0.split_at_checked(n).ok_or(Nonsense)?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u64, Nonsense> {
        self.take(8)?.try_into().map(u64::from_le_bytes).map_err(|_| Nonsense)
    }

    fn int(&mut self) -> Result<i32, Nonsense> {
        u32::try_from(self.number()?).map(|number| number as i32).map_err(|_| Nonsense)
    }

    fn size(&mut self) -> Result<usize, Nonsense> {
        usize::try_from(self.number()?).map_err(|_| Nonsense)
    }

    fn is(&mut self) -> Result<bool, Nonsense> {
        Ok(self.number()? != 0)
    }

    fn bytes(&mut self) -> Result<&'a [u8], Nonsense> {
        let len = self.size()?;
        self.take(len)
    }

    fn text(&mut self) -> Result<&'a str, Nonsense> {
        core::str::from_utf8(self.bytes()?).map_err(|_| Nonsense)
    }

    fn maybe_address(&mut self) -> Result<Option<SocketAddr>, Nonsense> {
        match self.text()? {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| Nonsense),
        }
    }

    fn address(&mut self) -> Result<SocketAddr, Nonsense> {
        self.maybe_address()?.ok_or(Nonsense)
    }

    fn end(&mut self) -> Result<End, Nonsense> {
        self.number().map(End)
    }
}

/// `shutdown`'s numbers.
fn how_number(how: Shutdown) -> u64 {
    match how {
        Shutdown::Read => 0,
        Shutdown::Write => 1,
        Shutdown::Both => 2,
    }
}

impl Asked {
    /// As bytes.
    pub(crate) fn write(&self) -> Vec<u8> {
        let (ticket, request) = match self {
            Self::Request(ticket, request) => (*ticket, request),
            Self::Cancel(ticket, end) => return Writer::new(1, *ticket).end(*end).finish(),
            Self::Hello(version, dns) => {
                return Writer::new(2, 0).bytes(version.as_bytes()).address(*dns).finish();
            }
        };
        let new = |kind| Writer::new(kind, ticket);
        match request {
            Request::Open(kind) => new(10).number(u64::from(*kind == Kind::Udp)),
            Request::Bind(end, address) => new(11).end(*end).address(Some(*address)),
            Request::Listen(end, backlog) => new(12).end(*end).number((*backlog).into()),
            Request::Accept { end, wait } => new(13).end(*end).number((*wait).into()),
            Request::Ring(end) => new(14).end(*end),
            Request::Connect { end, to, wait } => {
                new(15).end(*end).address(*to).number((*wait).into())
            }
            Request::Filled(end, bytes) => new(16).end(*end).number(*bytes as u64),
            Request::Local(end) => new(17).end(*end),
            Request::Peer(end) => new(18).end(*end),
            Request::Set { end, level, name, value } => {
                new(19).end(*end).int(*level).int(*name).bytes(value)
            }
            Request::Get { end, level, name } => new(20).end(*end).int(*level).int(*name),
            Request::Shutdown(end, how) => new(21).end(*end).number(how_number(*how)),
            Request::Send { end, to, data, wait } => {
                new(22).end(*end).address(*to).bytes(data).number((*wait).into())
            }
            Request::Source(end) => new(23).end(*end),
            Request::Await(end) => new(24).end(*end),
            Request::Break(end) => new(25).end(*end),
        }
        .finish()
    }

    fn read(message: &[u8]) -> Result<Self, Nonsense> {
        let mut r = Reader(message);
        let kind = r.take(1)?[0];
        let ticket = r.number()?;
        let request = match kind {
            1 => return Ok(Self::Cancel(ticket, r.end()?)),
            2 => return Ok(Self::Hello(r.text()?.to_owned(), r.maybe_address()?)),
            10 => Request::Open(if r.is()? { Kind::Udp } else { Kind::Tcp }),
            11 => Request::Bind(r.end()?, r.address()?),
            12 => Request::Listen(r.end()?, u32::try_from(r.number()?).map_err(|_| Nonsense)?),
            13 => Request::Accept { end: r.end()?, wait: r.is()? },
            14 => Request::Ring(r.end()?),
            15 => Request::Connect { end: r.end()?, to: r.maybe_address()?, wait: r.is()? },
            16 => Request::Filled(r.end()?, r.size()?),
            17 => Request::Local(r.end()?),
            18 => Request::Peer(r.end()?),
            19 => {
                let (end, level, name) = (r.end()?, r.int()?, r.int()?);
                Request::Set { end, level, name, value: r.bytes()?.to_vec() }
            }
            20 => Request::Get { end: r.end()?, level: r.int()?, name: r.int()? },
            21 => {
                let end = r.end()?;
                let how = match r.number()? {
                    0 => Shutdown::Read,
                    1 => Shutdown::Write,
                    2 => Shutdown::Both,
                    _ => return Err(Nonsense),
                };
                Request::Shutdown(end, how)
            }
            22 => {
                let (end, to) = (r.end()?, r.maybe_address()?);
                Request::Send { end, to, data: r.bytes()?.to_vec(), wait: r.is()? }
            }
            23 => Request::Source(r.end()?),
            24 => Request::Await(r.end()?),
            25 => Request::Break(r.end()?),
            _ => return Err(Nonsense),
        };
        Ok(Self::Request(ticket, request))
    }
}

impl Told {
    /// As bytes, and the descriptor that goes with them.
    fn write(self) -> (Vec<u8>, Option<OwnedFd>) {
        let (ticket, result) = match self {
            Self::Welcome(address) => {
                return (Writer::new(2, 0).number(u32::from(address).into()).finish(), None);
            }
            Self::Stranger(version) => {
                return (Writer::new(3, 0).bytes(version.as_bytes()).finish(), None);
            }
            Self::Event(Event::Notice(Notice::Gone(end))) => {
                return (Writer::new(4, 0).end(end).finish(), None);
            }
            Self::Event(Event::Notice(Notice::Reset(end))) => {
                return (Writer::new(5, 0).end(end).finish(), None);
            }
            Self::Event(Event::Answer(ticket, result)) => (ticket, result),
        };
        let new = |kind| Writer::new(kind, ticket);
        let mut beside = None;
        let writer = match result {
            Err(errno) => new(10).int(errno.raw()),
            Ok(Answer::Done) => new(11),
            Ok(Answer::Opened { end, descriptor }) => {
                beside = Some(descriptor);
                new(12).end(end)
            }
            Ok(Answer::Accepted { end, descriptor, remote }) => {
                beside = Some(descriptor);
                new(13).end(end).address(Some(remote))
            }
            Ok(Answer::Name(address)) => new(14).address(Some(address)),
            Ok(Answer::Value(value)) => new(15).bytes(&value),
            Ok(Answer::Sent(n)) => new(16).number(n as u64),
            Ok(Answer::Native) => new(17),
        };
        (writer.finish(), beside)
    }

    fn read(message: &[u8], beside: &mut VecDeque<OwnedFd>) -> Result<Self, Nonsense> {
        let mut r = Reader(message);
        let kind = r.take(1)?[0];
        let ticket = r.number()?;
        let mut descriptor = || beside.pop_front().ok_or(Nonsense);
        let answer = match kind {
            2 => {
                let address = u32::try_from(r.number()?).map_err(|_| Nonsense)?;
                return Ok(Self::Welcome(address.into()));
            }
            3 => return Ok(Self::Stranger(r.text()?.to_owned())),
            4 => return Ok(Self::Event(Event::Notice(Notice::Gone(r.end()?)))),
            5 => return Ok(Self::Event(Event::Notice(Notice::Reset(r.end()?)))),
            10 => Err(Errno::from_raw(r.int()?)),
            11 => Ok(Answer::Done),
            12 => Ok(Answer::Opened { end: r.end()?, descriptor: descriptor()? }),
            13 => {
                let (end, remote) = (r.end()?, r.address()?);
                Ok(Answer::Accepted { end, descriptor: descriptor()?, remote })
            }
            14 => Ok(Answer::Name(r.address()?)),
            15 => Ok(Answer::Value(r.bytes()?.to_vec())),
            16 => Ok(Answer::Sent(r.size()?)),
            17 => Ok(Answer::Native),
            _ => return Err(Nonsense),
        };
        Ok(Self::Event(Event::Answer(ticket, answer)))
    }
}

/// A stream socket that carries messages both ways without ever waiting.
pub(crate) struct Wire {
    socket: OwnedFd,
    /// Received, not understood yet.
    inbox: Vec<u8>,
    beside: VecDeque<OwnedFd>,
    /// To be sent: bytes, and the descriptor that goes with the first of them.
    outbox: VecDeque<(Vec<u8>, Option<OwnedFd>)>,
}

impl Wire {
    pub(crate) fn new(socket: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        let (inbox, beside, outbox) = (Vec::new(), VecDeque::new(), VecDeque::new());
        Ok(Self { socket, inbox, beside, outbox })
    }

    pub(crate) fn ask(&mut self, asked: &Asked) -> io::Result<()> {
        self.outbox.push_back((asked.write(), None));
        self.flush()
    }

    pub(crate) fn tell(&mut self, told: Told) -> io::Result<()> {
        self.outbox.push_back(told.write());
        self.flush()
    }

    /// Sends what can be sent.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        while let Some((bytes, beside)) = self.outbox.front_mut() {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            let descriptors: Vec<BorrowedFd<'_>> = beside.iter().map(AsFd::as_fd).collect();
            if !descriptors.is_empty() {
                control.push(SendAncillaryMessage::ScmRights(&descriptors));
            }
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            match sendmsg(&self.socket, &[IoSlice::new(bytes)], &mut control, flags) {
                Ok(n) => {
                    *beside = None;
                    bytes.drain(..n);
                    if bytes.is_empty() {
                        self.outbox.pop_front();
                    }
                }
                Err(rustix::io::Errno::AGAIN) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Receives what is there; false at the end.
    pub(crate) fn fill(&mut self) -> io::Result<bool> {
        loop {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let before = self.inbox.len();
            self.inbox.resize(before + PIECE, 0);
            let mut buffer = [IoSliceMut::new(&mut self.inbox[before..])];
            let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
            let received = recvmsg(&self.socket, &mut buffer, &mut control, flags);
            let n = received.as_ref().map_or(0, |received| received.bytes);
            self.inbox.truncate(before + n);
            for message in control.drain() {
                if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                    self.beside.extend(descriptors);
                }
            }
            match received {
                Ok(_) if n == 0 => return Ok(false),
                // Hostile or not, nobody has more than this under way.
                Ok(_) if self.inbox.len() > 16 * MOST => return Ok(true),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => return Ok(true),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The next whole message.
    fn message(&mut self) -> Result<Option<Vec<u8>>, Nonsense> {
        let Some(len) = self.inbox.first_chunk::<4>() else { return Ok(None) };
        let len = usize::try_from(u32::from_le_bytes(*len)).map_err(|_| Nonsense)?;
        if len > MOST {
            return Err(Nonsense);
        }
        if self.inbox.len() < 4 + len {
            return Ok(None);
        }
        let rest = self.inbox.split_off(4 + len);
        let message = core::mem::replace(&mut self.inbox, rest);
        Ok(Some(message[4..].to_vec()))
    }

    pub(crate) fn next_asked(&mut self) -> Result<Option<Asked>, Nonsense> {
        self.message()?.map(|message| Asked::read(&message)).transpose()
    }

    pub(crate) fn next_told(&mut self) -> Result<Option<Told>, Nonsense> {
        let message = self.message()?;
        message.map(|message| Told::read(&message, &mut self.beside)).transpose()
    }
}

impl AsFd for Wire {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
