//! The routing table: longest prefix first, then metric (RFC 1122 3.3.1).
//!
//! Routes to our own prefixes follow from the interfaces' addresses; the rest is configured. The
//! table is rebuilt when either changes, which is rare; lookups are a walk down a prefix trie.

use core::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use layer::InterfaceId;
use prefix_trie::PrefixMap;

use crate::addresses::Addresses;
use crate::config::RouteEntry;

/// One way to a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hop {
    /// The gateway; `None` on a connected prefix.
    pub(crate) via: Option<IpAddr>,
    pub(crate) interface: InterfaceId,
    metric: u32,
}

/// Configured and connected routes.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    configured: Vec<RouteEntry>,
    /// Ways by prefix, lowest metric first, none empty.
    v4: PrefixMap<Ipv4Net, Vec<Hop>>,
    v6: PrefixMap<Ipv6Net, Vec<Hop>>,
}

impl Routes {
    pub(crate) fn new(configured: Vec<RouteEntry>, addresses: &Addresses) -> Self {
        let mut routes = Self { configured, ..Self::default() };
        routes.rebuild(addresses);
        routes
    }

    /// Adds a configured route; the same one twice is kept once.
    pub(crate) fn add(&mut self, route: RouteEntry, addresses: &Addresses) {
        if !self.configured.contains(&route) {
            self.configured.push(route);
            self.rebuild(addresses);
        }
    }

    /// Removes a configured route; false if there is none like it.
    pub(crate) fn remove(&mut self, route: &RouteEntry, addresses: &Addresses) -> bool {
        let before = self.configured.len();
        self.configured.retain(|known| known != route);
        self.rebuild(addresses);
        self.configured.len() < before
    }

    /// Makes the table anew from the configured routes and our addresses.
    pub(crate) fn rebuild(&mut self, addresses: &Addresses) {
        self.v4 = PrefixMap::new();
        self.v6 = PrefixMap::new();
        // RFC 1122 3.3.1.1: our own prefixes are delivered directly.
        for (interface, net) in addresses.all() {
            self.insert(net.trunc(), Hop { via: None, interface, metric: 0 });
        }
        for route in self.configured.clone() {
            let RouteEntry { destination, via, interface, metric } = route;
            if addresses.exists(interface) {
                self.insert(destination.trunc(), Hop { via, interface, metric });
            }
        }
    }

    fn insert(&mut self, destination: IpNet, hop: Hop) {
        let hops = match destination {
            IpNet::V4(net) => self.v4.entry(net).or_default(),
            IpNet::V6(net) => self.v6.entry(net).or_default(),
        };
        let place = hops.partition_point(|known| known.metric <= hop.metric);
        hops.insert(place, hop);
    }

    /// The way to `destination`: by the longest prefix, then the lowest metric, then, of equals,
    /// by the interface `preferred` (the one the source address belongs to).
    pub(crate) fn lookup(
        &self,
        destination: Ipv4Addr,
        preferred: Option<InterfaceId>,
    ) -> Option<Hop> {
        let (_, hops) = self.v4.get_lpm(&Ipv4Net::from(destination))?;
        let best = *hops.first()?;
        let equals = hops.iter().take_while(|hop| hop.metric == best.metric);
        Some(equals.copied().find(|hop| Some(hop.interface) == preferred).unwrap_or(best))
    }

    /// The way to `destination` among those by one interface.
    pub(crate) fn lookup_by(&self, destination: Ipv4Addr, interface: InterfaceId) -> Option<Hop> {
        // `cover` goes from the shortest prefix to the longest.
        self.v4
            .cover(&Ipv4Net::from(destination))
            .filter_map(|(_, hops)| hops.iter().find(|hop| hop.interface == interface))
            .last()
            .copied()
    }

    /// Every route, connected ones included.
    pub(crate) fn list(&self) -> Vec<RouteEntry> {
        let v4 = self.v4.iter().map(|(net, hops)| (IpNet::V4(net), hops));
        let v6 = self.v6.iter().map(|(net, hops)| (IpNet::V6(net), hops));
        v4.chain(v6)
            .flat_map(|(destination, hops)| {
                hops.iter().map(move |&Hop { via, interface, metric }| RouteEntry {
                    destination,
                    via,
                    interface,
                    metric,
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
