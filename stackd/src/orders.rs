//! What the control plane asks of single layers, and how they answer: run in their stages' turns,
//! so that no layer is ever looked at from outside.

mod settings;

use core::net::IpAddr;

use arp::Arp;
use ip::{Ip, Ping, RouteEntry};
use ipnet::IpNet;
use layer::boundary::ConnectionInfo;
use layer::{Fork, Instant, InterfaceId, MacAddr, Many, Out};
use tcp::Tcp;
use udp::{SocketInfo, Udp};

pub(crate) use settings::Setting;

/// Connections that one turn of a stage lists: some ten microseconds' work.
pub(crate) const PAGE: usize = 64;

/// Something to be done by the layer whose business it is.
#[derive(Clone, Debug)]
pub(crate) enum Order {
    /// List TCP connections, `most` from place `from` on.
    Connections { from: usize, most: usize },
    /// List sockets that have no peer, and UDP's.
    Sockets,
    /// Add a route.
    Route(RouteEntry),
    /// Remove the first route that fits.
    Unroute { destination: IpNet, via: Option<IpAddr>, interface: Option<InterfaceId> },
    /// Set a neighbour's address by hand, or forget it.
    Neighbour { interface: InterfaceId, address: IpAddr, mac: Option<MacAddr> },
    /// Ask a host whether it is there.
    Ping(Ping),
    /// List TCP's settings.
    Settings,
    /// Change one.
    Set { name: String, value: String },
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Reply {
    /// A page, and where the next one begins.
    Connections(Vec<ConnectionInfo>, Option<usize>),
    /// Listeners, and UDP's sockets.
    Sockets(Vec<ConnectionInfo>, Vec<SocketInfo>),
    /// All settings, or the one that was changed.
    Settings(Vec<Setting>),
    /// It is done.
    Done,
    /// It cannot be done, and why.
    Refused(String),
}

impl Reply {
    fn refused(why: impl Into<String>) -> Self {
        Self::Refused(why.into())
    }
}

/// The transports' part.
pub(crate) fn transports(fork: &mut Fork<Tcp, Udp>, now: Instant, order: &Order) -> Option<Reply> {
    match order {
        Order::Connections { from, most } => {
            let (page, next) = fork.a().page(now, *from, *most);
            Some(Reply::Connections(page, next))
        }
        Order::Sockets => Some(Reply::Sockets(fork.a().listeners(), fork.b().infos())),
        Order::Settings => Some(Reply::Settings(settings::all(fork.a().config()))),
        Order::Set { name, value } => Some(match settings::set(fork.a_mut(), name, value) {
            Ok(setting) => Reply::Settings(vec![setting]),
            Err(why) => Reply::Refused(why),
        }),
        Order::Route(_) | Order::Unroute { .. } | Order::Neighbour { .. } | Order::Ping(_) => None,
    }
}

/// IP's part.
pub(crate) fn internet(
    ip: &mut Ip,
    now: Instant,
    order: &Order,
    out: &mut Out<'_, Ip>,
) -> Option<Reply> {
    match order {
        Order::Route(entry) => Some(add_route(ip, entry)),
        Order::Unroute { destination, via, interface } => {
            let fits = |entry: &RouteEntry| {
                entry.destination == *destination
                    && via.is_none_or(|via| entry.via == Some(via))
                    && interface.is_none_or(|interface| entry.interface == interface)
            };
            let found = ip.routes().into_iter().filter(fits).find(|entry| ip.remove_route(entry));
            Some(match found {
                Some(_) => Reply::Done,
                None => Reply::refused("there is no such route, or it goes with its address"),
            })
        }
        Order::Ping(ping) => Some(match ip.ping(now, *ping, out) {
            Ok(()) => Reply::Done,
            Err(kind) => Reply::refused(crate::control::why(kind)),
        }),
        Order::Connections { .. }
        | Order::Sockets
        | Order::Neighbour { .. }
        | Order::Settings
        | Order::Set { .. } => None,
    }
}

fn add_route(ip: &mut Ip, entry: &RouteEntry) -> Reply {
    if ip.routes().contains(entry) {
        return Reply::refused("that route is there already");
    }
    let ours = ip.addresses();
    let near =
        |via: IpAddr| ours.iter().any(|(on, net)| *on == entry.interface && net.contains(&via));
    if let Some(via) = entry.via.filter(|via| !near(*via)) {
        return Reply::refused(format!("{via} is no neighbour on that interface"));
    }
    let added = ip.add_route(*entry);
    if added { Reply::Done } else { Reply::refused("there is no such interface") }
}

/// ARP's part.
pub(crate) fn neighbour(links: &mut Many<Arp>, now: Instant, order: &Order) -> Option<Reply> {
    let Order::Neighbour { interface, address, mac } = order else { return None };
    let Some(arp) = links.iter_mut().nth(interface.index()) else {
        return Some(Reply::refused("there is no such interface"));
    };
    let IpAddr::V4(address) = *address else {
        return Some(Reply::refused("only IPv4 neighbours can be set"));
    };
    Some(match mac {
        Some(mac) => match arp.add_static(now, address, *mac) {
            Ok(()) => Reply::Done,
            Err(full) => Reply::refused(full.to_string()),
        },
        None if arp.remove(address) => Reply::Done,
        None => Reply::refused(format!("{address} is not known, or is just being asked for")),
    })
}
