//! The end of a socket: shutdown, close, abort.

use std::net::Shutdown;

use layer::boundary::{SocketId, TcpCommand};
use layer::{Duration, Either, Out};

use super::tcp::Phase;
use super::{Hub, Protocol, Readiness, Ready};
use crate::Errno;

/// How a socket ends.
#[derive(Clone, Copy)]
enum Ending {
    Close,
    Abort,
}

impl Hub {
    /// `shutdown(2)`. On a listener, shutting down reading ends it.
    pub fn shutdown(
        &mut self,
        id: SocketId,
        how: Shutdown,
        out: &mut Out<'_, Self>,
    ) -> Result<(), Errno> {
        let (read, write) = match how {
            Shutdown::Read => (true, false),
            Shutdown::Write => (false, true),
            Shutdown::Both => (true, true),
        };
        let tcp = match &mut self.get(id)?.protocol {
            Protocol::Tcp(tcp) => tcp,
            Protocol::Udp(udp) => {
                udp.shutdown(read, write)?;
                self.touch(id, out);
                return Ok(());
            }
        };
        match &mut tcp.phase {
            Phase::Open(stream) if stream.gone => return Err(Errno::NOTCONN),
            Phase::Open(stream) => {
                stream.read_shut |= read;
                let finish = write && !stream.write_shut && !stream.gone;
                stream.write_shut |= write;
                if finish {
                    self.command(Either::A(TcpCommand::Shutdown { socket: id }), out);
                }
            }
            Phase::Listening { .. } if read => self.end_tcp(id, Ending::Close, out),
            // As Linux: a listener does not send, so there is nothing to end.
            Phase::Listening { .. } => {}
            // As Linux: what is not open yet is given up.
            Phase::Connecting => self.end_tcp(id, Ending::Abort, out),
            Phase::Fresh | Phase::Binding { .. } | Phase::Bound => return Err(Errno::NOTCONN),
        }
        self.touch(id, out);
        Ok(())
    }

    /// `close(2)`: the id is forgotten. TCP sends what is queued and FIN, or RST if there is unread
    /// data or SO_LINGER is 0. With SO_LINGER of some time `EINPROGRESS`: [`Hub::completed`]
    /// answers the same until everything was acknowledged or, after that time, reset; then
    /// `EBADF`, and [`Ready::Changed`] is told.
    pub fn close(&mut self, id: SocketId, out: &mut Out<'_, Self>) -> Result<(), Errno> {
        self.end(id, Ending::Close, out)
    }

    /// Resets the connection and forgets the id (ABORT of RFC 9293 3.10.5).
    pub fn abort(&mut self, id: SocketId, out: &mut Out<'_, Self>) -> Result<(), Errno> {
        self.end(id, Ending::Abort, out)
    }

    fn end(&mut self, id: SocketId, ending: Ending, out: &mut Out<'_, Self>) -> Result<(), Errno> {
        match &self.get(id)?.protocol {
            Protocol::Tcp(_) => self.end_tcp(id, ending, out),
            Protocol::Udp(_) => self.close_udp(id, out),
        }
        self.sockets.remove(&id);
        if self.sockets.is_empty() {
            self.sockets.shrink_to(64);
        }
        if self.lingering.contains(&id) { Err(Errno::INPROGRESS) } else { Ok(()) }
    }

    /// TCP has ended a connection. If somebody waits for that in `close`, the wait is over.
    pub(super) fn lingered(&mut self, id: SocketId, out: &mut Out<'_, Self>) {
        if self.lingering.remove(&id) {
            let readiness = Readiness { hangup: true, ..Readiness::default() };
            self.say(Ready::Changed { socket: id, readiness }, out);
        }
    }

    /// Takes a socket back to `Fresh` and tells TCP.
    fn end_tcp(&mut self, id: SocketId, ending: Ending, out: &mut Out<'_, Self>) {
        // What was read is read: it must not count as unread data.
        self.pay_credit(id, out);
        let Ok(tcp) = self.tcp(id) else { return };
        let linger_not = tcp.options.linger == Some(Duration::ZERO);
        let ending = if linger_not { Ending::Abort } else { ending };
        let lingers = tcp.options.linger.is_some() && matches!(ending, Ending::Close);
        match core::mem::take(&mut tcp.phase) {
            Phase::Fresh => return,
            Phase::Binding { .. } | Phase::Bound | Phase::Connecting => {}
            Phase::Listening { queue } => {
                for waiting in queue {
                    self.end_tcp(waiting, Ending::Abort, out);
                    self.sockets.remove(&waiting);
                }
            }
            Phase::Open(stream) => {
                let gone = stream.gone;
                let (items, bytes) = stream.unread();
                self.taken(items, bytes, out);
                if gone {
                    return;
                }
                if lingers {
                    self.lingering.insert(id);
                }
            }
        }
        let command = match ending {
            Ending::Close => TcpCommand::Close { socket: id },
            Ending::Abort => TcpCommand::Abort { socket: id },
        };
        self.command(Either::A(command), out);
    }
}
