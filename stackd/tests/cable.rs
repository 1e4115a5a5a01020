//! Two whole stacks on threads, joined by a cable in memory, in every pipeline: what arrives is
//! what was sent, and the end is an end for everybody.

#![expect(clippy::unwrap_used, reason = "helpers of tests count as no test")]

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown};
use std::thread;
use std::time::Duration;

use link::cable;
use socket::net::{Poller, TcpListener, TcpStream, UdpSocket};
use stackd::{Acd, Interface, Pipeline, Stack};

const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const B: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const PORT: u16 = 4000;

fn stack(device: link::Device, address: Ipv4Addr, pipeline: Pipeline, capacity: usize) -> Stack {
    let interface = Interface::device(device).address(format!("{address}/24").parse().unwrap());
    let builder = Stack::builder().interface(interface).acd(Acd::Off);
    builder.pipeline(pipeline).lane_capacity(capacity).start().unwrap()
}

fn pair(pipeline: Pipeline, capacity: usize, offload: bool) -> (Stack, Stack) {
    let options = cable::Options { offload, ..cable::Options::default() };
    let (a, b) = cable::pair(options).unwrap();
    (stack(a, A, pipeline, capacity), stack(b, B, pipeline, capacity))
}

/// Bytes without a short period.
fn bytes(n: usize) -> Vec<u8> {
    (0..n as u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

/// 4 MB to an echoing server and back.
fn echo_tcp(a: &Stack, b: &Stack) {
    let sent = bytes(4_000_000);
    let listener = TcpListener::bind(b.sockets(), (B, PORT)).unwrap();
    let mut echoed = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            let (mut stream, peer) = listener.accept().unwrap();
            assert_eq!(peer.ip(), A);
            let mut buffer = vec![0; 30_000];
            loop {
                match stream.read(&mut buffer).unwrap() {
                    0 => return stream.shutdown(Shutdown::Write).unwrap(),
                    n => stream.write_all(&buffer[..n]).unwrap(),
                }
            }
        });
        let mut stream = TcpStream::connect(a.sockets(), (B, PORT)).unwrap();
        let mut writer = stream.try_clone().unwrap();
        let sending = &sent;
        scope.spawn(move || {
            writer.write_all(sending).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        stream.read_to_end(&mut echoed).unwrap();
    });
    assert!(echoed == sent, "{} bytes came back, not the same", echoed.len());
}

fn echo_udp(a: &Stack, b: &Stack) {
    let server = UdpSocket::bind(b.sockets(), (B, PORT)).unwrap();
    let client = UdpSocket::bind(a.sockets(), (A, 0)).unwrap();
    let mut buffer = vec![0; 9_000];
    for n in [0, 1, 1472, 1473, 8192] {
        let sent = bytes(n);
        client.send_to(&sent, (B, PORT)).unwrap();
        let (got, from) = server.recv_from(&mut buffer).unwrap();
        server.send_to(&buffer[..got], from).unwrap();
        let (got, from) = client.recv_from(&mut buffer).unwrap();
        assert_eq!((&buffer[..got], from), (&*sent, (B, PORT).into()));
    }
}

#[test]
fn every_pipeline_carries_tcp_and_udp() {
    for pipeline in Pipeline::ALL {
        for (capacity, offload) in [(8, true), (1, true), (1, false)] {
            let (a, b) = pair(pipeline, capacity, offload);
            echo_udp(&a, &b);
            echo_tcp(&a, &b);
            a.shutdown();
            b.shutdown();
        }
    }
}

#[test]
fn the_end_is_told_to_threads_that_wait() {
    for pipeline in Pipeline::ALL {
        let (a, b) = pair(pipeline, 8, true);
        let listener = TcpListener::bind(b.sockets(), (B, PORT)).unwrap();
        let mut stream = TcpStream::connect(a.sockets(), (B, PORT)).unwrap();
        let (mut served, _) = listener.accept().unwrap();
        thread::scope(|scope| {
            let reading = scope.spawn(|| served.read(&mut [0; 10]).unwrap_err().kind());
            let accepting = scope.spawn(|| listener.accept().unwrap_err().kind());
            b.shutdown();
            assert_eq!(reading.join().unwrap(), ErrorKind::NetworkDown);
            assert_eq!(accepting.join().unwrap(), ErrorKind::NetworkDown);
        });
        // The other stack hears of it by FIN.
        assert_eq!(stream.read(&mut [0; 10]).unwrap(), 0);
        assert_eq!(b.sockets().with_hub(|_, _| Ok(())).unwrap_err().kind(), ErrorKind::NetworkDown);
    }
}

#[test]
fn a_device_that_is_gone_is_reported_once() {
    for pipeline in Pipeline::ALL {
        let (a, b) = pair(pipeline, 8, true);
        b.shutdown();
        drop(b);
        let failure = a.failures().recv().unwrap();
        assert_eq!(failure.interface.index(), 0);
        assert!(failure.error.to_string().contains("gone"), "{}", failure.error);
        assert!(a.failures().is_empty());
    }
}

#[test]
fn a_stack_knows_itself() {
    for pipeline in Pipeline::ALL {
        let (a, b) = pair(pipeline, 8, true);
        let listener = TcpListener::bind(b.sockets(), (B, PORT)).unwrap();
        let _client = TcpStream::connect(a.sockets(), (B, PORT)).unwrap();
        let _served = listener.accept().unwrap();
        let report = b.report().to_json();
        assert_eq!(report["pipeline"], pipeline.name());
        assert_eq!(report["addresses"][0]["address"], B.to_string());
        assert_eq!(report["neighbours"][0]["address"], A.to_string());
        assert_eq!(report["connections"][0]["local"], format!("{B}:{PORT}"));
        assert_eq!(report["connections"][0]["state"], "ESTABLISHED");
        assert_eq!(report["counters"]["TcpPassiveOpens"], 1);
        assert_eq!(report["interfaces"][0]["mac"], "02:00:0a:00:00:02");
        assert_eq!(report["sockets"], 2);
    }
}

/// One byte there and back, `n` times, by one thread on either side.
fn ping_pong(a: &Stack, b: &Stack, n: u32) {
    let listener = TcpListener::bind(b.sockets(), (B, PORT)).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut byte = [0];
            while stream.read(&mut byte).unwrap() > 0 {
                stream.write_all(&byte).unwrap();
            }
        });
        let mut stream = TcpStream::connect(a.sockets(), (B, PORT)).unwrap();
        stream.set_nodelay(true).unwrap();
        for i in 0..n {
            let sent = [(i % 251) as u8];
            let mut echoed = [0];
            stream.write_all(&sent).unwrap();
            stream.read_exact(&mut echoed).unwrap();
            assert_eq!(echoed, sent);
        }
    });
}

#[test]
fn a_thread_that_would_only_sleep_does_the_readers_work() {
    const ROUNDS: u32 = 2_000;
    for pipeline in [Pipeline::Layers, Pipeline::Stages, Pipeline::Inline] {
        let (a, b) = pair(pipeline, 8, true);
        ping_pong(&a, &b, ROUNDS);
        for stack in [&a, &b] {
            // Each byte is waited for once; some are there before, or while the reader sits.
            assert!(stack.led() > 0, "{pipeline:?}: nobody ever led");
            stack.shutdown();
        }
    }
}

#[test]
fn one_thread_serves_many_connections() {
    const CLIENTS: usize = 40;
    let (a, b) = pair(Pipeline::Layers, 8, true);
    let listener = TcpListener::bind(b.sockets(), (B, PORT)).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            let poller = Poller::new(b.sockets());
            poller.add(&listener, CLIENTS).unwrap();
            assert!(poller.add(&listener, 0).is_err(), "watched already");
            let mut streams: Vec<Option<TcpStream>> = Vec::new();
            let (mut tokens, mut over) = (Vec::new(), 0);
            while over < CLIENTS {
                poller.wait(&mut tokens, None);
                for token in tokens.drain(..) {
                    if token == CLIENTS {
                        while let Ok((stream, _)) = listener.accept() {
                            poller.add(&stream, streams.len()).unwrap();
                            streams.push(Some(stream));
                        }
                        continue;
                    }
                    let Some(stream) = &mut streams[token] else { continue };
                    let mut buffer = [0; 100];
                    loop {
                        match stream.read(&mut buffer) {
                            Ok(0) => {
                                streams[token] = None;
                                over += 1;
                                break;
                            }
                            Ok(n) => stream.write_all(&buffer[..n]).unwrap(),
                            Err(error) => {
                                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                                break;
                            }
                        }
                    }
                }
            }
        });
        for client in 0..CLIENTS {
            let sockets = a.sockets();
            scope.spawn(move || {
                let mut stream = TcpStream::connect(sockets, (B, PORT)).unwrap();
                for round in 0..20 {
                    let sent = [(client * 5 + round) as u8; 90];
                    let mut echoed = [0; 90];
                    stream.write_all(&sent).unwrap();
                    stream.read_exact(&mut echoed).unwrap();
                    assert_eq!(echoed, sent);
                }
            });
        }
    });
    a.shutdown();
    b.shutdown();
}

#[test]
fn a_ping_is_answered_or_told_why_not() {
    for pipeline in Pipeline::ALL {
        let (a, b) = pair(pipeline, 8, true);
        let long = Duration::from_secs(20);
        assert!(a.ping(B, long).unwrap() > Duration::ZERO);
        a.ping(A, long).unwrap();
        let nowhere = a.ping(Ipv4Addr::new(192, 0, 2, 1), long).unwrap_err();
        assert_eq!(nowhere.kind(), ErrorKind::NetworkUnreachable);
        let late = a.ping(Ipv4Addr::new(10, 0, 0, 77), Duration::from_millis(5)).unwrap_err();
        assert_eq!(late.kind(), ErrorKind::TimedOut);
        b.shutdown();
        assert_eq!(b.ping(A, long).unwrap_err().kind(), ErrorKind::NetworkDown);
    }
}
