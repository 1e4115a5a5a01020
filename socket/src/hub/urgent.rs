//! Urgent data: MSG_OOB, POLLPRI and SIOCATMARK (RFC 9293 3.8.5, RFC 6093), for old programs.
//! New ones are advised against it (RFC 9293 3.8.5 has SHLD-13): see `tcp/src/send/urgent.rs`.
//!
//! ```text
//!    read |  before the mark   | u |  after it
//!         ^ next byte          ^ the mark: the last urgent byte
//! ```
//!
//! Urgent bytes are always in line, as with Linux's SO_OOBINLINE: none is ever taken out of the
//! stream. A read that begins before the mark stops there, so that [`Hub::at_mark`] sees it; the
//! next one begins with the urgent byte and goes on.

use layer::Out;
use layer::boundary::SocketId;

use super::tcp::Phase;
use super::{Hub, Protocol, Socket};
use crate::Errno;

/// How far the owner has read, and where the urgent data ends.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mark {
    /// Bytes of the stream before the end of the urgent data; 0 if there was none.
    end: u64,
    /// Bytes of the stream that were read.
    taken: u64,
}

impl Mark {
    /// Urgent data is still to be read.
    pub(super) fn is_ahead(self) -> bool {
        self.end > self.taken
    }

    /// The next byte is the last urgent one.
    fn is_next(self) -> bool {
        self.end == self.taken + 1
    }

    /// Of `max` bytes, those that come before the mark; all of them at the mark or behind it.
    pub(super) fn limit(self, max: usize) -> usize {
        match self.end.saturating_sub(self.taken + 1) {
            0 => max,
            before => usize::try_from(before).map_or(max, |before| before.min(max)),
        }
    }

    /// So many bytes were read.
    pub(super) fn took(&mut self, bytes: usize) {
        self.taken += bytes as u64;
    }
}

impl Hub {
    /// `send(2)` with MSG_OOB: as [`Hub::send`], and what was taken is urgent up to its last byte.
    pub fn send_urgent(
        &mut self,
        id: SocketId,
        data: &[u8],
        out: &mut Out<'_, Self>,
    ) -> Result<usize, Errno> {
        self.send_with(id, data.len(), true, out, |block, n| block.copy(&data[..n]))
    }

    /// `sockatmark(3)`, SIOCATMARK: the next byte to read is the last one of the urgent data.
    /// RFC 9293 3.8.5 MUST-33: with POLLPRI it tells whether urgent data remains to be read.
    pub fn at_mark(&mut self, id: SocketId) -> Result<bool, Errno> {
        Ok(self.stream(id)?.is_some_and(|stream| stream.mark.is_next()))
    }

    /// `recv(2)` with MSG_OOB: there is nothing out of line, `EINVAL` as in Linux.
    pub(super) fn recv_urgent(&mut self, id: SocketId) -> Result<usize, Errno> {
        match self.get(id)?.protocol {
            Protocol::Tcp(_) => Err(Errno::INVAL),
            Protocol::Udp(_) => Err(Errno::OPNOTSUPP),
        }
    }
}

impl Socket {
    /// Urgent data begins, or goes on further.
    pub(super) fn urgent(&mut self, end: u64) {
        let Protocol::Tcp(tcp) = &mut self.protocol else { return };
        if let Phase::Open(stream) = &mut tcp.phase {
            stream.mark.end = stream.mark.end.max(end);
            // RFC 9293 3.8.5 MUST-32: told again whenever the pointer moves on.
            self.told.priority = false;
        }
    }
}

#[cfg(test)]
mod tests;
