//! How a packet leaves: interface, source address, next hop, MTU (RFC 1122 3.3.1, 3.3.4.3).

use core::net::{IpAddr, Ipv4Addr};

use layer::InterfaceId;
use layer::boundary::{Cast, IpErrorKind, NextHop, Route};

use crate::Ip;
use crate::loopback::LOOPBACK_MTU;

/// The way of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) interface: InterfaceId,
    pub(crate) source: Ipv4Addr,
    pub(crate) destination: Ipv4Addr,
    pub(crate) way: Way,
    /// Largest IP packet, bytes.
    pub(crate) mtu: u32,
    /// Largest packet that the interface takes, whatever the path.
    pub(crate) link_mtu: u32,
    pub(crate) cast: Cast,
}

/// Out, or back in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// By a link.
    Wire(NextHop),
    /// To ourselves.
    Loop,
}

impl From<Plan> for Route {
    fn from(plan: Plan) -> Self {
        let Plan { interface, source, mtu, link_mtu, cast, destination: _, way: _ } = plan;
        Self { interface, source: IpAddr::V4(source), mtu, link_mtu, cast }
    }
}

/// The last plan that was made, and for what: most packets go where the one before went. Whatever
/// changes addresses, routes or path MTUs forgets it.
#[derive(Debug, Default)]
pub(crate) struct LastPlan(Option<(Asked, Plan)>);

/// What a transport asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Asked {
    interface: Option<InterfaceId>,
    source: Option<IpAddr>,
    destination: IpAddr,
}

impl LastPlan {
    /// Something that plans depend on has changed.
    pub(crate) fn forget(&mut self) {
        self.0 = None;
    }
}

impl Ip {
    /// Finds the way to `destination`, or says why there is none.
    pub(crate) fn plan(
        &mut self,
        interface: Option<InterfaceId>,
        source: Option<IpAddr>,
        destination: IpAddr,
    ) -> Result<Plan, IpErrorKind> {
        let asked = Asked { interface, source, destination };
        if let Some((known, plan)) = self.last_plan.0
            && known == asked
        {
            return Ok(plan);
        }
        let plan = self.plan_anew(interface, source, destination)?;
        self.last_plan = LastPlan(Some((asked, plan)));
        Ok(plan)
    }

    fn plan_anew(
        &self,
        interface: Option<InterfaceId>,
        source: Option<IpAddr>,
        destination: IpAddr,
    ) -> Result<Plan, IpErrorKind> {
        let IpAddr::V4(destination) = destination else { return Err(IpErrorKind::NoRoute) };
        let source = match source {
            None => None,
            Some(IpAddr::V4(source)) => Some(source),
            Some(IpAddr::V6(_)) => return Err(IpErrorKind::NoSource),
        };
        if interface.is_some_and(|interface| !self.addresses.exists(interface)) {
            return Err(IpErrorKind::NoRoute);
        }
        if let Some(owner) = self.addresses.owner(destination) {
            return self.plan_loop(owner, source, destination);
        }
        if destination.is_loopback() {
            return self.plan_loop(InterfaceId::default(), source, destination);
        }
        // RFC 1122 3.2.1.3: a source we send from is an address of ours, so never a broadcast or
        // group address, and never 127/8 on a wire.
        let owner = match source {
            None => None,
            Some(source) => match self.addresses.owner(source) {
                None if self.stands_for(source) => None,
                owner => Some(owner.ok_or(IpErrorKind::NoSource)?),
            },
        };
        self.plan_wire(interface, owner, source, destination)
    }

    /// To an address of ours, or 127/8.
    fn plan_loop(
        &self,
        interface: InterfaceId,
        source: Option<Ipv4Addr>,
        destination: Ipv4Addr,
    ) -> Result<Plan, IpErrorKind> {
        let source = match source {
            Some(source) if !self.is_local(source) => return Err(IpErrorKind::NoSource),
            Some(source) => source,
            None if destination.is_loopback() => Ipv4Addr::LOCALHOST,
            None => destination,
        };
        let (way, mtu, cast) = (Way::Loop, LOOPBACK_MTU, Cast::Unicast);
        Ok(Plan { interface, source, destination, way, mtu, link_mtu: mtu, cast })
    }

    fn plan_wire(
        &self,
        interface: Option<InterfaceId>,
        owner: Option<InterfaceId>,
        source: Option<Ipv4Addr>,
        destination: Ipv4Addr,
    ) -> Result<Plan, IpErrorKind> {
        let (interface, next_hop, cast) = if destination.is_multicast() {
            let by = self.link_for_all(interface, owner, destination)?;
            (by, NextHop::Group(IpAddr::V4(destination)), Cast::Multicast)
        } else if destination.is_broadcast() {
            let by = self.link_for_all(interface, owner, destination)?;
            (by, NextHop::Broadcast, Cast::Broadcast)
        } else if let Some(by) = self.addresses.broadcast_of(destination) {
            (interface.unwrap_or(by), NextHop::Broadcast, Cast::Broadcast)
        } else {
            // RFC 1122 3.2.1.3: nothing on a network has the address 0/8 or, so far, 240/4.
            if matches!(destination.octets(), [0 | 240.., ..]) {
                return Err(IpErrorKind::NoRoute);
            }
            let hop = match interface {
                Some(interface) => self.routes.lookup_by(destination, interface),
                None => self.routes.lookup(destination, owner),
            };
            let hop = hop.ok_or(IpErrorKind::NoRoute)?;
            let neighbour = hop.via.unwrap_or(IpAddr::V4(destination));
            (hop.interface, NextHop::Neighbour(neighbour), Cast::Unicast)
        };
        let towards = match next_hop {
            NextHop::Neighbour(IpAddr::V4(neighbour)) => neighbour,
            NextHop::Neighbour(IpAddr::V6(_)) | NextHop::Broadcast | NextHop::Group(_) => {
                destination
            }
        };
        let source = source
            .or_else(|| self.addresses.source_for(interface, towards))
            .ok_or(IpErrorKind::NoSource)?;
        let link_mtu = self.addresses.mtu(interface);
        let mtu = self.path_mtus.get(destination).map_or(link_mtu, |path| path.min(link_mtu));
        let way = Way::Wire(next_hop);
        Ok(Plan { interface, source, destination, way, mtu, link_mtu, cast })
    }

    /// RFC 1122 3.3.6, 3.3.7: the interface for a limited broadcast or a group is the one named, or
    /// the source's, or the one a route names, or the first.
    fn link_for_all(
        &self,
        interface: Option<InterfaceId>,
        owner: Option<InterfaceId>,
        destination: Ipv4Addr,
    ) -> Result<InterfaceId, IpErrorKind> {
        interface
            .or(owner)
            .or_else(|| self.routes.lookup(destination, None).map(|hop| hop.interface))
            .or_else(|| self.addresses.first_usable())
            .ok_or(IpErrorKind::NoRoute)
    }

    /// A single host's address that is taken as ours because all are.
    fn stands_for(&self, address: Ipv4Addr) -> bool {
        self.any_address
            && !matches!(address.octets(), [0 | 127 | 224.., ..])
            && self.addresses.broadcast_of(address).is_none()
    }

    /// An address of this host: one of an interface, or 127/8.
    pub(crate) fn is_local(&self, address: Ipv4Addr) -> bool {
        address.is_loopback() || self.addresses.owner(address).is_some()
    }
}
