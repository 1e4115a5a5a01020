//! The calls of the hub as values, for drivers that are not in its thread.

use core::net::{IpAddr, SocketAddr};
use std::net::Shutdown;

use bytes::Bytes;
use layer::Out;
use layer::boundary::SocketId;

use super::{Accepted, Flags, Hub, Kind, Readiness, Received};
use crate::Errno;

/// A call, and the ticket its answer will carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Chosen by the caller.
    pub ticket: u64,
    /// What is asked.
    pub request: Request,
}

/// What is asked of the hub; see the method of the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// [`Hub::socket`].
    Socket(Kind),
    /// [`Hub::bind`].
    Bind(SocketId, SocketAddr),
    /// [`Hub::listen`].
    Listen(SocketId, u32),
    /// [`Hub::accept`].
    Accept(SocketId),
    /// [`Hub::connect`].
    Connect(SocketId, SocketAddr),
    /// [`Hub::completed`].
    Completed(SocketId),
    /// [`Hub::send_bytes`].
    Send(SocketId, Bytes),
    /// [`Hub::send_urgent`].
    SendUrgent(SocketId, Bytes),
    /// [`Hub::at_mark`].
    AtMark(SocketId),
    /// [`Hub::send_to`].
    SendTo {
        /// From this socket.
        socket: SocketId,
        /// The payload.
        data: Bytes,
        /// To whom; `None` to the connected peer.
        to: Option<SocketAddr>,
        /// From which address of ours, if that matters.
        source: Option<IpAddr>,
    },
    /// [`Hub::recv_chunk`]: at most so many bytes.
    Receive(SocketId, usize),
    /// [`Hub::recv_from`]: at most so many bytes.
    ReceiveFrom(SocketId, usize),
    /// [`Hub::shutdown`].
    Shutdown(SocketId, Shutdown),
    /// [`Hub::close`].
    Close(SocketId),
    /// [`Hub::abort`].
    Abort(SocketId),
    /// [`Hub::poll_socket`].
    Poll(SocketId),
}

/// hub -> driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ready {
    /// A socket can do something it could not do before.
    Changed {
        /// Which.
        socket: SocketId,
        /// All that it can do now.
        readiness: Readiness,
    },
    /// The answer to a [`Call`].
    Answer {
        /// Its ticket.
        ticket: u64,
        /// What came of it.
        result: Result<Reply, Errno>,
    },
}

/// What came of a call that did not fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It is done.
    Done,
    /// The new socket.
    Socket(SocketId),
    /// The connection accepted.
    Accepted(Accepted),
    /// Bytes taken.
    Sent(usize),
    /// Bytes received; empty at the end.
    Received(Bytes),
    /// A datagram, its payload as far as asked for.
    Datagram(Received, Bytes),
    /// What the socket can do.
    Readiness(Readiness),
    /// The next byte to read is the last urgent one.
    AtMark(bool),
}

impl Hub {
    /// Longest datagram a call can ask for, bytes: its answer is allocated for it.
    const LONGEST: usize = 65_535;

    pub(super) fn call(
        &mut self,
        request: Request,
        out: &mut Out<'_, Self>,
    ) -> Result<Reply, Errno> {
        let done = |()| Reply::Done;
        match request {
            Request::Socket(kind) => self.socket(kind).map(Reply::Socket),
            Request::Bind(socket, address) => self.bind(socket, address, out).map(done),
            Request::Listen(socket, backlog) => self.listen(socket, backlog, out).map(done),
            Request::Accept(socket) => self.accept(socket, out).map(Reply::Accepted),
            Request::Connect(socket, remote) => self.connect(socket, remote, out).map(done),
            Request::Completed(socket) => self.completed(socket).map(done),
            Request::Send(socket, mut data) => {
                self.send_bytes(socket, &mut data, out).map(Reply::Sent)
            }
            Request::SendUrgent(socket, data) => {
                self.send_urgent(socket, &data, out).map(Reply::Sent)
            }
            Request::AtMark(socket) => self.at_mark(socket).map(Reply::AtMark),
            Request::SendTo { socket, data, to, source } => {
                self.send_to(socket, &data, to, source, out).map(Reply::Sent)
            }
            Request::Receive(socket, max) => self.recv_chunk(socket, max, out).map(Reply::Received),
            Request::ReceiveFrom(socket, max) => {
                let mut buffer = vec![0; max.min(Self::LONGEST)];
                self.recv_from(socket, &mut buffer, Flags::default(), out).map(|received| {
                    buffer.truncate(received.copied);
                    Reply::Datagram(received, buffer.into())
                })
            }
            Request::Shutdown(socket, how) => self.shutdown(socket, how, out).map(done),
            Request::Close(socket) => self.close(socket, out).map(done),
            Request::Abort(socket) => self.abort(socket, out).map(done),
            Request::Poll(socket) => self.poll_socket(socket).map(Reply::Readiness),
        }
    }
}
