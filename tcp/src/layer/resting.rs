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
        let soon = now + config.idle_after;
        // The usual case, and all that a connection in use pays: somebody will look anyway.
        if connection.due || connection.hinted.is_some_and(|at| now < at && at <= soon) {
            return;
        }
        let Some(silent) = connection.rests_at(config) else { return };
        // Whoever was woken may be woken again: strays come in swarms.
        let stirred = core::mem::take(&mut connection.stirred);
        let at = if stirred { soon } else { silent };
        if at <= now {
            connection.rest();
        } else {
            deadlines.hint(Some(at), key, &mut connection.hinted);
        }
    }
}
