//! ARP messages for IPv4 over Ethernet: the 28 bytes, and a struct that cannot be malformed.
//!
//! ```text
//!  0      2      4    5    6      8            14          18           24          28
//!  +------+------+----+----+------+------------+-----------+------------+-----------+
//!  |ar$hrd|ar$pro|$hln|$pln|ar$op |   ar$sha   |  ar$spa   |   ar$tha   |  ar$tpa   |
//!  |  1   | 0800 | 6  | 4  | 1, 2 | sender MAC | sender IP | target MAC | target IP |
//!  +------+------+----+----+------+------------+-----------+------------+-----------+
//! ```
//!
//! Home of the packet format of RFC 826 and of the probe and announcement of RFC 5227 1.1. Left
//! out: other hardware and protocol types and reverse ARP's operations; nobody here speaks them.

use core::fmt;
use core::net::Ipv4Addr;

use layer::boundary::ethertype;
use layer::{MacAddr, PacketBuf};

/// Bytes of a message; Ethernet's padding may follow.
const LEN: usize = 28;

/// The fixed front: Ethernet, IPv4, 6-byte and 4-byte addresses.
const FRONT: [u8; 6] = {
    let [high, low] = ethertype::IPV4.to_be_bytes();
    [0, 1, high, low, 6, 4]
};

/// What a message does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `ares_op$REQUEST`.
    Request,
    /// `ares_op$REPLY`.
    Reply,
}

/// An ARP message for IPv4 over Ethernet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// Request or reply.
    pub operation: Operation,
    /// `ar$sha`: the sender's Ethernet address.
    pub sender_mac: MacAddr,
    /// `ar$spa`: the sender's IP address; 0.0.0.0 in a probe.
    pub sender_ip: Ipv4Addr,
    /// `ar$tha`: the target's Ethernet address; zero where it is asked for.
    pub target_mac: MacAddr,
    /// `ar$tpa`: the target's IP address.
    pub target_ip: Ipv4Addr,
}

impl Message {
    /// Who has `target_ip`? Tell `sender`.
    pub fn request(sender_mac: MacAddr, sender_ip: Ipv4Addr, target_ip: Ipv4Addr) -> Self {
        let (operation, target_mac) = (Operation::Request, MacAddr::ZERO);
        Self { operation, sender_mac, sender_ip, target_mac, target_ip }
    }

    /// Does anybody use `address`? The sender address is zero, so nobody learns from it
    /// (RFC 5227 1.1, 2.1.1).
    pub fn probe(sender_mac: MacAddr, address: Ipv4Addr) -> Self {
        Self::request(sender_mac, Ipv4Addr::UNSPECIFIED, address)
    }

    /// I use `address` (RFC 5227 1.1, 2.3).
    pub fn announcement(sender_mac: MacAddr, address: Ipv4Addr) -> Self {
        Self::request(sender_mac, address, address)
    }

    /// The answer of the station `mac`, which has the target address.
    #[must_use]
    pub fn reply(&self, mac: MacAddr) -> Self {
        Self {
            operation: Operation::Reply,
            sender_mac: mac,
            sender_ip: self.target_ip,
            target_mac: self.sender_mac,
            target_ip: self.sender_ip,
        }
    }

    /// A request with sender address zero (RFC 5227 1.1).
    pub fn is_probe(&self) -> bool {
        self.operation == Operation::Request && self.sender_ip.is_unspecified()
    }

    /// Reads a message; `None` if it is short, or of another hardware type, protocol type, address
    /// length or operation. Bytes behind it are padding.
    pub fn parse(packet: &PacketBuf) -> Option<Self> {
        let mut bytes = [0; LEN];
        // RFC 826 format: "Do I have the hardware type? Do I speak the protocol?"
        // RFC 1122 2.3.1: an offer of trailers is a protocol type like any other we do not speak.
        if packet.copy_to(&mut bytes) < LEN || bytes[..6] != FRONT {
            return None;
        }
        let operation = match u16::from_be_bytes([bytes[6], bytes[7]]) {
            1 => Operation::Request,
            2 => Operation::Reply,
            _ => return None,
        };
        let mac = |at: usize| MacAddr(core::array::from_fn(|i| bytes[at + i]));
        let ip = |at: usize| Ipv4Addr::from_octets(core::array::from_fn(|i| bytes[at + i]));
        let (sender_mac, sender_ip, target_mac, target_ip) = (mac(8), ip(14), mac(18), ip(24));
        Some(Self { operation, sender_mac, sender_ip, target_mac, target_ip })
    }

    /// The message as a packet for Ethernet, without padding.
    pub fn to_packet(&self) -> PacketBuf {
        let Self { operation, sender_mac, sender_ip, target_mac, target_ip } = self;
        let operation: u16 = match operation {
            Operation::Request => 1,
            Operation::Reply => 2,
        };
        let mut packet = PacketBuf::new();
        let bytes = packet.prepend(LEN);
        bytes[..6].copy_from_slice(&FRONT);
        bytes[6..8].copy_from_slice(&operation.to_be_bytes());
        bytes[8..14].copy_from_slice(&sender_mac.0);
        bytes[14..18].copy_from_slice(&sender_ip.octets());
        bytes[18..24].copy_from_slice(&target_mac.0);
        bytes[24..28].copy_from_slice(&target_ip.octets());
        packet
    }
}

/// As packet tools print it.
impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, sender_mac, sender_ip, target_ip, .. } = self;
        match operation {
            Operation::Request if self.is_probe() => write!(f, "does anybody use {target_ip}?"),
            Operation::Request if sender_ip == target_ip => {
                write!(f, "{sender_ip} is at {sender_mac}, mind")
            }
            Operation::Request => write!(f, "who has {target_ip}? tell {sender_ip}"),
            Operation::Reply => write!(f, "{sender_ip} is at {sender_mac}"),
        }
    }
}

#[cfg(test)]
mod tests;
