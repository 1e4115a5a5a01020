//! What the supervisor asks of the stack's side, and what that answers. The two are in one process
//! (`--stack inline`) or in two, with a Unix socket between; nothing here knows which.

use core::net::SocketAddr;
use std::io;
use std::net::Shutdown;
use std::os::fd::{BorrowedFd, OwnedFd};

use layer::Duration;
use socket::{Errno, Kind};

/// One socket: the program's end and ours, and what stands behind them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct End(pub u64);

/// What is asked. Answers come late where something has to be waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// `socket`: [`Answer::Opened`].
    Open(Kind),
    /// `bind`.
    Bind(End, SocketAddr),
    /// `listen`.
    Listen(End, u32),
    /// `accept`: [`Answer::Accepted`], or `EAGAIN` unless it may `wait`.
    Accept {
        /// The listener.
        end: End,
        /// The program's socket is blocking.
        wait: bool,
    },
    /// A connection could not be handed over: the listener must say again that there is one.
    Ring(End),
    /// `connect`, or the end of a connection with `None`. `EINPROGRESS` unless it may `wait`: then
    /// [`Request::Filled`] is owed.
    Connect {
        /// The socket.
        end: End,
        /// The peer.
        to: Option<SocketAddr>,
        /// The program's socket is blocking.
        wait: bool,
    },
    /// The program's end was filled with so many bytes, that it be not writable before it is
    /// connected.
    Filled(End, usize),
    /// `getsockname`: [`Answer::Name`].
    Local(End),
    /// `getpeername`: [`Answer::Name`].
    Peer(End),
    /// `setsockopt`, with Linux's numbers.
    Set {
        /// The socket.
        end: End,
        /// Level.
        level: i32,
        /// Name.
        name: i32,
        /// Value as the program wrote it.
        value: Vec<u8>,
    },
    /// `getsockopt`: [`Answer::Value`].
    Get {
        /// The socket.
        end: End,
        /// Level.
        level: i32,
        /// Name.
        name: i32,
    },
    /// `shutdown`: [`Answer::Native`] where the pair carries it.
    Shutdown(End, Shutdown),
    /// `sendto`: [`Answer::Sent`].
    Send {
        /// The socket.
        end: End,
        /// To whom; `None` to the connected peer.
        to: Option<SocketAddr>,
        /// The datagram.
        data: Vec<u8>,
        /// It may wait for room.
        wait: bool,
    },
    /// Who sent the datagram that was just taken out of the pair: [`Answer::Name`]; or the error
    /// that it stands for.
    Source(End),
    /// Answered when there is a datagram in the pair.
    Await(End),
    /// The byte that makes closing a reset is in our queue: close.
    Break(End),
}

/// What comes of a request.
#[derive(Debug)]
pub enum Answer {
    /// It is done.
    Done,
    /// A new socket.
    Opened {
        /// What it is called from here on.
        end: End,
        /// The program's end of the pair.
        descriptor: OwnedFd,
    },
    /// A connection.
    Accepted {
        /// What it is called from here on.
        end: End,
        /// The program's end of the pair.
        descriptor: OwnedFd,
        /// The peer.
        remote: SocketAddr,
    },
    /// An address.
    Name(SocketAddr),
    /// The value of an option.
    Value(Vec<u8>),
    /// Bytes taken.
    Sent(usize),
    /// Let the kernel do it on the pair.
    Native,
}

/// What the stack's side says without being asked.
#[derive(Debug, PartialEq, Eq)]
pub enum Notice {
    /// The program has closed this one.
    Gone(End),
    /// The connection was reset: the program's end needs a byte in our queue, then
    /// [`Request::Break`].
    Reset(End),
}

/// What comes back: an answer with its ticket, or a notice.
#[derive(Debug)]
pub enum Event {
    /// To the request with this ticket.
    Answer(u64, Result<Answer, Errno>),
    /// Unasked.
    Notice(Notice),
}

/// The stack's side, wherever it is: what a supervisor talks to.
pub trait Side {
    /// Asks; the answer comes as an event with this ticket.
    fn submit(&mut self, ticket: u64, request: Request);
    /// Nobody waits for that answer any more.
    fn cancel(&mut self, ticket: u64, end: End);
    /// What is to be told, oldest first.
    fn take_event(&mut self) -> Option<Event>;
    /// Also waits until `descriptor` is readable, and says so by `token`, 1 to 15.
    ///
    /// # Errors
    ///
    /// It cannot be waited for.
    fn watch(&self, descriptor: BorrowedFd<'_>, token: u64) -> io::Result<()>;
    /// Waits no more for `descriptor`.
    fn ignore(&self, descriptor: BorrowedFd<'_>);
    /// Waits for something to do, at most `limit`, and does it. Appends the tokens of others that
    /// are ready.
    ///
    /// # Errors
    ///
    /// The stack is gone.
    fn wait(&mut self, tokens: &mut Vec<u64>, limit: Option<Duration>) -> io::Result<()>;
}
