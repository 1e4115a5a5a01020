//! Two hosts that speak raw IP, 10 ms apart, in virtual time.
#![allow(dead_code, reason = "each test file uses its part")]

use core::net::SocketAddr;

use layer::boundary::SocketId;
use layer::{Duration, Instant, PacketBuf};
use socket::{HostConfig, InterfaceConfig, IpHost};

pub const A: u8 = 1;
pub const B: u8 = 2;

/// How long a packet is on its way.
const DELAY: Duration = Duration::from_millis(10);

pub fn at(host: u8, port: u16) -> SocketAddr {
    ([10, 0, 0, host], port).into()
}

pub fn config(host: u8) -> HostConfig {
    let net = ipnet::IpNet::new(at(host, 0).ip(), 24).expect("24 bits fit");
    HostConfig::new([host; 16]).interface(InterfaceConfig::ip(1500, vec![net]))
}

pub struct World {
    pub now: Instant,
    hosts: [IpHost; 2],
    /// Packets on their way, in order of arrival: when, to whom, what.
    wire: std::collections::VecDeque<(Instant, usize, PacketBuf)>,
}

impl World {
    pub fn new() -> Self {
        Self::of([config(A), config(B)])
    }

    pub fn of(configs: [HostConfig; 2]) -> Self {
        let hosts = configs.map(|config| IpHost::ip(&config));
        Self { now: Instant::from_secs(1), hosts, wire: Default::default() }
    }

    pub fn a(&mut self) -> &mut IpHost {
        &mut self.hosts[0]
    }

    pub fn b(&mut self) -> &mut IpHost {
        &mut self.hosts[1]
    }

    /// Lets `millis` of virtual time pass.
    pub fn run(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        for _ in 0..1_000_000 {
            for (index, host) in self.hosts.iter_mut().enumerate() {
                for packet in host.packets(self.now) {
                    self.wire.push_back((self.now + DELAY, 1 - index, packet));
                }
            }
            let arrival = self.wire.front().map(|(at, ..)| *at);
            let timers = self.hosts.iter().filter_map(IpHost::poll_at);
            let next = timers.chain(arrival).min().filter(|&next| next <= end);
            let Some(next) = next else {
                self.now = end;
                return;
            };
            self.now = self.now.max(next);
            while let Some((_, to, packet)) = self.wire.pop_front_if(|(at, ..)| *at <= self.now) {
                self.hosts[to].receive_packet(self.now, packet);
            }
            for host in &mut self.hosts {
                host.poll(self.now);
            }
        }
        panic!("the world does not come to rest");
    }

    /// A listener on B.
    pub fn listen(&mut self, port: u16) -> SocketId {
        let now = self.now;
        self.b().listen(now, at(B, port), 16).expect("listens")
    }

    /// A connection of A to B under way.
    pub fn connect(&mut self, port: u16) -> SocketId {
        let now = self.now;
        self.a().connect(now, at(B, port)).expect("begins")
    }

    /// A connection between them: the end of A, the end of B.
    pub fn pair(&mut self, port: u16) -> (SocketId, SocketId) {
        let listener = self.listen(port);
        let client = self.connect(port);
        self.run(100);
        let now = self.now;
        let server = self.b().accept(now, listener).expect("accepts").socket;
        (client, server)
    }
}
