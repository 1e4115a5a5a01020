//! Reading and writing: `Read` and `Write`, vectored, by reference, and without waiting.
//!
//! ```text
//!    up to 16 KiB     one call into the hub, which copies
//!    more             by reference out of the hub, copied where nobody waits for us
//! ```

use std::io::{self, IoSlice, IoSliceMut, Read, Write};

use bytes::{Bytes, BytesMut};
use layer::Out;
use layer::boundary::SocketId;

use super::TcpStream;
use crate::Errno;
use crate::hub::{Flags, Hub};
use crate::net::handle::Attempted;

/// Copies up to this size are made inside the hub: they are over before a second call would be.
const SMALL: usize = 16 * 1024;

/// Largest piece that [`TcpStream::recv_chunk`] answers: all that comes in one.
const PIECE: usize = usize::MAX;

impl TcpStream {
    /// As `read`, and says whether more can be read at once, be it bytes, the end or an error: who
    /// serves many sockets is spared the attempt that only finds nothing.
    pub fn read_and_peek(&self, buffer: &mut [u8]) -> io::Result<(usize, bool)> {
        let limit = self.handle.read_timeout.get();
        self.handle.wait_with(limit, || self.receive_once(buffer))
    }

    pub(crate) fn receive_once(&self, buffer: &mut [u8]) -> Attempted<(usize, bool)> {
        let more = |id, hub: &Hub| hub.poll_socket(id).is_ok_and(|r| r.readable || r.error);
        if buffer.len() <= SMALL {
            return self.handle.call(|id, hub, out| {
                let read = hub.recv(id, buffer, Flags::default(), out)?;
                Ok((read, more(id, hub)))
            });
        }
        let mut chunks = Vec::new();
        let answer = self.handle.call(|id, hub, out| {
            let read = hub.recv_chunks(id, buffer.len(), &mut chunks, out)?;
            Ok((read, more(id, hub)))
        });
        let mut rest = &mut buffer[..];
        for chunk in chunks {
            let (target, unused) = rest.split_at_mut(chunk.len());
            target.copy_from_slice(&chunk);
            rest = unused;
        }
        answer
    }

    /// `recv(2)` with MSG_WAITALL: waits until all of `buffer` is filled. Less comes back at the
    /// end of the stream, before an error, which the next call tells, when the read timeout is
    /// over, and on a non-blocking socket.
    ///
    /// # Errors
    ///
    /// Those of `read`, if nothing was read.
    pub fn read_full(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        let limit = self.handle.read_timeout.get();
        let filled = self.handle.wait_with(limit, || self.fill_once(buffer, &mut done));
        match filled {
            Err(error) if done == 0 => Err(error),
            Ok(()) | Err(_) => Ok(done),
        }
    }

    /// Fills `buffer` from `done` on; `EAGAIN` if there is more to come.
    fn fill_once(&self, buffer: &mut [u8], done: &mut usize) -> Attempted<()> {
        self.handle.call(|id, hub, out| {
            loop {
                let Some(rest) = buffer.get_mut(*done..).filter(|rest| !rest.is_empty()) else {
                    return Ok(());
                };
                // An error is told once: by a call that has nothing else to tell.
                if *done > 0 && hub.unread(id)? == 0 && hub.poll_socket(id)?.error {
                    return Ok(());
                }
                match hub.recv(id, rest, Flags::default(), out)? {
                    0 => return Ok(()),
                    read => *done += read,
                }
            }
        })
    }

    pub(crate) fn receive_vectored_once(&self, buffers: &mut [IoSliceMut<'_>]) -> Attempted<usize> {
        let most = buffers.iter().map(|buffer| buffer.len()).sum();
        let mut chunks = Vec::new();
        let answer = self.handle.call(|id, hub, out| hub.recv_chunks(id, most, &mut chunks, out));
        let mut targets = buffers.iter_mut();
        let mut rest: &mut [u8] = &mut [];
        for mut chunk in chunks {
            while !chunk.is_empty() {
                if rest.is_empty() {
                    let Some(next) = targets.next() else { return answer };
                    rest = next;
                    continue;
                }
                let n = chunk.len().min(rest.len());
                let (target, unused) = rest.split_at_mut(n);
                target.copy_from_slice(&chunk.split_to(n));
                rest = unused;
            }
        }
        answer
    }

    pub(crate) fn send_once(&self, data: &[u8]) -> Attempted<usize> {
        if data.len() <= SMALL {
            return self.handle.call(|id, hub, out| hub.send(id, data, out));
        }
        // Several super-segments at a time, copied where nobody waits for us. A clone of this
        // socket may use the room meanwhile: then it is one attempt more.
        let (now, room) = self.handle.call(|id, hub, out| hub.send_room(id, data.len(), out));
        match room {
            Ok(room) => self.send_bytes_once(&mut self.handle.copy(&data[..room])),
            Err(errno) => (now, Err(errno)),
        }
    }

    pub(crate) fn send_bytes_once(&self, data: &mut Bytes) -> Attempted<usize> {
        let answer = self.handle.call(|id, hub, out| hub.send_bytes(id, data, out));
        if answer.1.is_ok_and(|sent| sent > SMALL) {
            self.handle.stack().visit();
        }
        answer
    }

    pub(crate) fn send_vectored_once(&self, data: &[IoSlice<'_>]) -> Attempted<usize> {
        let total = data.iter().map(|piece| piece.len()).sum();
        if total <= SMALL {
            return self.handle.call(|id, hub, out| send_pieces(id, hub, data, out));
        }
        let (now, room) = self.handle.call(|id, hub, out| hub.send_room(id, total, out));
        let room = match room {
            Ok(room) => room,
            Err(errno) => return (now, Err(errno)),
        };
        let mut together = BytesMut::with_capacity(room);
        for piece in data {
            let n = piece.len().min(room - together.len());
            together.extend_from_slice(&piece[..n]);
        }
        self.send_bytes_once(&mut together.freeze())
    }

    pub(crate) fn peek_once(&self, buffer: &mut [u8]) -> Attempted<usize> {
        let flags = Flags { peek: true, ..Flags::default() };
        self.handle.call(|id, hub, out| hub.recv(id, buffer, flags, out))
    }

    pub(crate) fn recv_chunk_once(&self) -> Attempted<Bytes> {
        self.handle.call(|id, hub, out| hub.recv_chunk(id, PIECE, out))
    }

    /// Copies what has arrived and leaves it there.
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.handle.wait_with(self.handle.read_timeout.get(), || self.peek_once(buffer))
    }

    /// Sends all of `data` without copying it: TCP keeps it until it is acknowledged. Small pieces
    /// are copied together all the same.
    ///
    /// # Errors
    ///
    /// Those of `write`; part of the data may be sent then. On a non-blocking socket use
    /// [`TcpStream::send_some_bytes`].
    pub fn send_bytes(&self, mut data: Bytes) -> io::Result<()> {
        while !data.is_empty() {
            self.send_some_bytes(&mut data)?;
        }
        Ok(())
    }

    /// As `write`, without copying: takes from the front of `data` what there is room for.
    pub fn send_some_bytes(&self, data: &mut Bytes) -> io::Result<usize> {
        let limit = self.handle.write_timeout.get();
        self.handle.wait_with(limit, || self.send_bytes_once(data))
    }

    /// The next piece of what has arrived, without copying it; empty at the end of the stream. The
    /// piece keeps the memory it came in, which may be much larger: who keeps pieces copies them.
    pub fn recv_chunk(&self) -> io::Result<Bytes> {
        let limit = self.handle.read_timeout.get();
        self.handle.wait_with(limit, || self.recv_chunk_once())
    }
}

/// Sends small pieces one behind the other; TCP looks at them when the call is over.
fn send_pieces(
    id: SocketId,
    hub: &mut Hub,
    pieces: &[IoSlice<'_>],
    out: &mut Out<'_, Hub>,
) -> Result<usize, Errno> {
    let mut sent = 0;
    for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
        match hub.send(id, piece, out) {
            Ok(n) if n == piece.len() => sent += n,
            Ok(n) => return Ok(sent + n),
            // Within one call nothing happens but that room runs out.
            Err(Errno::AGAIN) if sent > 0 => return Ok(sent),
            Err(errno) => return Err(errno),
        }
    }
    if sent == 0 { hub.send(id, &[], out) } else { Ok(sent) }
}

impl Read for &TcpStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_and_peek(buffer).map(|(read, _)| read)
    }

    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let limit = self.handle.read_timeout.get();
        self.handle.wait_with(limit, || self.receive_vectored_once(buffers))
    }
}

impl Write for &TcpStream {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.handle.wait_with(self.handle.write_timeout.get(), || self.send_once(data))
    }

    fn write_vectored(&mut self, data: &[IoSlice<'_>]) -> io::Result<usize> {
        self.handle.wait_with(self.handle.write_timeout.get(), || self.send_vectored_once(data))
    }

    /// There is nothing to flush: what was written is TCP's.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for TcpStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buffer)
    }

    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        (&*self).read_vectored(buffers)
    }
}

impl Write for TcpStream {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        (&*self).write(data)
    }

    fn write_vectored(&mut self, data: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self).write_vectored(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
