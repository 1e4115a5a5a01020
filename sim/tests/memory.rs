//! What a connection costs that nobody uses: a host with 100,000 of them, counted at the allocator,
//! TCP and sockets together; then the same in TIME-WAIT.

use std::alloc::System;

use cap::Cap;
use ipnet::IpNet;
use layer::boundary::{Frame, SocketId, protocol};
use layer::{Duration, Instant, InterfaceId, PacketBuf};
use sim::frame::{self, Address, TcpHeader};
use socket::{Host, HostConfig, InterfaceConfig};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

const US: Address = Address::numbered(2);
const PEER: Address = Address::numbered(1);
const CONNECTIONS: usize = 100_000;
/// Connections of the peer to one port of ours.
const A_PORT: usize = 50_000;
const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;

/// The peer's end of one connection.
struct Client {
    port: u16,
    to: u16,
    seq: u32,
    ack: u32,
    /// What our host's clock said last.
    echo: u32,
    socket: SocketId,
}

struct Crowd {
    host: Host,
    now: Instant,
    clients: Vec<Client>,
}

impl Crowd {
    fn new() -> Self {
        let net = IpNet::new_assert(US.ip.into(), 24);
        let mut config =
            HostConfig::new([7; 16]).interface(InterfaceConfig::new(US.mac, vec![net]));
        config.hub.max_sockets = CONNECTIONS + 10;
        let mut crowd = Self {
            host: Host::new(&config),
            now: Instant::from_secs(1000),
            clients: Vec::with_capacity(CONNECTIONS),
        };
        crowd.host.poll(crowd.now);
        crowd.frame(&PEER.arp_request(US.ip));
        crowd.advance(100);
        crowd
    }

    fn frame(&mut self, bytes: &[u8]) {
        let packet = PacketBuf::copy_from(bytes);
        self.host.receive(self.now, Frame { interface: InterfaceId(0), packet });
        self.host.poll(self.now);
    }

    fn advance(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        while let Some(at) = self.host.poll_at().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.host.poll(self.now);
            self.drain();
        }
        self.now = end;
    }

    /// Throws away what was sent; answers numbers and clock of the last TCP segment.
    fn drain(&mut self) -> Option<(u32, u32)> {
        let mut last = None;
        while let Some(frame) = self.host.transmit() {
            let bytes = frame.packet.to_vec();
            if let Some(reply) = PEER.arp_reply(&frame.packet) {
                self.frame(&reply);
            } else if bytes.len() >= 66 && bytes[23] == protocol::TCP {
                let field = |at: usize| {
                    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
                };
                // TSval stands after two NOPs, or in a SYN-ACK after MSS, SACK and scale.
                let options = &bytes[54..];
                let at = options.windows(2).position(|two| two == [8, 10]);
                last = Some((field(38), at.map_or(0, |at| field(54 + at + 2))));
            }
        }
        last
    }

    fn segment(&mut self, n: usize, flags: u8, text: &[u8]) -> Option<(u32, u32)> {
        let clock = (self.now.as_millis() & 0xffff_ffff) as u32;
        let client = &self.clients[n];
        let mut options = Vec::new();
        if flags & SYN != 0 {
            options.extend([2, 4, 5, 180, 4, 2, 3, 3, 7, 1]);
        }
        options.extend([1, 1, 8, 10]);
        options.extend(clock.to_be_bytes());
        options.extend(client.echo.to_be_bytes());
        options.extend(if flags & SYN != 0 { &[1, 1][..] } else { &[] });
        let header = TcpHeader {
            source: client.port,
            destination: client.to,
            seq: client.seq,
            ack: client.ack,
            flags,
            window: 60_000,
            urgent: 0,
            options,
        };
        let packet = frame::tcp(PEER.ip, US.ip, &header, text);
        self.frame(&PEER.packet(&US, protocol::TCP, 0, &packet));
        let client = &mut self.clients[n];
        let fin_and_syn = u32::from(flags & FIN != 0) + u32::from(flags & SYN != 0);
        client.seq = client.seq.wrapping_add(text.len() as u32 + fin_and_syn);
        let sent = self.drain();
        if let Some((_, echo)) = sent {
            self.clients[n].echo = echo;
        }
        sent
    }

    /// A connection that exchanged a hundred bytes each way.
    fn open(&mut self, listener: SocketId, n: usize) {
        let (port, to) = ((10_000 + n % A_PORT) as u16, (80 + n / A_PORT) as u16);
        let socket = SocketId::default();
        self.clients.push(Client { port, to, seq: n as u32, ack: 0, echo: 0, socket });
        let (iss, _) = self.segment(n, SYN, &[]).expect("a SYN-ACK");
        self.clients[n].ack = iss.wrapping_add(1);
        self.segment(n, ACK, &[]);
        self.segment(n, ACK | PSH, &[7; 100]);
        let accepted = self.host.accept(self.now, listener).expect("a connection").socket;
        self.clients[n].socket = accepted;
        assert_eq!(self.host.recv(self.now, accepted, &mut [0; 200]), Ok(100));
        assert_eq!(self.host.send(self.now, accepted, &[8; 100]), Ok(100));
        self.drain();
        self.clients[n].ack = self.clients[n].ack.wrapping_add(100);
        self.segment(n, ACK, &[]);
    }

    /// We close first, the peer at once after us.
    fn close(&mut self, n: usize) {
        self.host.close(self.now, self.clients[n].socket).expect("it is open");
        self.drain();
        self.clients[n].ack = self.clients[n].ack.wrapping_add(1);
        self.segment(n, ACK | FIN, &[]);
    }
}

/// Bytes for an idle connection, all tables included: the buffers are gone, and what is left of it
/// in TCP is packed. With some room for what connections still learn.
const IDLE: usize = 768;

#[test]
fn idle_connections_hold_no_buffers_and_waiting_ones_less_than_128_bytes() {
    let mut crowd = Crowd::new();
    let ports = [80, 81].map(|port| {
        let anywhere = core::net::SocketAddr::from(([0, 0, 0, 0], port));
        crowd.host.listen(crowd.now, anywhere, 16).expect("a listener")
    });
    let before = ALLOCATOR.allocated();
    for n in 0..CONNECTIONS {
        crowd.open(ports[n / A_PORT], n);
    }
    crowd.advance(60);
    let idle = (ALLOCATOR.allocated() - before) / CONNECTIONS;
    println!("{idle} bytes for each of {CONNECTIONS} idle connections");
    for n in 0..CONNECTIONS {
        crowd.close(n);
    }
    assert_eq!(crowd.host.connections().len(), CONNECTIONS);
    let closed = ALLOCATOR.allocated() - before;
    crowd.advance(61);
    assert_eq!(crowd.host.connections().len(), 0);
    let left = ALLOCATOR.allocated() - before;
    let waiting = (closed - left) / CONNECTIONS;
    println!("{waiting} bytes for each of {CONNECTIONS} connections in TIME-WAIT");
    let left = left / CONNECTIONS;
    println!("{left} bytes for each when all have gone");
    assert!(idle < IDLE, "{idle} bytes for an idle connection");
    assert!(waiting < 128, "{waiting} bytes for a connection in TIME-WAIT");
    assert!(left < 64, "{left} bytes for a connection that is no more");
}
