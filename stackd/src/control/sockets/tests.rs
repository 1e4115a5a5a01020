//! What `ss` is told of a socket, and which sockets a filter lets through.

use core::time::Duration;

use layer::boundary::{SocketId, TimerInfo, TimerKind};

use super::*;
use crate::control::http::Method;

fn request(query: &[(&str, &str)]) -> Request {
    let query = query.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    let (method, path) = (Method::Get, "/v1/ss".to_owned());
    Request { method, path, query, body: Vec::new(), keep: true }
}

fn ends() -> (SocketAddr, SocketAddr) {
    ("10.0.0.1:80".parse().unwrap(), "10.0.0.2:4000".parse().unwrap())
}

#[test]
fn filters_are_all_to_be_met() {
    let (local, remote) = ends();
    let takes = |query: &[(&str, &str)]| {
        Wanted::of(&request(query)).unwrap().takes("ESTAB", local, Some(remote))
    };
    assert!(takes(&[]) && takes(&[("state", "estab,time-wait")]) && takes(&[("port", "80")]));
    assert!(takes(&[("port", "4000")]) && takes(&[("sport", "80"), ("dport", "4000")]));
    assert!(!takes(&[("state", "listen")]) && !takes(&[("port", "81")]));
    assert!(!takes(&[("sport", "4000")]) && !takes(&[("dport", "80")]));
}

#[test]
fn nonsense_is_said_by_name() {
    for (name, value) in [("port", "x"), ("sport", "65536"), ("protocol", "sctp")] {
        let why = Wanted::of(&request(&[(name, value)])).unwrap_err();
        assert!(why.contains(name), "{why}");
    }
}

#[test]
fn a_listener_shows_its_queue_and_its_backlog() {
    let (local, remote) = ends();
    let mut info = ConnectionInfo::bare(SocketId(3), local, remote, TcpState::Listen);
    (info.tcp.unacked, info.tcp.sacked) = (2, 128);
    let shown = connection(&info);
    assert_eq!((&shown["recv_q"], &shown["send_q"]), (&json!(2), &json!(128)));
    assert_eq!((&shown["state"], &shown["rtt_us"]), (&json!("LISTEN"), &Value::Null));
}

#[test]
fn a_connection_shows_linuxs_numbers() {
    let (local, remote) = ends();
    let mut info = ConnectionInfo::bare(SocketId(3), local, remote, TcpState::Established);
    (info.mss, info.congestion) = (1448, "cubic");
    info.timer =
        Some(TimerInfo { kind: TimerKind::Persist, left: Duration::from_millis(1500), retries: 2 });
    info.tcp.options = TcpInfo::TIMESTAMPS | TcpInfo::WSCALE;
    (info.tcp.snd_wscale, info.tcp.rcv_wscale) = (7, 8);
    (info.tcp.snd_cwnd, info.tcp.snd_mss, info.tcp.rtt) = (10, 1448, 1000);
    (info.tcp.snd_ssthresh, info.tcp.pacing_rate) = (TcpInfo::NO_SSTHRESH, u64::MAX);
    let shown = connection(&info);
    assert_eq!(shown["state"], "ESTAB");
    assert_eq!(shown["timer"], json!({ "name": "persist", "left_ms": 1500, "retries": 2 }));
    assert_eq!((&shown["options"], &shown["wscale"]), (&json!(["ts"]), &json!([7, 8])));
    // 10 segments of 1448 bytes in a millisecond.
    assert_eq!(shown["send_bps"], 115_840_000);
    assert_eq!((&shown["ssthresh"], &shown["pacing_bps"]), (&Value::Null, &Value::Null));
    info.tcp.snd_ssthresh = 7;
    assert_eq!(connection(&info)["ssthresh"], 7);
}
