//! `stackd ss`: sockets, in the words of iproute2's `ss`.

use std::io::{self, Write};

use anyhow::ensure;
use clap::Args;
use serde_json::Value;

use super::table::{Screen, Table, wrap};
use super::{Whom, http, units};

/// States that `ss` shows unless told otherwise: connections that are there.
const CONNECTED: &str = "ESTAB,SYN-SENT,FIN-WAIT-1,FIN-WAIT-2,CLOSE-WAIT,LAST-ACK,CLOSING";

/// States of sockets that wait for somebody.
const LISTENING: &str = "LISTEN,UNCONN";

/// The states that may be named, as the daemon spells them and as people write them.
const STATES: &[(&str, &[&str])] = &[
    ("ESTAB", &["established", "estab"]),
    ("SYN-SENT", &["syn-sent"]),
    ("SYN-RECV", &["syn-recv", "syn-received"]),
    ("FIN-WAIT-1", &["fin-wait-1"]),
    ("FIN-WAIT-2", &["fin-wait-2"]),
    ("TIME-WAIT", &["time-wait"]),
    ("CLOSE-WAIT", &["close-wait"]),
    ("LAST-ACK", &["last-ack"]),
    ("CLOSING", &["closing"]),
    ("LISTEN", &["listen", "listening"]),
    ("UNCONN", &["unconn", "unconnected"]),
];

/// Sockets, as iproute2's `ss` shows those of the kernel.
#[derive(Args, Debug)]
pub(crate) struct Ss {
    /// TCP sockets
    #[arg(short, long)]
    tcp: bool,

    /// UDP sockets
    #[arg(short, long)]
    udp: bool,

    /// Only sockets that listen
    #[arg(short, long)]
    listening: bool,

    /// All of them: those that listen or wait too
    #[arg(short, long)]
    all: bool,

    /// What TCP knows of each connection
    #[arg(short, long)]
    info: bool,

    /// Names of ports stay numbers (they always do)
    #[arg(short, long)]
    numeric: bool,

    /// The timer that runs
    #[arg(short, long)]
    options: bool,

    /// Timer and id of each socket
    #[arg(short, long)]
    extended: bool,

    /// Programs of sockets (the stack knows none; for those used to -p)
    #[arg(short, long)]
    processes: bool,

    /// Only in these states, e.g. established or time-wait
    #[arg(long, value_name = "STATE", value_parser = state, value_delimiter = ',')]
    state: Vec<&'static str>,

    /// Only with this port at either end
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,

    /// Only with this port at our end
    #[arg(long, value_name = "PORT")]
    sport: Option<u16>,

    /// Only with this port at the peer's end
    #[arg(long, value_name = "PORT")]
    dport: Option<u16>,

    #[command(flatten)]
    whom: Whom,
}

fn state(text: &str) -> Result<&'static str, String> {
    let text = text.to_ascii_lowercase();
    let found = STATES.iter().find(|(_, words)| words.contains(&text.as_str()));
    found.map(|(state, _)| *state).ok_or_else(|| {
        let known: Vec<&str> = STATES.iter().map(|(_, words)| words[0]).collect();
        format!("states are {}", known.join(", "))
    })
}

impl Ss {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let answer = self.whom.connect()?.get(&self.target())?;
        let mut out = io::stdout().lock();
        if self.whom.json {
            writeln!(out, "{answer}")?;
            return Ok(());
        }
        let sockets = answer["sockets"].as_array();
        ensure!(sockets.is_some(), "the daemon speaks another language");
        let screen = Screen::new();
        write!(out, "{}", self.shown(sockets.map(Vec::as_slice).unwrap_or_default(), screen)?)?;
        Ok(())
    }

    fn target(&self) -> String {
        let states = match &self.state[..] {
            [] if self.all => None,
            [] if self.listening => Some(LISTENING.to_owned()),
            [] => Some(CONNECTED.to_owned()),
            states => Some(states.join(",")),
        };
        let protocol = match (self.tcp, self.udp) {
            (true, false) => Some("tcp".to_owned()),
            (false, true) => Some("udp".to_owned()),
            (true, true) | (false, false) => None,
        };
        let port = |port: Option<u16>| port.map(|port| port.to_string());
        http::target(
            "/v1/ss",
            &[
                ("protocol", protocol),
                ("state", states),
                ("port", port(self.port)),
                ("sport", port(self.sport)),
                ("dport", port(self.dport)),
            ],
        )
    }

    /// The table, with each connection's details below it.
    fn shown(&self, sockets: &[Value], screen: Screen) -> io::Result<String> {
        let mut table = Table::new(&[
            "Netid",
            "State",
            "Recv-Q",
            "Send-Q",
            "Local Address:Port",
            "Peer Address:Port",
            "",
        ]);
        for socket in sockets {
            let names = ["protocol", "state", "recv_q", "send_q", "local", "remote"];
            let mut row: Vec<String> =
                names.iter().map(|name| units::cell(&socket[*name])).collect();
            row.push(self.beside(socket));
            table.row(row);
        }
        let mut text = Vec::new();
        table.write(screen, &mut text)?;
        let text = String::from_utf8_lossy(&text).into_owned();
        if !self.info {
            return Ok(text);
        }
        let mut all = String::new();
        for (line, socket) in text.lines().zip([&Value::Null].into_iter().chain(sockets)) {
            all += &format!("{line}\n");
            for line in wrap(&details(socket), screen.width) {
                all += &format!("\t {line}\n");
            }
        }
        Ok(all)
    }

    /// What stands on the socket's own line.
    fn beside(&self, socket: &Value) -> String {
        let mut words = Vec::new();
        let timer = &socket["timer"];
        if (self.options || self.extended) && timer.is_object() {
            let left = units::span(timer["left_ms"].as_u64().unwrap_or(0));
            let name = timer["name"].as_str().unwrap_or_default();
            words.push(format!("timer:({name},{left},{})", timer["retries"]));
        }
        if self.extended {
            words.push(format!("sk:{:x}", socket["id"].as_u64().unwrap_or(0)));
        }
        words.join(" ")
    }
}

/// What TCP knows, word by word, in the order of `ss -i`; nothing where it knows nothing.
fn details(socket: &Value) -> Vec<String> {
    let Some(congestion) = socket["congestion"].as_str() else { return Vec::new() };
    let number = |name: &str| socket[name].as_u64().unwrap_or(0);
    let some = |name: &str| Some(number(name)).filter(|n| *n > 0);
    let plain = |word: &str, name: &str| some(name).map(|n| format!("{word}:{n}"));
    let rate = |word: &str, name: &str| some(name).map(|n| format!("{word} {}", units::rate(n)));
    let mut words: Vec<String> = Vec::new();
    let options = socket["options"].as_array();
    words.extend(options.into_iter().flatten().map(units::cell));
    words.push(congestion.to_owned());
    if let Some([snd, rcv]) = socket["wscale"].as_array().map(Vec::as_slice) {
        words.push(format!("wscale:{snd},{rcv}"));
    }
    words.push(format!("rto:{}", units::millis(number("rto_us"))));
    words.extend(plain("backoff", "backoff"));
    let (rtt, rttvar) = (number("rtt_us"), number("rttvar_us"));
    words.push(format!("rtt:{}/{}", units::millis(rtt), units::millis(rttvar)));
    words.push(format!("ato:{}", units::millis(number("ato_us"))));
    for name in ["mss", "pmtu", "rcvmss", "advmss", "cwnd", "ssthresh"] {
        words.extend(plain(name, name));
    }
    for name in ["bytes_sent", "bytes_retrans", "bytes_acked", "bytes_received"] {
        words.extend(plain(name, name));
    }
    for name in ["segs_out", "segs_in", "data_segs_out", "data_segs_in"] {
        words.extend(plain(name, name));
    }
    words.extend(rate("send", "send_bps"));
    for (word, name) in
        [("lastsnd", "lastsnd_ms"), ("lastrcv", "lastrcv_ms"), ("lastack", "lastack_ms")]
    {
        words.extend(plain(word, name));
    }
    words.extend(rate("pacing_rate", "pacing_bps"));
    words.extend(rate("delivery_rate", "delivery_bps"));
    words.extend(plain("delivered", "delivered"));
    words.extend(plain("delivered_ce", "delivered_ce"));
    if socket["app_limited"] == true {
        words.push("app_limited".to_owned());
    }
    words.extend(limits(number("busy_us"), number("rwnd_limited_us"), number("sndbuf_limited_us")));
    words.extend(plain("unacked", "unacked"));
    if number("retrans_total") > 0 {
        words.push(format!("retrans:{}/{}", number("retrans"), number("retrans_total")));
    }
    for name in ["lost", "sacked", "dsack_dups"] {
        words.extend(plain(name, name));
    }
    // Three is what everybody starts with.
    words.extend(plain("reordering", "reordering").filter(|_| number("reordering") != 3));
    words.extend(plain("reord_seen", "reord_seen"));
    words.extend(some("rcv_rtt_us").map(|n| format!("rcv_rtt:{}", units::millis(n))));
    for name in ["rcv_space", "rcv_ssthresh", "notsent"] {
        words.extend(plain(name, name));
    }
    words.extend(some("minrtt_us").map(|n| format!("minrtt:{}", units::millis(n))));
    for name in ["rcv_ooopack", "snd_wnd", "rcv_wnd"] {
        words.extend(plain(name, name));
    }
    words
}

/// How long it was busy, and how much of that was somebody's fault.
fn limits(busy: u64, window: u64, buffer: u64) -> Vec<String> {
    if busy == 0 {
        return Vec::new();
    }
    let part = |name: &str, us: u64| {
        let percent = us as f64 * 100.0 / busy as f64;
        Some(format!("{name}:{}ms({percent:.1}%)", us / 1000)).filter(|_| us >= 1000)
    };
    let busy = format!("busy:{}ms", busy / 1000);
    let parts = [part("rwnd_limited", window), part("sndbuf_limited", buffer)];
    core::iter::once(busy).chain(parts.into_iter().flatten()).collect()
}

#[cfg(test)]
mod tests;
