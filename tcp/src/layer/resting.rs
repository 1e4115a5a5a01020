//! When connections take their small form, and their full one again (`conn/idle.rs`).

use layer::Instant;

use super::Tcp;
use crate::conn::{Connection, Phase};
use crate::table::Key;

impl Tcp {
    /// Connections that have their small form: what tests look at.
    pub fn idle_connections(&self) -> usize {
        self.table.iter().filter(|connection| matches!(connection.phase, Phase::Idle(_))).count()
    }

    /// Something is about to happen to a connection.
    pub(super) fn awake(&mut self, key: Key) {
        if self.table.get_mut(key).is_some_and(Connection::wake) {
            // Whatever comes of it: served at the end of the batch, it may rest again.
            self.mark_due(key);
        }
    }

    /// A connection was served, and its timers are hinted: it may have been quiet for long enough,
    /// or is to be looked at again when it will have been.
    pub(super) fn doze(&mut self, key: Key, now: Instant) {
        let Self { table, deadlines, config, .. } = self;
        let Some(connection) = table.get_mut(key) else { return };
        let Phase::Open(open) = &connection.phase else { return };
        let earliest = open.keepalive.heard_at() + config.idle_after;
        let looked_at = connection.hinted.is_some_and(|at| at <= earliest);
        // The usual case, and all that a connection in use pays: somebody will look before that.
        if connection.due || (now < earliest && looked_at) {
            return;
        }
        match connection.rests_at(config) {
            Some(at) if at <= now => connection.rest(),
            at => deadlines.hint(at, key, &mut connection.hinted),
        }
    }
}
