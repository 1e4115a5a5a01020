//! What `top` knows: the latest sample, and what the difference to earlier ones says.

use std::collections::{BTreeMap, VecDeque};

use layer::Instant;
use serde_json::{Value, json};
use stackd::clock::Clock;

use crate::client::http::Client;
use crate::client::units;

/// Samples that a sparkline shows.
const TRAIL: usize = 24;

/// Layers from below: what is counted up and down.
const LAYERS: [(&str, &[&str], &[&str]); 4] = [
    ("ip", &["IpInReceives"], &["IpOutRequests"]),
    ("icmp", &["IcmpInMsgs"], &["IcmpOutMsgs"]),
    ("tcp", &["TcpInSegs"], &["TcpOutSegs", "TcpRetransSegs"]),
    ("udp", &["UdpInDatagrams"], &["UdpOutDatagrams"]),
];

/// One look at the daemon.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) at: Instant,
    pub(super) sockets: Vec<Value>,
    pub(super) nstat: Value,
    pub(super) links: Vec<Value>,
}

impl Sample {
    pub(super) fn take(client: &mut Client, clock: Clock) -> anyhow::Result<Self> {
        let list = |value: &Value, name: &str| value[name].as_array().cloned().unwrap_or_default();
        let sockets = list(&client.get("/v1/ss?protocol=tcp")?, "sockets");
        let links = list(&client.get("/v1/link")?, "links");
        let nstat = client.get("/v1/nstat")?;
        Ok(Self { at: clock.now(), sockets, nstat, links })
    }

    pub(super) fn to_json(&self) -> Value {
        json!({ "sockets": self.sockets, "nstat": self.nstat, "links": self.links })
    }

    fn counter(&self, name: &str) -> u64 {
        self.nstat["counters"][name].as_u64().unwrap_or(0)
    }

    fn drops(&self) -> BTreeMap<String, u64> {
        let drops = self.nstat["drops"].as_object().into_iter().flatten();
        drops.map(|(name, n)| (name.clone(), n.as_u64().unwrap_or(0))).collect()
    }
}

/// A connection over time.
#[derive(Clone, Debug, Default)]
pub(super) struct Trail {
    /// Bytes acknowledged and received, at the last sample.
    carried: (u64, u64),
    /// Bits a second out and in, sample by sample.
    pub(super) out: VecDeque<u64>,
    pub(super) into: VecDeque<u64>,
    /// Segments.
    pub(super) cwnd: VecDeque<u64>,
}

/// One row of connections.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) socket: Value,
    pub(super) trail: Trail,
}

impl Row {
    /// Bits a second both ways, now.
    pub(super) fn rate(&self) -> u64 {
        let last = |trail: &VecDeque<u64>| trail.back().copied().unwrap_or(0);
        last(&self.trail.out) + last(&self.trail.into)
    }
}

/// A layer: packets a second up and down, in all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layer {
    pub(super) name: String,
    pub(super) up: u64,
    pub(super) down: u64,
    pub(super) total: u64,
}

/// See the module's head.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    last: Option<Sample>,
    trails: BTreeMap<String, Trail>,
    pub(super) layers: Vec<Layer>,
    /// Reason, in all, a second.
    pub(super) drops: Vec<(String, u64, u64)>,
}

impl Model {
    /// Takes in the next sample.
    pub(super) fn add(&mut self, sample: Sample) {
        let before = self.last.take();
        let seconds = before.as_ref().map(|before| sample.at.since(before.at).as_secs_f64());
        let rate = |now: u64, then: u64| match seconds {
            Some(seconds) if seconds > 0.0 => (now.saturating_sub(then) as f64 / seconds) as u64,
            Some(_) | None => 0,
        };
        self.layers = layers(&sample, before.as_ref(), &rate);
        let old = before.as_ref().map(Sample::drops).unwrap_or_default();
        let of = |name: &str| old.get(name).copied().unwrap_or(0);
        let drops = sample.drops().into_iter();
        self.drops = drops.map(|(name, n)| (name.clone(), n, rate(n, of(&name)))).collect();
        self.drops
            .sort_by_key(|(name, total, rate)| (u64::MAX - rate, u64::MAX - total, name.clone()));
        let mut trails = core::mem::take(&mut self.trails);
        for socket in &sample.sockets {
            let name = name_of(socket);
            let number = |member: &str| socket[member].as_u64().unwrap_or(0);
            let carried = (number("bytes_acked"), number("bytes_received"));
            let known = trails.remove(&name);
            let mut trail = known.clone().unwrap_or_default();
            let (out, into) = match &known {
                Some(known) => (rate(carried.0, known.carried.0), rate(carried.1, known.carried.1)),
                None => (0, 0),
            };
            push(&mut trail.out, out.saturating_mul(8));
            push(&mut trail.into, into.saturating_mul(8));
            push(&mut trail.cwnd, number("cwnd"));
            trail.carried = carried;
            self.trails.insert(name, trail);
        }
        self.last = Some(sample);
    }

    /// Connections, the busiest first.
    pub(super) fn rows(&self) -> Vec<Row> {
        let sockets = self.last.iter().flat_map(|sample| &sample.sockets);
        let mut rows: Vec<Row> = sockets
            .filter(|socket| socket["state"] != "LISTEN")
            .map(|socket| {
                let trail = self.trails.get(&name_of(socket)).cloned().unwrap_or_default();
                Row { socket: socket.clone(), trail }
            })
            .collect();
        rows.sort_by_key(|row| (u64::MAX - row.rate(), name_of(&row.socket)));
        rows
    }

    /// What stands at the top.
    pub(super) fn headline(&self) -> String {
        let Some(sample) = &self.last else { return String::new() };
        let uptime = sample.nstat["uptime_s"].as_f64().unwrap_or(0.0);
        let listening = sample.sockets.iter().filter(|socket| socket["state"] == "LISTEN").count();
        let connections = sample.sockets.len() - listening;
        format!(
            "stackd  up {}  pipeline {}  {connections} connections  {listening} listening",
            units::span((uptime * 1000.0) as u64 / 1000 * 1000),
            units::cell(&sample.nstat["pipeline"])
        )
    }
}

/// What a connection is called from sample to sample.
fn name_of(socket: &Value) -> String {
    format!("{} {}", units::cell(&socket["local"]), units::cell(&socket["remote"]))
}

fn push(trail: &mut VecDeque<u64>, value: u64) {
    if trail.len() >= TRAIL {
        trail.pop_front();
    }
    trail.push_back(value);
}

fn layers(sample: &Sample, before: Option<&Sample>, rate: &dyn Fn(u64, u64) -> u64) -> Vec<Layer> {
    let mut layers = Vec::new();
    for link in &sample.links {
        let name = units::cell(&link["dev"]);
        let old = before.and_then(|before| before.links.iter().find(|l| l["dev"] == link["dev"]));
        let number = |of: &Value, member: &str| of[member].as_u64().unwrap_or(0);
        let then = |member: &str| old.map_or(0, |old| number(old, member));
        let (received, sent) = (number(link, "received"), number(link, "sent"));
        let (up, down) = (rate(received, then("received")), rate(sent, then("sent")));
        layers.push(Layer { name: format!("link {name}"), up, down, total: received + sent });
    }
    for (name, up, down) in LAYERS {
        let sum = |of: &Sample, names: &[&str]| names.iter().map(|n| of.counter(n)).sum::<u64>();
        let then = |names: &[&str]| before.map_or(0, |before| sum(before, names));
        let (in_all, out_all) = (sum(sample, up), sum(sample, down));
        let (up, down) = (rate(in_all, then(up)), rate(out_all, then(down)));
        layers.push(Layer { name: name.to_owned(), up, down, total: in_all + out_all });
    }
    layers
}
