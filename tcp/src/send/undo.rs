//! Taking back a cut that was for nothing: Eifel detection by timestamps (RFC 3522) and by D-SACK,
//! and the full response (RFC 4015; Linux's undo).

use crate::seq::Seq;

/// What is needed to take back one reduction.
#[derive(Clone, Copy, Debug)]
pub struct Undo {
    /// The window before it, bytes.
    pub cwnd: u32,
    /// The threshold before it, bytes.
    pub ssthresh: u32,
    /// Our timestamp clock when the first resend left.
    stamp: Option<u32>,
    /// Bytes resent and not reported as needless.
    resent: u32,
    /// Something was resent at all.
    any: bool,
    /// Once recovery is over: what was out then. After that nobody can tell any more.
    until: Option<Seq>,
}

impl Undo {
    /// A reduction is about to be made.
    pub fn new(cwnd: u32, ssthresh: u32) -> Self {
        Self { cwnd, ssthresh, stamp: None, resent: 0, any: false, until: None }
    }

    /// `bytes` are resent, our timestamp clock being `stamp`.
    pub fn resent(&mut self, bytes: u32, stamp: Option<u32>) {
        self.resent = self.resent.saturating_add(bytes);
        if !self.any {
            self.stamp = stamp;
        }
        self.any = true;
    }

    /// RFC 3522's test: an acknowledgement of new data that echoes a time from before the first
    /// resend answers the original: it was only late.
    pub fn is_answer_to_original(&self, echo: u32) -> bool {
        self.stamp.is_some_and(|stamp| Seq(echo).before(Seq(stamp)))
    }

    /// Recovery is over: a round trip later D-SACK has said what it had to say, and a report that
    /// still comes is about something else. True once that time has passed.
    pub fn is_stale(&mut self, una: Seq, nxt: Seq) -> bool {
        !una.before(*self.until.get_or_insert(nxt))
    }

    /// D-SACK reports `bytes` as needless. True once all that was resent was needless.
    pub fn needless(&mut self, bytes: u32) -> bool {
        self.resent = self.resent.saturating_sub(bytes);
        self.any && self.resent == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echo_from_before_the_resend_answers_the_original() {
        let mut undo = Undo::new(10, 20);
        assert!(!undo.is_answer_to_original(5), "nothing was resent");
        undo.resent(1000, Some(100));
        undo.resent(1000, Some(200));
        assert!(undo.is_answer_to_original(99));
        assert!(!undo.is_answer_to_original(100), "within the same tick nothing is known");
        assert!(!undo.is_answer_to_original(150));
    }

    #[test]
    fn only_when_every_resend_was_needless() {
        let mut undo = Undo::new(10, 20);
        undo.resent(2000, None);
        assert!(!undo.needless(1000));
        assert!(undo.needless(1000));
    }
}
