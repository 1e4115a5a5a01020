//! Command lines of `ss`, and what a socket looks like.

use clap::Parser;
use serde_json::json;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    ss: Ss,
}

fn ss(line: &str) -> Ss {
    Line::try_parse_from(core::iter::once("ss").chain(line.split_whitespace())).unwrap().ss
}

const WIDE: Screen = Screen { width: usize::MAX, colours: false };

fn connection() -> Value {
    json!({
        "protocol": "tcp", "state": "ESTAB", "recv_q": 0, "send_q": 1448, "local": "10.9.0.2:80",
        "remote": "10.9.0.1:4000", "id": 255, "congestion": "cubic", "options": ["ts", "sack"],
        "wscale": [7, 8], "rto_us": 201_500, "rtt_us": 1064, "rttvar_us": 500, "ato_us": 40_000,
        "mss": 1448, "pmtu": 1500, "rcvmss": 536, "advmss": 1448, "cwnd": 10, "ssthresh": 7,
        "bytes_acked": 100_000, "send_bps": 115_840_000_u64, "busy_us": 20_000,
        "rwnd_limited_us": 5000, "retrans": 0, "retrans_total": 2, "reordering": 3,
        "timer": { "name": "on", "left_ms": 200, "retries": 1 },
    })
}

#[test]
fn what_is_asked_for() {
    assert_eq!(ss("-a").target(), "/v1/ss");
    assert_eq!(ss("-tl").target(), "/v1/ss?protocol=tcp&state=LISTEN,UNCONN");
    assert_eq!(ss("-u -a --port 53").target(), "/v1/ss?protocol=udp&port=53");
    let states = ss("--state established,time-wait --dport 80").target();
    assert_eq!(states, "/v1/ss?state=ESTAB,TIME-WAIT&dport=80");
    assert!(!ss("").target().contains("LISTEN"));
    assert!(state("sleepy").is_err());
}

#[test]
fn a_line_a_socket() {
    let text = ss("-tn").shown(&[connection()], WIDE).unwrap();
    let lines: Vec<Vec<&str>> = text.lines().map(|l| l.split_whitespace().collect()).collect();
    assert_eq!(lines[1], ["tcp", "ESTAB", "0", "1448", "10.9.0.2:80", "10.9.0.1:4000"]);
    assert_eq!(lines.len(), 2);
}

#[test]
fn the_words_are_those_of_ss() {
    let text = ss("-tinoe").shown(&[connection()], WIDE).unwrap();
    assert!(text.contains("timer:(on,200ms,1) sk:ff"), "{text}");
    let expected = "\t ts sack cubic wscale:7,8 rto:201.5 rtt:1.064/0.5 ato:40 mss:1448 pmtu:1500 \
                    rcvmss:536 advmss:1448 cwnd:10 ssthresh:7 bytes_acked:100000 send 116Mbps \
                    busy:20ms rwnd_limited:5ms(25.0%) retrans:0/2";
    assert_eq!(text.lines().nth(2), Some(expected));
}

#[test]
fn what_listens_has_no_details() {
    let listener = json!({ "protocol": "tcp", "state": "LISTEN", "recv_q": 0, "send_q": 128,
        "local": "0.0.0.0:80", "remote": "0.0.0.0:0", "id": 1 });
    let text = ss("-til").shown(&[listener], WIDE).unwrap();
    assert_eq!(text.lines().count(), 2, "{text}");
}
