//! SO_LINGER with a time: the hub waits to hear that a closed connection has sent everything.
//!
//! ```text
//!   Close with linger n:   FIN ... acknowledged       Closed (Finished); what is left is nobody's
//!                          FIN ... n seconds  -> RST  Closed (Failed)
//! ```
//!
//! The application is gone already, so the connection itself is an orphan ([`Open::orphan`]); only
//! its entry in the table still has somebody to tell ([`Connection::orphan`] is false).
//!
//! [`Open::orphan`]: crate::conn::Open::orphan
//! [`Connection::orphan`]: crate::conn::Connection::orphan

use layer::Out;
use layer::boundary::{CloseReason, TcpEvent, TcpOptions};

use super::Tcp;
use crate::conn::{Io, Open, Phase};
use crate::table::Key;

impl Phase {
    /// Closing it makes the hub wait.
    pub(super) fn lingers(&self) -> bool {
        match self {
            Self::Open(open) => open.lingers(),
            Self::Idle(idle) => lingers(idle.options()),
            Self::Over(over) => over.lingers,
            Self::Opening(_) => false,
        }
    }
}

fn lingers(options: &TcpOptions) -> bool {
    options.linger.is_some_and(|limit| !limit.is_zero())
}

impl Open {
    /// SO_LINGER is set to a time.
    pub fn lingers(&self) -> bool {
        lingers(&self.options)
    }

    /// The application closed the socket: starts the time, if there is one.
    pub fn arm_linger(&mut self, io: &Io<'_, '_>) {
        let limit = self.options.linger.filter(|_| !self.snd.fin_acknowledged());
        self.timers.linger = limit.map(|limit| io.now + limit);
    }
}

impl Tcp {
    /// Tells the hub that a connection it waits for has sent everything, once.
    pub(super) fn linger(&mut self, key: Key, out: &mut Out<'_, Self>) {
        let Some(connection) = self.table.get_mut(key) else { return };
        let Phase::Open(open) = &mut connection.phase else { return };
        if connection.orphan || !open.orphan || !open.snd.fin_acknowledged() {
            return;
        }
        if out.up.room() == 0 {
            self.mark_due(key);
            return;
        }
        let (socket, reason) = (connection.ends.id, CloseReason::Finished);
        out.up.push(TcpEvent::Closed { socket, reason });
        open.timers.linger = None;
        connection.orphan = true;
        self.table.forget_id(socket);
    }
}
