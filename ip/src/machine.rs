//! [`Ip`]: the parts put together, the three ways in, and the control calls.

use std::collections::VecDeque;

use core::net::IpAddr;

use ipnet::IpNet;
use layer::boundary::{IpIn, IpOut, NetIn, NetOut};
use layer::time::earliest;
use layer::{Accounted, Counted, Instant, InterfaceId, Layer, Out};

use crate::addresses::Addresses;
use crate::config::{Config, Limits, RouteEntry};
use crate::counters::Counters;
use crate::icmp::Icmp;
use crate::identification::Identifications;
use crate::loopback::Loopback;
use crate::path_mtu::PathMtus;
use crate::plan::LastPlan;
use crate::reassembly::Reassembly;
use crate::routes::Routes;

/// IPv4 and ICMP between one or more links and the transports. See the crate's first page.
#[derive(Debug)]
pub struct Ip {
    pub(crate) addresses: Addresses,
    pub(crate) routes: Routes,
    /// See [`Config::any_address`].
    pub(crate) any_address: bool,
    pub(crate) protocols: Vec<u8>,
    pub(crate) default_ttl: u8,
    pub(crate) limits: Limits,
    pub(crate) path_mtus: PathMtus,
    pub(crate) last_plan: LastPlan,
    pub(crate) identifications: Identifications,
    pub(crate) reassembly: Reassembly,
    pub(crate) icmp: Icmp,
    pub(crate) loopback: Loopback,
    /// Fragments, and what was to follow them, that found no room below.
    pub(crate) waiting: VecDeque<NetOut>,
    pub(crate) counters: Counters,
}

impl Ip {
    /// A layer as configured.
    pub fn new(config: Config) -> Self {
        let Config { interfaces, routes, any_address, protocols, default_ttl, key, limits } =
            config;
        let addresses = Addresses::new(&interfaces);
        Self {
            routes: Routes::new(routes, &addresses),
            addresses,
            any_address,
            protocols,
            // RFC 1122 3.2.1.7: the default is configurable, and never 0.
            default_ttl: default_ttl.max(1),
            limits,
            path_mtus: PathMtus::new(limits.path_mtus, limits.path_mtu_timeout),
            last_plan: LastPlan::default(),
            identifications: Identifications::new(key),
            reassembly: Reassembly::new(limits),
            icmp: Icmp::new(key, limits),
            loopback: Loopback::new(limits.loopback_packets),
            waiting: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// Our addresses with their prefixes, by interface.
    pub fn addresses(&self) -> Vec<(InterfaceId, IpNet)> {
        self.addresses.all().collect()
    }

    /// Adds an address and its connected route; false without such an interface.
    pub fn add_address(&mut self, interface: InterfaceId, address: IpNet) -> bool {
        let added = self.addresses.add(interface, address);
        self.routes.rebuild(&self.addresses);
        self.last_plan.forget();
        added
    }

    /// Removes an address and its connected route; false if it is not there.
    pub fn remove_address(&mut self, interface: InterfaceId, address: IpAddr) -> bool {
        let removed = self.addresses.remove(interface, address);
        self.routes.rebuild(&self.addresses);
        self.last_plan.forget();
        removed
    }

    /// The routing table, connected routes included.
    pub fn routes(&self) -> Vec<RouteEntry> {
        self.routes.list()
    }

    /// Adds a route; false if its interface does not exist.
    pub fn add_route(&mut self, route: RouteEntry) -> bool {
        let exists = self.addresses.exists(route.interface);
        if exists {
            self.routes.add(route, &self.addresses);
            self.last_plan.forget();
        }
        exists
    }

    /// Removes a configured route; false if there is none like it. A connected one goes with its
    /// address.
    pub fn remove_route(&mut self, route: &RouteEntry) -> bool {
        self.last_plan.forget();
        self.routes.remove(route, &self.addresses)
    }

    /// Receives a group's packets on an interface; false without such an interface or if the
    /// address is no group. No report is sent (IGMP is not here yet).
    pub fn join_group(&mut self, interface: InterfaceId, group: IpAddr) -> bool {
        self.addresses.join(interface, group)
    }

    /// Receives them no more; false if the group was not joined. 224.0.0.1 stays (RFC 1112 4).
    pub fn leave_group(&mut self, interface: InterfaceId, group: IpAddr) -> bool {
        self.addresses.leave(interface, group)
    }

    /// What was counted so far.
    pub fn statistics(&self) -> &Counters {
        &self.counters
    }

    /// Delivers packets to ourselves while the transports have room. It ends: a looped packet
    /// begets at most one other (an echo reply or an error), and that begets none.
    fn drain_loopback(&mut self, now: Instant, out: &mut Out<'_, Self>) {
        while out.up.room() > 0
            && let Some((interface, packet)) = self.loopback.pop()
        {
            self.receive_looped(now, interface, packet, out);
        }
    }

    /// Tells the transports that a path MTU is over its age and the interface's holds again.
    fn age_path_mtus(&mut self, now: Instant, out: &mut Out<'_, Self>) {
        while out.up.room() > 0
            && let Some(destination) = self.path_mtus.pop_aged(now)
        {
            self.last_plan.forget();
            self.announce_path_mtu(IpAddr::V4(destination), out);
        }
    }
}

impl Layer for Ip {
    type FromBelow = NetIn;
    type ToAbove = IpIn;
    type FromAbove = IpOut;
    type ToBelow = NetOut;

    fn receive(&mut self, now: Instant, item: NetIn, out: &mut Out<'_, Self>) {
        match item {
            NetIn::Packet { interface, cast, ethertype, packet } => {
                self.receive_packet(now, interface, cast, ethertype, packet, out);
            }
            NetIn::Unreachable { interface, next_hop: _, packet } => {
                self.neighbour_failed(interface, packet, out);
            }
            NetIn::Address { interface, address, state } => {
                self.addresses.set_state(interface, address, state);
                self.last_plan.forget();
                out.consume(());
            }
            // Router facts are of IPv6, which is not spoken yet.
            NetIn::Router { interface: _, fact } => out.consume(fact),
        }
        self.drain_loopback(now, out);
    }

    fn send(&mut self, now: Instant, item: IpOut, out: &mut Out<'_, Self>) {
        match item {
            IpOut::Datagram(send) => self.send_datagram(send, out),
            IpOut::Reject { reason, datagram } => self.reject(now, reason, datagram, out),
            IpOut::Lookup { token, protocol, interface, source, destination } => {
                self.answer_lookup(token, protocol, interface, source, destination, out);
            }
            IpOut::PathMtu { destination, mtu } => {
                self.believe_path_mtu(now, destination, mtu, out);
            }
        }
        self.drain_loopback(now, out);
    }

    fn poll(&mut self, now: Instant, out: &mut Out<'_, Self>) {
        self.expire_reassembly(now, out);
        self.age_path_mtus(now, out);
        self.drain_loopback(now, out);
        while out.down.room() > 0
            && let Some(item) = self.waiting.pop_front()
        {
            out.down.push(item);
        }
    }

    fn poll_at(&self) -> Option<Instant> {
        if !self.loopback.is_empty() || !self.waiting.is_empty() {
            return Some(Instant::ZERO);
        }
        earliest(self.reassembly.next(), self.path_mtus.next())
    }
}

impl Accounted for Ip {
    fn held_items(&self) -> usize {
        self.reassembly.fragments() + self.loopback.len() + self.waiting.len()
    }

    fn held_bytes(&self) -> usize {
        let waiting: usize = self.waiting.iter().map(|item| item.packet.held_bytes()).sum();
        self.reassembly.held_bytes() + self.loopback.held_bytes() + waiting
    }
}

impl Counted for Ip {
    fn counters(&self, each: &mut dyn FnMut(&'static str, u64)) {
        self.counters.counters(each);
    }
}
