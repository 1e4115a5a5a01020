//! Frames over a file descriptor, the same for TAPs, packet sockets and sockets that carry frames.
//!
//! One system call a frame, which measured faster here than `readv` and io_uring: `read` straight
//! into pooled blocks that go up by reference; `writev` for super-frames, whose payload nobody
//! then copies; one contiguous `write` for small frames, where gathering costs more than copying.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use arrayvec::ArrayVec;
use layer::{ChecksumState, PacketBuf, SegmentationKind, checksum};
use rustix::io::{Errno, IoSlice};

use crate::device::{DeviceError, Receiver, TransmitReport, Transmitter};
use crate::link::HEADER;
use crate::pool::{BLOCK, Pool};
use crate::{gso, sys, vnet};

/// Received frames up to this size are copied out, so that few bytes never hold a block.
const COPIED: usize = 2048;

/// Frames up to this size are written in one piece: copying 4 KiB costs less than gathering.
const CONTIGUOUS: usize = 4096;

/// A batch ends after so many bytes: what is read is still in the processor's cache when the
/// application copies it.
const BURST: usize = 512 * 1024;

/// Most pieces of a gathered write: header, head and body.
const PIECES: usize = 2 + layer::packet::SLICES;

/// What the descriptor is, which decides what its errors mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A TAP.
    Tap,
    /// A packet socket bound to the interface of this index.
    Packet {
        /// Of the interface.
        index: u32,
    },
    /// A connected socket that keeps message boundaries.
    Socket {
        /// `SOCK_SEQPACKET`: an empty message is the end.
        ends: bool,
    },
}

/// Which work may be left to the kernel when sending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Offloads {
    /// A virtio-net header stands before each frame, both ways.
    pub(crate) header: bool,
    /// Partial checksums and TCP super-segments.
    pub(crate) tcp: bool,
    /// UDP super-segments.
    pub(crate) udp: bool,
}

/// What both halves share.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) fd: OwnedFd,
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) offloads: Offloads,
}

impl Port {
    /// Both halves over one descriptor, which is made non-blocking.
    pub(crate) fn split(self, mtu: u32) -> io::Result<(FdReceiver, FdTransmitter)> {
        rustix::io::ioctl_fionbio(&self.fd, true)?;
        let header = if self.offloads.header { vnet::LEN } else { 0 };
        let largest = if self.offloads.header {
            BLOCK
        } else {
            // One VLAN tag more, and a byte that shows a frame to be too large.
            usize::try_from(mtu).unwrap_or(BLOCK).saturating_add(HEADER + 4 + 1)
        };
        let port = Arc::new(self);
        let receiver = FdReceiver {
            port: Arc::clone(&port),
            pool: Pool::new(largest),
            header,
            bad_offloads: 0,
        };
        Ok((receiver, FdTransmitter { port, scratch: Vec::new() }))
    }

    /// Writes until it is settled what becomes of the frame, and counts it.
    fn settle(
        &self,
        write: impl Fn() -> rustix::io::Result<usize>,
        report: &mut TransmitReport,
    ) -> Result<(), DeviceError> {
        loop {
            match write() {
                Ok(_) => report.sent += 1,
                Err(Errno::INTR) => continue,
                // No room, or a frame that this device does not take: the network may lose it.
                Err(
                    Errno::AGAIN | Errno::NOBUFS | Errno::NOMEM | Errno::MSGSIZE | Errno::INVAL,
                ) => report.dropped += 1,
                Err(errno) => return Err(self.failure("write to", errno)),
            }
            return Ok(());
        }
    }

    /// What an error of a read or write means for the device.
    fn failure(&self, operation: &'static str, errno: Errno) -> DeviceError {
        let name = self.name.clone();
        let (down, gone) = match self.kind {
            // tun_chr_write_iter: EIO while the interface is down, EBADFD when it was deleted.
            Kind::Tap => (errno == Errno::IO, errno == Errno::BADFD),
            Kind::Packet { index } => {
                let there = sys::interface_index(&self.fd, &self.name) == Some(index);
                let down = errno == Errno::NETDOWN && there;
                (down, matches!(errno, Errno::NETDOWN | Errno::NXIO | Errno::NODEV))
            }
            Kind::Socket { .. } => {
                let gone = [Errno::PIPE, Errno::CONNRESET, Errno::CONNREFUSED, Errno::NOTCONN];
                (false, gone.contains(&errno))
            }
        };
        if down {
            DeviceError::Down { name }
        } else if gone {
            DeviceError::Gone { name }
        } else {
            DeviceError::Io { name, operation, source: errno.into() }
        }
    }
}

/// Reads frames.
#[derive(Debug)]
pub(crate) struct FdReceiver {
    port: Arc<Port>,
    pool: Pool,
    /// Bytes of virtio-net header before each frame.
    header: usize,
    bad_offloads: u64,
}

impl FdReceiver {
    /// Makes packets of what one read left in the block, `n` bytes.
    fn accept(&mut self, n: usize, batch: &mut Vec<PacketBuf>) {
        let block = self.pool.block_in_use();
        let offload =
            if self.header == 0 { Ok(layer::Offload::default()) } else { vnet::decode(block) };
        let Ok(offload) = offload else {
            block.clear();
            self.bad_offloads += 1;
            return;
        };
        let mut packet = if n - self.header <= COPIED {
            let packet = PacketBuf::copy_from(&block[self.header..]);
            block.clear();
            packet
        } else {
            let mut bytes = block.split().freeze();
            bytes::Buf::advance(&mut bytes, self.header);
            PacketBuf::from_block(bytes, crate::pool::BLOCK)
        };
        *packet.offload_mut() = offload;
        // Datagram boundaries matter to UDP, so merged datagrams are taken apart here.
        match offload.segmentation.map(|segmentation| segmentation.kind) {
            Some(SegmentationKind::Udp) => {
                if gso::cut(&mut packet, batch).is_err() {
                    self.bad_offloads += 1;
                }
            }
            Some(SegmentationKind::TcpV4 | SegmentationKind::TcpV6) | None => batch.push(packet),
        }
    }
}

/// The error says that one frame was lost in reading, not that the device is: a packet socket
/// cannot describe every kind of super-frame (SCTP's, say) and consumes what it cannot.
fn is_about_one_frame(errno: Errno, kind: Kind) -> bool {
    match kind {
        Kind::Packet { .. } => {
            matches!(errno, Errno::INVAL | Errno::NOBUFS | Errno::NOMEM | Errno::MSGSIZE)
        }
        Kind::Tap | Kind::Socket { .. } => false,
    }
}

impl Receiver for FdReceiver {
    fn receive(&mut self, batch: &mut Vec<PacketBuf>, max: usize) -> Result<usize, DeviceError> {
        let before = batch.len();
        let mut bytes = 0;
        self.pool.begin();
        for _ in 0..max {
            if bytes >= BURST {
                break;
            }
            match sys::read_block(self.port.fd.as_fd(), self.pool.block()) {
                Ok(0) if self.port.kind == (Kind::Socket { ends: true }) => {
                    return Err(DeviceError::Gone { name: self.port.name.clone() });
                }
                Ok(n) => {
                    bytes += n;
                    self.accept(n, batch);
                }
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                Err(errno) if is_about_one_frame(errno, self.port.kind) => self.bad_offloads += 1,
                Err(errno) => return Err(self.port.failure("read from", errno)),
            }
        }
        Ok(batch.len() - before)
    }

    fn as_fd(&self) -> BorrowedFd<'_> {
        self.port.fd.as_fd()
    }

    fn bad_offloads(&self) -> u64 {
        self.bad_offloads
    }
}

/// Writes frames.
#[derive(Debug)]
pub(crate) struct FdTransmitter {
    port: Arc<Port>,
    /// Where small frames become contiguous.
    scratch: Vec<u8>,
}

impl FdTransmitter {
    /// The kernel takes the frame with the metadata it has.
    fn taken_whole(&self, frame: &PacketBuf) -> bool {
        let Offloads { header, tcp, udp } = self.port.offloads;
        let offload = frame.offload();
        let partial = matches!(offload.checksum, ChecksumState::Partial { .. });
        match offload.segmentation.map(|segmentation| segmentation.kind) {
            None => (header && tcp) || !partial,
            // The kernel cuts only what has its checksum still to come.
            Some(SegmentationKind::TcpV4 | SegmentationKind::TcpV6) => header && tcp && partial,
            Some(SegmentationKind::Udp) => header && udp && partial,
        }
    }

    /// Sends one frame, in pieces if it must.
    fn send(
        &mut self,
        frame: &mut PacketBuf,
        report: &mut TransmitReport,
    ) -> Result<(), DeviceError> {
        if self.taken_whole(frame) {
            return self.write(frame, report);
        }
        if frame.offload().segmentation.is_none() {
            if checksum::complete(frame) {
                return self.write(frame, report);
            }
            report.dropped += 1;
            return Ok(());
        }
        // A header says nothing about what is complete.
        let prefix = if self.port.offloads.header { &[0; vnet::LEN][..] } else { &[] };
        let Self { port, scratch } = self;
        let written = gso::write_pieces(frame, prefix, scratch, |piece| {
            port.settle(|| rustix::io::write(&port.fd, piece), report)
        });
        written.unwrap_or_else(|gso::Uncuttable| {
            report.dropped += 1;
            Ok(())
        })
    }

    /// One system call.
    fn write(&mut self, frame: &PacketBuf, report: &mut TransmitReport) -> Result<(), DeviceError> {
        let encoded;
        let header: &[u8] = if self.port.offloads.header {
            encoded = vnet::encode(frame);
            &encoded
        } else {
            &[]
        };
        let port = &self.port;
        if header.is_empty() && frame.head().len() == frame.len() {
            port.settle(|| rustix::io::write(&port.fd, frame.head()), report)
        } else if frame.len() <= CONTIGUOUS {
            self.scratch.clear();
            self.scratch.extend_from_slice(header);
            frame.chunks().for_each(|chunk| self.scratch.extend_from_slice(chunk));
            port.settle(|| rustix::io::write(&port.fd, &self.scratch), report)
        } else {
            let pieces: ArrayVec<IoSlice<'_>, PIECES> = core::iter::once(header)
                .filter(|header| !header.is_empty())
                .chain(frame.chunks())
                .map(IoSlice::new)
                .collect();
            port.settle(|| rustix::io::writev(&port.fd, &pieces), report)
        }
    }
}

impl Transmitter for FdTransmitter {
    fn transmit(&mut self, frames: &mut Vec<PacketBuf>) -> Result<TransmitReport, DeviceError> {
        let mut report = TransmitReport::default();
        let mut done = 0;
        let mut result = Ok(());
        for frame in frames.iter_mut() {
            result = self.send(frame, &mut report);
            if result.is_err() {
                break;
            }
            done += 1;
        }
        frames.drain(..done);
        result.map(|()| report)
    }
}

#[cfg(test)]
mod tests;
