//! What an [`crate::Arp`] is told at construction: who we are, and every limit with its reason.

use core::net::Ipv4Addr;
use core::time::Duration;

use layer::{InterfaceId, MacAddr};

/// How address conflicts are looked for (RFC 5227).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acd {
    /// Addresses are used at once and announced; probes run alongside. Whoever turns out to have
    /// had the address before keeps it. A conflict after that is defended and reported for as long
    /// as it lasts (RFC 5227 2.4 (c): servers must not lose their address to the first intruder).
    Optimistic,
    /// RFC 5227 2.1.1: nothing is sent from an address before three probes went unanswered. A
    /// second conflict within ten seconds takes the address away (RFC 5227 2.4 (b)).
    Strict,
    /// No probes and no defence: addresses are announced, conflicts only reported.
    Off,
}

/// Bounds on memory and traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Neighbours in the table, static ones included. 1024 as Linux (`gc_thresh3`).
    pub neighbours: usize,
    /// Packets that wait for one neighbour, at least 1. A burst of a few full windows of small
    /// packets fits, see `held_bytes` for large ones.
    pub held_per_neighbour: usize,
    /// Packets that wait in all: with the slack of an outlet, all of them can leave at once.
    pub held_packets: usize,
    /// Bytes that waiting packets keep alive: thirty 64 KiB super-segments. A packet that alone
    /// exceeds this does not wait.
    pub held_bytes: usize,
    /// Time between two requests to one target. RFC 1122 2.3.2.1: at most one a second.
    pub request_interval: Duration,
    /// Requests without an answer until a neighbour counts as unreachable.
    pub tries: u32,
    /// How long an address is trusted after the neighbour was heard. With three probes at one
    /// second after it, a wrong entry is gone within the minute of RFC 1122 2.3.2.1.
    pub reachable: Duration,
    /// How long after that it is still used while the neighbour is asked by unicast; older ones are
    /// asked for by broadcast, and packets wait.
    pub stale: Duration,
    /// How long packets to a neighbour that did not answer are refused without asking again.
    pub hold_down: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            neighbours: 1024,
            held_per_neighbour: 16,
            held_packets: 256,
            held_bytes: 2 << 20,
            request_interval: Duration::from_secs(1),
            tries: 3,
            reachable: Duration::from_secs(45),
            stale: Duration::from_secs(300),
            hold_down: Duration::from_secs(3),
        }
    }
}

/// Who we are on an interface.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which interface.
    pub interface: InterfaceId,
    /// Our Ethernet address on it.
    pub mac: MacAddr,
    /// Our IPv4 addresses on it, in order of preference. A handful: they are searched in order.
    pub addresses: Vec<Ipv4Addr>,
    /// Conflict detection.
    pub acd: Acd,
    /// Bounds.
    pub limits: Limits,
    /// Secret from which the random waits of RFC 5227 and the order of the table come.
    pub key: [u8; 16],
}

impl Config {
    /// The defaults: optimistic conflict detection, default limits.
    pub fn new(
        interface: InterfaceId,
        mac: MacAddr,
        addresses: Vec<Ipv4Addr>,
        key: [u8; 16],
    ) -> Self {
        Self { interface, mac, addresses, acd: Acd::Optimistic, limits: Limits::default(), key }
    }
}
