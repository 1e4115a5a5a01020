//! Frames of the ceiling: Ethernet, ARP, IPv4 without options, TCP, and the header that a TAP puts
//! before each frame when it leaves checksums and cutting to the other side.

use std::net::Ipv4Addr;

/// Length of that header (struct virtio_net_hdr_mrg_rxbuf).
pub(super) const VNET: usize = 12;

const ETHERNET: usize = 14;
const IP: usize = 20;
const TCP: usize = 20;
/// Offset of the checksum in a TCP header.
const CHECKSUM: usize = 16;
/// Options of a SYN: maximum segment size and window scale, padded.
const OPTIONS: usize = 8;
/// An ARP packet for IPv4 on Ethernet.
const ARP: usize = 28;

pub(super) const FIN: u8 = 0x01;
pub(super) const SYN: u8 = 0x02;
pub(super) const RST: u8 = 0x04;
pub(super) const PUSH: u8 = 0x08;
pub(super) const ACK: u8 = 0x10;

const MAC: [u8; 6] = [2, 0, 10, 9, 0, 2];

/// A TCP segment, of a frame in or for a frame out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Segment<'a> {
    /// The peer's address.
    pub(super) address: [u8; 4],
    pub(super) from: u16,
    pub(super) to: u16,
    pub(super) sequence: u32,
    pub(super) acknowledgment: u32,
    pub(super) flags: u8,
    pub(super) window: u16,
    /// Window scale of a SYN.
    pub(super) shift: u8,
    pub(super) payload: &'a [u8],
}

/// All that stands before the payload.
pub(super) struct Header {
    bytes: [u8; VNET + ETHERNET + IP + TCP + OPTIONS],
    begin: usize,
    end: usize,
}

impl Header {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[self.begin..self.end]
    }
}

/// What frames have in common.
pub(super) struct Wire {
    address: [u8; 4],
    peer: [u8; 6],
    mtu: u16,
    offload: bool,
}

impl Wire {
    pub(super) fn new(address: Ipv4Addr, mtu: u16, offload: bool) -> Wire {
        Wire { address: address.octets(), peer: [0xff; 6], mtu, offload }
    }

    pub(super) fn offload(&self) -> bool {
        self.offload
    }

    /// Payload of a segment.
    pub(super) fn mss(&self) -> usize {
        usize::from(self.mtu) - IP - TCP
    }

    fn skip(&self) -> usize {
        if self.offload { VNET } else { 0 }
    }

    /// Takes the sender of a frame as the one to send to.
    pub(super) fn learn(&mut self, frame: &[u8]) {
        if let Some(source) = frame.get(self.skip() + 6..self.skip() + 12) {
            self.peer.copy_from_slice(source);
        }
    }

    /// The answer to a question for our address.
    pub(super) fn arp_reply(&self, frame: &[u8]) -> Option<Vec<u8>> {
        let frame = frame.get(self.skip()..)?;
        let asked = frame.get(12..14)? == [8, 6] && frame.get(20..22)? == [0, 1];
        if !asked || *frame.get(38..42)? != self.address {
            return None;
        }
        let mut reply = vec![0; self.skip()];
        reply.extend(&frame[6..12]);
        reply.extend(MAC);
        reply.extend(&frame[12..20]);
        reply.extend([0, 2]);
        reply.extend(MAC);
        reply.extend(self.address);
        reply.extend(&frame[22..32]);
        debug_assert_eq!(reply.len(), self.skip() + ETHERNET + ARP);
        Some(reply)
    }

    /// The segment in a frame, if there is one for us with a good checksum; the device vouches for
    /// it when offload is on.
    pub(super) fn parse<'a>(&self, frame: &'a [u8]) -> Option<Segment<'a>> {
        let frame = frame.get(self.skip()..)?;
        let ip = frame.get(ETHERNET..)?;
        let for_us = frame.get(12..14)? == [8, 0]
            && *ip.first()? == 0x45
            && *ip.get(9)? == 6
            && *ip.get(16..20)? == self.address;
        if !for_us {
            return None;
        }
        let total = usize::from(two(ip, 2)?);
        let tcp = ip.get(IP..total)?;
        let header = usize::from(*tcp.get(12)? >> 4) * 4;
        let payload = tcp.get(header..)?;
        if !self.offload && fold(sum(tcp) + pseudo(&ip[12..20], tcp.len())) != 0xffff {
            return None;
        }
        let flags = tcp[13];
        let shift = if flags & SYN == 0 { 0 } else { shift_in(tcp.get(TCP..header)?) };
        Some(Segment {
            address: ip[12..16].try_into().ok()?,
            from: two(tcp, 0)?,
            to: two(tcp, 2)?,
            sequence: four(tcp, 4)?,
            acknowledgment: four(tcp, 8)?,
            flags,
            window: two(tcp, 14)?,
            shift,
            payload,
        })
    }

    /// What to put before the payload of a segment.
    pub(super) fn header(&self, segment: &Segment<'_>) -> Header {
        let options = if segment.flags & SYN == 0 { 0 } else { OPTIONS };
        let end = VNET + ETHERNET + IP + TCP + options;
        let mut bytes = [0; VNET + ETHERNET + IP + TCP + OPTIONS];
        let length = TCP + options + segment.payload.len();
        let ethernet = &mut bytes[VNET..VNET + ETHERNET];
        ethernet[..6].copy_from_slice(&self.peer);
        ethernet[6..12].copy_from_slice(&MAC);
        ethernet[12] = 8;
        let ip = &mut bytes[VNET + ETHERNET..][..IP];
        ip[0] = 0x45;
        put(ip, 2, (IP + length) as u16);
        // Don't fragment.
        ip[6] = 0x40;
        ip[8] = 64;
        ip[9] = 6;
        ip[12..16].copy_from_slice(&self.address);
        ip[16..20].copy_from_slice(&segment.address);
        let pseudo = pseudo(&ip[12..20], length);
        let checksum = !fold(sum(ip));
        ip[10..12].copy_from_slice(&checksum.to_ne_bytes());
        let tcp = &mut bytes[VNET + ETHERNET + IP..end];
        put(tcp, 0, segment.from);
        put(tcp, 2, segment.to);
        tcp[4..8].copy_from_slice(&segment.sequence.to_be_bytes());
        tcp[8..12].copy_from_slice(&segment.acknowledgment.to_be_bytes());
        tcp[12] = ((TCP + options) as u8) << 2;
        tcp[13] = segment.flags;
        put(tcp, 14, segment.window);
        if options > 0 {
            tcp[20..22].copy_from_slice(&[2, 4]);
            put(tcp, 22, self.mss() as u16);
            // 512 KiB, what a TAP's queue of 1000 packets holds, or where packets are large 8 MiB.
            let shift = if self.offload || self.mtu > 9000 { 7 } else { 3 };
            tcp[24..28].copy_from_slice(&[3, 3, shift, 1]);
        }
        let checksum = match self.offload {
            true => fold(pseudo),
            false => !fold(pseudo + sum(tcp) + sum(segment.payload)),
        };
        tcp[CHECKSUM..CHECKSUM + 2].copy_from_slice(&checksum.to_ne_bytes());
        if self.offload {
            self.offload_header(&mut bytes[..VNET], options, segment.payload.len());
        }
        Header { bytes, begin: VNET - self.skip(), end }
    }

    /// struct virtio_net_hdr: the checksum is unfinished, and what is long is to be cut. Its
    /// numbers are in the machine's byte order.
    fn offload_header(&self, header: &mut [u8], options: usize, payload: usize) {
        // VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_TCPV4.
        header[0] = 1;
        let all = ETHERNET + IP + TCP + options;
        header[2..4].copy_from_slice(&(all as u16).to_ne_bytes());
        if payload > self.mss() {
            header[1] = 1;
            header[4..6].copy_from_slice(&(self.mss() as u16).to_ne_bytes());
        }
        header[6..8].copy_from_slice(&((ETHERNET + IP) as u16).to_ne_bytes());
        header[8..10].copy_from_slice(&(CHECKSUM as u16).to_ne_bytes());
    }
}

/// The window scale among TCP options; 0 if there is none.
fn shift_in(mut options: &[u8]) -> u8 {
    loop {
        options = match options {
            [1, rest @ ..] => rest,
            [3, 3, shift, ..] => return (*shift).min(14),
            [kind, length, ..] if *kind != 0 && *length >= 2 => {
                options.get(usize::from(*length)..).unwrap_or_default()
            }
            _ => return 0,
        };
    }
}

fn two(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn four(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn put(bytes: &mut [u8], at: usize, value: u16) {
    bytes[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

/// Sum for the Internet checksum, in the machine's byte order (RFC 1071 2 (B)), not folded.
pub(super) fn sum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<4>();
    let whole: u64 = words.iter().map(|word| u64::from(u32::from_ne_bytes(*word))).sum();
    let mut last = [0; 4];
    last[..rest.len()].copy_from_slice(rest);
    whole + u64::from(u32::from_ne_bytes(last))
}

/// Sum of the pseudo header of TCP; `addresses` are both, one after the other.
fn pseudo(addresses: &[u8], length: usize) -> u64 {
    let length = (length as u16).to_be();
    sum(addresses) + u64::from(6u16.to_be()) + u64::from(length)
}

/// Folds a sum into 16 bits.
pub(super) fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}
