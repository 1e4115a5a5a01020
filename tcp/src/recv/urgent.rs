//! RCV.UP: urgent data that the peer sends (RFC 9293 3.8.5, 3.10.7.4 sixth, RFC 6093).
//!
//! Urgent data stays where it is, in line (RFC 6093 6: nothing else is safe). What the pointer does
//! is to tell the application, by its position in the stream, how far to read in haste.

use crate::recv::Receiver;
use crate::seq::Seq;

impl Receiver {
    /// SEG.SEQ + SEG.UP is `up`: the number after the last urgent octet. Answers the position in
    /// the stream, bytes from its first, if that is news to the application.
    pub fn urgent(&mut self, up: Seq) -> Option<u64> {
        let end = if up.before(self.nxt) {
            self.bytes_received.checked_sub(u64::from(self.nxt.since(up)))?
        } else {
            self.bytes_received + u64::from(up.since(self.nxt))
        };
        // RFC 9293 3.10.7.4: RCV.UP <- max(RCV.UP, SEG.UP); old and early segments move it back
        // by nothing.
        if end <= self.urgent_end {
            return None;
        }
        self.urgent_end = end;
        // RFC 9293 3.8.5 MUST-32: told when it is ahead of what was consumed, and when it moves on.
        let consumed = self.bytes_received.saturating_sub(u64::from(self.window.charged()));
        (end > consumed).then_some(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use layer::PacketBuf;

    fn receiver() -> Receiver {
        let mut receiver = Receiver::new(Seq(u32::MAX - 5), 10_000, 10_000, 0, 1460);
        // Ten bytes are there, positions 0 to 9; numbers wrap among them.
        receiver.text(receiver.nxt, PacketBuf::copy_from(b"0123456789"), 4);
        receiver
    }

    #[test]
    fn the_mark_only_moves_forward() {
        let mut receiver = receiver();
        let nxt = receiver.nxt;
        assert_eq!(receiver.urgent(nxt.plus(5)), Some(15));
        assert_eq!(receiver.urgent(nxt.plus(5)), None);
        assert_eq!(receiver.urgent(nxt.minus(3)), None);
        assert_eq!(receiver.urgent(nxt.plus(65_535)), Some(65_545));
    }

    #[test]
    fn what_was_consumed_is_no_news() {
        let mut receiver = receiver();
        let nxt = receiver.nxt;
        receiver.window.consumed(8);
        assert_eq!(receiver.urgent(nxt.minus(2)), None);
        assert_eq!(receiver.urgent(nxt.minus(1)), Some(9));
        // Before the first byte of all there is nothing.
        assert_eq!(receiver.urgent(nxt.minus(11)), None);
    }
}
