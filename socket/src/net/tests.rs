//! Threads that wait, on two hosts joined by a cable inside one lock. Every call carries the world
//! on until it is quiet, in virtual time; so nothing here sleeps for a while, only for a change.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::thread;

use layer::{Duration, Instant, MacAddr, Out};
use parking_lot::Mutex;

use super::{Carrier, Stack, TcpListener, TcpStream, UdpSocket, Wakers};
use crate::hub::Hub;
use crate::{Host, HostConfig, InterfaceConfig};

const SERVER: [u8; 4] = [10, 9, 0, 2];
const ANY: [u8; 4] = [0, 0, 0, 0];

/// Two hosts, and who waits on each.
struct World {
    state: Mutex<State>,
    wakers: [Arc<Wakers>; 2],
}

struct State {
    now: Instant,
    hosts: [Host; 2],
    ended: bool,
}

/// The way to one of the two.
struct Side {
    world: Arc<World>,
    index: usize,
}

impl State {
    /// Carries frames and lets time pass until nothing is due soon: acknowledgements may be
    /// delayed by 40 ms, but nobody here waits out a retransmission.
    fn settle(&mut self, wakers: &[Arc<Wakers>; 2]) {
        const SOON: Duration = Duration::from_millis(150);
        let end = self.now + SOON;
        loop {
            let mut moved = false;
            for from in 0..2 {
                while let Some(frame) = self.hosts[from].transmit() {
                    self.hosts[1 - from].receive(self.now, frame);
                    moved = true;
                }
                self.hosts[1 - from].poll(self.now);
                self.hosts[from].poll(self.now);
            }
            for (host, wakers) in self.hosts.iter_mut().zip(wakers) {
                while let Some(ready) = host.ready() {
                    wakers.notify(&ready);
                }
            }
            let next = self.hosts.iter().filter_map(Host::poll_at).min();
            match next.filter(|&next| next <= end) {
                Some(next) => self.now = self.now.max(next),
                None if moved => {}
                None => return,
            }
        }
    }
}

impl Carrier for Side {
    fn with_hub(&self, call: &mut dyn FnMut(Instant, &mut Hub, &mut Out<'_, Hub>)) {
        let state = &mut *self.world.state.lock();
        if state.ended {
            return;
        }
        // Every call takes a millisecond, so that timeouts end.
        state.now += Duration::from_millis(1);
        let now = state.now;
        state.hosts[self.index].with_hub(now, |hub, out| call(now, hub, out));
        state.settle(&self.world.wakers);
    }
}

/// A client's stack and a server's, joined; and the world, to end it.
fn stacks() -> (Stack, Stack, Arc<World>) {
    let host = |last: u8| {
        let net = ipnet::IpNet::new([10, 9, 0, last].into(), 24).unwrap();
        let interface = InterfaceConfig::new(MacAddr([2, 0, 0, 0, 0, last]), vec![net]);
        let mut host = Host::new(&HostConfig::new([last; 16]).interface(interface));
        host.watch();
        host
    };
    let state = State { now: Instant::from_secs(1), hosts: [host(1), host(2)], ended: false };
    let wakers = [Wakers::new(), Wakers::new()];
    let world = Arc::new(World { state: Mutex::new(state), wakers: wakers.clone() });
    let [client, server] = [0, 1].map(|index| {
        let side = Side { world: Arc::clone(&world), index };
        Stack::new(Arc::new(side), Arc::clone(&wakers[index]))
    });
    (client, server, world)
}

fn at(port: u16) -> SocketAddr {
    (SERVER, port).into()
}

fn pattern(len: u32) -> Vec<u8> {
    (0..len).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// Echoes one connection until its end.
fn echo(mut stream: TcpStream) {
    let mut buffer = vec![0; 100_000];
    loop {
        let n = stream.read(&mut buffer).unwrap();
        if n == 0 {
            return;
        }
        stream.write_all(&buffer[..n]).unwrap();
    }
}

#[test]
fn an_echo_of_megabytes_comes_back_whole() {
    let (client, server, _) = stacks();
    let listener = TcpListener::bind(&server, (ANY, 7)).unwrap();
    assert_eq!(listener.local_addr().unwrap(), (ANY, 7).into());
    let serving = thread::spawn(move || echo(listener.accept().unwrap().0));
    let stream = TcpStream::connect(&client, at(7)).unwrap();
    assert_eq!(stream.peer_addr().unwrap(), at(7));
    let sent = pattern(5_000_000);
    let received = thread::scope(|scope| {
        scope.spawn(|| {
            (&stream).write_all(&sent).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
        });
        let mut received = Vec::new();
        (&stream).read_to_end(&mut received).unwrap();
        received
    });
    assert!(received == sent);
    serving.join().unwrap();
}

#[test]
fn thousands_of_small_round_trips_lose_no_wake_up() {
    let (client, server, _) = stacks();
    let listener = TcpListener::bind(&server, (ANY, 7)).unwrap();
    let serving = thread::spawn(move || echo(listener.accept().unwrap().0));
    let mut stream = TcpStream::connect(&client, at(7)).unwrap();
    stream.set_nodelay(true).unwrap();
    for i in 0..3000_u32 {
        let sent = i.to_be_bytes();
        stream.write_all(&sent).unwrap();
        let mut received = [0; 4];
        stream.read_exact(&mut received).unwrap();
        assert_eq!(received, sent);
    }
    drop(stream);
    serving.join().unwrap();
}

#[test]
fn many_connections_at_once_each_get_their_own_answer() {
    let (client, server, _) = stacks();
    let listener = TcpListener::bind(&server, (ANY, 7)).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            for stream in listener.incoming().take(40) {
                scope.spawn(|| echo(stream.unwrap()));
            }
        });
        for i in 0..40_u32 {
            let client = &client;
            scope.spawn(move || {
                let mut stream = TcpStream::connect(client, at(7)).unwrap();
                let sent = pattern(10_000 + i);
                stream.write_all(&sent).unwrap();
                stream.shutdown(Shutdown::Write).unwrap();
                let mut received = Vec::new();
                stream.read_to_end(&mut received).unwrap();
                assert!(received == sent, "connection {i}");
            });
        }
    });
}

#[test]
fn errors_have_the_kinds_of_std() {
    let (client, server, _) = stacks();
    let refused = TcpStream::connect(&client, at(9)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    let silent = ([10, 9, 0, 77], 9).into();
    let late = TcpStream::connect_timeout(&client, &silent, Duration::from_millis(2));
    assert_eq!(late.unwrap_err().kind(), ErrorKind::TimedOut);
    let listener = TcpListener::bind(&server, (ANY, 7)).unwrap();
    let taken = TcpListener::bind(&server, (ANY, 7)).unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::AddrInUse);
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    let mut stream = TcpStream::connect(&client, at(7)).unwrap();
    let (peer, from) = listener.accept().unwrap();
    assert_eq!(from, stream.local_addr().unwrap());
    stream.set_read_timeout(Some(Duration::from_millis(2))).unwrap();
    assert_eq!(stream.read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::WouldBlock);
    let zero = stream.set_read_timeout(Some(Duration::ZERO)).unwrap_err();
    assert_eq!(zero.kind(), ErrorKind::InvalidInput);
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(stream.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
    peer.set_linger(Some(Duration::ZERO)).unwrap();
    drop(peer);
    assert_eq!(stream.read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert!(stream.take_error().unwrap().is_none(), "told once");
}

#[test]
fn dropping_the_last_handle_ends_the_connection_and_frees_the_port() {
    let (client, server, _) = stacks();
    let listener = TcpListener::bind(&server, (ANY, 7)).unwrap();
    let stream = TcpStream::connect(&client, at(7)).unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    let clone = stream.try_clone().unwrap();
    drop(stream);
    (&clone).write_all(b"still there").unwrap();
    drop(clone);
    let mut rest = Vec::new();
    peer.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"still there");
    drop((listener, peer));
    TcpListener::bind(&server, (ANY, 7)).unwrap();
}

#[test]
fn whoever_waits_is_woken_by_shutdown_and_by_the_end_of_the_stack() {
    let (client, server, world) = stacks();
    let listener = TcpListener::bind(&server, (ANY, 7)).unwrap();
    let stream = TcpStream::connect(&client, at(7)).unwrap();
    listener.accept().unwrap();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| listener.accept().map(|_| ()));
        listener.shutdown().unwrap();
        assert_eq!(waiting.join().unwrap().unwrap_err().kind(), ErrorKind::InvalidInput);
        let udp = UdpSocket::bind(&client, (ANY, 0)).unwrap();
        let waiting = scope.spawn(move || udp.recv(&mut [0; 1]));
        world.state.lock().ended = true;
        world.wakers[0].wake_all();
        assert_eq!(waiting.join().unwrap().unwrap_err().kind(), ErrorKind::NetworkDown);
        assert_eq!((&stream).write(b"x").unwrap_err().kind(), ErrorKind::NetworkDown);
    });
}

#[test]
fn datagrams_are_answered_from_the_address_that_was_asked() {
    let (client, server, _) = stacks();
    let socket = UdpSocket::bind(&server, (ANY, 7)).unwrap();
    let serving = thread::spawn(move || {
        let mut buffer = [0; 100];
        let asked = socket.recv_with_envelope(&mut buffer).unwrap();
        let source = Some(asked.to.ip());
        socket.send_from(&buffer[..asked.copied], Some(asked.from), source).unwrap();
    });
    let socket = UdpSocket::bind(&client, (ANY, 0)).unwrap();
    socket.connect(at(7)).unwrap();
    assert_eq!(socket.peer_addr().unwrap(), at(7));
    socket.send(b"hello").unwrap();
    let mut buffer = [0; 100];
    assert_eq!(socket.peek_from(&mut buffer).unwrap(), (5, at(7)));
    assert_eq!(socket.recv_from(&mut buffer).unwrap(), (5, at(7)));
    assert_eq!(&buffer[..5], b"hello");
    serving.join().unwrap();
    socket.send(b"nobody there").unwrap();
    assert_eq!(socket.recv(&mut buffer).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

mod beyond_std;
mod futures;
