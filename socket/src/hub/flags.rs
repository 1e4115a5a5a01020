//! [`Flags`]: how one `send` or `recv` behaves, the MSG_ flags of `send(2)` and `recv(2)`.
//!
//! The hub never waits and sends no signals, so MSG_DONTWAIT and MSG_NOSIGNAL hold anyway; they are
//! for drivers that wait or have signals. So is MSG_WAITALL: as on a non-blocking socket of Linux,
//! the hub answers what there is.

use layer::Out;
use layer::boundary::SocketId;

use super::{Hub, Readiness};
use crate::Errno;

/// How one call behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// MSG_PEEK: leave the data there.
    pub peek: bool,
    /// MSG_OOB: urgent data by itself. It is in line here, so receiving it is always refused.
    pub oob: bool,
    /// MSG_TRUNC: of a datagram, answer its whole length; of a stream, throw the bytes away
    /// instead of copying them (`tcp(7)`).
    pub truncate: bool,
    /// MSG_WAITALL: wait for all that was asked for.
    pub wait_all: bool,
    /// MSG_DONTWAIT: do not wait, once.
    pub dont_wait: bool,
    /// MSG_NOSIGNAL: no SIGPIPE with `EPIPE`.
    pub no_signal: bool,
    /// MSG_MORE: more will be sent; as TCP_CORK for this call (`send(2)`).
    pub more: bool,
}

impl Flags {
    /// From Linux's numbers. Like Linux, what is unknown is ignored.
    pub const fn from_linux(bits: i32) -> Self {
        Self {
            oob: bits & 0x1 != 0,
            peek: bits & 0x2 != 0,
            truncate: bits & 0x20 != 0,
            dont_wait: bits & 0x40 != 0,
            wait_all: bits & 0x100 != 0,
            no_signal: bits & 0x4000 != 0,
            more: bits & 0x8000 != 0,
        }
    }
}

impl Hub {
    /// `send(2)` with flags: as [`Hub::send`]. `EOPNOTSUPP` for MSG_MORE on a UDP socket, whose
    /// datagrams leave one by one.
    pub fn send_flags(
        &mut self,
        id: SocketId,
        data: &[u8],
        flags: Flags,
        out: &mut Out<'_, Self>,
    ) -> Result<usize, Errno> {
        if flags.oob {
            return self.send_urgent(id, data, out);
        }
        if !flags.more {
            return self.send(id, data, out);
        }
        self.tcp(id)?;
        self.set_more(id, true, out);
        self.send_with(id, data.len(), false, out, |block, n| block.copy(&data[..n]))
    }
}

impl Readiness {
    /// The `revents` of `poll(2)`, Linux's bits.
    pub fn poll_bits(self) -> u16 {
        [
            (self.readable, 0x1),
            (self.priority, 0x2),
            (self.writable, 0x4),
            (self.error, 0x8),
            (self.hangup, 0x10),
            (self.read_hangup, 0x2000),
        ]
        .into_iter()
        .fold(0, |bits, (is, bit)| if is { bits | bit } else { bits })
    }
}
