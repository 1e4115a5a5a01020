//! What two samples make, and how it looks.

use layer::Instant;
use serde_json::{Value, json};

use super::*;

fn sample(second: u64, acked: u64, in_segs: u64, paws: u64) -> Sample {
    let connection = json!({
        "local": "10.9.0.2:80", "remote": "10.9.0.1:4000", "state": "ESTAB", "cwnd": 10 + second,
        "bytes_acked": acked, "bytes_received": 0, "rtt_us": 250, "retrans_total": 3,
        "limiting": "congestionwindow",
    });
    let listener = json!({ "local": "0.0.0.0:80", "remote": "0.0.0.0:0", "state": "LISTEN" });
    let link = json!({ "dev": "stack0", "received": in_segs * 2, "sent": 0 });
    let nstat = json!({
        "uptime_s": 65.0, "pipeline": "layers", "counters": { "TcpInSegs": in_segs },
        "drops": { "tcp.paws": paws },
    });
    let sockets: Vec<Value> = vec![listener, connection];
    Sample { at: Instant::from_secs(second), sockets, nstat, links: vec![link] }
}

fn model() -> Model {
    let mut model = Model::default();
    model.add(sample(1, 0, 1000, 0));
    model.add(sample(3, 2_500_000, 1400, 6));
    model
}

#[test]
fn two_samples_make_rates() {
    let model = model();
    let rows = model.rows();
    assert_eq!(rows.len(), 1, "a listener is no connection");
    // 2.5 MB in two seconds.
    assert_eq!(rows[0].rate(), 10_000_000);
    assert_eq!(rows[0].trail.cwnd, [11, 13]);
    let layer = |name: &str| model.layers.iter().find(|layer| layer.name == name).unwrap();
    assert_eq!((layer("tcp").up, layer("tcp").total), (200, 1400));
    assert_eq!(layer("link stack0").up, 400);
    assert_eq!(model.drops, [("tcp.paws".to_owned(), 6, 3)]);
}

#[test]
fn a_connection_that_went_is_forgotten() {
    let mut model = model();
    let mut empty = sample(4, 0, 1400, 6);
    empty.sockets.clear();
    model.add(empty);
    assert!(model.rows().is_empty());
    model.add(sample(5, 1_000_000, 1400, 6));
    assert_eq!(model.rows()[0].rate(), 0, "it is a new one");
}

#[test]
fn everything_is_on_the_screen() {
    let text = plain(&model(), (120, 30)).unwrap();
    for part in [
        "up 1min5sec",
        "1 connections",
        "1 listening",
        "10.9.0.2:80",
        "10.0Mbps",
        "0.25",
        "congestionwindow",
        "Layers",
        "tcp.paws",
        "Drops",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
}

#[test]
fn any_screen_will_do() {
    for (columns, lines) in [(1, 1), (10, 3), (20, 50), (300, 5), (80, 24)] {
        let text = plain(&model(), (columns, lines)).unwrap();
        assert_eq!(text.lines().count(), usize::from(lines));
    }
}

#[test]
fn intervals_are_sane() {
    assert_eq!(interval("0.5"), Ok(Duration::from_millis(500)));
    for nonsense in ["0", "-1", "x", "1e9", "NaN"] {
        assert!(interval(nonsense).is_err(), "{nonsense}");
    }
}
