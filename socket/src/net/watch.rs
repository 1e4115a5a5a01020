//! [`Watch`]: being told of a socket's changes without waiting for them: for drivers that wait in
//! a place of their own.

use core::fmt;
use std::sync::Arc;

use layer::boundary::SocketId;

use super::Stack;

/// Who is told that a socket may go on. Edges, as for [`super::Poller`]: who is told tries until
/// `EAGAIN`.
pub trait Watch: Send + Sync {
    /// `socket` changed. Called by the stack's threads: it must neither block nor call the stack.
    fn changed(&self, socket: SocketId);
}

/// A socket's watch.
pub(super) struct Watched {
    pub(super) socket: SocketId,
    pub(super) watch: Arc<dyn Watch>,
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("socket", &self.socket).finish_non_exhaustive()
    }
}

impl Stack {
    /// Tells `watch` of every change of `socket` from now on. The first watch of a socket is its
    /// only one.
    pub fn watch(&self, socket: SocketId, watch: Arc<dyn Watch>) {
        // It has one already: that one is told.
        let _ = self.wakers.register(socket).watched.set(Watched { socket, watch });
    }

    /// Ends watching: the socket is closed, or about to be.
    pub fn unwatch(&self, socket: SocketId) {
        self.wakers.forget(socket);
    }
}
