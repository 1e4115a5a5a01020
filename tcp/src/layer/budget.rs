//! Each connection's share of the memory: told before a step, charged after it.

use layer::boundary::{CloseReason, SocketError};
use layer::{Instant, Out};

use super::Tcp;
use crate::conn::{Connection, Fate, Io, Phase};
use crate::table::Key;

/// Starved connections that one poll looks at again: bounds its work.
const RELIEVED: usize = 64;

impl Tcp {
    /// Memory that the buffers of all connections hold, bytes; see [`crate::MemoryLimits`].
    pub fn memory_held(&self) -> u64 {
        self.memory.held()
    }

    /// Before a step: what the connection may come to hold.
    pub(super) fn allow(&mut self, key: Key) {
        self.awake(key);
        let Self { table, memory, config, .. } = self;
        let Some(Connection { phase, .. }) = table.get_mut(key) else { return };
        if let Phase::Open(open) = phase {
            let received = u32::try_from(open.rcv.memory()).unwrap_or(u32::MAX);
            open.allow(memory.allowance(received, config.receive_buffer));
        }
    }

    /// After a step: what it holds now.
    pub(super) fn settle(&mut self, key: Key) {
        let Self { table, memory, stats, .. } = self;
        let Some(connection) = table.get_mut(key) else { return };
        let Connection { charged, starved, phase, .. } = connection;
        if let Phase::Open(open) = phase {
            let held = open.memory_held();
            memory.charge(core::mem::replace(charged, held), held);
            if open.rcv.window.is_shut() && !core::mem::replace(starved, true) {
                memory.starve(key);
            }
        }
        stats.memory_pressures = memory.pressures();
    }

    /// A connection is gone.
    pub(super) fn release(&mut self, connection: &Connection) {
        self.memory.charge(connection.charged, 0);
    }

    /// Memory is there again: closed windows open.
    pub(super) fn relieve(&mut self) {
        for _ in 0..RELIEVED {
            let Some(key) = self.memory.relieved() else { return };
            if let Some(connection) = self.table.get_mut(key) {
                connection.starved = false;
                self.mark_due(key);
            }
        }
    }

    /// Nothing is left, and nobody owns this connection: it gives way (Linux's
    /// `tcp_out_of_resources`). True if it is gone.
    pub(super) fn sacrifice(&mut self, key: Key, now: Instant, out: &mut Out<'_, Self>) -> bool {
        let Self { table, stats, config, memory, .. } = self;
        let Some(connection) = table.get_mut(key) else { return false };
        let Phase::Open(open) = &mut connection.phase else { return false };
        let exhausted = memory.allowance(0, config.receive_buffer).exhausted;
        if !(exhausted && open.orphan && connection.charged > 0) {
            return false;
        }
        stats.abort_on_memory += 1;
        let io = &mut Io { now, out, stats, config };
        let fate = open.abort(&connection.ends, io);
        assert_ne!(fate, Fate::Stay, "an abort ends a connection");
        self.end(key, now, CloseReason::Failed(SocketError::NoBuffers), out);
        true
    }
}
