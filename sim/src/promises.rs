//! [`Promises`]: what one end of TCP promises on the wire, checked segment by segment.
//!
//! The checker stands beside an end, sees what it receives and what it sends, and needs no access
//! to its inside. It knows of each connection only what both sides said:
//!
//! * nothing is sent past the peer's window, but for one octet that probes it;
//! * nothing is acknowledged, by number or by block, that did not arrive;
//! * neither the acknowledgement nor the window's right edge ever goes back;
//! * a number has one byte: resends do not change it, and nothing is left out between;
//! * a FIN stays where it is, and nothing comes after it;
//! * a segment is not larger than the peer takes.
//!
//! It errs on the side of the end: whatever arrived counts, also what the end need not have taken.
//! Numbers are taken from RFC 9293 by hand, without the crate under test.

use core::net::SocketAddr;
use std::collections::{BTreeMap, BTreeSet};

use crate::ranges::Ranges;

mod view;

pub use view::View;

/// RFC 9293 3.7.1: what a peer takes that does not say (IPv4).
const DEFAULT_MSS: u16 = 536;
/// No end need go below this, whatever the peer says: Linux's `tcp_min_snd_mss`.
const LEAST_MSS: u16 = 48;
/// RFC 7323 2.3: no scale is larger.
const MOST_SCALE: u8 = 14;
/// What is kept of segments that came before the end has answered.
const EARLY: usize = 64;

/// The two addresses of a connection: of the end that is watched, and of its peer.
pub type Tuple = (SocketAddr, SocketAddr);

/// All connections of one end.
#[derive(Debug, Default)]
pub struct Promises {
    flows: BTreeMap<Tuple, Flow>,
    latest: Option<Tuple>,
    /// The right edge may go back: RFC 9293 3.8.6 SHLD-14 is no MUST, and memory may run out.
    may_shrink: bool,
}

/// Where a connection stands; offsets count from the initial number, as SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The end's initial number.
    pub iss: u32,
    /// One past the highest offset it has sent.
    pub next: u32,
    /// The peer's initial number, once the end has taken it.
    pub irs: Option<u32>,
    /// First offset of the peer that has not arrived.
    pub arrived: u32,
    /// What the end has acknowledged, an offset of the peer's.
    pub acked: u32,
    /// The last timestamps of the end.
    pub stamps: Option<(u32, u32)>,
}

/// One connection. Offsets count from the initial number: SYN is 0, the first byte 1.
#[derive(Debug, Default)]
struct Flow {
    sent: Sent,
    received: Received,
    /// The last segment that came.
    last: Option<View>,
    /// Segments that came before both initial numbers were known.
    early: Vec<View>,
}

/// What the end has sent.
#[derive(Debug, Default)]
struct Sent {
    iss: Option<u32>,
    scale: Option<u8>,
    /// One past the highest offset sent.
    next: u32,
    /// Every byte of text, from offset 1.
    text: Vec<u8>,
    fin: Option<u32>,
    acked: u32,
    right_edge: u32,
    stamps: Option<(u32, u32)>,
}

/// What has reached the end.
#[derive(Debug, Default)]
struct Received {
    irs: Option<u32>,
    scale: Option<u8>,
    mss: Option<u16>,
    /// Everything that arrived, as offsets.
    arrived: Ranges,
    /// One past each FIN among it: an enemy may send several.
    fins: BTreeSet<u32>,
    /// The furthest that the peer ever offered to take, as an offset of ours.
    window_edge: u32,
}

impl Promises {
    /// Nothing is known yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on windows may shrink.
    pub fn allow_shrinking(&mut self) {
        self.may_shrink = true;
    }

    /// The end makes a connection of what came last, the end of a handshake with a cookie (RFC 4987
    /// 3.6). It knows no other numbers than those: the SYN may have been another one's, the
    /// connection may have been there before, and numbers near a good cookie are good, too.
    pub fn begins_by_cookie(&mut self, tuple: Tuple) {
        if let Some(flow) = self.flows.get_mut(&tuple) {
            flow.begin_by_cookie();
        }
    }

    /// The connection of which the end sent last, and where it stands.
    pub fn latest(&self) -> Option<(Tuple, Standing)> {
        let tuple = self.latest?;
        let Flow { sent, received, .. } = self.flows.get(&tuple)?;
        let standing = Standing {
            iss: sent.iss?,
            next: sent.next,
            irs: received.irs,
            arrived: received.arrived.first_gap(),
            acked: sent.acked,
            stamps: sent.stamps,
        };
        Some((tuple, standing))
    }

    /// A segment reaches the end.
    pub fn received(&mut self, tuple: Tuple, view: &View) {
        let flow = self.flows.entry(tuple).or_default();
        flow.last = Some(view.clone());
        if flow.sent.iss.is_some() && flow.received.irs.is_some() {
            flow.arrives(view);
        }
        if (view.syn || flow.received.irs.is_none()) && !view.rst {
            // It may begin a connection: that is known once the end answers.
            if flow.early.len() == EARLY {
                flow.early.remove(0);
            }
            flow.early.push(view.clone());
        }
    }

    /// The end sends a segment.
    ///
    /// # Errors
    ///
    /// Which promise it breaks.
    pub fn sent(&mut self, tuple: Tuple, view: &View) -> Result<(), String> {
        if view.rst {
            // It may be for a connection that never was.
            return Ok(());
        }
        self.latest = Some(tuple);
        let flow = self.flows.entry(tuple).or_default();
        if self.may_shrink {
            flow.sent.right_edge = 0;
        }
        flow.leaves(view).map_err(|what| format!("{what}: {view}; {:?}", flow.short()))
    }
}

impl Flow {
    /// What is known, for messages.
    fn short(&self) -> String {
        let Sent { iss, scale, next, text, fin, acked, right_edge, .. } = &self.sent;
        let Received { irs, mss, arrived, window_edge, .. } = &self.received;
        format!(
            "iss {iss:?} irs {irs:?}, sent up to {next} ({} bytes), fin {fin:?}, acknowledged \
             {acked}, right edge {right_edge}, scale {scale:?}; arrived {arrived:?}, window up to \
             {window_edge}, mss {mss:?}",
            text.len()
        )
    }

    fn arrives(&mut self, view: &View) {
        let (Some(iss), Some(irs)) = (self.sent.iss, self.received.irs) else { return };
        let start = view.seq.wrapping_sub(irs);
        // What lies far behind or ahead is another connection's, or a guess.
        if start < 1 << 30 {
            let end = start.saturating_add(view.space());
            self.received.arrived.insert(start, end);
            if view.fin {
                self.received.fins.insert(end);
            }
        } else if let Some(over) = start.wrapping_add(view.space()).checked_sub(1)
            && over < 1 << 30
        {
            self.received.arrived.insert(1, over + 1);
        }
        let Some(ack) = view.ack else { return };
        let ack = ack.wrapping_sub(iss);
        if ack <= self.sent.next {
            let scaled = self.sent.scale.and(self.received.scale).unwrap_or(0);
            let shift = if view.syn { 0 } else { scaled };
            let edge = ack.saturating_add(u32::from(view.window) << shift);
            self.received.window_edge = self.received.window_edge.max(edge);
        }
    }

    fn leaves(&mut self, view: &View) -> Result<(), String> {
        if view.syn && self.is_another(view) {
            self.begin(view);
        }
        let Some(iss) = self.sent.iss else {
            return Err("a segment before the first SYN".to_owned());
        };
        self.sent.stamps = view.stamps.or(self.sent.stamps);
        if let Some(ack) = view.ack {
            if self.received.irs.is_none() {
                self.learn_peer(ack, view)?;
            }
            self.check_ack(ack, view)?;
        }
        self.check_text(iss, view)
    }

    /// A SYN of the end is not a resend but begins another connection. Its number may be the same:
    /// the clock of RFC 6528 need not have moved.
    fn is_another(&self, syn: &View) -> bool {
        let peer = self.received.irs.zip(syn.ack);
        let same_peer = peer.is_none_or(|(irs, ack)| irs == ack.wrapping_sub(1));
        let opening = self.sent.next <= 1 && self.sent.acked <= 1;
        self.sent.iss != Some(syn.seq) || !same_peer || !opening
    }

    /// The end begins a connection: with its SYN, or with the answer to one.
    fn begin(&mut self, view: &View) {
        let (early, last) = (core::mem::take(&mut self.early), self.last.take());
        *self = Self { early, last, ..Self::default() };
        self.sent.iss = Some(view.seq);
        self.sent.scale = view.scale;
        self.sent.next = 1;
    }

    fn begin_by_cookie(&mut self) {
        let Some(last) = self.last.clone() else { return };
        let Some(ack) = last.ack else { return };
        let irs = last.seq.wrapping_sub(1);
        // RFC 7323: what a cookie has no room for stands in the timestamp, or nowhere.
        let (scale, stamps) = (last.stamps.and(Some(0)), self.sent.stamps);
        let iss = Some(ack.wrapping_sub(1));
        self.sent = Sent { iss, scale, stamps, next: 1, ..Sent::default() };
        let syns = self.early.iter().filter(|early| early.syn && early.seq == irs);
        let scale = syns.map(|syn| syn.scale).max().unwrap_or(Some(MOST_SCALE));
        let mss = Some(u16::MAX);
        self.received = Received { irs: Some(irs), scale, mss, ..Received::default() };
        self.received.arrived.insert(0, 1);
        self.arrives(&last);
    }

    /// The first acknowledgement says which SYN the end took.
    fn learn_peer(&mut self, ack: u32, view: &View) -> Result<(), String> {
        let mut syns = self.early.iter().filter(|early| early.syn);
        // Of several alike the last counts: a SYN may be repeated with other options.
        let exact = syns.clone().rfind(|syn| syn.seq.wrapping_add(1) == ack);
        let Some(syn) = exact.or_else(|| syns.rfind(|_| !view.syn)).cloned() else {
            return Err("an acknowledgement of a SYN that did not come".to_owned());
        };
        self.received.irs = Some(syn.seq);
        self.received.scale = syn.scale;
        self.received.mss = syn.mss;
        let early = core::mem::take(&mut self.early);
        early.iter().for_each(|early| self.arrives(early));
        self.early = early.into_iter().filter(|early| early.syn).collect();
        // RFC 7323 2: in effect only if both SYNs carry it.
        if syn.ack.is_none() {
            let edge = u32::from(syn.window).saturating_add(1);
            self.received.window_edge = self.received.window_edge.max(edge);
        }
        Ok(())
    }

    fn check_ack(&mut self, ack: u32, view: &View) -> Result<(), String> {
        let Some(irs) = self.received.irs else { return Ok(()) };
        let ack = ack.wrapping_sub(irs);
        let whole = self.received.arrived.first_gap();
        if ack > whole {
            return Err(format!("acknowledges {ack}, but only {whole} arrived"));
        }
        if ack < self.sent.acked {
            return Err(format!("the acknowledgement goes back from {}", self.sent.acked));
        }
        self.sent.acked = ack;
        let scaled = self.received.scale.and(self.sent.scale).unwrap_or(0);
        let shift = if view.syn { 0 } else { scaled };
        let edge = ack.saturating_add(u32::from(view.window) << shift);
        // RFC 7323, section 2.2: a SYN cannot say more than 65,535, whatever was said since.
        let over = view.syn;
        // RFC 7323 2.4: the field is rounded down, which may cost less than one unit.
        // Behind the peer's FIN there is nothing for which a window could matter.
        let over = over || self.received.fins.contains(&ack);
        if !over && edge.saturating_add((1 << shift) - 1) < self.sent.right_edge {
            let before = self.sent.right_edge;
            return Err(format!("the window's right edge goes back from {before} to {edge}"));
        }
        self.sent.right_edge = self.sent.right_edge.max(edge);
        for (number, &(left, right)) in view.sack.iter().enumerate() {
            let (left, right) = (left.wrapping_sub(irs), right.wrapping_sub(irs));
            if left >= right || !self.received.arrived.contains(left, right) {
                return Err(format!("block {number} from {left} to {right} did not arrive"));
            }
        }
        Ok(())
    }

    fn check_text(&mut self, iss: u32, view: &View) -> Result<(), String> {
        let start = view.seq.wrapping_sub(iss);
        let len = u32::try_from(view.text.len()).unwrap_or(u32::MAX);
        let Some(end) = start.checked_add(len) else {
            return Err("a number before the SYN".into());
        };
        if view.syn {
            return if start == 0 { Ok(()) } else { Err("a second SYN".to_owned()) };
        }
        // A keep-alive probes with an old number.
        if len > 0 && start == 0 {
            return Err("text in place of the SYN".to_owned());
        }
        if start > self.sent.next {
            return Err(format!("leaves out what is between {} and {start}", self.sent.next));
        }
        let most = self.received.mss.unwrap_or(DEFAULT_MSS).max(LEAST_MSS);
        if view.text.len() + view.options > usize::from(most).max(view.options + 1) {
            return Err(format!("{len} bytes are more than the peer's MSS of {most}"));
        }
        // RFC 9293 3.8.6.1: one octet past the edge asks whether the window is open again.
        if len > 0 && end > self.received.window_edge.saturating_add(1) {
            return Err(format!("past the window, which goes to {}", self.received.window_edge));
        }
        let at = (start.max(1) - 1) as usize;
        for (index, byte) in view.text.iter().enumerate() {
            match self.sent.text.get(at + index) {
                Some(before) if before == byte => {}
                Some(before) => {
                    return Err(format!("byte {} was {before:#x}, is {byte:#x}", at + index + 1));
                }
                None => self.sent.text.push(*byte),
            }
        }
        let fin = view.fin.then_some(end);
        match (self.sent.fin, fin) {
            (Some(before), Some(now)) if before != now => {
                return Err(format!("FIN moved from {before} to {now}"));
            }
            (Some(before), _) if end > before && len > 0 => {
                return Err(format!("text after the FIN at {before}"));
            }
            _same_or_new => self.sent.fin = self.sent.fin.or(fin),
        }
        self.sent.next = self.sent.next.max(end.saturating_add(u32::from(view.fin)));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
