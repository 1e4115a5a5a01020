//! For tests: frames built by hand, and a judge of checksums that shares no code with what it
//! judges.

use core::net::IpAddr;

use bytes::Bytes;
use layer::checksum::pseudo_header;
use layer::{ChecksumState, PacketBuf, Segmentation, SegmentationKind};

/// A TCP or UDP super-segment, as IP and Link would hand it to a device.
#[derive(Clone, Debug)]
pub(crate) struct Super {
    pub(crate) kind: SegmentationKind,
    pub(crate) v6: bool,
    pub(crate) ip_options: usize,
    pub(crate) tcp_options: usize,
    pub(crate) flags: u8,
    pub(crate) id: u16,
    pub(crate) seq: u32,
    pub(crate) size: u16,
    pub(crate) ecn: bool,
    pub(crate) payload: Vec<u8>,
}

impl Super {
    pub(crate) fn tcp_v4(size: u16, payload: &[u8]) -> Self {
        Self {
            kind: SegmentationKind::TcpV4,
            v6: false,
            ip_options: 0,
            tcp_options: 0,
            flags: 0x10,
            id: 7,
            seq: 1000,
            size,
            ecn: false,
            payload: payload.to_vec(),
        }
    }

    fn is_tcp(&self) -> bool {
        self.kind != SegmentationKind::Udp
    }

    pub(crate) fn transport_at(&self) -> usize {
        14 + if self.v6 { 40 } else { 20 + self.ip_options }
    }

    pub(crate) fn headers_len(&self) -> usize {
        self.transport_at() + if self.is_tcp() { 20 + self.tcp_options } else { 8 }
    }

    /// The frame with a partial checksum and the metadata to cut it; the payload in body slices
    /// of `slice` bytes.
    pub(crate) fn frame(&self, slice: usize) -> PacketBuf {
        let transport_len = self.headers_len() - self.transport_at() + self.payload.len();
        let mut packet = PacketBuf::copy_from(&self.headers(transport_len));
        for part in self.payload.chunks(slice.max(1)) {
            packet.append(Bytes::copy_from_slice(part));
        }
        let start = u16::try_from(self.transport_at()).unwrap();
        let field = if self.is_tcp() { 16 } else { 6 };
        let (source, destination) = self.addresses();
        let protocol = if self.is_tcp() { 6 } else { 17 };
        let sum = pseudo_header(source, destination, protocol, transport_len).value();
        let at = usize::from(start + field);
        packet.head_mut()[at..at + 2].copy_from_slice(&sum.to_be_bytes());
        packet.offload_mut().checksum = ChecksumState::Partial { start, field };
        packet.offload_mut().segmentation =
            Some(Segmentation { kind: self.kind, size: self.size, ecn: self.ecn });
        packet
    }

    fn addresses(&self) -> (IpAddr, IpAddr) {
        if self.v6 {
            ("fd00::1".parse().unwrap(), "fd00::2".parse().unwrap())
        } else {
            ("10.9.0.2".parse().unwrap(), "10.9.0.1".parse().unwrap())
        }
    }

    fn headers(&self, transport_len: usize) -> Vec<u8> {
        let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
        let (source, destination) = self.addresses();
        let protocol = if self.is_tcp() { 6 } else { 17 };
        let len = |n: usize| (u16::try_from(n & 0xffff).unwrap()).to_be_bytes();
        if self.v6 {
            bytes.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
            bytes.extend(len(transport_len));
            bytes.extend([protocol, 64]);
        } else {
            let ip_len = 20 + self.ip_options;
            bytes.extend([0x08, 0x00, 0x40 | u8::try_from(ip_len / 4).unwrap(), 0]);
            bytes.extend(len(ip_len + transport_len));
            bytes.extend(self.id.to_be_bytes());
            bytes.extend([0x40, 0, 64, protocol, 0, 0]);
        }
        for address in [source, destination] {
            match address {
                IpAddr::V4(v4) => bytes.extend(v4.octets()),
                IpAddr::V6(v6) => bytes.extend(v6.octets()),
            }
        }
        if !self.v6 {
            bytes.extend(vec![1; self.ip_options]);
            let sum = !naive_sum(&bytes[14..]);
            bytes[24..26].copy_from_slice(&sum.to_be_bytes());
        }
        bytes.extend([0x10, 0x00, 0x20, 0x00]);
        if self.is_tcp() {
            bytes.extend(self.seq.to_be_bytes());
            bytes.extend([0, 0, 0, 5]);
            let offset = u8::try_from((20 + self.tcp_options) / 4).unwrap() << 4;
            bytes.extend([offset, self.flags, 0xff, 0xff, 0, 0, 0, 0]);
            bytes.extend(vec![1; self.tcp_options]);
        } else {
            bytes.extend(len(transport_len));
            bytes.extend([0, 0]);
        }
        bytes
    }
}

/// RFC 1071 word by word.
pub(crate) fn naive_sum(bytes: &[u8]) -> u16 {
    let mut sum = 0_u32;
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).unwrap()
}

/// Lengths and all checksums of an Ethernet frame of IPv4 or IPv6 with TCP or UDP are right.
pub(crate) fn judge(frame: &[u8]) -> Result<(), String> {
    let ip = &frame[14..];
    let (addresses, protocol, transport) = if frame[12..14] == [0x08, 0x00] {
        let header = usize::from(ip[0] & 15) * 4;
        if naive_sum(&ip[..header]) != 0xffff {
            return Err("IPv4 header checksum".to_owned());
        }
        if usize::from(u16::from_be_bytes([ip[2], ip[3]])) != ip.len() {
            return Err("IPv4 total length".to_owned());
        }
        (&ip[12..20], ip[9], &ip[header..])
    } else {
        if usize::from(u16::from_be_bytes([ip[4], ip[5]])) + 40 != ip.len() {
            return Err("IPv6 payload length".to_owned());
        }
        (&ip[8..40], ip[6], &ip[40..])
    };
    let len = u16::try_from(transport.len()).unwrap();
    if protocol == 17 && transport[4..6] != len.to_be_bytes() {
        return Err("UDP length".to_owned());
    }
    let mut covered = addresses.to_vec();
    covered.extend([0, protocol]);
    covered.extend(len.to_be_bytes());
    covered.extend(transport);
    match naive_sum(&covered) {
        0xffff => Ok(()),
        sum => Err(format!("transport checksum, sum {sum:#x}")),
    }
}
