//! What is ours: addresses, broadcast addresses and groups by interface (RFC 1122 3.2.1.3, 3.3.4,
//! 3.3.6; RFC 1112 7.2), and the choice of a source address (RFC 1122 3.3.4.3).
//!
//! We are a weak end system (RFC 1122 3.3.4.2): an address of ours is ours on every interface. The
//! lists are short, so they are scanned.

use core::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};
use layer::InterfaceId;
use layer::boundary::AddressState;

use crate::config::{Interface, MIN_MTU};

/// RFC 1112 4: the group of all hosts, joined on every interface for ever.
const ALL_HOSTS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 1);

/// What a destination address means to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// An address of ours, on this interface.
    Ours(InterfaceId),
    /// Everybody on the link or subnet.
    Broadcast,
    /// A group we have joined.
    Group,
    /// A group we have not joined.
    UnjoinedGroup,
    /// Another host.
    Other,
}

/// All interfaces' addresses and groups.
#[derive(Debug)]
pub(crate) struct Addresses {
    interfaces: Vec<Held>,
}

#[derive(Debug)]
struct Held {
    mtu: u32,
    addresses: Vec<Own>,
    groups: Vec<IpAddr>,
}

#[derive(Clone, Copy, Debug)]
struct Own {
    net: IpNet,
    /// False while another station claims it too.
    usable: bool,
}

impl Own {
    fn v4(&self) -> Option<Ipv4Net> {
        match self.net {
            IpNet::V4(net) if self.usable => Some(net),
            IpNet::V4(_) | IpNet::V6(_) => None,
        }
    }
}

impl Addresses {
    pub(crate) fn new(interfaces: &[Interface]) -> Self {
        let held = |interface: &Interface| Held {
            mtu: interface.mtu.max(MIN_MTU),
            addresses: interface.addresses.iter().map(|&net| Own { net, usable: true }).collect(),
            groups: Vec::new(),
        };
        Self { interfaces: interfaces.iter().map(held).collect() }
    }

    /// There is such an interface.
    pub(crate) fn exists(&self, interface: InterfaceId) -> bool {
        interface.index() < self.interfaces.len()
    }

    /// Largest IP packet of an interface, bytes.
    pub(crate) fn mtu(&self, interface: InterfaceId) -> u32 {
        self.interfaces.get(interface.index()).map_or(MIN_MTU, |held| held.mtu)
    }

    /// Every address with its interface, unusable ones included.
    pub(crate) fn all(&self) -> impl Iterator<Item = (InterfaceId, IpNet)> + '_ {
        self.indexed().flat_map(|(id, held)| held.addresses.iter().map(move |own| (id, own.net)))
    }

    fn indexed(&self) -> impl Iterator<Item = (InterfaceId, &Held)> + '_ {
        (0_u16..).map(InterfaceId).zip(&self.interfaces)
    }

    fn v4_of(&self, interface: InterfaceId) -> impl Iterator<Item = Ipv4Net> + '_ {
        let held = self.interfaces.get(interface.index());
        held.into_iter().flat_map(|held| held.addresses.iter().filter_map(Own::v4))
    }

    /// Which interface owns this usable address of ours.
    pub(crate) fn owner(&self, address: Ipv4Addr) -> Option<InterfaceId> {
        self.indexed()
            .find(|(_, held)| {
                held.addresses.iter().filter_map(Own::v4).any(|n| n.addr() == address)
            })
            .map(|(id, _)| id)
    }

    /// On which interface this is the broadcast address of a subnet of ours.
    pub(crate) fn broadcast_of(&self, address: Ipv4Addr) -> Option<InterfaceId> {
        self.indexed()
            .find(|(_, held)| {
                held.addresses.iter().filter_map(Own::v4).any(|n| is_broadcast(n, address))
            })
            .map(|(id, _)| id)
    }

    /// What `destination` means on a packet that came in on `interface`.
    pub(crate) fn classify(&self, interface: InterfaceId, destination: Ipv4Addr) -> Destination {
        if let Some(owner) = self.owner(destination) {
            return Destination::Ours(owner);
        }
        if destination.is_multicast() {
            let joined = self.has_joined(interface, destination);
            return if joined { Destination::Group } else { Destination::UnjoinedGroup };
        }
        // RFC 1122 3.3.6: the limited broadcast, and the directed one of a subnet of this link.
        if destination.is_broadcast()
            || self.v4_of(interface).any(|net| is_broadcast(net, destination))
        {
            return Destination::Broadcast;
        }
        Destination::Other
    }

    /// RFC 1122 3.3.4.3: an address of the interface the packet leaves by, if there is one in the
    /// next hop's subnet that one (the narrowest), else the interface's first.
    pub(crate) fn source_for(&self, interface: InterfaceId, towards: Ipv4Addr) -> Option<Ipv4Addr> {
        let near = self.v4_of(interface).filter(|net| net.contains(&towards));
        // `max_by_key` takes the last of equals; the first configured is the primary one.
        let nearest = near
            .enumerate()
            .max_by_key(|(place, net)| (net.prefix_len(), core::cmp::Reverse(*place)));
        nearest.map(|(_, net)| net).or_else(|| self.v4_of(interface).next()).map(|net| net.addr())
    }

    /// The first interface that has a usable IPv4 address.
    pub(crate) fn first_usable(&self) -> Option<InterfaceId> {
        self.indexed().map(|(id, _)| id).find(|&id| self.v4_of(id).next().is_some())
    }

    /// What the link found out about an address of ours. An address that others claim is not ours
    /// until it is ready again.
    pub(crate) fn set_state(
        &mut self,
        interface: InterfaceId,
        address: IpAddr,
        state: AddressState,
    ) {
        let Some(held) = self.interfaces.get_mut(interface.index()) else { return };
        for own in held.addresses.iter_mut().filter(|own| own.net.addr() == address) {
            own.usable = match state {
                // RFC 5227 2.1.1 and 2.4: an address in conflict is not used.
                AddressState::Conflict => false,
                // What may not leave while it is probed, the layer below holds.
                AddressState::Tentative | AddressState::Ready => true,
            };
        }
    }

    /// Adds an address, or changes the prefix of one that is there; false without the interface.
    pub(crate) fn add(&mut self, interface: InterfaceId, net: IpNet) -> bool {
        self.remove(interface, net.addr());
        let Some(held) = self.interfaces.get_mut(interface.index()) else { return false };
        held.addresses.push(Own { net, usable: true });
        true
    }

    /// Removes an address; false if it is not there.
    pub(crate) fn remove(&mut self, interface: InterfaceId, address: IpAddr) -> bool {
        let Some(held) = self.interfaces.get_mut(interface.index()) else { return false };
        let before = held.addresses.len();
        held.addresses.retain(|own| own.net.addr() != address);
        held.addresses.len() < before
    }

    fn has_joined(&self, interface: InterfaceId, group: Ipv4Addr) -> bool {
        let held = self.interfaces.get(interface.index());
        // RFC 1112 all-hosts: 224.0.0.1 is always joined.
        group == ALL_HOSTS || held.is_some_and(|held| held.groups.contains(&IpAddr::V4(group)))
    }

    /// Joins a group on an interface; false if there is no such interface or it is no group.
    pub(crate) fn join(&mut self, interface: InterfaceId, group: IpAddr) -> bool {
        let Some(held) = self.interfaces.get_mut(interface.index()) else { return false };
        if !group.is_multicast() {
            return false;
        }
        if !held.groups.contains(&group) {
            held.groups.push(group);
        }
        true
    }

    /// Leaves a group; false if it was not joined. 224.0.0.1 cannot be left.
    pub(crate) fn leave(&mut self, interface: InterfaceId, group: IpAddr) -> bool {
        let Some(held) = self.interfaces.get_mut(interface.index()) else { return false };
        let before = held.groups.len();
        held.groups.retain(|joined| *joined != group);
        held.groups.len() < before
    }
}

/// RFC 1122 3.3.6: all ones in the host part, or the old form with all zeros. Subnets of one or two
/// addresses have no broadcast address (RFC 3021).
fn is_broadcast(net: Ipv4Net, address: Ipv4Addr) -> bool {
    net.prefix_len() < 31 && (address == net.broadcast() || address == net.network())
}

#[cfg(test)]
mod tests;
