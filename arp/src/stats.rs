//! What [`crate::Arp`] counts, besides drops.

use layer::Counted;

use crate::message::{Message, Operation};

/// Counters since construction.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stats {
    pub(crate) in_requests: u64,
    pub(crate) in_replies: u64,
    pub(crate) in_probes: u64,
    pub(crate) out_requests: u64,
    pub(crate) out_replies: u64,
    pub(crate) out_probes: u64,
    pub(crate) out_announcements: u64,
    pub(crate) learnt: u64,
    pub(crate) failed: u64,
    pub(crate) conflicts: u64,
    pub(crate) defences: u64,
}

impl Stats {
    pub(crate) fn heard(&mut self, message: &Message) {
        match message.operation {
            Operation::Request if message.is_probe() => self.in_probes += 1,
            Operation::Request => self.in_requests += 1,
            Operation::Reply => self.in_replies += 1,
        }
    }
}

impl Counted for Stats {
    fn counters(&self, each: &mut dyn FnMut(&'static str, u64)) {
        let Self {
            in_requests,
            in_replies,
            in_probes,
            out_requests,
            out_replies,
            out_probes,
            out_announcements,
            learnt,
            failed,
            conflicts,
            defences,
        } = *self;
        each("ArpInRequests", in_requests);
        each("ArpInReplies", in_replies);
        each("ArpInProbes", in_probes);
        each("ArpOutRequests", out_requests);
        each("ArpOutReplies", out_replies);
        each("ArpOutProbes", out_probes);
        each("ArpOutAnnouncements", out_announcements);
        each("ArpNeighboursLearnt", learnt);
        each("ArpResolutionsFailed", failed);
        each("ArpConflicts", conflicts);
        each("ArpDefences", defences);
    }
}
