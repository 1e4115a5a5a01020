//! `listen` and `accept`: the program's end of a listener is readable while connections wait.
//!
//! One byte in the pair says so. The supervisor takes it out when a connection is taken, or when
//! there was none; that is seen here, and where more wait, it is put in again. So `poll` and
//! `epoll` see what they would see on a listener of the kernel, in every process that shares it.

use socket::{Errno, Kind};

use super::stream::Stream;
use super::{Exchange, Role, Waiting, hub};
use crate::request::{Answer, End};
use crate::sys;

impl Exchange {
    /// `listen`.
    pub(super) fn listen(
        &mut self,
        ticket: u64,
        end: End,
        backlog: u32,
    ) -> Option<Result<Answer, Errno>> {
        match self.ends.get_mut(&end).map(|entry| &mut entry.role) {
            Some(role @ (Role::Idle | Role::Listener)) => *role = Role::Listener,
            Some(Role::Datagrams(_)) => return Some(Err(Errno::OPNOTSUPP)),
            Some(Role::Connecting(_) | Role::Stream(_) | Role::Dead) => {
                return Some(Err(Errno::INVAL));
            }
            None => return Some(Err(Errno::BADF)),
        }
        self.begin(ticket, end, |id, hub, out| hub.listen(id, backlog, out))
    }

    /// `accept`.
    pub(super) fn accept(
        &mut self,
        ticket: u64,
        end: End,
        wait: bool,
    ) -> Option<Result<Answer, Errno>> {
        let Some(entry) = self.ends.get_mut(&end) else { return Some(Err(Errno::BADF)) };
        let id = entry.socket;
        let accepted = match hub(&self.stack, |hub, out| hub.accept(id, out)) {
            Ok(accepted) => accepted,
            Err(Errno::AGAIN) if wait => {
                entry.waiting.push((ticket, Waiting::Accept));
                return None;
            }
            Err(error) => return Some(Err(error)),
        };
        let stream = Stream::accepted();
        let adopted = self.adopt(accepted.socket, Kind::Tcp, Role::Stream(stream));
        self.ring(end, false);
        Some(adopted.map(|(connection, descriptor)| {
            self.start(connection);
            Answer::Accepted { end: connection, descriptor, remote: accepted.remote }
        }))
    }

    /// Makes the listener readable if a connection waits, or if the supervisor holds one.
    pub(super) fn ring(&mut self, end: End, held: bool) {
        let Some(entry) = self.ends.get_mut(&end) else { return };
        let id = entry.socket;
        let waits = || hub(&self.stack, |hub, _| hub.poll_socket(id)).is_ok_and(|is| is.readable);
        if let Some(ours) = entry.ours()
            && sys::unread(ours) == 0
            && (held || waits())
        {
            // There is room for one byte; a program that has closed needs none.
            let _ = rustix::io::write(ours, &[0]);
        }
    }
}
