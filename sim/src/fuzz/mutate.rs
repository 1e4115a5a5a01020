//! Damage to frames, and checksums put right again so that the damage gets further in.

use layer::boundary::{ethertype, protocol};
use layer::checksum::{Sum, pseudo_header};

use crate::rng::Rng;

/// Values that lengths and counts are often not ready for.
const EDGES: [u16; 10] = [0, 1, 2, 7, 8, 0x7fff, 0x8000, 0xfffe, 0xffff, 20];

/// Changes one to four things in a frame.
pub(super) fn mutate(rng: &mut Rng, frame: &mut Vec<u8>) {
    for _ in 0..=rng.index(4) {
        let len = frame.len();
        let at = rng.index(len);
        match rng.index(8) {
            0 | 1 if len > 0 => frame[at] ^= 1 << rng.index(8),
            2 if len > 0 => frame[at] = rng.draw() as u8,
            3 if len > 1 => {
                let at = at.min(len - 2) & !1;
                frame[at..at + 2].copy_from_slice(&rng.pick(&EDGES).to_be_bytes());
            }
            // The headers are where the meaning is.
            4 if len > 54 => frame[14 + rng.index(40)] = rng.draw() as u8,
            5 => frame.truncate(at),
            6 => frame.extend(core::iter::repeat_n(0xee, rng.index(64))),
            _ => {
                let from = rng.index(len);
                let part = frame[from..len.min(from + rng.index(32))].to_vec();
                frame.splice(at..at, part);
            }
        }
    }
}

/// Makes the checksums of an IPv4 packet right, as far as it is one.
pub(super) fn fix_checksums(frame: &mut [u8]) {
    if frame.get(12..14) != Some(&ethertype::IPV4.to_be_bytes()) {
        return;
    }
    let Some(ip) = frame.get_mut(14..) else { return };
    let header = usize::from(ip.first().copied().unwrap_or(0) & 0xf) * 4;
    if header < 20 || ip.len() < header {
        return;
    }
    put(&mut ip[..header], 10, Sum::new());
    let total = usize::from(u16::from_be_bytes([ip[2], ip[3]])).clamp(header, ip.len());
    let is_fragment = u16::from_be_bytes([ip[6], ip[7]]) & 0x3fff != 0;
    let address = |at: usize| core::net::IpAddr::from([ip[at], ip[at + 1], ip[at + 2], ip[at + 3]]);
    let (number, source, destination) = (ip[9], address(12), address(16));
    let payload = &mut ip[header..total];
    let (field, sum) = match number {
        protocol::ICMP => (2, Sum::new()),
        protocol::TCP => (16, pseudo_header(source, destination, number, payload.len())),
        protocol::UDP => (6, pseudo_header(source, destination, number, payload.len())),
        _ => return,
    };
    if !is_fragment && payload.len() >= field + 2 {
        put(payload, field, sum);
    }
}

fn put(bytes: &mut [u8], at: usize, mut sum: Sum) {
    bytes[at..at + 2].fill(0);
    sum.add(bytes);
    bytes[at..at + 2].copy_from_slice(&sum.checksum().to_be_bytes());
}
