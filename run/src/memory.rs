//! What programs hand to calls by pointer: addresses, messages, option values. Nothing in it is
//! trusted: lengths are checked as the kernel checks them, and never decide how much is allocated.
//!
//! A program may change its memory while we read it. Everything is read once into ours, and what
//! was read is what is acted on; that it was the caller's at all, the supervisor asks afterwards.

#[cfg(test)]
mod tests;

use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use nix::libc;
use socket::Errno;

/// Most elements of an I/O vector: UIO_MAXIOV.
const MOST_PIECES: u64 = 1024;

/// Longest datagram that is read from a program: more than UDP takes, so that it can say so.
pub(crate) const LONGEST: usize = 65_536;

/// `sizeof(struct sockaddr_in)`.
const ADDRESS: usize = 16;
/// `sizeof(struct sockaddr_storage)`.
const LONGEST_ADDRESS: i32 = 128;

pub(crate) const EFAULT: Errno = Errno::from_raw(libc::EFAULT);
pub(crate) const EPERM: Errno = Errno::from_raw(libc::EPERM);

/// The memory of a program.
pub(crate) trait Memory {
    /// Fills `buffer` from `address`, or `EFAULT`.
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), Errno>;
    /// Puts `data` at `address`, or `EFAULT`.
    fn write(&self, address: u64, data: &[u8]) -> Result<(), Errno>;
}

/// What a `sockaddr` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// AF_INET.
    Internet(SocketAddrV4),
    /// AF_UNSPEC: take a connection back.
    Unspecified,
    /// Another family.
    Foreign,
}

impl Name {
    /// Where to, or why not.
    pub(crate) fn internet(self) -> Result<SocketAddr, Errno> {
        match self {
            Self::Internet(address) => Ok(address.into()),
            Self::Unspecified | Self::Foreign => Err(Errno::AFNOSUPPORT),
        }
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).and_then(|b| b.try_into().ok()).map_or(0, u16::from_ne_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_ne_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_ne_bytes)
}

/// An `int` argument of a call: the kernel looks at the lower half.
pub(crate) fn int(argument: u64) -> i32 {
    argument as u32 as i32
}

/// The `sockaddr` at `address`.
pub(crate) fn name(memory: &dyn Memory, address: u64, len: i32) -> Result<Name, Errno> {
    if !(2..=LONGEST_ADDRESS).contains(&len) {
        return Err(Errno::INVAL);
    }
    let len = usize::try_from(len).unwrap_or(0).min(ADDRESS);
    let mut bytes = [0; ADDRESS];
    memory.read(address, &mut bytes[..len])?;
    match i32::from(u16_at(&bytes, 0)) {
        libc::AF_INET if len == ADDRESS => {
            let [_, _, a, b, c, d, e, f, ..] = bytes;
            let port = u16::from_be_bytes([a, b]);
            Ok(Name::Internet(SocketAddrV4::new(Ipv4Addr::new(c, d, e, f), port)))
        }
        libc::AF_INET => Err(Errno::INVAL),
        libc::AF_UNSPEC => Ok(Name::Unspecified),
        _ => Ok(Name::Foreign),
    }
}

/// `struct sockaddr_in`. IPv6 has no sockets here yet.
pub(crate) fn sockaddr(address: SocketAddr) -> [u8; ADDRESS] {
    let mut bytes = [0; ADDRESS];
    if let SocketAddr::V4(address) = address {
        bytes[..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
        bytes[2..4].copy_from_slice(&address.port().to_be_bytes());
        bytes[4..8].copy_from_slice(&address.ip().octets());
    }
    bytes
}

/// Answers with an address the way `accept` and `getsockname` do: cut to the room that `len_at`
/// tells of, which then tells the whole length. A null `to` wants none.
pub(crate) fn write_name(
    memory: &dyn Memory,
    to: u64,
    len_at: u64,
    address: SocketAddr,
) -> Result<(), Errno> {
    if to == 0 {
        return Ok(());
    }
    write_sized(memory, to, len_at, &sockaddr(address), Some(ADDRESS))
}

/// Writes as much of `data` as the `int` at `len_at` allows; that becomes `told`, or else what was
/// written.
pub(crate) fn write_sized(
    memory: &dyn Memory,
    to: u64,
    len_at: u64,
    data: &[u8],
    told: Option<usize>,
) -> Result<(), Errno> {
    let mut room = [0; 4];
    memory.read(len_at, &mut room)?;
    let room = usize::try_from(i32::from_ne_bytes(room)).map_err(|_| Errno::INVAL)?;
    let n = room.min(data.len());
    memory.write(to, &data[..n])?;
    let told = i32::try_from(told.unwrap_or(n)).unwrap_or(i32::MAX);
    memory.write(len_at, &told.to_ne_bytes())
}

/// A `struct msghdr`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    at: u64,
    pub(crate) name: u64,
    pub(crate) name_len: i32,
    pub(crate) control: u64,
    pieces: Vec<Piece>,
}

/// A `struct iovec`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) base: u64,
    pub(crate) len: u64,
}

/// Places in `struct msghdr` on 64-bit Linux.
const HEADER: usize = 56;
const NAME_LEN: u64 = 8;
const CONTROL_LEN: u64 = 40;
const FLAGS: u64 = 48;

impl Message {
    /// The header at `at`, and the vector it points to.
    pub(crate) fn read(memory: &dyn Memory, at: u64) -> Result<Self, Errno> {
        let mut header = [0; HEADER];
        memory.read(at, &mut header)?;
        let (vector, count) = (u64_at(&header, 16), u64_at(&header, 24));
        if count > MOST_PIECES {
            return Err(Errno::MSGSIZE);
        }
        let mut bytes = vec![0; 16 * usize::try_from(count).unwrap_or(0)];
        if !bytes.is_empty() {
            memory.read(vector, &mut bytes)?;
        }
        let piece = |b: &[u8]| Piece { base: u64_at(b, 0), len: u64_at(b, 8) };
        let pieces: Vec<Piece> = bytes.chunks_exact(16).map(piece).collect();
        // As the kernel: a length that is no ssize_t.
        if pieces.iter().any(|piece| i64::try_from(piece.len).is_err()) {
            return Err(Errno::INVAL);
        }
        Ok(Self {
            at,
            name: u64_at(&header, 0),
            name_len: u32_at(&header, 8) as i32,
            control: u64_at(&header, 32),
            pieces,
        })
    }

    /// A message of one piece: what `sendto` and `recvfrom` describe.
    pub(crate) fn single(base: u64, len: u64) -> Self {
        let pieces = vec![Piece { base, len }];
        Self { at: 0, name: 0, name_len: 0, control: 0, pieces }
    }

    /// Room for received bytes, at most [`LONGEST`].
    pub(crate) fn room(&self) -> usize {
        let sum = self.pieces.iter().fold(0u64, |sum, piece| sum.saturating_add(piece.len));
        usize::try_from(sum).unwrap_or(LONGEST).min(LONGEST)
    }

    /// The bytes that its pieces hold, the first [`LONGEST`] of them.
    pub(crate) fn gather(&self, memory: &dyn Memory) -> Result<Vec<u8>, Errno> {
        let mut data = vec![0; self.room()];
        let mut at = 0;
        for piece in &self.pieces {
            let n = usize::try_from(piece.len).unwrap_or(LONGEST).min(data.len() - at);
            if n > 0 {
                memory.read(piece.base, &mut data[at..at + n])?;
            }
            at += n;
        }
        Ok(data)
    }

    /// Fills its pieces, as far as they go.
    pub(crate) fn scatter(&self, memory: &dyn Memory, data: &[u8]) -> Result<(), Errno> {
        let mut rest = data;
        for piece in &self.pieces {
            let n = usize::try_from(piece.len).unwrap_or(LONGEST).min(rest.len());
            let (now, later) = rest.split_at(n);
            if n > 0 {
                memory.write(piece.base, now)?;
            }
            rest = later;
        }
        Ok(())
    }

    /// Fills in what `recvmsg` answers besides the data: the sender, no control data, flags.
    pub(crate) fn finish(
        &self,
        memory: &dyn Memory,
        from: Option<SocketAddr>,
        flags: i32,
    ) -> Result<(), Errno> {
        let told = match from {
            Some(from) if self.name != 0 => {
                let room = usize::try_from(self.name_len).map_err(|_| Errno::INVAL)?;
                let bytes = sockaddr(from);
                memory.write(self.name, &bytes[..room.min(ADDRESS)])?;
                ADDRESS as u32
            }
            Some(_) | None => 0,
        };
        memory.write(self.at + NAME_LEN, &told.to_ne_bytes())?;
        memory.write(self.at + CONTROL_LEN, &0u64.to_ne_bytes())?;
        memory.write(self.at + FLAGS, &flags.to_ne_bytes())
    }
}
