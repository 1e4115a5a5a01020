//! The table against a naive one: every route looked at, the best one taken.

use proptest::prelude::*;

use super::*;
use crate::config::Interface;

const INTERFACES: u16 = 3;

fn addresses() -> Addresses {
    let interface =
        |n: u16| Interface::new(1500).address(format!("10.{n}.0.1/16").parse().unwrap());
    Addresses::new(&(0..INTERFACES).map(interface).collect::<Vec<_>>())
}

/// Prefixes and destinations from few bits, so that they meet.
fn address() -> impl Strategy<Value = Ipv4Addr> {
    (0_u8..4, 0_u8..4, 0_u8..2).prop_map(|(b, c, d)| Ipv4Addr::new(10, b, c << 6, d))
}

fn route() -> impl Strategy<Value = RouteEntry> {
    (address(), 0_u8..=32, 0..INTERFACES + 1, 0_u32..3, proptest::option::of(address())).prop_map(
        |(address, length, interface, metric, via)| RouteEntry {
            destination: IpNet::V4(Ipv4Net::new(address, length).unwrap()),
            via: via.map(IpAddr::V4),
            interface: InterfaceId(interface),
            metric,
        },
    )
}

/// Prefix length and metric of the best route, by looking at all of them.
fn naive(
    routes: &[RouteEntry],
    destination: Ipv4Addr,
    by: Option<InterfaceId>,
) -> Option<(u8, u32)> {
    let connected = addresses();
    let connected = connected.all().map(|(interface, net)| RouteEntry {
        destination: net,
        via: None,
        interface,
        metric: 0,
    });
    connected
        .chain(routes.iter().copied())
        .filter(|route| route.interface.0 < INTERFACES)
        .filter(|route| by.is_none_or(|by| route.interface == by))
        .filter(|route| route.destination.contains(&IpAddr::V4(destination)))
        .map(|route| (route.destination.prefix_len(), route.metric))
        .max_by_key(|&(length, metric)| (length, core::cmp::Reverse(metric)))
}

proptest! {
    #![proptest_config(laws::config(512))]

    // test: RFC 1122 3.3.1.2
    #[test]
    fn lookups_agree_with_looking_at_every_route(
        entries in proptest::collection::vec(route(), 0..12),
        destination in address(),
    ) {
        let own = addresses();
        let mut routes = Routes::new(Vec::new(), &own);
        for &entry in &entries {
            routes.add(entry, &own);
        }
        let all = routes.list();
        let describe = |hop: Hop| {
            let of_hop = |route: &&RouteEntry| {
                route.interface == hop.interface
                    && route.via == hop.via
                    && route.metric == hop.metric
                    && route.destination.contains(&IpAddr::V4(destination))
            };
            let length = |route: &RouteEntry| route.destination.prefix_len();
            all.iter().filter(of_hop).map(|route| (length(route), hop.metric)).max()
        };
        let found = routes.lookup(destination, None).and_then(describe);
        prop_assert_eq!(found, naive(&entries, destination, None));
        for interface in (0..INTERFACES).map(InterfaceId) {
            let found = routes.lookup_by(destination, interface).and_then(describe);
            prop_assert_eq!(found, naive(&entries, destination, Some(interface)));
        }
    }
}

#[test]
fn of_equal_routes_the_one_by_the_sources_interface_is_taken() {
    let own = addresses();
    let by = |interface, metric| RouteEntry {
        destination: "192.0.2.0/24".parse().unwrap(),
        via: None,
        interface: InterfaceId(interface),
        metric,
    };
    let routes = Routes::new(vec![by(0, 5), by(1, 5), by(2, 6)], &own);
    let to = Ipv4Addr::new(192, 0, 2, 1);
    let chosen = |preferred| routes.lookup(to, preferred).map(|hop| hop.interface.0);
    assert_eq!(chosen(None), Some(0));
    assert_eq!(chosen(Some(InterfaceId(1))), Some(1));
    assert_eq!(chosen(Some(InterfaceId(2))), Some(0), "a higher metric is no equal");
}
