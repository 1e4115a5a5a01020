//! What `nstat`, `addr`, `link`, `route`, `neigh` and `sysctl` show and change.

use core::net::IpAddr;

use ip::RouteEntry;
use ipnet::IpNet;
use layer::{InterfaceId, MacAddr, Reason};
use serde_json::{Map, Value, json};

use super::http::Request;
use super::names;
use crate::Stack;
use crate::orders::{Order, Reply, Setting};

/// An answer, or why there is none.
pub(super) type Outcome = Result<Value, String>;

/// Counters under the names of Linux's `nstat`, and drops by reason.
pub(super) fn nstat(stack: &Stack, request: &Request) -> Value {
    let report = stack.summary();
    let zeros = request.value("zeros").is_some_and(|value| value != "0");
    let some = |n: u64| zeros || n > 0;
    let pairs = |pairs: &[(&'static str, u64)]| -> Map<String, Value> {
        let kept = pairs.iter().filter(|(_, n)| some(*n));
        kept.map(|&(name, n)| (name.to_owned(), n.into())).collect()
    };
    let mut drops = report.drops.clone();
    if zeros {
        for reason in Reason::ALL {
            if !drops.iter().any(|(name, _)| *name == reason.name()) {
                drops.push((reason.name(), 0));
            }
        }
    }
    let held = report.held.iter();
    let held = held
        .map(|&(layer, items, bytes)| json!({ "layer": layer, "items": items, "bytes": bytes }));
    json!({
        "uptime_s": report.uptime_s,
        "pipeline": report.pipeline,
        "sockets": report.sockets,
        "counters": pairs(&report.counters),
        "drops": pairs(&drops),
        "held": held.collect::<Vec<_>>(),
    })
}

/// Our addresses, each with its prefix and its standing (RFC 5227).
pub(super) fn addresses(stack: &Stack) -> Value {
    let mut rows = stack.summary().addresses;
    names::put(stack, &mut rows);
    for row in &mut rows {
        let nets = stack.interfaces().iter().flat_map(|interface| &interface.addresses);
        let net = nets.into_iter().find(|net| row["address"] == net.addr().to_string());
        if let Some(net) = net {
            row["prefix_len"] = net.prefix_len().into();
            row["broadcast"] = net.broadcast().to_string().into();
        }
    }
    json!({ "addresses": rows })
}

/// Interfaces, with what crossed them.
pub(super) fn links(stack: &Stack) -> Value {
    let mut rows = stack.summary().interfaces;
    for (id, row) in (0..).map(InterfaceId).zip(&mut rows) {
        row["interface"] = id.to_string().into();
        row["dev"] = row["name"].clone();
    }
    json!({ "links": rows })
}

/// The routing table.
pub(super) fn routes(stack: &Stack) -> Value {
    let mut rows = stack.summary().routes;
    names::put(stack, &mut rows);
    json!({ "routes": rows })
}

/// Neighbours on all interfaces.
pub(super) fn neighbours(stack: &Stack) -> Value {
    let mut rows = stack.summary().neighbours;
    names::put(stack, &mut rows);
    json!({ "neighbours": rows })
}

/// A member of a body, read from its text. `None` if it is not there.
fn member<T: core::str::FromStr>(
    body: &Value,
    name: &str,
    what: &str,
) -> Result<Option<T>, String> {
    match &body[name] {
        Value::Null => Ok(None),
        Value::String(text) => {
            text.parse().map(Some).map_err(|_| format!("{name}: {text:?} is no {what}"))
        }
        other => Err(format!("{name}: {other} is no string")),
    }
}

fn needed<T>(value: Option<T>, name: &str) -> Result<T, String> {
    value.ok_or_else(|| format!("{name} is missing"))
}

fn device(stack: &Stack, body: &Value) -> Result<Option<InterfaceId>, String> {
    let name: Option<String> = member(body, "dev", "name")?;
    name.map(|name| names::find(stack, &name)).transpose()
}

/// `default`, a network, or a host.
fn destination(body: &Value) -> Result<IpNet, String> {
    let text: String = needed(member(body, "destination", "text")?, "destination")?;
    if text == "default" {
        return Ok(IpNet::V4(ipnet::Ipv4Net::default()));
    }
    let host = || text.parse::<IpAddr>().map(IpNet::from);
    let net = text.parse().or_else(|_| host());
    let net: IpNet = net.map_err(|_| format!("destination: {text:?} is no network"))?;
    if net.trunc() == net { Ok(net) } else { Err(format!("did you mean {}?", net.trunc())) }
}

/// Adds or removes a route: `{"destination", "via", "dev", "metric"}`.
pub(super) fn route(stack: &Stack, request: &Request, add: bool) -> Outcome {
    let body = request.json()?;
    let (destination, via) = (destination(&body)?, member::<IpAddr>(&body, "via", "address")?);
    let interface = device(stack, &body)?;
    if !add {
        return carry_out(stack, &Order::Unroute { destination, via, interface });
    }
    let metric = match &body["metric"] {
        Value::Null => 0,
        number => number.as_u64().and_then(|n| u32::try_from(n).ok()).ok_or("metric: no number")?,
    };
    let near = via.and_then(|via| by_neighbour(stack, via));
    let Some(interface) = interface.or(near) else {
        return Err(match via {
            Some(via) => format!("{via} is no neighbour on any interface"),
            None => "via or dev is missing".to_owned(),
        });
    };
    carry_out(stack, &Order::Route(RouteEntry { destination, via, interface, metric }))
}

/// The interface whose network an address is in.
fn by_neighbour(stack: &Stack, address: IpAddr) -> Option<InterfaceId> {
    let IpAddr::V4(address) = address else { return None };
    let mut devices = (0..).map(InterfaceId).zip(stack.interfaces());
    let near = devices.find(|(_, device)| device.addresses.iter().any(|n| n.contains(&address)));
    near.map(|(id, _)| id)
}

/// Sets or forgets a neighbour: `{"address", "mac", "dev"}`.
pub(super) fn neighbour(stack: &Stack, request: &Request, set: bool) -> Outcome {
    let body = request.json()?;
    let address: IpAddr = needed(member(&body, "address", "address")?, "address")?;
    let mac: Option<MacAddr> = member(&body, "mac", "Ethernet address")?;
    let mac = if set { Some(needed(mac, "mac")?) } else { None };
    if let Some(mac) = mac.filter(|mac| !mac.is_unicast()) {
        return Err(format!("mac: {mac} is no address of one station"));
    }
    let near = || {
        let found = by_neighbour(stack, address);
        found.ok_or_else(|| format!("{address} is in no network of ours; name a dev"))
    };
    let interface = match device(stack, &body)? {
        Some(interface) => interface,
        None => near()?,
    };
    carry_out(stack, &Order::Neighbour { interface, address, mac })
}

/// TCP's settings, all or one.
pub(super) fn settings(stack: &Stack, request: &Request) -> Outcome {
    let Some(Reply::Settings(settings)) = stack.order(&Order::Settings) else {
        return Err(ENDED.to_owned());
    };
    let wanted = request.value("name").map(|name| name.replace('/', "."));
    let fits = |setting: &&Setting| {
        let short = setting.name.trim_start_matches("net.ipv4.");
        wanted.as_deref().is_none_or(|name| name == setting.name || name == short)
    };
    let rows: Vec<Value> = settings.iter().filter(fits).map(setting).collect();
    match wanted {
        Some(name) if rows.is_empty() => Err(format!("{name}: there is no such setting")),
        Some(_) | None => Ok(json!({ "settings": rows })),
    }
}

/// Changes one: `{"name", "value"}`.
pub(super) fn set(stack: &Stack, request: &Request) -> Outcome {
    let body = request.json()?;
    let name = needed(member(&body, "name", "name")?, "name")?;
    let value = match &body["value"] {
        Value::Number(number) => number.to_string(),
        _other => needed(member(&body, "value", "value")?, "value")?,
    };
    match stack.order(&Order::Set { name, value }) {
        Some(Reply::Settings(settings)) => {
            Ok(json!({ "settings": settings.iter().map(setting).collect::<Vec<_>>() }))
        }
        Some(Reply::Refused(why)) => Err(why),
        Some(Reply::Done | Reply::Connections(..) | Reply::Sockets(..)) | None => {
            Err(ENDED.to_owned())
        }
    }
}

fn setting(setting: &Setting) -> Value {
    let Setting { name, value, writable } = setting;
    json!({ "name": name, "value": value, "writable": writable })
}

/// Said where a stage does not answer.
const ENDED: &str = "the stack does not answer: it is about to end";

fn carry_out(stack: &Stack, order: &Order) -> Outcome {
    match stack.order(order) {
        Some(Reply::Done) => Ok(json!({ "done": true })),
        Some(Reply::Refused(why)) => Err(why),
        Some(Reply::Connections(..) | Reply::Sockets(..) | Reply::Settings(_)) | None => {
            Err(ENDED.to_owned())
        }
    }
}
