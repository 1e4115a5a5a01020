//! The conformance grid: eleven states, every kind of segment, every place around the window, one
//! expected outcome each (RFC 9293 3.10.7 with RFC 5961 and RFC 1337). The table is
//! `grid/table.txt`; here is what plays it.

mod common;

use core::fmt;
use std::collections::BTreeSet;

use common::*;
use layer::boundary::{TcpCommand, TcpOptions};
use tcp::{Config, Options, Segment, Seq};

const TABLE: &str = include_str!("grid/table.txt");
/// The window we offer, and the one the peer does (as in [`Bench::segment`]).
const WINDOW: u32 = 4000;
const PEER_WINDOW: u32 = 64_000;

const STATES: [&str; 11] = [
    "CLOSED",
    "LISTEN",
    "SYN-SENT",
    "SYN-RECEIVED",
    "ESTABLISHED",
    "FIN-WAIT-1",
    "FIN-WAIT-2",
    "CLOSE-WAIT",
    "CLOSING",
    "LAST-ACK",
    "TIME-WAIT",
];
const SEGMENTS: [&str; 6] = ["SYN", "SYN-ACK", "ACK", "data", "FIN", "RST"];
const POSITIONS: [&str; 5] = ["left", "nxt", "inside", "last", "outside"];

/// One row of the table, its lists resolved.
#[derive(Clone)]
struct Row {
    line: usize,
    state: &'static str,
    segment: &'static str,
    position: &'static str,
    ack: &'static str,
    reply: &'static str,
    next: &'static str,
    clause: &'static str,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, state, segment, position, ack, reply, next, clause } = self;
        write!(f, "{line}: {state} | {segment} | {position} | {ack} | {reply} | {next} | {clause}")
    }
}

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (index, line) in TABLE.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let columns: Vec<&str> = line.split('|').map(str::trim).collect();
        let [states, segments, positions, acks, reply, next, clause] = columns[..] else {
            panic!("line {}: seven columns", index + 1);
        };
        let positions = if positions == "any" { POSITIONS.join(" ").leak() } else { positions };
        for state in states.split(' ') {
            for segment in segments.split(' ') {
                for position in positions.split(' ') {
                    for ack in acks.split(' ') {
                        let next = if next == "=" { plain(state) } else { next };
                        let line = index + 1;
                        rows.push(Row { line, state, segment, position, ack, reply, next, clause });
                    }
                }
            }
        }
    }
    rows
}

/// The state without how it was reached.
fn plain(state: &'static str) -> &'static str {
    state.split('/').next().unwrap_or(state)
}

/// A connection in some state, and what its numbers are.
struct Scene {
    bench: Bench,
    una: Seq,
    nxt: Seq,
    rcv_nxt: Seq,
    listening: bool,
}

impl Scene {
    /// Brought there by segments and calls.
    fn new(state: &str) -> Self {
        let bench = Bench::with(Config { sack: false, ..Config::new([7; 16]) });
        let far = Seq(5_000_000);
        let mut scene = Self { bench, una: far, nxt: far, rcv_nxt: IRS.plus(1), listening: false };
        match state {
            "CLOSED" => scene.bench.iss = far,
            "LISTEN" => scene.listen(),
            "SYN-RECEIVED" => scene.syn_received(),
            "TIME-WAIT/listener" => {
                scene.syn_received();
                let ack = scene.segment(A, scene.rcv_nxt, scene.nxt, b"");
                assert_eq!(scene.bench.receive(ack), []);
                scene.una = scene.nxt;
                scene.close_first(ACCEPTED);
            }
            _ => scene.actively(state),
        }
        scene.bench.sent();
        assert_eq!(scene.state(), plain_of(state), "the way to {state}");
        scene
    }

    fn options() -> TcpOptions {
        TcpOptions { receive_buffer: Some(WINDOW), nodelay: true, ..TcpOptions::default() }
    }

    fn segment(&self, flags: tcp::Flags, seq: Seq, ack: Seq, text: &[u8]) -> Segment {
        self.bench.segment(flags, seq, ack, text)
    }

    fn listen(&mut self) {
        self.bench.listen(Self::options());
        self.listening = true;
    }

    fn syn_received(&mut self) {
        self.listen();
        let syn_ack = self.bench.receive(self.bench.syn()).remove(0);
        self.bench.iss = syn_ack.seq;
        (self.una, self.nxt) = (syn_ack.seq, syn_ack.seq.plus(1));
    }

    fn actively(&mut self, state: &str) {
        let syn = self.bench.connect(Self::options());
        (self.una, self.nxt) = (syn.seq, syn.seq.plus(1));
        match state {
            "SYN-SENT" => return,
            "SYN-RECEIVED/active" => {
                let mut crossing = self.segment(S, IRS, Seq(0), b"");
                crossing.options = Options { mss: Some(1460), ..Options::default() };
                assert_eq!(self.bench.receive(crossing)[0].flags, SA);
                return;
            }
            _ => {}
        }
        let mut answer = self.segment(SA, IRS, self.nxt, b"");
        answer.options = Options { mss: Some(1460), ..Options::default() };
        assert_eq!(self.bench.receive(answer)[0].flags, A);
        self.una = self.nxt;
        match state {
            "ESTABLISHED" => self.write(),
            "CLOSE-WAIT" => {
                self.write();
                self.peer_closes();
            }
            "FIN-WAIT-1" => self.we_close(SOCKET),
            "FIN-WAIT-2" => {
                self.we_close(SOCKET);
                self.acknowledge();
            }
            "CLOSING" => {
                self.we_close(SOCKET);
                self.peer_closes();
            }
            "LAST-ACK" => {
                self.peer_closes();
                self.we_close(SOCKET);
            }
            "TIME-WAIT" => self.close_first(SOCKET),
            other => panic!("no such state: {other}"),
        }
    }

    fn close_first(&mut self, socket: layer::boundary::SocketId) {
        self.we_close(socket);
        self.acknowledge();
        self.peer_closes();
    }

    fn write(&mut self) {
        assert_eq!(self.bench.write(SOCKET, "0123456789").len(), 1);
        self.nxt = self.nxt.plus(10);
    }

    fn we_close(&mut self, socket: layer::boundary::SocketId) {
        self.bench.command(TcpCommand::Shutdown { socket });
        assert_eq!(self.bench.sent_one().flags, FA);
        self.nxt = self.nxt.plus(1);
    }

    fn peer_closes(&mut self) {
        let fin = self.segment(FA, self.rcv_nxt, self.una, b"");
        let answer = self.bench.receive(fin);
        self.rcv_nxt = self.rcv_nxt.plus(1);
        assert_eq!(
            answer.iter().map(|a| (a.flags, a.ack)).collect::<Vec<_>>(),
            [(A, self.rcv_nxt)]
        );
    }

    fn acknowledge(&mut self) {
        let ack = self.segment(A, self.rcv_nxt, self.nxt, b"");
        assert_eq!(self.bench.receive(ack), []);
        self.una = self.nxt;
    }

    fn state(&self) -> &'static str {
        match self.bench.state() {
            "CLOSED" if self.listening => "LISTEN",
            other => other,
        }
    }

    /// The segment that a row names.
    fn named(&self, row: &Row) -> Segment {
        let (flags, text) = match row.segment {
            "SYN" => (S, 0),
            "SYN-ACK" => (SA, 0),
            "ACK" => (A, 0),
            "data" => (PA, 5),
            "data10" => (PA, 10),
            "FIN" => (FA, 0),
            "RST" => (RA, 0),
            other => panic!("no such segment: {other}"),
        };
        // One past the last number that the peer may use: what we offered, from RCV.NXT before any
        // FIN on.
        let edge = IRS.plus(1 + WINDOW);
        let seq = match row.position {
            "left" => self.rcv_nxt.minus(100),
            "over" => self.rcv_nxt.minus(3),
            "before" => self.rcv_nxt.minus(1),
            "nxt" => self.rcv_nxt,
            "inside" => self.rcv_nxt.plus(100),
            "last" => edge.minus(1),
            "brink" => edge,
            "outside" => edge.plus(100),
            other => panic!("no such position: {other}"),
        };
        let ack = match row.ack {
            "none" => None,
            "una" => Some(self.una),
            "new" => Some(self.nxt),
            "high" => Some(self.nxt.plus(1)),
            "below" => Some(self.una.minus(1)),
            "old" => Some(self.una.minus(PEER_WINDOW + 100)),
            other => panic!("no such acknowledgement: {other}"),
        };
        let flags = if ack.is_none() { tcp::Flags(flags.0 & !A.0) } else { flags };
        self.segment(flags, seq, ack.unwrap_or(Seq(0)), &pattern(text))
    }

    /// Flags, SEQ and ACK of the reply that a row names.
    fn expected(&self, row: &Row, segment: &Segment) -> Option<(tcp::Flags, Seq, Seq)> {
        let beyond = segment.seq.plus(segment.len());
        match row.reply {
            "-" => None,
            "ACK seg" => Some((A, self.nxt, beyond)),
            "SYN-ACK" => Some((SA, self.bench.iss, segment.seq.plus(1))),
            "RST ack" => Some((R, segment.ack, Seq(0))),
            "RST-ACK" => Some((RA, Seq(0), beyond)),
            ack => {
                let more = ack.strip_prefix("ACK nxt").expect("a known reply");
                let more = more.strip_prefix('+').map_or(0, |n| n.parse().expect("a number"));
                Some((A, self.nxt, self.rcv_nxt.plus(more)))
            }
        }
    }
}

fn plain_of(state: &str) -> &str {
    state.split('/').next().unwrap_or(state)
}

/// What happens in a row: what is sent within the time of a delayed ACK, and the state then.
fn play(row: &Row) -> Result<(), String> {
    let mut scene = Scene::new(row.state);
    let segment = scene.named(row);
    let mut expected: Vec<_> = scene.expected(row, &segment).into_iter().collect();
    let mut sent = scene.bench.receive(segment);
    let next = scene.state();
    scene.bench.ms(45);
    sent.extend(scene.bench.sent());
    if row.state == "LISTEN" && row.reply == "SYN-ACK" {
        expected[0].1 = sent.first().map_or(Seq(0), |reply| reply.seq);
    }
    if row.state == "TIME-WAIT/listener" && row.reply == "SYN-ACK" {
        // A new connection, beyond the old numbers.
        let iss = sent.first().map_or(Seq(0), |reply| reply.seq);
        expected[0].1 = if iss.after(scene.nxt) { iss } else { scene.nxt };
    }
    let got: Vec<_> = sent.iter().map(|reply| (reply.flags, reply.seq, reply.ack)).collect();
    if got == expected && next == row.next {
        return Ok(());
    }
    Err(format!("{row}\n    replies {got:?}, not {expected:?}; then {next}"))
}

// test: RFC 9293 events
#[test]
fn every_row_of_the_table_comes_out() {
    let failed: Vec<String> = rows().iter().filter_map(|row| play(row).err()).collect();
    assert!(failed.is_empty(), "{} rows failed\n{}", failed.len(), failed.join("\n"));
}

/// The table leaves out nothing: each state, segment and position has a row, and each state one for
/// an acknowledgement that is none and, where there are numbers, for ones that are wrong.
// test: RFC 9293 events
#[test]
fn the_table_has_every_state_segment_and_position() {
    let rows = rows();
    let mut seen = BTreeSet::new();
    for row in &rows {
        assert!(seen.insert((row.state, row.segment, row.position, row.ack)), "twice: {row}");
    }
    for state in STATES {
        let of_state = || rows.iter().filter(move |row| plain(row.state) == state);
        for segment in SEGMENTS {
            for position in POSITIONS {
                let found =
                    of_state().any(|row| (row.segment, row.position) == (segment, position));
                assert!(found, "no row for {state}, {segment}, {position}");
            }
        }
        assert!(of_state().any(|row| row.ack == "none"), "no row without ACK for {state}");
        assert!(of_state().any(|row| row.ack == "high"), "no row with a bad ACK for {state}");
    }
    assert!(seen.len() > 700, "{} outcomes", seen.len());
}
