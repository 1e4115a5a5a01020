//! The control socket, with two stacks on a cable behind it, in every pipeline: what it shows is
//! what happened, what it changes is changed, and what is live is told as it happens.

#![expect(clippy::unwrap_used, reason = "helpers of tests count as no test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use link::cable;
use pcap_file::pcapng::{Block, PcapNgReader};
use serde_json::{Value, json};
use socket::net::{TcpListener, TcpStream, UdpSocket};
use stackd::control::Server;
use stackd::paths::Door;
use stackd::{Acd, Interface, Pipeline, Stack};

const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const B: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const PORT: u16 = 4000;

/// Two stacks; the first one has a control socket.
struct World {
    // Before the stack: its clients' threads hold it.
    server: Option<Server>,
    a: Arc<Stack>,
    b: Stack,
    path: PathBuf,
}

impl World {
    fn new(pipeline: Pipeline) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = format!("stackd-control-{}-{number}.sock", std::process::id());
        let path = std::env::temp_dir().join(path);
        let (a, b) = cable::pair(cable::Options::default()).unwrap();
        let (a, b) = (Arc::new(stack(a, A, pipeline)), stack(b, B, pipeline));
        let server = Some(Server::start(&a, Door::open(&path).unwrap()).unwrap());
        Self { server, a, b, path }
    }

    /// 100 kB from `a` to `b`, and both ends of the connection, still open.
    fn transfer(&self) -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind(self.b.sockets(), (B, PORT)).unwrap();
        let mut from = TcpStream::connect(self.a.sockets(), (B, PORT)).unwrap();
        let (mut to, _) = listener.accept().unwrap();
        let text = vec![7; 100_000];
        let mut got = vec![0; text.len()];
        std::thread::scope(|scope| {
            scope.spawn(|| from.write_all(&text).unwrap());
            to.read_exact(&mut got).unwrap();
        });
        (from, to)
    }

    fn get(&self, target: &str) -> Value {
        let (status, value) = ask(&self.path, "GET", target, "");
        assert_eq!(status, 200, "{target}: {value}");
        value
    }

    fn refused(&self, method: &str, target: &str, body: &str) -> String {
        let (status, value) = ask(&self.path, method, target, body);
        assert!((400..500).contains(&status), "{target}: {status} {value}");
        value["error"].as_str().unwrap().to_owned()
    }

    fn done(&self, method: &str, target: &str, body: &Value) {
        let (status, value) = ask(&self.path, method, target, &body.to_string());
        assert_eq!(status, 200, "{target} {body}: {value}");
    }

    fn shutdown(mut self) {
        self.a.shutdown();
        self.b.shutdown();
        self.server.take();
        assert!(!self.path.exists(), "the socket is left behind");
    }
}

fn stack(device: link::Device, address: Ipv4Addr, pipeline: Pipeline) -> Stack {
    let interface = Interface::device(device).address(format!("{address}/24").parse().unwrap());
    Stack::builder().interface(interface).acd(Acd::Off).pipeline(pipeline).start().unwrap()
}

fn send(path: &Path, method: &str, target: &str, body: &str) -> UnixStream {
    let mut stream = UnixStream::connect(path).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    stream
}

/// A request of its own connection: status and body.
fn ask(path: &Path, method: &str, target: &str, body: &str) -> (u16, Value) {
    let mut stream = BufReader::new(send(path, method, target, body));
    let (status, chunked) = head(&mut stream);
    let mut body = Vec::new();
    if chunked {
        Unchunked { from: stream, left: 0 }.read_to_end(&mut body).unwrap();
    } else {
        stream.read_to_end(&mut body).unwrap();
    }
    (status, serde_json::from_slice(&body).unwrap())
}

/// Reads a head: the status, and whether the body comes in chunks.
fn head(stream: &mut impl BufRead) -> (u16, bool) {
    let (mut lines, mut line) = (Vec::new(), String::new());
    while stream.read_line(&mut line).unwrap() > 2 {
        lines.push(core::mem::take(&mut line));
    }
    let status = lines[0].split(' ').nth(1).unwrap().parse().unwrap();
    (status, lines.iter().any(|line| line.starts_with("Transfer-Encoding: chunked")))
}

/// A chunked body without its chunks.
struct Unchunked<R> {
    from: R,
    left: usize,
}

impl<R: BufRead> Read for Unchunked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.left == 0 {
            let mut size = String::new();
            self.from.read_line(&mut size)?;
            self.left = usize::from_str_radix(size.trim_end(), 16).unwrap();
            if self.left == 0 {
                return Ok(0);
            }
        }
        let most = self.left.min(buffer.len());
        let n = self.from.read(&mut buffer[..most])?;
        self.left -= n;
        if self.left == 0 && n > 0 {
            self.from.read_exact(&mut [0; 2])?;
        }
        Ok(n)
    }
}

fn stream(path: &Path, target: &str) -> BufReader<Unchunked<BufReader<UnixStream>>> {
    let mut from = BufReader::new(send(path, "GET", target, ""));
    assert_eq!(head(&mut from), (200, true), "{target}");
    BufReader::new(Unchunked { from, left: 0 })
}

#[test]
fn ss_shows_each_socket_with_what_it_did() {
    for pipeline in Pipeline::ALL {
        let world = World::new(pipeline);
        let (_from, _to) = world.transfer();
        let _listener = TcpListener::bind(world.a.sockets(), (A, 80)).unwrap();
        let _udp = UdpSocket::bind(world.a.sockets(), (A, 53)).unwrap();
        let all = world.get("/v1/ss");
        let kinds = |all: &Value| -> Vec<(String, String)> {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let sockets = all["sockets"].as_array().unwrap();
            sockets.iter().map(|s| (text(&s["protocol"]), text(&s["state"]))).collect()
        };
        let pair = |protocol: &str, state: &str| (protocol.to_owned(), state.to_owned());
        let expected = [pair("tcp", "LISTEN"), pair("udp", "UNCONN"), pair("tcp", "ESTAB")];
        assert_eq!(kinds(&all), expected, "{pipeline:?}");
        let only = world.get("/v1/ss?state=estab&dport=4000");
        assert_eq!(kinds(&only), [pair("tcp", "ESTAB")]);
        let connection = &only["sockets"][0];
        assert_eq!(connection["remote"], "10.0.0.2:4000");
        // MTU 1500 less IP, TCP and timestamps; every byte was read, so every byte is acknowledged
        // or about to be.
        assert_eq!((&connection["mss"], &connection["pmtu"]), (&json!(1448), &json!(1500)));
        assert_eq!(connection["bytes_sent"], 100_000);
        assert_eq!(
            (&connection["congestion"], &connection["retrans_total"]),
            (&json!("cubic"), &json!(0))
        );
        assert!(connection["rtt_us"].as_u64().unwrap() > 0);
        assert!(world.refused("GET", "/v1/ss?port=x", "").contains("port"));
        world.shutdown();
    }
}

#[test]
fn tables_show_what_there_is() {
    for pipeline in Pipeline::ALL {
        let world = World::new(pipeline);
        let (_from, _to) = world.transfer();
        let nstat = world.get("/v1/nstat");
        assert_eq!(nstat["counters"]["TcpActiveOpens"], 1, "{pipeline:?}");
        assert_eq!(nstat["counters"]["TcpPassiveOpens"], Value::Null);
        assert_eq!(nstat["pipeline"], pipeline.name());
        let all = world.get("/v1/nstat?zeros=1");
        assert_eq!(all["counters"]["TcpPassiveOpens"], 0);
        assert_eq!(all["drops"]["link.runt"], 0);
        let address = &world.get("/v1/addr")["addresses"][0];
        assert_eq!((&address["address"], &address["prefix_len"]), (&json!("10.0.0.1"), &json!(24)));
        assert_eq!(address["state"], "ready");
        let link = &world.get("/v1/link")["links"][0];
        assert_eq!((&link["mtu"], &link["up"]), (&json!(1500), &json!(true)));
        assert!(link["sent"].as_u64().unwrap() > 2);
        let neighbour = &world.get("/v1/neigh")["neighbours"][0];
        assert_eq!((&neighbour["address"], &neighbour["dev"]), (&json!("10.0.0.2"), &link["dev"]));
        assert_eq!(world.get("/v1")["version"], 1);
        world.shutdown();
    }
}

#[test]
fn routes_and_neighbours_can_be_changed_and_nonsense_cannot() {
    for pipeline in Pipeline::ALL {
        let world = World::new(pipeline);
        let routes = || world.get("/v1/route")["routes"].as_array().unwrap().clone();
        let before = routes();
        let route = json!({ "destination": "10.7.0.0/16", "via": "10.0.0.2" });
        world.done("POST", "/v1/route", &route);
        let added = routes();
        let new = added.iter().find(|route| route["destination"] == "10.7.0.0/16").unwrap();
        assert_eq!(new["via"], "10.0.0.2", "{pipeline:?}");
        let twice = world.refused("POST", "/v1/route", &route.to_string());
        assert!(twice.contains("already"), "{twice}");
        world.done("DELETE", "/v1/route", &json!({ "destination": "10.7.0.0/16" }));
        assert_eq!(routes(), before);
        for (body, why) in [
            (json!({ "destination": "10.7.0.0/16", "via": "192.0.2.1" }), "no neighbour"),
            (json!({ "destination": "10.7.0.1/16", "via": "10.0.0.2" }), "10.7.0.0/16"),
            (json!({ "destination": "10.7.0.0/16" }), "missing"),
            (json!({ "destination": "10.7.0.0/16", "dev": "eth9" }), "no interface eth9"),
            (json!({ "via": "10.0.0.2" }), "destination is missing"),
        ] {
            let said = world.refused("POST", "/v1/route", &body.to_string());
            assert!(said.contains(why), "{body}: {said}");
        }
        let connected = json!({ "destination": "10.0.0.0/24" }).to_string();
        assert!(world.refused("DELETE", "/v1/route", &connected).contains("goes with"));

        let neighbour = json!({ "address": "10.0.0.9", "mac": "02:00:00:00:00:09" });
        world.done("POST", "/v1/neigh", &neighbour);
        let fixed = world.get("/v1/neigh")["neighbours"][0].clone();
        assert_eq!(fixed["mac"], "02:00:00:00:00:09");
        world.done("DELETE", "/v1/neigh", &json!({ "address": "10.0.0.9" }));
        assert_eq!(world.get("/v1/neigh")["neighbours"], json!([]));
        let group = json!({ "address": "10.0.0.9", "mac": "ff:ff:ff:ff:ff:ff" }).to_string();
        assert!(world.refused("POST", "/v1/neigh", &group).contains("one station"));
        world.shutdown();
    }
}

#[test]
fn settings_are_changed_for_what_comes() {
    for pipeline in Pipeline::ALL {
        let world = World::new(pipeline);
        let ecn = || world.get("/v1/sysctl?name=tcp_ecn")["settings"][0]["value"].clone();
        assert_eq!(ecn(), "2", "{pipeline:?}");
        let reno = json!({ "name": "net.ipv4.tcp_congestion_control", "value": "reno" });
        world.done("POST", "/v1/sysctl", &reno);
        world.done("POST", "/v1/sysctl", &json!({ "name": "tcp_ecn", "value": 0 }));
        assert_eq!(ecn(), "0");
        let (_from, _to) = world.transfer();
        let connection = &world.get("/v1/ss?state=estab")["sockets"][0];
        assert_eq!(connection["congestion"], "reno");
        let wrong = json!({ "name": "tcp_ecn", "value": "9" }).to_string();
        assert!(world.refused("POST", "/v1/sysctl", &wrong).contains("from 0 to 2"));
        assert!(world.refused("GET", "/v1/sysctl?name=tcp_wings", "").contains("tcp_wings"));
        world.shutdown();
    }
}

#[test]
fn the_monitor_tells_states_as_they_change() {
    for pipeline in Pipeline::ALL {
        let world = World::new(pipeline);
        let mut events = stream(&world.path, "/v1/monitor?events=state");
        let mut next = || -> Value {
            let mut line = String::new();
            events.read_line(&mut line).unwrap();
            serde_json::from_str(&line).unwrap()
        };
        assert_eq!(next()["event"], "listening");
        let (from, _to) = world.transfer();
        let event = next();
        assert_eq!((&event["from"], &event["to"]), (&json!("UNCONN"), &json!("SYN-SENT")));
        assert_eq!((&event["remote"], &event["stage"]), (&json!("10.0.0.2:4000"), &event["stage"]));
        assert_eq!(next()["to"], "ESTAB", "{pipeline:?}");
        from.shutdown(Shutdown::Write).unwrap();
        assert_eq!(next()["to"], "FIN-WAIT-1");
        world.shutdown();
    }
}

#[test]
fn a_capture_says_of_each_frame_what_became_of_it() {
    for pipeline in Pipeline::ALL {
        let world = World::new(pipeline);
        // A socket that nobody reads: once it is full, everything more is dropped.
        let _full = UdpSocket::bind(world.a.sockets(), (A, 9999)).unwrap();
        let udp = UdpSocket::bind(world.b.sockets(), (B, 1234)).unwrap();
        let full = || world.get("/v1/nstat")["drops"]["udp.receive_buffer_full"].is_number();
        while !full() {
            (0..100).for_each(|_| drop(udp.send_to(&[0; 1400], (A, 9999))));
        }
        let capture = stream(&world.path, "/v1/capture?host=10.0.0.2&port=9999&count=2");
        let reading = std::thread::spawn(move || comments(capture));
        while !reading.is_finished() {
            let _ = udp.send_to(&[0; 1400], (A, 9999));
            std::thread::yield_now();
        }
        let said = reading.join().unwrap();
        let dropped = Some("dropped: udp.receive_buffer_full".to_owned());
        assert_eq!(said, vec![dropped; 2], "{pipeline:?}");

        let capture = stream(&world.path, "/v1/capture?port=4000&count=20");
        let reading = std::thread::spawn(move || comments(capture));
        while !reading.is_finished() {
            drop(world.transfer());
        }
        let said = reading.join().unwrap();
        let with = |part: &str| said.iter().flatten().any(|comment| comment.contains(part));
        assert!(with("SYN-SENT") && with("ESTAB, cwnd "), "{pipeline:?}: {said:?}");
        world.shutdown();
    }
}

/// The comments of a capture's frames.
fn comments(from: impl Read) -> Vec<Option<String>> {
    use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketOption;
    let mut reader = PcapNgReader::new(from).unwrap();
    let mut all = Vec::new();
    while let Some(block) = reader.next_block() {
        let Block::EnhancedPacket(packet) = block.unwrap() else { continue };
        all.push(packet.options.iter().find_map(|option| match option {
            EnhancedPacketOption::Comment(text) => Some(text.to_string()),
            _other => None,
        }));
    }
    all
}

#[test]
fn a_ping_is_answered_and_one_into_the_void_is_not() {
    for pipeline in Pipeline::ALL {
        let world = World::new(pipeline);
        let events = |target: &str| -> Vec<Value> {
            let lines = stream(&world.path, target).lines();
            lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
        };
        let there = events("/v1/ping?address=10.0.0.2&count=3&interval_ms=10&size=100");
        let shown = |event: &Value| (event["event"].clone(), event["bytes"].clone());
        let reply = (json!("reply"), json!(100));
        assert_eq!(there.iter().map(shown).collect::<Vec<_>>(), vec![reply; 3], "{pipeline:?}");
        assert!(there.iter().all(|event| event["rtt_us"].as_f64().unwrap() > 0.0));
        let nowhere = events("/v1/ping?address=192.0.2.1&count=1");
        assert_eq!(nowhere[0]["why"], "Network is unreachable");
        assert!(world.refused("GET", "/v1/ping?address=x", "").contains("no address"));
        world.shutdown();
    }
}

#[test]
fn who_asks_and_never_reads_is_nobodys_trouble() {
    let world = World::new(Pipeline::Layers);
    let mut deaf = UnixStream::connect(&world.path).unwrap();
    deaf.set_nonblocking(true).unwrap();
    // Until the server reads no more, because its answers find no place.
    while deaf.write_all(b"GET /v1/nstat?zeros=1 HTTP/1.1\r\n\r\n").is_ok() {}
    let _silent = UnixStream::connect(&world.path).unwrap();
    let _monitor = stream(&world.path, "/v1/monitor?events=all");
    let (_from, _to) = world.transfer();
    assert_eq!(world.get("/v1/nstat")["counters"]["TcpActiveOpens"], 1);
    world.shutdown();
}

#[test]
fn unknown_paths_and_methods_are_said_to_be() {
    let world = World::new(Pipeline::Inline);
    assert!(world.refused("GET", "/v2/ss", "").contains("/v1/ss"));
    assert!(world.refused("DELETE", "/v1/ss", "").contains("cannot be done"));
    assert!(world.refused("POST", "/v1/route", "[]").contains("no JSON object"));
    assert!(world.refused("GET", "/v1/monitor?events=weather", "").contains("weather"));
    assert!(world.refused("GET", "/v1/capture?count=0", "").contains("nothing"));
    world.shutdown();
}
