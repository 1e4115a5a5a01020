//! Packets to ourselves (RFC 1122 3.2.1.3(g)): a bounded queue back to `receive`, no wire between.

use std::collections::VecDeque;

use layer::{ChecksumState, InterfaceId, PacketBuf};

/// The MTU of the way to ourselves: what the length field can say.
pub(crate) const LOOPBACK_MTU: u32 = 65_535;

/// Packets on their way from us to us, complete with IP header, oldest first.
#[derive(Debug)]
pub(crate) struct Loopback {
    queue: VecDeque<(InterfaceId, PacketBuf)>,
    capacity: usize,
}

impl Loopback {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { queue: VecDeque::new(), capacity }
    }

    /// Queues a packet; gives it back if the queue is full.
    pub(crate) fn push(
        &mut self,
        interface: InterfaceId,
        mut packet: PacketBuf,
    ) -> Result<(), PacketBuf> {
        if self.queue.len() >= self.capacity {
            return Err(packet);
        }
        // It never leaves our memory, so nobody needs to sum it. A super-segment stays whole.
        let checksum = &mut packet.offload_mut().checksum;
        match checksum {
            ChecksumState::Partial { .. } => *checksum = ChecksumState::Verified,
            ChecksumState::Complete | ChecksumState::Verified => {}
        }
        self.queue.push_back((interface, packet));
        Ok(())
    }

    pub(crate) fn pop(&mut self) -> Option<(InterfaceId, PacketBuf)> {
        self.queue.pop_front()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn held_bytes(&self) -> usize {
        self.queue.iter().map(|(_, packet)| packet.held_bytes()).sum()
    }
}
