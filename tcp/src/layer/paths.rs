//! Path MTUs that IP told us, for all connections to a destination (RFC 1191 6.2).
//!
//! A change is written down once, with a new version; each connection compares versions when it
//! is served next. So a change costs the same however many connections there are.

use core::net::IpAddr;
use std::collections::{BTreeMap, VecDeque};

use layer::boundary::{IpError, IpOut};
use layer::{Instant, Out, Reason};

use super::Tcp;
use crate::conn::{Connection, Io, Phase};
use crate::send::mtu::{TooBig, Verdict};
use crate::seq::Seq;
use crate::table::Key;

/// Destinations remembered; IP's own table has as many. One that is forgotten here costs a packet
/// that IP refuses.
const MOST: usize = 1024;

/// What IP said last, by destination.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    known: BTreeMap<IpAddr, u32>,
    /// Oldest first.
    order: VecDeque<IpAddr>,
    version: u64,
}

impl Paths {
    /// The path to `destination` carries packets of `mtu` bytes.
    pub(super) fn learn(&mut self, destination: IpAddr, mtu: u32) {
        match self.known.insert(destination, mtu) {
            Some(before) if before == mtu => return,
            Some(_) => {}
            None => self.order.push_back(destination),
        }
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.version += 1;
    }

    /// What is known, if anything has changed since version `seen`.
    pub(crate) fn news(&self, seen: &mut u64, destination: IpAddr) -> Option<u32> {
        if *seen == self.version {
            return None;
        }
        *seen = self.version;
        self.known.get(&destination).copied()
    }
}

impl Tcp {
    /// "Fragmentation needed" about the segment at `seq` of a connection.
    pub(super) fn too_big(
        &mut self,
        now: Instant,
        (key, seq): (Key, Seq),
        mtu: u32,
        error: IpError,
        out: &mut Out<'_, Self>,
    ) {
        self.awake(key);
        let Self { table, stats, config, .. } = self;
        let Some(Connection { ends, phase, .. }) = table.get_mut(key) else { return };
        let Phase::Open(open) = phase else { return out.drop(Reason::TcpErrorUnclaimed, error) };
        // RFC 1191 forged, RFC 5927 4.1: only for a segment that is really out.
        if !seq.within(open.snd.una, open.snd.flight()) {
            return out.drop(Reason::TcpErrorUnclaimed, error);
        }
        let local = error.reporter.is_none();
        let verdict = open.snd.mtu.judge(TooBig { seq, mtu, length: error.length, local });
        out.consume(error);
        if let Verdict::Believe(mtu) = verdict {
            let io = &mut Io { now, out, stats, config };
            open.narrow(ends, io, mtu, !local);
            self.mark_due(key);
        }
    }

    /// What IP is told, so that every connection hears of it.
    pub(crate) const fn announce(destination: IpAddr, mtu: u32) -> IpOut {
        IpOut::PathMtu { destination, mtu }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;

    #[test]
    fn a_change_is_seen_once_and_the_memory_is_bounded() {
        let (mut paths, mut seen) = (Paths::default(), 0);
        let to = |n: u32| IpAddr::V4(Ipv4Addr::from_bits(n));
        assert_eq!(paths.news(&mut seen, to(0)), None);
        paths.learn(to(0), 1400);
        assert_eq!(paths.news(&mut seen, to(0)), Some(1400));
        assert_eq!(paths.news(&mut seen, to(0)), None);
        paths.learn(to(0), 1400);
        assert_eq!(paths.news(&mut seen, to(0)), None, "nothing new");
        (1..=1024).for_each(|n| paths.learn(to(n), 1300));
        assert_eq!((paths.known.len(), paths.order.len()), (MOST, MOST));
        assert_eq!(paths.news(&mut seen, to(0)), None, "the oldest is forgotten");
    }
}
