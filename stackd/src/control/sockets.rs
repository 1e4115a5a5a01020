//! `/v1/ss`: sockets as JSON, with the fields of `ss -tinpe`.
//!
//! Units are in the names: `_us`, `_ms`, `_bps` (bits a second); everything else is bytes or a
//! count. `cwnd` and `ssthresh` are segments, as in `ss`. What is not known is left out.

use core::net::SocketAddr;
use std::io::{self, Write};

use layer::boundary::{ConnectionInfo, TcpInfo, TcpState};
use serde_json::{Map, Value, json};
use udp::SocketInfo;

use super::http::{Reply, Request};
use crate::Stack;
use crate::orders::{self, Order, PAGE};

/// Which sockets are wanted.
#[derive(Debug, Default)]
struct Wanted {
    tcp: bool,
    udp: bool,
    /// Names of states; none means all.
    states: Vec<String>,
    port: Option<u16>,
    local_port: Option<u16>,
    remote_port: Option<u16>,
}

impl Wanted {
    fn of(request: &Request) -> Result<Self, String> {
        let port = |name: &str| match request.value(name).map(str::parse) {
            None => Ok(None),
            Some(Ok(port)) => Ok(Some(port)),
            Some(Err(_)) => Err(format!("{name} is no port")),
        };
        let protocol = request.value("protocol");
        let states = request.value("state").unwrap_or_default().split(',');
        let states = states.filter(|s| !s.is_empty()).map(str::to_ascii_uppercase).collect();
        let known = protocol.is_none_or(|protocol| matches!(protocol, "tcp" | "udp"));
        if !known {
            return Err("protocol is tcp or udp".to_owned());
        }
        Ok(Self {
            tcp: protocol != Some("udp"),
            udp: protocol != Some("tcp"),
            states,
            port: port("port")?,
            local_port: port("sport")?,
            remote_port: port("dport")?,
        })
    }

    fn takes(&self, state: &str, local: SocketAddr, remote: Option<SocketAddr>) -> bool {
        let (ours, theirs) = (local.port(), remote.map(|remote| remote.port()));
        (self.states.is_empty() || self.states.iter().any(|wanted| wanted == state))
            && self.port.is_none_or(|port| ours == port || theirs == Some(port))
            && self.local_port.is_none_or(|port| ours == port)
            && self.remote_port.is_none_or(|port| theirs == Some(port))
    }
}

/// Answers `/v1/ss`.
pub(super) fn answer(stack: &Stack, request: &Request, reply: Reply<'_>) -> io::Result<()> {
    let wanted = match Wanted::of(request) {
        Ok(wanted) => wanted,
        Err(why) => return reply.error("400 Bad Request", &why),
    };
    let mut body = reply.chunks("application/json")?;
    body.write_all(b"{\"sockets\":[")?;
    let mut first = true;
    each(stack, &wanted, &mut |socket| {
        let separator = if core::mem::take(&mut first) { "\n" } else { ",\n" };
        write!(body, "{separator}{socket}")
    })?;
    body.write_all(b"\n]}\n")?;
    body.end()
}

/// All wanted sockets: listeners, UDP's, then connections page by page.
fn each(
    stack: &Stack,
    wanted: &Wanted,
    give: &mut dyn FnMut(Value) -> io::Result<()>,
) -> io::Result<()> {
    let (listeners, udp) = match stack.order(&Order::Sockets) {
        Some(orders::Reply::Sockets(listeners, udp)) => (listeners, udp),
        Some(_) | None => (Vec::new(), Vec::new()),
    };
    for socket in listeners.iter().filter(|_| wanted.tcp) {
        if wanted.takes("LISTEN", socket.local, None) {
            give(connection(socket))?;
        }
    }
    for socket in udp.iter().filter(|_| wanted.udp) {
        if wanted.takes(udp_state(socket), socket.local, socket.remote) {
            give(datagrams(socket))?;
        }
    }
    let mut next = Some(0).filter(|_| wanted.tcp);
    while let Some(from) = next {
        let order = Order::Connections { from, most: PAGE };
        let Some(orders::Reply::Connections(page, after)) = stack.order(&order) else { break };
        for socket in &page {
            if wanted.takes(state(socket.state), socket.local, Some(socket.remote)) {
                give(connection(socket))?;
            }
        }
        next = after;
    }
    Ok(())
}

/// As `ss` spells states.
pub(super) fn state(state: TcpState) -> &'static str {
    match state {
        TcpState::Established => "ESTAB",
        TcpState::SynReceived => "SYN-RECV",
        TcpState::Closed => "UNCONN",
        TcpState::Listen
        | TcpState::SynSent
        | TcpState::FinWait1
        | TcpState::FinWait2
        | TcpState::CloseWait
        | TcpState::Closing
        | TcpState::LastAck
        | TcpState::TimeWait => state.name(),
    }
}

fn udp_state(socket: &SocketInfo) -> &'static str {
    if socket.remote.is_some() { "ESTAB" } else { "UNCONN" }
}

fn datagrams(socket: &SocketInfo) -> Value {
    let any = SocketAddr::new(core::net::Ipv4Addr::UNSPECIFIED.into(), 0);
    json!({
        "protocol": "udp",
        "state": udp_state(socket),
        "recv_q": socket.receive_queue,
        "send_q": 0,
        "local": socket.local.to_string(),
        "remote": socket.remote.unwrap_or(any).to_string(),
        "id": socket.socket.0,
    })
}

/// One TCP socket.
pub(super) fn connection(info: &ConnectionInfo) -> Value {
    let (receive, send) = match info.state {
        // As Linux: how many wait to be accepted, and how many may.
        TcpState::Listen => (info.tcp.unacked, info.tcp.sacked),
        _with_peer => (info.receive_queue, info.send_queue),
    };
    let mut socket = Map::new();
    let mut put = |name: &str, value: Value| socket.insert(name.to_owned(), value);
    put("protocol", "tcp".into());
    put("state", state(info.state).into());
    put("recv_q", receive.into());
    put("send_q", send.into());
    put("local", info.local.to_string().into());
    put("remote", info.remote.to_string().into());
    put("id", info.socket.0.into());
    if let Some(timer) = info.timer {
        let left = u64::try_from(timer.left.as_millis()).unwrap_or(u64::MAX);
        let timer = json!({ "name": timer.kind.name(), "left_ms": left, "retries": timer.retries });
        put("timer", timer);
    }
    // What opens, listens or waits has not learnt any of the rest.
    if info.mss > 0 {
        put("congestion", info.congestion.into());
        put("limiting", format!("{:?}", info.limiting).to_lowercase().into());
        details(&info.tcp, &mut socket);
    }
    Value::Object(socket)
}

fn bits(bytes: u64) -> u64 {
    bytes.saturating_mul(8)
}

/// Everything that `struct tcp_info` has, less what is zero and means nothing then.
fn details(tcp: &TcpInfo, socket: &mut Map<String, Value>) {
    let has = |bit: u8| tcp.options & bit != 0;
    let options = [
        ("ts", TcpInfo::TIMESTAMPS),
        ("sack", TcpInfo::SACK),
        ("ecn", TcpInfo::ECN),
        ("ecnseen", TcpInfo::ECN_SEEN),
    ];
    let options: Vec<&str> =
        options.iter().filter(|(_, bit)| has(*bit)).map(|(name, _)| *name).collect();
    socket.insert("options".to_owned(), options.into());
    socket.insert("app_limited".to_owned(), tcp.delivery_rate_app_limited.into());
    if has(TcpInfo::WSCALE) {
        let scale = json!([tcp.snd_wscale, tcp.rcv_wscale]);
        socket.insert("wscale".to_owned(), scale);
    }
    if tcp.snd_ssthresh != TcpInfo::NO_SSTHRESH {
        socket.insert("ssthresh".to_owned(), tcp.snd_ssthresh.into());
    }
    if tcp.pacing_rate != u64::MAX {
        socket.insert("pacing_bps".to_owned(), tcp.pacing_rate.saturating_mul(8).into());
    }
    let send = match u64::from(tcp.rtt) {
        0 => 0,
        rtt => {
            bits(u64::from(tcp.snd_cwnd) * u64::from(tcp.snd_mss)).saturating_mul(1_000_000) / rtt
        }
    };
    let numbers = numbers(tcp, send).into_iter();
    socket.extend(numbers.map(|(name, n)| (name.to_owned(), Value::from(n))));
}

/// What is a number whatever was agreed on; `send` is the rate that window and round trip allow.
fn numbers(tcp: &TcpInfo, send: u64) -> [(&'static str, u64); 46] {
    [
        ("ca_state", tcp.ca_state as u64),
        ("rto_us", tcp.rto.into()),
        ("backoff", tcp.backoff.into()),
        ("rtt_us", tcp.rtt.into()),
        ("rttvar_us", tcp.rttvar.into()),
        ("ato_us", tcp.ato.into()),
        ("mss", tcp.snd_mss.into()),
        ("pmtu", tcp.pmtu.into()),
        ("rcvmss", tcp.rcv_mss.into()),
        ("advmss", tcp.advmss.into()),
        ("cwnd", tcp.snd_cwnd.into()),
        ("bytes_sent", tcp.bytes_sent),
        ("bytes_retrans", tcp.bytes_retrans),
        ("bytes_acked", tcp.bytes_acked),
        ("bytes_received", tcp.bytes_received),
        ("segs_out", tcp.segs_out.into()),
        ("segs_in", tcp.segs_in.into()),
        ("data_segs_out", tcp.data_segs_out.into()),
        ("data_segs_in", tcp.data_segs_in.into()),
        ("send_bps", send),
        ("lastsnd_ms", tcp.last_data_sent.into()),
        ("lastrcv_ms", tcp.last_data_recv.into()),
        ("lastack_ms", tcp.last_ack_recv.into()),
        ("delivery_bps", bits(tcp.delivery_rate)),
        ("delivered", tcp.delivered.into()),
        ("delivered_ce", tcp.delivered_ce.into()),
        ("busy_us", tcp.busy_time),
        ("rwnd_limited_us", tcp.rwnd_limited),
        ("sndbuf_limited_us", tcp.sndbuf_limited),
        ("unacked", tcp.unacked.into()),
        ("retrans", tcp.retrans.into()),
        ("retrans_total", tcp.total_retrans.into()),
        ("lost", tcp.lost.into()),
        ("sacked", tcp.sacked.into()),
        ("dsack_dups", tcp.dsack_dups.into()),
        ("reordering", tcp.reordering.into()),
        ("reord_seen", tcp.reord_seen.into()),
        ("rcv_rtt_us", tcp.rcv_rtt.into()),
        ("rcv_space", tcp.rcv_space.into()),
        ("rcv_ssthresh", tcp.rcv_ssthresh.into()),
        ("notsent", tcp.notsent_bytes.into()),
        ("minrtt_us", tcp.min_rtt.into()),
        ("rcv_ooopack", tcp.rcv_ooopack.into()),
        ("snd_wnd", tcp.snd_wnd.into()),
        ("rcv_wnd", tcp.rcv_wnd.into()),
        ("total_rto", tcp.total_rto.into()),
    ]
}

#[cfg(test)]
mod tests;
