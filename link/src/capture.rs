//! A pcapng file of what crosses devices (draft-ietf-opsawg-pcapng), for Wireshark and tcpdump.
//!
//! Times are in nanoseconds, each frame says which way it went, and may carry a comment. A frame
//! whose checksum was left to the device is recorded with the checksum completed, so that nothing
//! is marked as broken that is not; super-segments are recorded whole, as local captures are.
//!
//! Left out: reading a clock (the caller says when), and cutting long frames (they are kept whole).

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use layer::checksum::Sum;
use layer::{ChecksumState, InterfaceId, PacketBuf};
use parking_lot::Mutex;
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::{DataLink, PcapError};

use crate::device::{Device, DeviceError, Receiver, TransmitReport, Transmitter};

/// Longest frame announced: what Wireshark takes at most, far above a super-frame.
const SNAP_LEN: u32 = 262_144;

/// `if_tsresol`: times are in units of 10^-9 s.
const NANOSECONDS: u8 = 9;

/// Which way a frame went, seen from this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the device.
    In,
    /// To the device.
    Out,
}

/// The capture file could not be made or written.
#[derive(Debug, thiserror::Error)]
#[error("capture file: {0}")]
pub struct CaptureError(#[from] io::Error);

impl From<PcapError> for CaptureError {
    fn from(error: PcapError) -> Self {
        match error {
            PcapError::IoError(error) => Self(error),
            other => Self(io::Error::other(other)),
        }
    }
}

/// A capture file being written. Buffered; what is left is written when it is dropped.
pub struct Capture {
    writer: PcapNgWriter<Box<dyn Write + Send>>,
    /// Where a frame becomes contiguous.
    scratch: Vec<u8>,
    failure: Option<CaptureError>,
    failed: bool,
}

impl Capture {
    /// Creates or replaces the file at `path`, for frames of `interfaces`, which are named in the
    /// order of their [`InterfaceId`]s.
    ///
    /// # Errors
    ///
    /// What the file system says.
    pub fn create(path: &Path, interfaces: &[&str]) -> Result<Self, CaptureError> {
        Self::new(Box::new(BufWriter::new(File::create(path)?)), interfaces)
    }

    /// As [`Capture::create`], to any writer.
    ///
    /// # Errors
    ///
    /// What the writer says.
    pub fn new(to: Box<dyn Write + Send>, interfaces: &[&str]) -> Result<Self, CaptureError> {
        let mut writer = PcapNgWriter::new(to)?;
        for name in interfaces {
            let mut block = InterfaceDescriptionBlock::new(DataLink::ETHERNET, SNAP_LEN);
            block.options = vec![
                InterfaceDescriptionOption::IfName(Cow::Owned((*name).to_owned())),
                InterfaceDescriptionOption::IfTsResol(NANOSECONDS),
            ];
            writer.write_pcapng_block(block)?;
        }
        Ok(Self { writer, scratch: Vec::new(), failure: None, failed: false })
    }

    /// Records one frame; `unix_ns` is the time since 1970 in nanoseconds.
    ///
    /// # Errors
    ///
    /// What the writer says, or an interface that was not announced.
    pub fn record(
        &mut self,
        unix_ns: u64,
        interface: InterfaceId,
        direction: Direction,
        packet: &PacketBuf,
        comment: Option<&str>,
    ) -> Result<(), CaptureError> {
        self.scratch.clear();
        packet.chunks().for_each(|chunk| self.scratch.extend_from_slice(chunk));
        complete(&mut self.scratch, packet.offload().checksum);
        // epb_flags bits 0 and 1: 1 is inbound, 2 outbound.
        let flags = match direction {
            Direction::In => 1,
            Direction::Out => 2,
        };
        let mut options = vec![EnhancedPacketOption::Flags(flags)];
        options.extend(comment.map(|text| EnhancedPacketOption::Comment(Cow::Borrowed(text))));
        let block = EnhancedPacketBlock {
            interface_id: u32::from(interface.0),
            timestamp: Duration::from_nanos(unix_ns),
            original_len: u32::try_from(self.scratch.len()).unwrap_or(u32::MAX),
            data: Cow::Borrowed(&self.scratch),
            options,
        };
        self.writer.write_pcapng_block(block)?;
        Ok(())
    }

    /// Writes out what is buffered.
    ///
    /// # Errors
    ///
    /// What the writer says.
    pub fn flush(&mut self) -> Result<(), CaptureError> {
        Ok(self.writer.get_mut().flush()?)
    }

    /// The error that ended the recording of a [`tee`], once: traffic goes on without it.
    pub fn take_failure(&mut self) -> Option<CaptureError> {
        self.failure.take()
    }

    /// Records a batch until the first error.
    fn record_all(
        &mut self,
        unix_ns: u64,
        interface: InterfaceId,
        direction: Direction,
        packets: &[PacketBuf],
    ) {
        for packet in packets {
            if self.failed {
                return;
            }
            if let Err(error) = self.record(unix_ns, interface, direction, packet, None) {
                self.failed = true;
                self.failure = Some(error);
            }
        }
    }
}

/// Completes a partial checksum in a copy, as [`layer::checksum::complete`] does in the packet.
fn complete(frame: &mut [u8], state: ChecksumState) {
    let ChecksumState::Partial { start, field } = state else { return };
    let start = usize::from(start);
    let at = start + usize::from(field);
    if at + 2 > frame.len() {
        return;
    }
    let mut sum = Sum::new();
    sum.add(&frame[start..]);
    let checksum = match sum.checksum() {
        0 => 0xffff,
        other => other,
    };
    frame[at..at + 2].copy_from_slice(&checksum.to_be_bytes());
}

/// The same device, with every frame recorded as it crosses: one time a batch, from `unix_ns`.
/// Frames to the device are recorded as they were handed over, also where it then refuses them.
/// A failing capture never disturbs the traffic, see [`Capture::take_failure`].
pub fn tee(
    device: Device,
    interface: InterfaceId,
    capture: &Arc<Mutex<Capture>>,
    unix_ns: impl Fn() -> u64 + Clone + Send + 'static,
) -> Device {
    let Device { receiver, transmitter, name, mac, mtu, offload, created } = device;
    let (capture, clock) = (Arc::clone(capture), unix_ns.clone());
    let tee = Tee { half: receiver, interface, capture: Arc::clone(&capture), unix_ns: clock };
    let receiver = Box::new(tee);
    let transmitter = Box::new(Tee { half: transmitter, interface, capture, unix_ns });
    Device { receiver, transmitter, name, mac, mtu, offload, created }
}

/// One half of a device, recorded.
struct Tee<H, C> {
    half: H,
    interface: InterfaceId,
    capture: Arc<Mutex<Capture>>,
    unix_ns: C,
}

impl<C: Fn() -> u64 + Send> Receiver for Tee<Box<dyn Receiver>, C> {
    fn receive(&mut self, batch: &mut Vec<PacketBuf>, max: usize) -> Result<usize, DeviceError> {
        let before = batch.len();
        let result = self.half.receive(batch, max);
        if batch.len() > before {
            let (now, packets) = ((self.unix_ns)(), &batch[before..]);
            self.capture.lock().record_all(now, self.interface, Direction::In, packets);
        }
        result
    }

    fn as_fd(&self) -> BorrowedFd<'_> {
        self.half.as_fd()
    }

    fn bad_offloads(&self) -> u64 {
        self.half.bad_offloads()
    }
}

impl<C: Fn() -> u64 + Send> Transmitter for Tee<Box<dyn Transmitter>, C> {
    fn transmit(&mut self, frames: &mut Vec<PacketBuf>) -> Result<TransmitReport, DeviceError> {
        if !frames.is_empty() {
            let now = (self.unix_ns)();
            self.capture.lock().record_all(now, self.interface, Direction::Out, frames);
        }
        self.half.transmit(frames)
    }
}

#[cfg(test)]
mod tests;
