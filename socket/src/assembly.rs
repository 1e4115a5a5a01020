//! Which layers make a host, and in which order: the one place that names all protocol crates.
//!
//! ```text
//!      hub            POSIX semantics
//!      tcp | udp      side by side (Fork)
//!      ip             all interfaces
//!      arp            one per interface (Many)
//!      link           one per interface (Many)
//! ```
//!
//! For packets without Ethernet, `link::Tunnel` takes the place of link and arp ([`raw`]).
//!
//! [`whole`] stacks them into one layer that runs inline; [`parts`] hands them out singly, for
//! drivers that put threads between them.

use core::hash::Hasher;
use core::net::IpAddr;

use arp::Arp;
use ip::{Ip, RouteEntry};
use ipnet::IpNet;
use layer::boundary::{Frame, NetIn, NetOut};
use layer::{Accounted, Counted, Fork, InterfaceId, Layer, MacAddr, Many, Stacked};
use link::{Link, Tunnel};
use siphasher::sip::SipHasher24;
use tcp::Tcp;
use udp::Udp;

use crate::hub::{self, Hub};

/// Links with address resolution, one of each per interface.
pub type Links = Stacked<Many<Link>, Many<Arp>>;
/// The transports with the sockets on them.
pub type Transports = Stacked<Fork<Tcp, Udp>, Hub>;
/// From IP to the sockets.
pub type Upper = Stacked<Ip, Transports>;
/// A whole host as one layer: frames below, sockets above.
pub type Whole<L = Links> = Stacked<L, Upper>;

/// What may be below IP: Ethernet with address resolution ([`Links`]), or raw IP packets
/// ([`Tunnel`]).
pub trait Below: IpBelow + Accounted + Counted {}

impl<L: IpBelow + Accounted + Counted> Below for L {}

/// A layer with frames below it and IP above.
pub trait IpBelow:
    Layer<FromBelow = Frame, ToAbove = NetIn, FromAbove = NetOut, ToBelow = Frame>
{
}

impl<L> IpBelow for L where
    L: Layer<FromBelow = Frame, ToAbove = NetIn, FromAbove = NetOut, ToBelow = Frame>
{
}

/// One interface of a host.
#[derive(Clone, Debug)]
pub struct InterfaceConfig {
    /// Our Ethernet address.
    pub mac: MacAddr,
    /// Largest IP packet, bytes.
    pub mtu: u32,
    /// Our addresses with their prefixes.
    pub addresses: Vec<IpNet>,
    /// How address conflicts are looked for.
    pub acd: arp::Acd,
}

impl InterfaceConfig {
    /// An interface of raw IP packets, for [`Host::ip`](crate::Host::ip).
    pub fn ip(mtu: u32, addresses: Vec<IpNet>) -> Self {
        Self { mtu, ..Self::new(MacAddr([2, 0, 0, 0, 0, 0]), addresses) }
    }

    /// An Ethernet interface: MTU 1500, optimistic conflict detection.
    pub fn new(mac: MacAddr, addresses: Vec<IpNet>) -> Self {
        Self { mac, mtu: 1500, addresses, acd: arp::Acd::Optimistic }
    }
}

/// What a host is made from.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// The interfaces; an [`InterfaceId`] is an index into this list.
    pub interfaces: Vec<InterfaceConfig>,
    /// The default router.
    pub gateway: Option<IpAddr>,
    /// Further routes.
    pub routes: Vec<RouteEntry>,
    /// Every address that packets come in for is taken as ours: see [`ip::Config::any_address`].
    pub any_address: bool,
    /// The one secret, from which every layer's own is derived.
    pub key: [u8; 16],
    /// Tuning of TCP; its key is derived when the host is made, whatever it says here.
    pub tcp: tcp::Config,
    /// Tuning of UDP; as for TCP.
    pub udp: udp::Config,
    /// Limits of IP.
    pub ip: ip::Limits,
    /// Limits of ARP.
    pub arp: arp::Limits,
    /// Limits of the hub.
    pub hub: hub::Config,
}

impl HostConfig {
    /// A host without interfaces, with the defaults of every layer. There is no default secret.
    pub fn new(key: [u8; 16]) -> Self {
        Self {
            interfaces: Vec::new(),
            gateway: None,
            routes: Vec::new(),
            any_address: false,
            key,
            tcp: tcp::Config::new(key),
            udp: udp::Config::new(key),
            ip: ip::Limits::default(),
            arp: arp::Limits::default(),
            hub: hub::Config::default(),
        }
    }

    /// Adds an interface; its id is the number of those before it.
    #[must_use]
    pub fn interface(mut self, interface: InterfaceConfig) -> Self {
        self.interfaces.push(interface);
        self
    }

    /// Sets the default router.
    #[must_use]
    pub fn gateway(mut self, gateway: IpAddr) -> Self {
        self.gateway = Some(gateway);
        self
    }

    /// By which interface a gateway is reached: the one on whose subnet it is.
    fn interface_towards(&self, gateway: IpAddr) -> InterfaceId {
        let on_link = |interface: &InterfaceConfig| {
            interface.addresses.iter().any(|address| address.contains(&gateway))
        };
        id(self.interfaces.iter().position(on_link).unwrap_or(0))
    }
}

/// The layers of a host, singly.
#[derive(Debug)]
pub struct Parts {
    /// Ethernet, one per interface.
    pub link: Many<Link>,
    /// Address resolution, one per interface.
    pub arp: Many<Arp>,
    /// IP.
    pub ip: Ip,
    /// TCP and UDP, and the sockets on them: calls of applications enter at the top.
    pub transports: Transports,
}

/// Makes the layers of a host.
pub fn parts(config: &HostConfig) -> Parts {
    let mut links = Vec::new();
    let mut arps = Vec::new();
    let mut ip_config = ip::Config::new(derive(config.key, "ip", 0));
    ip_config.limits = config.ip;
    for (index, interface) in config.interfaces.iter().enumerate() {
        let InterfaceConfig { mac, mtu, addresses, acd } = interface;
        let id = id(index);
        links.push(Link::new(link::Config::new(id, *mac, *mtu)));
        let ours = addresses.iter().filter_map(|net| match net {
            IpNet::V4(v4) => Some(v4.addr()),
            IpNet::V6(_) => None,
        });
        let key = derive(config.key, "arp", id.0);
        let mut arp_config = arp::Config::new(id, *mac, ours.collect(), key);
        arp_config.acd = *acd;
        arp_config.limits = config.arp;
        arps.push(Arp::new(arp_config));
        ip_config.interfaces.push(ip::Interface { mtu: *mtu, addresses: addresses.clone() });
    }
    ip_config.routes.clone_from(&config.routes);
    ip_config.any_address = config.any_address;
    if let Some(gateway) = config.gateway {
        ip_config = ip_config.gateway(gateway, config.interface_towards(gateway));
    }
    let tcp = Tcp::new(tcp::Config { key: derive(config.key, "tcp", 0), ..config.tcp.clone() });
    let udp = Udp::new(udp::Config { key: derive(config.key, "udp", 0), ..config.udp.clone() });
    Parts {
        link: Many::new(links),
        arp: Many::new(arps),
        ip: Ip::new(ip_config),
        transports: Stacked::new(Fork::new(tcp, udp), Hub::new(hub_config(config))),
    }
}

/// Makes a host that speaks raw IP, as one layer. Its interfaces' Ethernet addresses mean nothing.
pub fn raw(config: &HostConfig) -> Whole<Tunnel> {
    let Parts { ip, transports, .. } = parts(config);
    Stacked::new(Tunnel::default(), Stacked::new(ip, transports))
}

/// Makes a host as one layer.
pub fn whole(config: &HostConfig) -> Whole {
    let Parts { link, arp, ip, transports } = parts(config);
    Stacked::new(Stacked::new(link, arp), Stacked::new(ip, transports))
}

/// The hub answers for what TCP has: it is told of it here, where both are known.
fn hub_config(config: &HostConfig) -> hub::Config {
    hub::Config {
        send_buffer: config.tcp.send_buffer.initial,
        receive_buffer: config.tcp.receive_buffer.initial,
        congestion: &tcp::CONGESTION,
        ..config.hub
    }
}

fn id(index: usize) -> InterfaceId {
    InterfaceId(u16::try_from(index).unwrap_or(u16::MAX))
}

/// A secret of its own for each layer: who learns one of them learns none of the others.
fn derive(key: [u8; 16], label: &str, number: u16) -> [u8; 16] {
    let mut derived = [0; 16];
    for (half, bytes) in (0_u8..).zip(derived.chunks_exact_mut(8)) {
        let mut hasher = SipHasher24::new_with_key(&key);
        hasher.write(label.as_bytes());
        hasher.write_u16(number);
        hasher.write_u8(half);
        bytes.copy_from_slice(&hasher.finish().to_le_bytes());
    }
    derived
}
