//! How large a segment may be on this path (RFC 1191, RFC 8201), whom to believe about it
//! (RFC 5927 7.2), and what to do when nobody says anything (RFC 4821 7.7).
//!
//! ```text
//!   most   what the peer's MSS and our interface allow
//!   path   what IP knows of the path, by ICMP; it ages there, and then larger ones are tried
//!   hole   what still gets through when larger segments vanish without a word
//!          the least of the three is in force: `Sender::mss`
//! ```
//!
//! Here is only the arithmetic, in bytes of text unless a name says MTU; `conn/path.rs` acts on
//! it. IP's memory of paths is `ip`'s, ours is `layer/paths.rs`. Left out: a search for larger
//! packets on a path that was never too narrow (RFC 4821 7.2 to 7.6, RFC 8899), and the inflated
//! total length that some ancient routers quote (RFC 1191 5).

use core::net::IpAddr;

use layer::{Duration, Instant};

use crate::pack::packed;
use crate::seq::Seq;

/// RFC 1191 7.1, Table 7-1: sizes that links have, for routers that do not say theirs.
const PLATEAUS: [u32; 8] = [32_000, 17_914, 8166, 4352, 2002, 1492, 1006, 508];

/// A path is never believed to be narrower: Linux's `min_pmtu` for IPv4; RFC 8201 4 for IPv6.
const FLOOR: (u32, u32) = (552, 1280);

/// What is tried in a black hole, MTUs: 1024 and 512 bytes of text, as Linux's `tcp_base_mss`.
const BASES: [u32; 2] = [1064, 552];

/// So many timeouts in a row of a full segment are a black hole: Linux's `tcp_retries1`.
const TIMEOUTS: u32 = 3;

/// The search ends when less than this is left to gain.
const STEP: u32 = 64;

/// RFC 1191 6.3: after so long a larger size is tried again.
const AGE: Duration = Duration::from_secs(600);

/// What is known of the way to the peer.
#[derive(Debug)]
pub struct PathMtu {
    /// Bytes of a full packet that are not text.
    overhead: u32,
    v6: bool,
    most: u32,
    path: u32,
    hole: Option<Box<Hole>>,
    /// SND.NXT when the present size came into force.
    since: Seq,
    /// The largest segment of that time that was acknowledged (RFC 5927 7.2: maxsizeacked).
    proven: u32,
    /// A message that waits for proof: the number it quotes, and its MTU.
    pending: Option<(Seq, u32)>,
    /// Which state of `layer/paths.rs` was last looked at.
    pub seen: u64,
}

packed!(PathMtu { since, overhead, v6, most, path, hole, proven, pending, seen });

/// Larger segments vanish.
#[derive(Debug)]
struct Hole {
    /// What is sent instead.
    size: u32,
    /// It works once this is acknowledged: then larger sizes are tried.
    from: Seq,
    works: bool,
    /// A size that vanished; none if the full size is to be tried first.
    too_big: Option<u32>,
    /// When to try next.
    next: Instant,
    /// One segment of another size that is out.
    probe: Option<(Seq, u32)>,
}

packed!(Hole { size, from, works, too_big, next, probe });

/// What to do about a message that a segment was too big.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: it says nothing new.
    Ignore,
    /// Remember it until the segment is seen lost.
    Wait,
    /// Believe it: packets may be so large.
    Believe(u32),
}

/// What became of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probed {
    /// None was concerned.
    Nothing,
    /// It arrived.
    Arrived,
    /// It was lost.
    Lost,
}

/// A message that a segment was too big.
#[derive(Clone, Copy, Debug)]
pub struct TooBig {
    /// Number of the segment.
    pub seq: Seq,
    /// The next hop's MTU; 0 if the router does not say.
    pub mtu: u32,
    /// Length of the packet it is about.
    pub length: u32,
    /// IP itself says so, no stranger.
    pub local: bool,
}

impl PathMtu {
    /// The MSS is `most`, our SYN had `iss`. `stamps`: every segment has timestamps.
    pub fn new(most: u32, remote: IpAddr, stamps: bool, iss: Seq) -> Self {
        let v6 = remote.is_ipv6();
        let overhead = if v6 { 60 } else { 40 } + if stamps { 12 } else { 0 };
        Self {
            overhead,
            v6,
            most,
            path: most,
            hole: None,
            since: iss.plus(1),
            proven: 0,
            pending: None,
            seen: 0,
        }
    }

    /// Bytes of text of the largest segment.
    pub fn size(&self) -> u32 {
        let full = self.full();
        self.hole.as_ref().map_or(full, |hole| hole.size.min(full))
    }

    /// The largest packet that the path carries, bytes, if it has shown to be narrower than what
    /// both ends can do.
    pub fn narrowed(&self) -> Option<u32> {
        (self.size() < self.most).then(|| self.size() + self.overhead)
    }

    /// What would be sent if there were no black hole.
    fn full(&self) -> u32 {
        self.most.min(self.path)
    }

    fn floor(&self) -> u32 {
        if self.v6 { FLOOR.1 } else { FLOOR.0 }
    }

    /// A path of `mtu` bytes is believed in.
    pub fn learn(&mut self, mtu: u32) {
        // RFC 1191 floor: never below 552; RFC 8201 4: 1280.
        let mtu = mtu.max(self.floor().min(self.most + self.overhead));
        self.path = mtu.saturating_sub(self.overhead).max(1);
        // RFC 1191 forged: what waits for proof is out of date.
        self.pending = None;
    }

    /// The size has changed, with `nxt` to be sent next.
    pub fn changed(&mut self, nxt: Seq, smaller: bool) {
        self.since = nxt;
        if smaller {
            self.proven = 0;
        }
    }

    /// RFC 5927 7.2: a message about a segment in flight. It is believed at once while nothing
    /// larger has been acknowledged; else only once the segment is seen lost.
    pub fn judge(&mut self, message: TooBig) -> Verdict {
        let TooBig { seq, mtu, length, local } = message;
        // RFC 1191 plateau: a router that does not say gets the next size below the packet's.
        let told = if mtu == 0 { plateau_below(length) } else { mtu };
        let mtu = told.max(self.floor());
        let text = mtu.saturating_sub(self.overhead);
        // RFC 1191 6.4: only what really is less than we send; one burst causes many messages.
        if text >= self.size() {
            Verdict::Ignore
        } else if local || text >= self.proven {
            Verdict::Believe(mtu)
        } else {
            self.pending = Some((seq, mtu));
            Verdict::Wait
        }
    }

    /// A timeout: progress fails, and the message that waits was right.
    pub fn take_pending(&mut self) -> Option<u32> {
        self.pending.take().map(|(_, mtu)| mtu)
    }

    /// Everything from `una` to before `ack` has arrived.
    pub fn acknowledged(&mut self, una: Seq, ack: Seq, now: Instant) -> Probed {
        let from = una.max(self.since);
        if ack.after(from) {
            self.proven = self.proven.max(ack.since(from).min(self.size()));
        }
        // RFC 5927 7.2: the segment arrived, so the message lied.
        self.pending = self.pending.filter(|(seq, _)| !ack.after(*seq));
        let full = self.full();
        let Some(hole) = &mut self.hole else { return Probed::Nothing };
        if !hole.works && !ack.before(hole.from) {
            (hole.works, hole.next) = (true, now);
        }
        match hole.probe {
            Some((start, size)) if !ack.before(start.plus(size)) => {
                (hole.probe, hole.size) = (None, size);
                hole.schedule(full, now);
                if size >= full {
                    self.hole = None;
                }
                Probed::Arrived
            }
            Some(_) | None => Probed::Nothing,
        }
    }

    /// What starts at `at` is sent again: if that is a probe, it was lost.
    pub fn resent(&mut self, at: Seq, end: Seq, now: Instant) -> Probed {
        let full = self.full();
        let Some(hole) = &mut self.hole else { return Probed::Nothing };
        match hole.probe {
            Some((start, size)) if at.before(start.plus(size)) && start.before(end) => {
                (hole.probe, hole.too_big) = (None, Some(size));
                hole.schedule(full, now);
                Probed::Lost
            }
            Some(_) | None => Probed::Nothing,
        }
    }

    /// The probe that is out: where it begins, and its size.
    pub fn probe(&self) -> Option<(Seq, u32)> {
        self.hole.as_ref()?.probe
    }

    /// The size to be tried now, if any.
    pub fn candidate(&self, now: Instant) -> Option<u32> {
        let hole = self.hole.as_ref()?;
        if !hole.works || hole.probe.is_some() || now < hole.next {
            return None;
        }
        hole.candidate(self.full())
    }

    /// A segment of `size` bytes at `at` is out to see whether it arrives.
    pub fn probing(&mut self, at: Seq, size: u32) {
        if let Some(hole) = &mut self.hole {
            hole.probe = Some((at, size));
        }
    }

    /// A full segment timed out, `timeouts` times in a row. True if smaller ones are to be tried
    /// (RFC 4821 7.7): everything up to `nxt` is sent again in the new size.
    pub fn timed_out(&mut self, timeouts: u32, nxt: Seq, now: Instant) -> bool {
        if timeouts < TIMEOUTS {
            return false;
        }
        let mtu = self.size() + self.overhead;
        let floor = self.floor();
        let Some(base) = BASES.map(|base| base.max(floor)).into_iter().find(|&base| base < mtu)
        else {
            return false;
        };
        let size = base - self.overhead;
        let hole = Hole { size, from: nxt, works: false, too_big: None, next: now, probe: None };
        self.hole = Some(Box::new(hole));
        true
    }
}

impl Hole {
    /// The full size first: it was an outage and no hole. Then half the way to what vanished.
    fn candidate(&self, full: u32) -> Option<u32> {
        match self.too_big {
            None => (full > self.size).then_some(full),
            Some(too_big) => {
                let gain = too_big.min(full).saturating_sub(self.size) / 2;
                (gain >= STEP).then_some(self.size + gain)
            }
        }
    }

    /// When to try next: at once while there is something to gain, else when the path may have
    /// changed.
    fn schedule(&mut self, full: u32, now: Instant) {
        self.next = now;
        if self.candidate(full).is_none() {
            // RFC 1191 age: ten minutes, then from the full size down again.
            (self.next, self.too_big) = (now + AGE, None);
        }
    }
}

/// RFC 1191 7: the greatest size of links that is less than `length`.
fn plateau_below(length: u32) -> u32 {
    PLATEAUS.into_iter().find(|&plateau| plateau < length).unwrap_or(0)
}

#[cfg(test)]
mod tests;
