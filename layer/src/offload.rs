//! What a device has done to a packet already, or is asked to do: metadata, not a second path.
//!
//! Only `link/src/vnet.rs` knows how a virtio-net header spells this.

/// The state of the transport checksum of a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChecksumState {
    /// In the packet as on the wire: a receiver checks it, a sender has completed it.
    #[default]
    Complete,
    /// Somebody trustworthy has checked it already (received packets only).
    Verified,
    /// The field holds only the folded sum of the pseudo-header; whoever puts the packet on a wire
    /// sums from `start` to the end and stores the complement at `start + field`.
    ///
    /// A transport that wants this leaves the field 0; IP adds the pseudo-header, because only IP
    /// knows the final addresses. Received so (from a local kernel that left the work to a device),
    /// it counts as verified unless the packet is forwarded.
    Partial {
        /// Where summing starts: bytes from the packet's current first byte.
        start: u16,
        /// Where the checksum field is: bytes from `start` (16 in TCP, 6 in UDP).
        field: u16,
    },
}

/// Which kind of super-segment a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentationKind {
    /// TCP over IPv4.
    TcpV4,
    /// TCP over IPv6.
    TcpV6,
    /// UDP datagrams of equal size, either family (`UDP_L4`).
    Udp,
}

/// A packet that stands for several: it is cut, or was merged, at `size` payload bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segmentation {
    /// What is cut.
    pub kind: SegmentationKind,
    /// Payload bytes per segment (`gso_size`), never 0.
    pub size: u16,
    /// TCP with CWR on the first segment only (RFC 3168).
    pub ecn: bool,
}

/// Offload metadata that rides on a [`crate::PacketBuf`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offload {
    /// The transport checksum.
    pub checksum: ChecksumState,
    /// Set on a super-segment.
    pub segmentation: Option<Segmentation>,
}

impl Offload {
    /// The receiver need not check the transport checksum.
    pub fn vouched(&self) -> bool {
        match self.checksum {
            ChecksumState::Complete => false,
            ChecksumState::Verified | ChecksumState::Partial { .. } => true,
        }
    }

    /// The packet grew by `n` bytes in front.
    pub(crate) fn prepended(&mut self, n: usize) {
        if let ChecksumState::Partial { start, .. } = &mut self.checksum {
            *start = start.saturating_add(u16::try_from(n).unwrap_or(u16::MAX));
        }
    }

    /// The packet lost `n` bytes in front.
    pub(crate) fn advanced(&mut self, n: usize) {
        if let ChecksumState::Partial { start, .. } = &mut self.checksum {
            match usize::from(*start).checked_sub(n).and_then(|s| u16::try_from(s).ok()) {
                Some(left) => *start = left,
                // The header is gone, and with it the field: only the verdict remains.
                None => self.checksum = ChecksumState::Verified,
            }
        }
    }
}
