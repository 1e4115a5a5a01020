//! Two whole hosts on a cable: the layers together, in virtual time, without loss.

use std::net::Shutdown;

use layer::boundary::{Frame, SocketId};
use layer::{Duration, Instant, MacAddr};
use socket::{Errno, Host, HostConfig, InterfaceConfig};

const SERVER: [u8; 4] = [10, 9, 0, 2];
const CLIENT: [u8; 4] = [10, 9, 0, 1];

/// Two hosts and the wire between them: 50 us each way.
struct World {
    now: Instant,
    hosts: [Host; 2],
    /// Frames on their way: arrival, to whom, what; in order of arrival.
    wire: std::collections::VecDeque<(Instant, usize, Frame)>,
}

const DELAY: Duration = Duration::from_micros(50);
const A: usize = 0;
const B: usize = 1;

impl World {
    fn new() -> Self {
        let host = |last: u8, address: [u8; 4]| {
            let mac = MacAddr([2, 0, 0, 0, 0, last]);
            let net = ipnet::IpNet::new(address.into(), 24).expect("24 bits fit");
            let interface = InterfaceConfig::new(mac, vec![net]);
            Host::new(&HostConfig::new([last; 16]).interface(interface))
        };
        let hosts = [host(1, CLIENT), host(2, SERVER)];
        let mut world = Self { now: Instant::from_secs(1), hosts, wire: Default::default() };
        world.run(Duration::from_secs(5));
        world
    }

    /// Puts what the hosts have sent onto the wire.
    fn collect(&mut self) {
        for (index, host) in self.hosts.iter_mut().enumerate() {
            loop {
                let mut frames = 0;
                while let Some(frame) = host.transmit() {
                    self.wire.push_back((self.now + DELAY, 1 - index, frame));
                    frames += 1;
                }
                // Room for frames may be what the host was waiting for.
                host.poll(self.now);
                if frames == 0 {
                    break;
                }
            }
        }
    }

    /// Jumps to the next event; false if there is none before `end`.
    fn step(&mut self, end: Instant) -> bool {
        self.collect();
        let arrival = self.wire.front().map(|(at, ..)| *at);
        let timers = self.hosts.iter().filter_map(Host::poll_at);
        let Some(next) = timers.chain(arrival).min().filter(|&next| next <= end) else {
            return false;
        };
        self.now = self.now.max(next);
        while let Some((_, to, frame)) = self.wire.pop_front_if(|(at, ..)| *at <= self.now) {
            self.hosts[to].receive(self.now, frame);
        }
        for host in &mut self.hosts {
            host.poll(self.now);
        }
        true
    }

    fn run(&mut self, span: Duration) {
        let end = self.now + span;
        let mut steps = 0;
        while self.step(end) {
            steps += 1;
            assert!(steps < 1_000_000, "the world does not come to rest");
        }
        self.now = end;
    }

    /// A connection from A to a listener on B: both ends.
    fn connected(&mut self, port: u16) -> (SocketId, SocketId, SocketId) {
        let listener = self.hosts[B].listen(self.now, (SERVER, port).into(), 5).expect("listens");
        let client = self.hosts[A].connect(self.now, (SERVER, port).into()).expect("connects");
        assert_eq!(self.hosts[A].completed(self.now, client), Err(Errno::INPROGRESS));
        self.run(Duration::from_millis(100));
        assert_eq!(self.hosts[A].completed(self.now, client), Ok(()));
        let accepted = self.hosts[B].accept(self.now, listener).expect("accepts");
        (client, listener, accepted.socket)
    }

    /// Moves `data` from one end to the other and returns what arrived.
    fn transfer(&mut self, from: (usize, SocketId), to: (usize, SocketId), data: &[u8]) -> Vec<u8> {
        let (mut rest, mut arrived) = (data, Vec::new());
        let mut buffer = vec![0; 64 * 1024];
        let mut finished = false;
        for _ in 0..1_000_000 {
            if !rest.is_empty() {
                match self.hosts[from.0].send(self.now, from.1, rest) {
                    Ok(n) => rest = &rest[n..],
                    Err(Errno::AGAIN) => {}
                    Err(errno) => panic!("send: {errno:?}"),
                }
            } else if !finished {
                finished = true;
                self.hosts[from.0].shutdown(self.now, from.1, Shutdown::Write).expect("shuts down");
            }
            loop {
                match self.hosts[to.0].recv(self.now, to.1, &mut buffer) {
                    Ok(0) => return arrived,
                    Ok(n) => arrived.extend_from_slice(&buffer[..n]),
                    Err(Errno::AGAIN) => break,
                    Err(errno) => panic!("recv: {errno:?}"),
                }
            }
            self.step(self.now + Duration::from_secs(10));
        }
        panic!("{} of {} bytes arrived", arrived.len(), data.len());
    }
}

fn pattern(len: u32) -> Vec<u8> {
    (0..len).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

#[test]
fn bytes_arrive_in_order_both_ways_and_the_connection_ends() {
    let mut world = World::new();
    let (client, _, server) = world.connected(7);
    let there = pattern(3_000_000);
    assert!(world.transfer((A, client), (B, server), &there) == there);
    let back = pattern(1_000_001);
    assert!(world.transfer((B, server), (A, client), &back) == back, "half-closed");
    world.hosts[A].close(world.now, client).unwrap();
    world.hosts[B].close(world.now, server).unwrap();
    world.run(Duration::from_secs(120));
    assert_eq!(world.hosts[A].connections().len(), 0, "TIME-WAIT is over");
    assert_eq!(world.hosts[B].connections().iter().filter(|c| c.remote.port() != 0).count(), 0);
}

#[test]
fn a_closed_port_refuses_at_once() {
    let mut world = World::new();
    let client = world.hosts[A].connect(world.now, (SERVER, 9).into()).unwrap();
    world.run(Duration::from_millis(10));
    assert_eq!(world.hosts[A].completed(world.now, client), Err(Errno::CONNREFUSED));
}

#[test]
fn a_silent_address_is_unreachable() {
    let mut world = World::new();
    let client = world.hosts[A].connect(world.now, ([10, 9, 0, 77], 9).into()).unwrap();
    world.run(Duration::from_secs(300));
    let outcome = world.hosts[A].completed(world.now, client);
    assert!(matches!(outcome, Err(Errno::HOSTUNREACH | Errno::TIMEDOUT)), "{outcome:?}");
    let unrouted = world.hosts[A].connect(world.now, ([8, 8, 8, 8], 9).into()).unwrap();
    assert_eq!(world.hosts[A].completed(world.now, unrouted), Err(Errno::NETUNREACH));
}

#[test]
fn unread_data_at_close_resets_the_peer() {
    let mut world = World::new();
    let (client, _, server) = world.connected(7);
    world.hosts[A].send(world.now, client, b"never read").unwrap();
    world.run(Duration::from_millis(100));
    world.hosts[B].close(world.now, server).unwrap();
    world.run(Duration::from_millis(100));
    let mut buffer = [0; 10];
    let read = world.hosts[A].recv(world.now, client, &mut buffer);
    assert_eq!(read, Err(Errno::CONNRESET));
}

#[test]
fn a_port_is_taken_once_and_addresses_must_be_ours() {
    let mut world = World::new();
    let now = world.now;
    let any = [0, 0, 0, 0];
    assert!(world.hosts[B].listen(now, (any, 80).into(), 5).is_ok());
    assert_eq!(world.hosts[B].listen(now, (SERVER, 80).into(), 5), Err(Errno::ADDRINUSE));
    assert!(world.hosts[B].bind_udp(now, (any, 53).into()).is_ok());
    assert_eq!(world.hosts[B].bind_udp(now, (any, 53).into()), Err(Errno::ADDRINUSE));
    assert!(world.hosts[B].bind_udp(now, (SERVER, 54).into()).is_ok());
    assert_eq!(world.hosts[B].bind_udp(now, (CLIENT, 54).into()), Err(Errno::ADDRNOTAVAIL));
    let listening = world.hosts[B].listen(now, (CLIENT, 81).into(), 1);
    assert_eq!(listening, Err(Errno::ADDRNOTAVAIL));
}

#[test]
fn datagrams_of_every_size_come_back() {
    let mut world = World::new();
    let server = world.hosts[B].bind_udp(world.now, ([0, 0, 0, 0], 7).into()).unwrap();
    let client = world.hosts[A].bind_udp(world.now, ([0, 0, 0, 0], 0).into()).unwrap();
    let mut buffer = vec![0; 65_535];
    for len in [0, 1, 1472, 1473, 8192, 65_507] {
        let data = pattern(len);
        world.hosts[A].send_to(world.now, client, &data, (SERVER, 7).into()).unwrap();
        world.run(Duration::from_millis(10));
        let received = world.hosts[B].recv_from(world.now, server, &mut buffer).unwrap();
        assert_eq!(received.to, (SERVER, 7).into());
        assert!(buffer[..received.copied] == data, "{len} bytes there");
        let answer = buffer[..received.copied].to_vec();
        world.hosts[B].send_to(world.now, server, &answer, received.from).unwrap();
        world.run(Duration::from_millis(10));
        let received = world.hosts[A].recv_from(world.now, client, &mut buffer).unwrap();
        assert_eq!(received.from, (SERVER, 7).into());
        assert!(buffer[..received.copied] == data, "{len} bytes back");
    }
}

#[test]
fn a_closed_udp_port_is_told_to_a_connected_socket() {
    let mut world = World::new();
    let client = world.hosts[A].bind_udp(world.now, ([0, 0, 0, 0], 0).into()).unwrap();
    let now = world.now;
    let begun =
        world.hosts[A].with_hub(now, |hub, out| hub.connect(client, (SERVER, 9).into(), out));
    assert_eq!(begun, Err(Errno::INPROGRESS));
    assert_eq!(world.hosts[A].completed(now, client), Ok(()));
    world.hosts[A].send(now, client, b"anybody?").unwrap();
    world.run(Duration::from_millis(10));
    assert_eq!(world.hosts[A].recv(world.now, client, &mut [0; 1]), Err(Errno::CONNREFUSED));
}

#[test]
fn broadcasts_need_the_option_and_reach_the_neighbour() {
    let mut world = World::new();
    let server = world.hosts[B].bind_udp(world.now, ([0, 0, 0, 0], 7).into()).unwrap();
    let client = world.hosts[A].bind_udp(world.now, ([0, 0, 0, 0], 0).into()).unwrap();
    let everybody = ([10, 9, 0, 255], 7).into();
    let now = world.now;
    // Accepted at first: only IP knows the subnets, and says so right after.
    assert_eq!(world.hosts[A].send_to(now, client, b"x", everybody), Ok(1));
    assert_eq!(world.hosts[A].send_to(now, client, b"x", everybody), Err(Errno::ACCES));
    world.hosts[A]
        .with_hub(now, |hub, out| hub.set_udp_options(client, |o| o.broadcast = true, out))
        .unwrap();
    assert_eq!(world.hosts[A].send_to(now, client, b"to all", everybody), Ok(6));
    world.run(Duration::from_millis(10));
    let mut buffer = [0; 10];
    let received = world.hosts[B].recv_from(world.now, server, &mut buffer).unwrap();
    assert_eq!(&buffer[..received.copied], b"to all");
    assert_eq!(world.hosts[B].recv_from(world.now, server, &mut buffer).err(), Some(Errno::AGAIN));
}

#[test]
fn a_host_reaches_itself() {
    let mut world = World::new();
    for address in [SERVER, [127, 0, 0, 1]] {
        let now = world.now;
        let listener = world.hosts[B].listen(now, (address, 7).into(), 5).unwrap();
        let client = world.hosts[B].connect(now, (address, 7).into()).unwrap();
        world.run(Duration::from_millis(100));
        assert_eq!(world.hosts[B].completed(world.now, client), Ok(()), "{address:?}");
        let server = world.hosts[B].accept(world.now, listener).unwrap().socket;
        let data = pattern(100_000);
        assert!(world.transfer((B, client), (B, server), &data) == data);
        world.hosts[B].close(world.now, listener).unwrap();
    }
}
