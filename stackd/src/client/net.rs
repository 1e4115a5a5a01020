//! `stackd addr`, `link`, `route` and `neigh`, in the words of iproute2.

use core::net::IpAddr;
use std::io::{self, Write};

use clap::{Args, Subcommand};
use layer::MacAddr;
use serde_json::{Value, json};

use super::table::{Screen, Table};
use super::{Whom, units};

/// Our addresses.
#[derive(Args, Debug)]
pub(crate) struct Addr {
    #[command(flatten)]
    whom: Whom,
}

/// Interfaces and what crossed them.
#[derive(Args, Debug)]
pub(crate) struct Link {
    #[command(flatten)]
    whom: Whom,
}

/// Routes: shows them, adds and removes them.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Route {
    #[command(subcommand)]
    verb: Option<RouteVerb>,

    #[command(flatten)]
    whom: Whom,
}

#[derive(Subcommand, Debug)]
enum RouteVerb {
    /// The routing table
    Show(Whom),
    /// Adds a route: route add 10.7.0.0/16 via 10.9.0.1
    Add(Towards),
    /// Removes the first route that fits
    Del(Towards),
}

/// A route in the words of `ip route`.
#[derive(Args, Debug)]
struct Towards {
    /// A network, a host, or default
    #[arg(value_name = "DESTINATION")]
    destination: String,

    /// via ADDRESS, dev NAME, metric NUMBER
    #[arg(value_name = "via ADDRESS | dev NAME | metric N", num_args = 0..)]
    words: Vec<String>,

    #[command(flatten)]
    whom: Whom,
}

/// Neighbours and their Ethernet addresses: shows them, sets and forgets them.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Neigh {
    #[command(subcommand)]
    verb: Option<NeighVerb>,

    #[command(flatten)]
    whom: Whom,
}

#[derive(Subcommand, Debug)]
enum NeighVerb {
    /// The neighbour table
    Show(Whom),
    /// Sets a neighbour by hand: neigh add 10.9.0.7 lladdr 02:00:00:00:00:07
    Add(Near),
    /// Forgets a neighbour
    Del(Near),
}

/// A neighbour in the words of `ip neigh`.
#[derive(Args, Debug)]
struct Near {
    /// Its address
    #[arg(value_name = "ADDRESS")]
    address: IpAddr,

    /// lladdr MAC, dev NAME
    #[arg(value_name = "lladdr MAC | dev NAME", num_args = 0..)]
    words: Vec<String>,

    #[command(flatten)]
    whom: Whom,
}

impl Addr {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let columns = [
            ("Device", "dev"),
            ("Address", "address"),
            ("Prefix", "prefix_len"),
            ("Broadcast", "broadcast"),
            ("State", "state"),
        ];
        show(&self.whom, "/v1/addr", "addresses", &columns)
    }
}

impl Link {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let columns = [
            ("Device", "dev"),
            ("MAC", "mac"),
            ("MTU", "mtu"),
            ("Up", "up"),
            ("Offload", "offload"),
            ("Received", "received"),
            ("Sent", "sent"),
        ];
        show(&self.whom, "/v1/link", "links", &columns)
    }
}

impl Route {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let (method, towards) = match self.verb {
            None => return routes(&self.whom),
            Some(RouteVerb::Show(whom)) => return routes(&whom),
            Some(RouteVerb::Add(towards)) => ("POST", towards),
            Some(RouteVerb::Del(towards)) => ("DELETE", towards),
        };
        let Towards { destination, words, whom } = towards;
        let mut body = json!({ "destination": destination });
        pairs(&words, &["via", "dev", "metric"], &mut body);
        if let Some(metric) = body["metric"].as_str() {
            body["metric"] = metric.parse().unwrap_or_else(|_| {
                usage(&format!("metric: {metric:?} is no number"));
            });
        }
        whom.connect()?.ask(method, "/v1/route", Some(&body)).map(drop)
    }
}

impl Neigh {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let (method, near) = match self.verb {
            None => return neighbours(&self.whom),
            Some(NeighVerb::Show(whom)) => return neighbours(&whom),
            Some(NeighVerb::Add(near)) => ("POST", near),
            Some(NeighVerb::Del(near)) => ("DELETE", near),
        };
        let Near { address, words, whom } = near;
        let mut body = json!({ "address": address.to_string() });
        pairs(&words, &["lladdr", "dev"], &mut body);
        if let Some(mac) = body["lladdr"].as_str() {
            if mac.parse::<MacAddr>().is_err() {
                usage(&format!("lladdr: {mac:?} is no Ethernet address"));
            }
            body["mac"] = mac.into();
        } else if method == "POST" {
            usage("lladdr MAC is missing");
        }
        whom.connect()?.ask(method, "/v1/neigh", Some(&body)).map(drop)
    }
}

fn routes(whom: &Whom) -> anyhow::Result<()> {
    let columns =
        [("Destination", "destination"), ("Via", "via"), ("Device", "dev"), ("Metric", "metric")];
    show(whom, "/v1/route", "routes", &columns)
}

fn neighbours(whom: &Whom) -> anyhow::Result<()> {
    let columns = [
        ("Address", "address"),
        ("Device", "dev"),
        ("MAC", "mac"),
        ("State", "state"),
        ("Age, s", "age_s"),
    ];
    show(whom, "/v1/neigh", "neighbours", &columns)
}

/// Words two by two, as iproute2 has them, into members of a body.
fn pairs(words: &[String], known: &[&str], body: &mut Value) {
    for pair in words.chunks(2) {
        match pair {
            [name, value] if known.contains(&name.as_str()) => {
                body[name.as_str()] = value.as_str().into();
            }
            [name, ..] if known.contains(&name.as_str()) => usage(&format!("{name} wants a value")),
            [name, ..] => {
                usage(&format!("{name:?} makes no sense here; there are {}", known.join(", ")));
            }
            [] => {}
        }
    }
}

/// A command line that makes no sense: said as clap says it, exit code 2.
fn usage(why: &str) -> ! {
    clap::Error::raw(clap::error::ErrorKind::ValueValidation, format!("{why}\n")).exit()
}

/// Asks for rows and shows some of their members.
fn show(
    whom: &Whom,
    path: &str,
    list: &str,
    columns: &[(&'static str, &'static str)],
) -> anyhow::Result<()> {
    let answer = whom.connect()?.get(path)?;
    let mut out = io::stdout().lock();
    if whom.json {
        writeln!(out, "{answer}")?;
        return Ok(());
    }
    table(&answer[list], columns).write(Screen::new(), &mut out)?;
    Ok(())
}

fn table(rows: &Value, columns: &[(&'static str, &'static str)]) -> Table {
    let head: Vec<&'static str> = columns.iter().map(|(title, _)| *title).collect();
    let mut table = Table::new(&head);
    for row in rows.as_array().into_iter().flatten() {
        table.row(columns.iter().map(|(_, name)| shown(&row[*name])).collect());
    }
    table
}

fn shown(value: &Value) -> String {
    match value.as_f64().filter(|_| value.is_f64()) {
        Some(number) => format!("{number:.1}"),
        None => units::cell(value),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser, Debug)]
    struct RouteLine {
        #[command(flatten)]
        route: Route,
    }

    #[test]
    fn routes_are_said_as_to_iproute2() {
        let words =
            ["route", "add", "10.7.0.0/16", "via", "10.9.0.1", "metric", "5", "--name", "lab"];
        let line = RouteLine::try_parse_from(words).unwrap();
        let Some(RouteVerb::Add(towards)) = line.route.verb else { panic!("no add") };
        let mut body = json!({});
        pairs(&towards.words, &["via", "dev", "metric"], &mut body);
        assert_eq!(body, json!({ "via": "10.9.0.1", "metric": "5" }));
        assert!(RouteLine::try_parse_from(["route"]).unwrap().route.verb.is_none());
    }

    #[test]
    fn rows_become_lines() {
        let rows = json!([{ "address": "10.9.0.1", "mac": null, "age_s": 1.25 }]);
        let columns = [("Address", "address"), ("MAC", "mac"), ("Age, s", "age_s")];
        let mut out = Vec::new();
        table(&rows, &columns).write(Screen { width: 80, colours: false }, &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "Address   MAC  Age, s\n10.9.0.1          1.2\n"
        );
    }
}
