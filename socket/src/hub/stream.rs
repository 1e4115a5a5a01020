//! Bytes in and out of a connection, by credit.
//!
//! What was received comes first, then the pending error, once, then the end: `recv` answers 0
//! at FIN. Sending answers the pending error, once, then `EPIPE` if this side is finished.

use bytes::{Buf, Bytes, BytesMut};
use core::net::SocketAddr;
use layer::boundary::{SocketId, TcpCommand};
use layer::{Either, Out};

use super::block::Block;
use super::inbox::Chunks;
use super::tcp::Phase;
use super::urgent::Mark;
use super::{Flags, Hub, Protocol, Readiness, Received};
use crate::Errno;

/// Largest block that received bytes are copied together in: reading lets go of it as a whole.
const COLLAPSED: usize = 64 * 1024;

/// A connection as its owner sees it.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) remote: SocketAddr,
    inbox: Chunks,
    /// FIN came.
    pub(super) finished: bool,
    /// The owner reads no more.
    pub(super) read_shut: bool,
    /// The owner sends no more: FIN is on its way.
    pub(super) write_shut: bool,
    /// TCP has ended it, and knows the id no more.
    pub(super) gone: bool,
    /// Bytes that may be sent.
    room: u32,
    /// Bytes sent and not granted again: with `room` the size of the send buffer.
    outstanding: u32,
    /// The last grant, bytes.
    granted: u32,
    /// Bytes taken that TCP was not told of for want of room.
    owed_credit: u32,
    /// Bytes at the front of the inbox that stand in blocks of their own size.
    tight: usize,
    /// The peer's urgent data.
    pub(super) mark: Mark,
}

impl Stream {
    pub(super) fn new(remote: SocketAddr) -> Self {
        Self {
            remote,
            inbox: Chunks::default(),
            finished: false,
            read_shut: false,
            write_shut: false,
            gone: false,
            room: 0,
            outstanding: 0,
            granted: 0,
            owed_credit: 0,
            tight: 0,
            mark: Mark::default(),
        }
    }

    pub(super) fn readiness(&self, starved: bool, lowat: bool) -> Readiness {
        let ended = self.finished || self.read_shut || self.gone;
        let closed = self.write_shut || self.gone;
        // As Linux: writable with a third of the buffer free, so that a fast sender is not woken
        // for every acknowledgement. But what TCP found worth granting is worth telling: the
        // buffer may have shrunk since the rest was sent, and with TCP_NOTSENT_LOWAT room comes
        // when TCP wants more, however much is out.
        let enough = lowat || self.room >= self.outstanding.min(self.granted) / 2;
        let room = self.room > 0 && enough && !starved;
        Readiness {
            readable: !self.inbox.is_empty() || ended,
            // At the end of the stream there is no more to come.
            priority: self.mark.is_ahead() && !(ended && self.inbox.is_empty()),
            writable: room || closed,
            read_hangup: ended,
            hangup: ended && closed,
            error: false,
        }
    }

    pub(super) fn push(&mut self, chunk: Bytes) {
        self.inbox.push_back(chunk);
    }

    pub(super) fn grant(&mut self, bytes: u32) {
        self.granted = bytes;
        self.room = self.room.saturating_add(bytes);
        self.outstanding = self.outstanding.saturating_sub(bytes);
    }

    pub(super) fn end(&mut self) {
        self.gone = true;
        self.finished = true;
        self.room = 0;
    }

    /// Chunks not taken, and their bytes.
    pub(super) fn unread(&self) -> (usize, usize) {
        (self.inbox.len(), self.inbox.iter().map(Bytes::len).sum())
    }

    /// Takes up to `max` bytes out of the inbox, by reference; returns chunks emptied and bytes.
    fn take(&mut self, max: usize, mut each: impl FnMut(Bytes)) -> (usize, usize) {
        let max = self.mark.limit(max);
        let (mut items, mut bytes) = (0, 0);
        while bytes < max
            && let Some(chunk) = self.inbox.front_mut()
        {
            let n = chunk.len().min(max - bytes);
            each(chunk.split_to(n));
            bytes += n;
            if chunk.is_empty() {
                self.inbox.pop_front();
                items += 1;
            }
        }
        self.mark.took(bytes);
        self.tight = self.tight.saturating_sub(bytes);
        (items, bytes)
    }

    /// Copies what waits to be read into blocks of its own size, but for what was copied before;
    /// returns how many chunks fewer there are.
    pub(super) fn collapse(&mut self) -> usize {
        let before = self.inbox.len();
        let mut loose = self.inbox.take();
        let mut bytes = 0;
        while bytes < self.tight
            && let Some(chunk) = loose.pop_front()
        {
            bytes += chunk.len();
            self.inbox.push_back(chunk);
        }
        let mut group = 0;
        while group < loose.len() {
            let mut end = group;
            let mut size = 0;
            while let Some(chunk) = loose.get(end)
                && (size == 0 || size + chunk.len() <= COLLAPSED)
            {
                size += chunk.len();
                end += 1;
            }
            let mut block = BytesMut::with_capacity(size);
            loose.iter().take(end).skip(group).for_each(|chunk| block.extend_from_slice(chunk));
            self.inbox.push_back(block.freeze());
            group = end;
        }
        self.tight = self.inbox.iter().map(Bytes::len).sum();
        before - self.inbox.len()
    }
}

impl Hub {
    /// `send(2)`: takes as much as there is room for, copied once. On a connected UDP socket, one
    /// datagram. `EAGAIN` with no room, `EPIPE` after shutdown or the end of the connection.
    pub fn send(
        &mut self,
        id: SocketId,
        data: &[u8],
        out: &mut Out<'_, Self>,
    ) -> Result<usize, Errno> {
        if let Protocol::Udp(_) = self.get(id)?.protocol {
            return self.send_to(id, data, None, None, out);
        }
        self.set_more(id, false, out);
        self.send_with(id, data.len(), false, out, |block, n| block.copy(&data[..n]))
    }

    /// As [`Hub::send`], without copying: takes from the front of `data` what there is room for.
    pub fn send_bytes(
        &mut self,
        id: SocketId,
        data: &mut Bytes,
        out: &mut Out<'_, Self>,
    ) -> Result<usize, Errno> {
        self.set_more(id, false, out);
        self.send_with(id, data.len(), false, out, |_, n| data.split_to(n))
    }

    pub(super) fn send_with(
        &mut self,
        id: SocketId,
        len: usize,
        urgent: bool,
        out: &mut Out<'_, Self>,
        data: impl FnOnce(&mut Block, usize) -> Bytes,
    ) -> Result<usize, Errno> {
        let n = self.send_room(id, len, out)?;
        let Some(stream) = self.stream(id)?.filter(|_| n > 0) else { return Ok(0) };
        let bytes = u32::try_from(n).unwrap_or(u32::MAX);
        stream.room -= bytes;
        stream.outstanding = stream.outstanding.saturating_add(bytes);
        let data = data(&mut self.block, n);
        let command = if urgent {
            TcpCommand::SendUrgent { socket: id, data }
        } else {
            TcpCommand::Send { socket: id, data }
        };
        self.command(Either::A(command), out);
        self.touch(id, out);
        Ok(n)
    }

    /// How many of `len` bytes [`Hub::send`] would take now; its errors otherwise. So that who
    /// copies outside the hub copies nothing in vain.
    pub fn send_room(
        &mut self,
        id: SocketId,
        len: usize,
        out: &mut Out<'_, Self>,
    ) -> Result<usize, Errno> {
        let room_below = self.has_room(out);
        let socket = self.get(id)?;
        if let Some(error) = socket.take_error() {
            return Err(error);
        }
        let Protocol::Tcp(tcp) = &mut socket.protocol else { return Err(Errno::OPNOTSUPP) };
        let stream = match &mut tcp.phase {
            Phase::Open(stream) => stream,
            Phase::Connecting => return Err(Errno::AGAIN),
            Phase::Fresh | Phase::Binding { .. } | Phase::Bound | Phase::Listening { .. } => {
                return Err(Errno::NOTCONN);
            }
        };
        if stream.write_shut || stream.gone {
            return Err(Errno::PIPE);
        }
        let n = len.min(stream.room as usize);
        if n == 0 {
            return if len == 0 { Ok(0) } else { Err(self.full(id, out)) };
        }
        if !room_below {
            self.starve(id, out);
            return Err(Errno::AGAIN);
        }
        Ok(n)
    }

    /// The send buffer is full: from here on, room is news.
    fn full(&mut self, id: SocketId, out: &mut Out<'_, Self>) -> Errno {
        self.touch(id, out);
        Errno::AGAIN
    }

    /// `recv(2)`: copies what has arrived, 0 at the end. On a UDP socket, one datagram, the rest
    /// of which is lost.
    pub fn recv(
        &mut self,
        id: SocketId,
        buffer: &mut [u8],
        flags: Flags,
        out: &mut Out<'_, Self>,
    ) -> Result<usize, Errno> {
        if flags.oob {
            return self.recv_urgent(id);
        }
        if let Protocol::Udp(_) = self.get(id)?.protocol {
            let length = |r: Received| if flags.truncate { r.len } else { r.copied };
            return self.recv_from(id, buffer, flags, out).map(length);
        }
        if flags.peek {
            return self.peek(id, buffer);
        }
        if flags.truncate {
            return self.recv_with(id, buffer.len(), out, drop);
        }
        let mut rest = &mut buffer[..];
        self.recv_with(id, rest.len(), out, |mut chunk| {
            let (target, unused) = core::mem::take(&mut rest).split_at_mut(chunk.len());
            chunk.copy_to_slice(target);
            rest = unused;
        })
    }

    /// As [recv], without copying: appends up to `max` bytes in pieces to `chunks`.
    pub fn recv_chunks(
        &mut self,
        id: SocketId,
        max: usize,
        chunks: &mut Vec<Bytes>,
        out: &mut Out<'_, Self>,
    ) -> Result<usize, Errno> {
        self.recv_with(id, max, out, |chunk| chunks.push(chunk))
    }

    /// One piece of what has arrived, at most `max` bytes, without copying; empty at the end.
    pub fn recv_chunk(
        &mut self,
        id: SocketId,
        max: usize,
        out: &mut Out<'_, Self>,
    ) -> Result<Bytes, Errno> {
        let first = self.stream(id)?.map_or(0, |stream| stream.inbox.front().map_or(0, Bytes::len));
        let mut only = Bytes::new();
        self.recv_with(id, max.min(first.max(1)), out, |chunk| only = chunk)?;
        Ok(only)
    }

    fn recv_with(
        &mut self,
        id: SocketId,
        max: usize,
        out: &mut Out<'_, Self>,
        each: impl FnMut(Bytes),
    ) -> Result<usize, Errno> {
        let Some(stream) = self.stream(id)?.filter(|stream| !stream.inbox.is_empty()) else {
            return self.nothing_to_read(id);
        };
        let (items, bytes) = stream.take(max, each);
        if !stream.gone {
            let unlisted = stream.owed_credit == 0;
            let taken = u32::try_from(bytes).unwrap_or(u32::MAX);
            stream.owed_credit = stream.owed_credit.saturating_add(taken);
            if self.has_room(out) {
                self.pay_credit(id, out);
            } else if unlisted && bytes > 0 {
                self.credit.push_back(id);
            }
        }
        self.taken(items, bytes, out);
        self.touch(id, out);
        Ok(bytes)
    }

    fn peek(&mut self, id: SocketId, buffer: &mut [u8]) -> Result<usize, Errno> {
        let Some(stream) = self.stream(id)?.filter(|stream| !stream.inbox.is_empty()) else {
            return self.nothing_to_read(id);
        };
        let (mut done, most) = (0, stream.mark.limit(buffer.len()));
        for chunk in stream.inbox.iter() {
            let n = chunk.len().min(most - done);
            buffer[done..done + n].copy_from_slice(&chunk[..n]);
            done += n;
        }
        Ok(done)
    }

    /// FIONREAD (SIOCINQ): bytes that a `recv` would find, up to an urgent mark and beyond.
    pub fn unread(&mut self, id: SocketId) -> Result<usize, Errno> {
        Ok(self.stream(id)?.map_or(0, |stream| stream.unread().1))
    }

    /// What `recv` answers with an empty inbox.
    fn nothing_to_read(&mut self, id: SocketId) -> Result<usize, Errno> {
        let socket = self.get(id)?;
        if let Some(error) = socket.take_error() {
            return Err(error);
        }
        let Protocol::Tcp(tcp) = &socket.protocol else { return Err(Errno::OPNOTSUPP) };
        match &tcp.phase {
            Phase::Open(stream) if stream.finished || stream.read_shut || stream.gone => Ok(0),
            Phase::Open(_) | Phase::Connecting => Err(Errno::AGAIN),
            Phase::Fresh | Phase::Binding { .. } | Phase::Bound | Phase::Listening { .. } => {
                Err(Errno::NOTCONN)
            }
        }
    }

    /// Tells TCP of what was taken since it was last told.
    pub(super) fn pay_credit(&mut self, id: SocketId, out: &mut Out<'_, Self>) {
        let Ok(Some(stream)) = self.stream(id) else { return };
        let bytes = core::mem::take(&mut stream.owed_credit);
        if bytes > 0 && !stream.gone {
            self.command(Either::A(TcpCommand::Consumed { socket: id, bytes }), out);
        }
    }

    /// The connection, if the socket is one.
    pub(super) fn stream(&mut self, id: SocketId) -> Result<Option<&mut Stream>, Errno> {
        match &mut self.tcp(id)?.phase {
            Phase::Open(stream) => Ok(Some(stream)),
            Phase::Fresh
            | Phase::Binding { .. }
            | Phase::Bound
            | Phase::Listening { .. }
            | Phase::Connecting => Ok(None),
        }
    }
}
