//! Answers to segments that may be forged (RFC 5961): challenge ACKs, limited per connection so
//! that counting them says nothing about anybody else's (CVE-2016-5696).

use crate::conn::{Ends, Io, Open};

impl Open {
    /// Sends a challenge ACK, unless one left a moment ago.
    pub fn challenge(&mut self, ends: &Ends, io: &mut Io<'_, '_>) {
        let interval = io.config.challenge_interval;
        if self.challenged.is_some_and(|at| io.now.since(at) < interval) {
            return;
        }
        self.challenged = Some(io.now);
        io.stats.challenge_ack += 1;
        self.send_ack(ends, io);
    }
}
