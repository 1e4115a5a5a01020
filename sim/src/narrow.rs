//! [`Narrow`]: a place on the way that passes only packets of a size, between two links.
//!
//! To the hosts it is a cable (it copies Ethernet frames, so both are on one subnet); to packets
//! that are too large it is a router: it drops them and says so by ICMP (RFC 1191 4), or, if it is
//! mute, drops them without a word (a black hole, RFC 2923 2.1).

use std::collections::VecDeque;

use layer::boundary::{Frame, ethertype, protocol};
use layer::{Instant, InterfaceId, MacAddr, PacketBuf};

use crate::frame::{self, Address, ETHERNET};
use crate::station::Station;

/// What the narrow place does with packets that are too large for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Says how much it takes.
    Says,
    /// Says that it was too much, but not how much it takes (routers before RFC 1191).
    Grumbles,
    /// Says nothing.
    Mute,
}

/// A station with two interfaces, 0 and 1.
#[derive(Debug)]
pub struct Narrow {
    address: Address,
    mtu: usize,
    manner: Manner,
    queue: VecDeque<Frame>,
    received: u64,
    sent: u64,
    refused: u64,
}

impl Narrow {
    /// A place that takes IP packets of `mtu` bytes, and speaks with `address` if at all.
    pub fn new(address: Address, mtu: u16, manner: Manner) -> Self {
        let queue = VecDeque::new();
        Self { address, mtu: mtu.into(), manner, queue, received: 0, sent: 0, refused: 0 }
    }

    /// The answer to a frame that is too large for the place.
    fn complaint(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mtu = match self.manner {
            Manner::Says => self.mtu as u32,
            Manner::Grumbles => 0,
            Manner::Mute => return None,
        };
        let packet = bytes.get(ETHERNET..)?;
        let source = packet.get(12..16)?;
        let to = Address {
            mac: MacAddr(core::array::from_fn(|at| bytes[6 + at])),
            ip: [source[0], source[1], source[2], source[3]].into(),
        };
        let message = frame::icmp_error(3, 4, mtu, packet);
        Some(self.address.packet(&to, protocol::ICMP, 0, &message))
    }
}

impl Station for Narrow {
    fn receive(&mut self, _now: Instant, interface: InterfaceId, packet: PacketBuf) {
        self.received += 1;
        let bytes = packet.to_vec();
        let is_ip = bytes.get(12..14) == Some(&ethertype::IPV4.to_be_bytes());
        let through = InterfaceId(1 - interface.0.min(1));
        if !is_ip || bytes.len() <= ETHERNET + self.mtu {
            self.queue.push_back(Frame { interface: through, packet });
            return;
        }
        self.refused += 1;
        if let Some(answer) = self.complaint(&bytes) {
            let packet = PacketBuf::copy_from(&answer);
            self.queue.push_back(Frame { interface, packet });
        }
    }

    fn settle(&mut self, _now: Instant, out: &mut Vec<Frame>) -> Result<(), String> {
        self.sent += self.queue.len() as u64;
        out.extend(self.queue.drain(..));
        Ok(())
    }

    fn next_at(&self) -> Option<Instant> {
        (!self.queue.is_empty()).then_some(Instant::ZERO)
    }

    fn is_done(&self) -> bool {
        true
    }

    fn is_at_rest(&self) -> bool {
        self.queue.is_empty()
    }

    fn progress(&self) -> u64 {
        self.sent
    }

    fn audit(&self, received: u64, sent: u64) -> Result<(), String> {
        if (self.received, self.sent) == (received, sent) {
            Ok(())
        } else {
            Err("the narrow place and the world disagree".to_owned())
        }
    }

    fn describe(&self) -> String {
        let Self { mtu, manner, refused, .. } = self;
        format!("    narrow: {mtu} bytes, {manner:?}, {refused} refused")
    }
}
