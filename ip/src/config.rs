//! What an IP layer is told at construction: interfaces, routes, protocols above, limits.

use core::net::IpAddr;

use ipnet::IpNet;
use layer::boundary::protocol;
use layer::{Duration, InterfaceId};

/// RFC 791 3.2: every network carries 68 bytes unfragmented; a smaller MTU is taken as this.
pub(crate) const MIN_MTU: u32 = 68;

/// Everything an [`crate::Ip`] knows from the start.
#[derive(Clone, Debug)]
pub struct Config {
    /// The interfaces; an [`InterfaceId`] is an index into this list.
    pub interfaces: Vec<Interface>,
    /// Routes beyond those that follow from the interfaces' addresses. A route by an interface that
    /// does not exist is left out.
    pub routes: Vec<RouteEntry>,
    /// Every unicast address that packets come in for is taken as ours, and may be sent from: the
    /// host stands for a whole network (a transparent proxy). Off unless said.
    pub any_address: bool,
    /// Protocols spoken above; anything else draws ICMP protocol unreachable. ICMP is always ours.
    pub protocols: Vec<u8>,
    /// Time to live where the transport names none (RFC 1122 3.2.1.7).
    pub default_ttl: u8,
    /// Secret from which fragment identifications come (RFC 6864) and the error limit's jitter.
    pub key: [u8; 16],
    /// Bounds on memory and on what we send unasked.
    pub limits: Limits,
}

impl Config {
    /// No interfaces, no routes, TCP and UDP above, TTL 64. There is no default secret.
    pub fn new(key: [u8; 16]) -> Self {
        Self {
            interfaces: Vec::new(),
            routes: Vec::new(),
            any_address: false,
            protocols: vec![protocol::TCP, protocol::UDP],
            default_ttl: 64,
            key,
            limits: Limits::default(),
        }
    }

    /// Adds an interface; its id is the number of those before it.
    #[must_use]
    pub fn interface(mut self, interface: Interface) -> Self {
        self.interfaces.push(interface);
        self
    }

    /// Adds a route.
    #[must_use]
    pub fn route(mut self, route: RouteEntry) -> Self {
        self.routes.push(route);
        self
    }

    /// Adds a default route to a gateway, of the gateway's family.
    #[must_use]
    pub fn gateway(self, via: IpAddr, interface: InterfaceId) -> Self {
        self.route(RouteEntry::default_by(via, interface))
    }
}

/// One network interface as IP sees it.
#[derive(Clone, Debug)]
pub struct Interface {
    /// Largest IP packet, bytes; below 68 it is taken as 68 (RFC 791 3.2).
    pub mtu: u32,
    /// Our addresses with their prefixes. A connected route and the directed broadcast address
    /// follow from each.
    pub addresses: Vec<IpNet>,
}

impl Interface {
    /// An interface without addresses.
    pub fn new(mtu: u32) -> Self {
        Self { mtu, addresses: Vec::new() }
    }

    /// Adds an address with its prefix.
    #[must_use]
    pub fn address(mut self, address: IpNet) -> Self {
        self.addresses.push(address);
        self
    }
}

/// One line of the routing table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteEntry {
    /// For which destinations.
    pub destination: IpNet,
    /// By which gateway; `None` where the destinations are neighbours themselves.
    pub via: Option<IpAddr>,
    /// By which interface.
    pub interface: InterfaceId,
    /// Of routes with the same prefix the one with the lowest metric is taken.
    pub metric: u32,
}

impl RouteEntry {
    /// The default route by a gateway, metric 0.
    pub fn default_by(via: IpAddr, interface: InterfaceId) -> Self {
        let destination = match via {
            IpAddr::V4(_) => IpNet::V4(ipnet::Ipv4Net::default()),
            IpAddr::V6(_) => IpNet::V6(ipnet::Ipv6Net::default()),
        };
        Self { destination, via: Some(via), interface, metric: 0 }
    }
}

/// A limit on everything that the network could make grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long fragments wait for the rest, from the first one on (RFC 1122 3.3.2: 60 to 120 s).
    pub reassembly_timeout: Duration,
    /// Memory for all datagrams being reassembled, bytes; past it the oldest goes. Linux's
    /// `ipfrag_high_thresh` is the same 4 MiB.
    pub reassembly_bytes: usize,
    /// Memory for one datagram being reassembled, bytes: 64 KiB in fragments of 48 bytes (MTU 68)
    /// with their bookkeeping, and some.
    pub reassembly_bytes_each: usize,
    /// Datagrams being reassembled, those remembered as poisoned included.
    pub reassembly_datagrams: usize,
    /// Packets to ourselves that wait for the transports.
    pub loopback_packets: usize,
    /// Fragments that wait for room below: 64 UDP datagrams of 64 KiB at MTU 1500.
    pub waiting_fragments: usize,
    /// Destinations whose path MTU is remembered; past it the oldest goes.
    pub path_mtus: usize,
    /// How long a path MTU is believed (RFC 1191 6.3).
    pub path_mtu_timeout: Duration,
    /// ICMP errors a second (RFC 1122 3.2.2 asks for a limit); Linux's `icmp_msgs_per_sec` was
    /// 1000 for ten years.
    pub icmp_errors_per_second: u32,
    /// ICMP errors at once.
    pub icmp_errors_burst: u32,
    /// Echo replies a second: far above what one core answers, so that `ping -f` loses nothing and
    /// a flood still has an end.
    pub echo_per_second: u32,
    /// Echo replies at once.
    pub echo_burst: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            reassembly_timeout: Duration::from_secs(60),
            reassembly_bytes: 4 << 20,
            reassembly_bytes_each: 256 << 10,
            reassembly_datagrams: 1024,
            loopback_packets: 1024,
            waiting_fragments: 4096,
            path_mtus: 1024,
            path_mtu_timeout: Duration::from_secs(600),
            icmp_errors_per_second: 1000,
            icmp_errors_burst: 100,
            echo_per_second: 1_000_000,
            echo_burst: 20_000,
        }
    }
}
