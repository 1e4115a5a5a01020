//! `/v1/ping`: echo requests from the stack, and what comes of each as it comes, one JSON object a
//! line.

use core::net::IpAddr;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU16, Ordering};

use ip::Ping;
use layer::boundary::IpErrorKind;
use layer::{Duration, Instant, Note};
use serde_json::{Value, json};

use super::http::{Reply, Request};
use crate::Stack;
use crate::feed::{Interest, Seen};
use crate::orders::{self, Order};

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often somebody looks whether the client is still there.
const LOOK: Duration = Duration::from_millis(100);

/// Numbers the runs.
static RUNS: AtomicU16 = AtomicU16::new(1);

/// An identifier for one more run.
pub(crate) fn next_run() -> u16 {
    RUNS.fetch_add(1, Ordering::Relaxed)
}

/// What is wanted.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    address: IpAddr,
    /// `None`: until the client goes.
    count: Option<u64>,
    interval: Duration,
    length: u16,
}

impl Wanted {
    fn of(request: &Request) -> Result<Self, String> {
        let number = |name: &str, least: u64, most: u64| {
            let Some(text) = request.value(name) else { return Ok(None) };
            let number = text.parse().ok().filter(|n| (least..=most).contains(n));
            let why = || format!("{name}: {text:?} is no number from {least} to {most}");
            number.map(Some).ok_or_else(why)
        };
        let address = request.value("address").unwrap_or_default();
        let address = address.parse().map_err(|_| format!("{address:?} is no address"))?;
        let count = number("count", 1, u64::MAX)?;
        // Faster would be a flood, and the answers are rate-limited everywhere.
        let interval = Duration::from_millis(number("interval_ms", 10, 3_600_000)?.unwrap_or(1000));
        let length = number("size", 0, 65_507)?.unwrap_or(56);
        let length = u16::try_from(length).unwrap_or(u16::MAX);
        Ok(Self { address, count, interval, length })
    }
}

/// Answers `/v1/ping`.
pub(super) fn answer(stack: &Stack, request: &Request, reply: Reply<'_>) -> io::Result<()> {
    let wanted = match Wanted::of(request) {
        Ok(wanted) => wanted,
        Err(why) => return reply.error("400 Bad Request", &why),
    };
    let Some(subscription) = stack.feed().subscribe(Interest::Notes) else {
        return reply.error("503 Service Unavailable", "too many subscribers");
    };
    let identifier = next_run();
    let mut run = Run { wanted, identifier, asked: 0, open: BTreeMap::new(), next: stack.now() };
    let mut lines = reply.chunks("application/x-ndjson")?;
    while !run.is_over() {
        let now = stack.now();
        while let Some(event) = run.due(stack, now) {
            writeln!(lines, "{event}")?;
        }
        let patience = run.until(now).min(LOOK);
        if let Some(Seen::Note { note, .. }) = subscription.next(patience)
            && let Some(event) = run.hear(&note)
        {
            writeln!(lines, "{event}")?;
        }
        lines.flush()?;
        if lines.is_left() || stack.has_ended() {
            break;
        }
    }
    lines.end()
}

/// One client's questions.
struct Run {
    wanted: Wanted,
    identifier: u16,
    asked: u64,
    /// Sequence numbers without an outcome, and when they will be given up.
    open: BTreeMap<u16, Instant>,
    /// When the next one is asked.
    next: Instant,
}

impl Run {
    fn asks_again(&self) -> bool {
        self.wanted.count.is_none_or(|count| self.asked < count)
    }

    fn is_over(&self) -> bool {
        !self.asks_again() && self.open.is_empty()
    }

    /// How long nothing is to be done.
    fn until(&self, now: Instant) -> Duration {
        let next = Some(self.next).filter(|_| self.asks_again());
        let times = self.open.values().copied().chain(next);
        times.min().map_or(LOOK, |at| at.since(now))
    }

    /// Gives up one question that is too old, or asks the next one if it is time; an event if there
    /// is something to tell.
    fn due(&mut self, stack: &Stack, now: Instant) -> Option<Value> {
        let late = self.open.iter().find(|(_, at)| **at <= now).map(|(sequence, _)| *sequence);
        if let Some(sequence) = late {
            self.open.remove(&sequence);
            return Some(json!({ "event": "timeout", "seq": sequence }));
        }
        if !self.asks_again() || now < self.next {
            return None;
        }
        self.asked += 1;
        self.next = now + self.wanted.interval;
        let sequence = (self.asked & 0xffff) as u16;
        let Wanted { address: destination, length, .. } = self.wanted;
        let ping = Ping { destination, identifier: self.identifier, sequence, length };
        // Before it is asked: the answer may be there before this thread goes on.
        self.open.insert(sequence, now + PATIENCE);
        match stack.order(&Order::Ping(ping)) {
            Some(orders::Reply::Done) => None,
            refused => {
                self.open.remove(&sequence);
                let why = match refused {
                    Some(orders::Reply::Refused(why)) => why,
                    Some(_) | None => "the stack does not answer".to_owned(),
                };
                Some(json!({ "event": "failed", "seq": sequence, "why": why }))
            }
        }
    }

    /// The event that a note is, if it is about this run.
    fn hear(&mut self, note: &Note) -> Option<Value> {
        match *note {
            Note::EchoReply { peer, identifier, sequence, bytes, ttl, rtt }
                if identifier == self.identifier && self.open.remove(&sequence).is_some() =>
            {
                let rtt_us = rtt.as_nanos() as f64 / 1000.0;
                Some(json!({
                    "event": "reply", "seq": sequence, "address": peer.to_string(),
                    "bytes": bytes, "ttl": ttl, "rtt_us": rtt_us,
                }))
            }
            Note::EchoFailed { reporter, identifier, sequence, kind, .. }
                if identifier == self.identifier && self.open.remove(&sequence).is_some() =>
            {
                Some(json!({
                    "event": "failed", "seq": sequence, "why": why(kind),
                    "reporter": reporter.map(|reporter| reporter.to_string()),
                }))
            }
            _ => None,
        }
    }
}

/// As `ping` words it.
pub(crate) fn why(kind: IpErrorKind) -> &'static str {
    match kind {
        IpErrorKind::NetUnreachable => "Destination Net Unreachable",
        IpErrorKind::HostUnreachable | IpErrorKind::NeighbourFailed => {
            "Destination Host Unreachable"
        }
        IpErrorKind::ProtocolUnreachable => "Destination Protocol Unreachable",
        IpErrorKind::PortUnreachable => "Destination Port Unreachable",
        IpErrorKind::FragmentationNeeded { .. } => "Frag needed",
        IpErrorKind::SourceRouteFailed => "Source Route Failed",
        IpErrorKind::Prohibited => "Packet filtered, or no single host",
        IpErrorKind::TtlExceeded => "Time to live exceeded",
        IpErrorKind::ReassemblyTimeExceeded => "Frag reassembly time exceeded",
        IpErrorKind::ParameterProblem { .. } => "Parameter problem",
        IpErrorKind::NoRoute => "Network is unreachable",
        IpErrorKind::NoSource => "Cannot assign requested address",
    }
}
