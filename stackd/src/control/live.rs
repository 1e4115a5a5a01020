//! `/v1/monitor`: what layers state, as it happens, one JSON object a line.

use std::collections::HashMap;
use std::io::{self, Write};

use core::net::SocketAddr;
use layer::boundary::{SocketId, TcpState};
use layer::{Duration, InterfaceId, Note};
use serde_json::{Value, json};

use super::http::{Reply, Request};
use super::{names, sockets};
use crate::Stack;
use crate::clock::Clock;
use crate::feed::{Interest, Seen};
use crate::orders::{self, Order, PAGE};

/// How often a client that gets nothing is looked after: it may have gone.
const LOOK: Duration = Duration::from_millis(200);

/// Notes that are taken before what was lost is told and the client looked after.
const BURST: usize = 4096;

/// Connections that are remembered by their ids, at most.
const REMEMBERED: usize = 1 << 16;

/// The kinds of events, as `?events=` names them.
const KINDS: &[&str] = &[
    "state",
    "retransmit",
    "cwnd",
    "recovery",
    "neighbour",
    "conflict",
    "address",
    "icmp",
    "drop",
];

/// Answers `/v1/monitor`.
pub(super) fn answer(stack: &Stack, request: &Request, reply: Reply<'_>) -> io::Result<()> {
    let wanted: Vec<&str> = match request.value("events") {
        // A line a packet is for who asks for it.
        None => KINDS.iter().copied().filter(|kind| *kind != "cwnd").collect(),
        Some("all") => KINDS.to_vec(),
        Some(some) => some.split(',').collect(),
    };
    if let Some(unknown) = wanted.iter().find(|kind| !KINDS.contains(kind)) {
        let why = format!("there are no events {unknown:?}, only {} and all", KINDS.join(", "));
        return reply.error("400 Bad Request", &why);
    }
    let Some(mut subscription) = stack.feed().subscribe(Interest::Notes) else {
        return reply.error("503 Service Unavailable", "too many subscribers");
    };
    let mut known = Known::default();
    known.learn(stack);
    let mut lines = reply.chunks("application/x-ndjson")?;
    // Who starts the client and then causes something wants to see it.
    say(&mut lines, &json!({ "time": seconds(Clock::unix_ns()), "event": "listening" }))?;
    lines.flush()?;
    loop {
        let mut patience = LOOK;
        for _ in 0..BURST {
            let Some(seen) = subscription.next(patience) else { break };
            patience = Duration::ZERO;
            let Seen::Note { unix_ns, stage: of, note } = seen else { continue };
            known.note(&note);
            if let Some(mut event) = event(stack, &known, &note)
                && wanted.contains(&event["event"].as_str().unwrap_or_default())
            {
                event["time"] = seconds(unix_ns).into();
                event["stage"] = of.into();
                say(&mut lines, &event)?;
            }
        }
        let lost = subscription.lost();
        if lost > 0 {
            say(
                &mut lines,
                &json!({
                    "time": seconds(Clock::unix_ns()), "event": "lost", "count": lost,
                }),
            )?;
        }
        lines.flush()?;
        if lines.is_left() || stack.has_ended() {
            return lines.end();
        }
    }
}

fn say(to: &mut impl Write, event: &Value) -> io::Result<()> {
    writeln!(to, "{event}")
}

/// Seconds since 1970; microseconds survive in a double.
fn seconds(unix_ns: u64) -> f64 {
    (unix_ns / 1000) as f64 / 1e6
}

/// What a connection is called and how it is, by its id: notes do not repeat it.
#[derive(Debug, Default)]
pub(super) struct Known {
    by_id: HashMap<SocketId, Connection>,
    by_ends: HashMap<(SocketAddr, SocketAddr), SocketId>,
}

/// What is known of one connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Connection {
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    pub(super) state: TcpState,
    /// Congestion window and threshold, bytes.
    pub(super) cwnd: Option<(u32, u32)>,
    pub(super) in_recovery: bool,
}

impl Known {
    /// Takes in the connections there are.
    pub(super) fn learn(&mut self, stack: &Stack) {
        let mut next = Some(0);
        while let Some(from) = next.filter(|_| self.by_id.len() < REMEMBERED) {
            let order = Order::Connections { from, most: PAGE };
            let Some(orders::Reply::Connections(page, after)) = stack.order(&order) else { break };
            // Half-open and waiting ones have no ids.
            for info in page.into_iter().filter(|info| info.mss > 0) {
                let cwnd = Some((info.cwnd, info.ssthresh)).filter(|_| info.cwnd > 0);
                let (local, remote, state) = (info.local, info.remote, info.state);
                let in_recovery = false;
                self.put(info.socket, Connection { local, remote, state, cwnd, in_recovery });
            }
            next = after;
        }
    }

    fn put(&mut self, id: SocketId, connection: Connection) {
        if self.by_id.len() < REMEMBERED || self.by_id.contains_key(&id) {
            self.by_ends.insert((connection.local, connection.remote), id);
            self.by_id.insert(id, connection);
        }
    }

    /// Takes in what a note says.
    pub(super) fn note(&mut self, note: &Note) {
        match *note {
            Note::TcpState { socket, local, remote, to: TcpState::Closed, .. } => {
                self.by_id.remove(&socket);
                if self.by_ends.get(&(local, remote)) == Some(&socket) {
                    self.by_ends.remove(&(local, remote));
                }
            }
            Note::TcpState { socket, local, remote, to: state, .. } => {
                let (cwnd, in_recovery) = (None, false);
                let new = Connection { local, remote, state, cwnd, in_recovery };
                let before = self.by_id.get(&socket).copied().unwrap_or(new);
                self.put(socket, Connection { local, remote, state, ..before });
            }
            Note::TcpCwnd { socket, cwnd, ssthresh } => {
                if let Some(connection) = self.by_id.get_mut(&socket) {
                    connection.cwnd = Some((cwnd, ssthresh));
                }
            }
            Note::TcpRecovery { socket, entered } => {
                if let Some(connection) = self.by_id.get_mut(&socket) {
                    connection.in_recovery = entered;
                }
            }
            Note::TcpRetransmit { .. }
            | Note::Dropped(_)
            | Note::DroppedFrame { .. }
            | Note::Neighbour { .. }
            | Note::AddressConflict { .. }
            | Note::AddressReady { .. }
            | Note::EchoReply { .. }
            | Note::EchoFailed { .. }
            | Note::Icmp { .. } => {}
        }
    }

    /// The connection between two ends, ours first.
    pub(super) fn between(&self, local: SocketAddr, remote: SocketAddr) -> Option<&Connection> {
        self.by_id.get(self.by_ends.get(&(local, remote))?)
    }

    fn ends(&self, id: SocketId, event: &mut Value) {
        event["id"] = id.0.into();
        if let Some(connection) = self.by_id.get(&id) {
            event["local"] = connection.local.to_string().into();
            event["remote"] = connection.remote.to_string().into();
        }
    }
}

/// A note as an event; `None` for what another note says better.
fn event(stack: &Stack, known: &Known, note: &Note) -> Option<Value> {
    let dev = |interface: InterfaceId| names::of(stack, interface);
    Some(match note {
        Note::TcpState { socket, local, remote, from, to } => json!({
            "event": "state", "id": socket.0, "local": local.to_string(),
            "remote": remote.to_string(), "from": sockets::state(*from), "to": sockets::state(*to),
        }),
        Note::TcpRetransmit { socket, seq, bytes, timeout } => {
            let by = if *timeout { "timeout" } else { "loss" };
            let mut event = json!({ "event": "retransmit", "seq": seq, "bytes": bytes, "by": by });
            known.ends(*socket, &mut event);
            event
        }
        Note::TcpCwnd { socket, cwnd, ssthresh } => {
            let mut event = json!({ "event": "cwnd", "cwnd_bytes": cwnd });
            if *ssthresh != u32::MAX {
                event["ssthresh_bytes"] = (*ssthresh).into();
            }
            known.ends(*socket, &mut event);
            event
        }
        Note::TcpRecovery { socket, entered } => {
            let mut event = json!({ "event": "recovery", "entered": entered });
            known.ends(*socket, &mut event);
            event
        }
        Note::Neighbour { interface, address, mac } => json!({
            "event": "neighbour", "dev": dev(*interface), "address": address.to_string(),
            "mac": mac.map(|mac| mac.to_string()),
        }),
        Note::AddressConflict { interface, address, mac, defended } => json!({
            "event": "conflict", "dev": dev(*interface), "address": address.to_string(),
            "mac": mac.to_string(), "defended": defended,
        }),
        Note::AddressReady { interface, address } => json!({
            "event": "address", "dev": dev(*interface), "address": address.to_string(),
        }),
        Note::Icmp { kind, code, peer, sent } => json!({
            "event": "icmp", "type": kind, "code": code, "peer": peer.to_string(), "sent": sent,
        }),
        Note::Dropped(reason) => json!({ "event": "drop", "reason": reason.name() }),
        // The one is said by the note before it, the others to who asked.
        Note::DroppedFrame { .. } | Note::EchoReply { .. } | Note::EchoFailed { .. } => {
            return None;
        }
    })
}

#[cfg(test)]
mod tests;
