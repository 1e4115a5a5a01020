//! Answers to segments that may be forged (RFC 5961): challenge ACKs, limited per connection so
//! that counting them says nothing about anybody else's (CVE-2016-5696).

use layer::Instant;

use crate::conn::{Ends, Io, Open};
use crate::segment::{Flags, Segment};

/// May a segment that should not have come be answered now? Remembers that it was.
pub fn limit(challenged: &mut Option<Instant>, io: &Io<'_, '_>) -> bool {
    let allowed = challenged.is_none_or(|at| io.now.since(at) >= io.config.challenge_interval);
    if allowed {
        *challenged = Some(io.now);
    }
    allowed
}

/// May its answer be answered, and so on for ever? A bare segment may be the answer to one of ours,
/// and a SYN costs a forger nothing; text and FIN are sent for their own sake.
pub fn may_echo(segment: &Segment) -> bool {
    segment.flags.has(Flags::SYN) || segment.is_empty()
}

impl Open {
    /// Sends a challenge ACK, unless one left a moment ago.
    pub fn challenge(&mut self, ends: &Ends, io: &mut Io<'_, '_>) {
        if limit(&mut self.challenged, io) {
            io.stats.challenge_ack += 1;
            self.send_ack(ends, io);
        } else {
            io.stats.ack_skipped_challenge += 1;
        }
    }
}
