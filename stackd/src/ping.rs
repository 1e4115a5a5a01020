//! [`Stack::ping`]: is a host there, and how far away? For programs; `control/ping.rs` is the same
//! for people.

use core::net::IpAddr;
use std::io;

use ip::Ping;
use layer::{Duration, Note};
use socket::Errno;

use crate::control::ping::next_run;
use crate::feed::{Interest, Seen};
use crate::orders::{Order, Reply};
use crate::stack::Stack;

/// Bytes behind the ICMP header, as `ping` has them.
const LENGTH: u16 = 56;

impl Stack {
    /// Sends one echo request and waits for the answer, at most `limit`: the round trip.
    ///
    /// # Errors
    ///
    /// `TimedOut` without an answer; `HostUnreachable` and the like if somebody says so;
    /// `NetworkDown` if the stack has ended; `ResourceBusy` if too many ask at once.
    pub fn ping(&self, address: impl Into<IpAddr>, limit: Duration) -> io::Result<Duration> {
        let news = self.feed().subscribe(Interest::Notes).ok_or(io::ErrorKind::ResourceBusy)?;
        let (ours, sequence) = (next_run(), 1);
        let destination = address.into();
        let ping = Ping { destination, identifier: ours, sequence, length: LENGTH };
        let deadline = self.now() + limit;
        match self.order(&Order::Ping(ping)) {
            Some(Reply::Done) => {}
            Some(_) => return Err(Errno::NETUNREACH.into()),
            None => return Err(Errno::NETDOWN.into()),
        }
        loop {
            let left = deadline.since(self.now());
            let seen = news.next(left);
            if let Some(Seen::Note { note, .. }) = seen {
                match note {
                    Note::EchoReply { identifier, rtt, .. } if identifier == ours => {
                        return Ok(rtt);
                    }
                    Note::EchoFailed { identifier, kind, .. } if identifier == ours => {
                        return Err(Errno::from(kind.socket_error()).into());
                    }
                    _ => {}
                }
            }
            if self.has_ended() {
                return Err(Errno::NETDOWN.into());
            }
            // Also while other news keep coming.
            if left.is_zero() {
                return Err(Errno::TIMEDOUT.into());
            }
        }
    }
}
