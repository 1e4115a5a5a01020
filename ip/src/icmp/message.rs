//! The first eight bytes of an ICMP message (RFC 792).

use layer::PacketBuf;
use layer::checksum::{Sum, add_packet};

/// Bytes before what a message carries.
pub(super) const HEADER: usize = 8;

/// Message types.
pub(crate) mod kind {
    pub(crate) const ECHO_REPLY: u8 = 0;
    pub(crate) const UNREACHABLE: u8 = 3;
    pub(crate) const SOURCE_QUENCH: u8 = 4;
    pub(crate) const REDIRECT: u8 = 5;
    pub(crate) const ECHO: u8 = 8;
    pub(crate) const TIME_EXCEEDED: u8 = 11;
    pub(crate) const PARAMETER_PROBLEM: u8 = 12;
    pub(crate) const TIMESTAMP: u8 = 13;
    pub(crate) const ADDRESS_MASK_REPLY: u8 = 18;

    /// A question or an answer, not the report of an error. Types we do not know might be reports
    /// (RFC 1122 3.2.2), so they are not in here.
    pub(crate) fn is_query(kind: u8) -> bool {
        matches!(kind, ECHO_REPLY | ECHO | TIMESTAMP..=ADDRESS_MASK_REPLY)
    }
}

/// Type, code, and the four bytes whose meaning depends on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) kind: u8,
    pub(super) code: u8,
    /// Identifier and sequence number, pointer, or next-hop MTU.
    pub(super) rest: [u8; 4],
}

impl Message {
    /// Reads a message's header; `None` if it is cut short.
    pub(super) fn read(packet: &mut PacketBuf) -> Option<Self> {
        if !packet.pull(HEADER) {
            return None;
        }
        let &[kind, code, _, _, a, b, c, d] = packet.header(HEADER)?.first_chunk()?;
        Some(Self { kind, code, rest: [a, b, c, d] })
    }

    /// Prepends this header to what the message carries, checksum included.
    pub(super) fn prepend_to(self, packet: &mut PacketBuf) {
        let [a, b, c, d] = self.rest;
        let header = [self.kind, self.code, 0, 0, a, b, c, d];
        let mut sum = Sum::new();
        sum.add(&header);
        add_packet(&mut sum, packet, 0);
        let bytes = packet.prepend(HEADER);
        bytes.copy_from_slice(&header);
        bytes[2..4].copy_from_slice(&sum.checksum().to_be_bytes());
    }
}
