//! What the stack shows of itself: gathered from the stages through their mailboxes.

use arp::Arp;
use ip::Ip;
use layer::boundary::ConnectionInfo;
use layer::{
    Accounted, Counted, Fork, Instant, InterfaceId, Layer, Ledger, Many, Out, Reason, Stacked,
};
use link::Link;
use serde_json::{Value, json};
use socket::Hub;
use tcp::Tcp;
use udp::Udp;

use crate::orders::{self, Order, Reply};

/// One look at the whole stack. The stages answer one after the other, so numbers of different
/// stages may be some microseconds apart.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Time since the stack was started, s.
    pub uptime_s: f64,
    /// Where the threads are.
    pub pipeline: &'static str,
    /// Interfaces, in the order of their ids.
    pub interfaces: Vec<Value>,
    /// Our addresses.
    pub addresses: Vec<Value>,
    /// Routes.
    pub routes: Vec<Value>,
    /// Neighbours on all interfaces.
    pub neighbours: Vec<Value>,
    /// TCP connections.
    pub connections: Vec<ConnectionInfo>,
    /// Sockets that applications hold.
    pub sockets: usize,
    /// Counters under the names of `nstat`, from below upward.
    pub counters: Vec<(&'static str, u64)>,
    /// Drops by reason, from below upward; only reasons that happened.
    pub drops: Vec<(&'static str, u64)>,
    /// Items and bytes that the stages hold.
    pub held: Vec<(&'static str, usize, usize)>,
}

impl Report {
    /// Takes in what a stage says of itself.
    pub(crate) fn absorb(&mut self, part: Self) {
        self.addresses.extend(part.addresses);
        self.routes.extend(part.routes);
        self.neighbours.extend(part.neighbours);
        self.connections.extend(part.connections);
        self.sockets += part.sockets;
        self.counters.extend(part.counters);
        self.drops.extend(part.drops);
        self.held.extend(part.held);
    }

    /// Adds the drops of a ledger to those of the same reasons.
    pub(crate) fn absorb_drops(&mut self, ledger: &Ledger) {
        for (reason, count) in ledger.nonzero() {
            match self.drops.iter_mut().find(|(name, _)| *name == reason.name()) {
                Some((_, sum)) => *sum += count,
                None => self.drops.push((reason.name(), count)),
            }
        }
    }

    /// Sums drops by reason and sorts them from below upward.
    pub(crate) fn settle(&mut self) {
        let drops = core::mem::take(&mut self.drops);
        for reason in Reason::ALL {
            let of_reason = drops.iter().filter(|(name, _)| *name == reason.name());
            let count: u64 = of_reason.map(|&(_, n)| n).sum();
            if count > 0 {
                self.drops.push((reason.name(), count));
            }
        }
    }

    /// For scripts.
    pub fn to_json(&self) -> Value {
        let map = |pairs: &[(&'static str, u64)]| -> Value {
            pairs.iter().map(|&(name, n)| (name.to_owned(), Value::from(n))).collect()
        };
        let held = self.held.iter().map(
            |&(stage, items, bytes)| json!({ "stage": stage, "items": items, "bytes": bytes }),
        );
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "uptime_s": self.uptime_s,
            "pipeline": self.pipeline,
            "interfaces": self.interfaces,
            "addresses": self.addresses,
            "routes": self.routes,
            "neighbours": self.neighbours,
            "connections": self.connections.iter().map(connection).collect::<Vec<_>>(),
            "sockets": self.sockets,
            "counters": map(&self.counters),
            "drops": map(&self.drops),
            "held": held.collect::<Vec<_>>(),
        })
    }
}

/// A layer that can say something about itself. Run in its stage's turn.
pub(crate) trait Inspect: Layer {
    /// Adds what it has to say.
    fn inspect(&self, now: Instant, report: &mut Report);

    /// Does what it is asked to; `None` if that is another layer's business.
    fn obey(&mut self, now: Instant, order: &Order, out: &mut Out<'_, Self>) -> Option<Reply> {
        let _ = (now, order, out);
        None
    }
}

impl<A, B> Inspect for Stacked<A, B>
where
    A: Inspect,
    B: Inspect + Layer<FromBelow = A::ToAbove, ToBelow = A::FromAbove>,
{
    fn inspect(&self, now: Instant, report: &mut Report) {
        self.lower().inspect(now, report);
        self.upper().inspect(now, report);
    }

    fn obey(&mut self, now: Instant, order: &Order, out: &mut Out<'_, Self>) -> Option<Reply> {
        let reply = self.with_lower(now, out, |lower, out| lower.obey(now, order, out));
        reply.or_else(|| self.with_upper(now, out, |upper, out| upper.obey(now, order, out)))
    }
}

impl Inspect for Many<Link> {
    fn inspect(&self, _: Instant, report: &mut Report) {
        count(self, report);
    }
}

impl Inspect for Many<Arp> {
    fn inspect(&self, now: Instant, report: &mut Report) {
        count(self, report);
        hold("arp", self, report);
        for (interface, arp) in (0..).map(InterfaceId).zip(self.iter()) {
            let interface = interface.to_string();
            report.addresses.extend(arp.addresses().map(|(address, state)| {
                json!({
                    "interface": interface,
                    "address": address.to_string(),
                    "state": format!("{state:?}").to_lowercase(),
                })
            }));
            report.neighbours.extend(arp.neighbours(now).map(|neighbour| {
                json!({
                    "interface": interface,
                    "address": neighbour.address.to_string(),
                    "mac": neighbour.mac.map(|mac| mac.to_string()),
                    "state": format!("{:?}", neighbour.state).to_lowercase(),
                    "age_s": neighbour.age.map(|age| age.as_secs_f64()),
                })
            }));
        }
    }

    fn obey(&mut self, now: Instant, order: &Order, _: &mut Out<'_, Self>) -> Option<Reply> {
        orders::neighbour(self, now, order)
    }
}

impl Inspect for Ip {
    fn inspect(&self, _: Instant, report: &mut Report) {
        count(self, report);
        hold("ip", self, report);
        report.routes.extend(self.routes().into_iter().map(|route| {
            json!({
                "destination": route.destination.to_string(),
                "via": route.via.map(|via| via.to_string()),
                "interface": route.interface.to_string(),
                "metric": route.metric,
            })
        }));
    }

    fn obey(&mut self, now: Instant, order: &Order, out: &mut Out<'_, Self>) -> Option<Reply> {
        orders::internet(self, now, order, out)
    }
}

impl Inspect for Fork<Tcp, Udp> {
    fn inspect(&self, _: Instant, report: &mut Report) {
        count(self, report);
        hold("tcp", self.a(), report);
        hold("udp", self.b(), report);
    }

    fn obey(&mut self, now: Instant, order: &Order, _: &mut Out<'_, Self>) -> Option<Reply> {
        orders::transports(self, now, order)
    }
}

impl Inspect for Hub {
    fn inspect(&self, _: Instant, report: &mut Report) {
        hold("hub", self, report);
        report.sockets += self.sockets();
    }
}

fn count(layer: &impl Counted, report: &mut Report) {
    layer.counters(&mut |name, value| report.counters.push((name, value)));
}

fn hold(name: &'static str, layer: &impl Accounted, report: &mut Report) {
    report.held.push((name, layer.held_items(), layer.held_bytes()));
}

fn connection(info: &ConnectionInfo) -> Value {
    json!({
        "local": info.local.to_string(),
        "remote": info.remote.to_string(),
        "state": info.state.name(),
        "receive_queue": info.receive_queue,
        "send_queue": info.send_queue,
        "cwnd": info.cwnd,
        "ssthresh": info.ssthresh,
        "in_flight": info.in_flight,
        "snd_wnd": info.snd_wnd,
        "rcv_wnd": info.rcv_wnd,
        "mss": info.mss,
        "srtt_us": info.srtt.map(|srtt| srtt.as_micros()),
        "rttvar_us": info.rttvar.map(|rttvar| rttvar.as_micros()),
        "rto_ms": info.rto.as_millis(),
        "retransmits": info.retransmits,
        "bytes_acked": info.bytes_acked,
        "bytes_received": info.bytes_received,
        "segs_in": info.segs_in,
        "segs_out": info.segs_out,
        "limiting": format!("{:?}", info.limiting),
    })
}
