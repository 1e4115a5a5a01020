//! Addresses that come and go, and path MTUs that come and age.

use core::net::Ipv4Addr;

use ip::{Config, Limits, RouteEntry};
use layer::boundary::{AddressState, IpErrorKind, IpIn, IpOut, NetIn, NextHop, Send, protocol};
use layer::{Duration, InterfaceId, Layer};

use crate::common::*;

// test: RFC 1122 3.3.1.3
#[test]
fn an_address_comes_and_goes_with_its_route() {
    let mut host = Host::new();
    let net = "172.16.5.1/24".parse().unwrap();
    let near = Ipv4Addr::new(172, 16, 5, 9);
    assert!(host.ip.add_address(IF1, net));
    assert!(host.ip.addresses().contains(&(IF1, net)));
    host.send(IpOut::Datagram(to(near, udp(b"x"))));
    let item = host.down().pop().unwrap();
    assert_eq!((item.interface, item.next_hop), (IF1, NextHop::Neighbour(near.into())));
    assert!(host.ip.remove_address(IF1, net.addr()));
    assert!(!host.ip.remove_address(IF1, net.addr()));
    host.send(IpOut::Datagram(to(near, udp(b"x"))));
    assert_eq!(host.down()[0].next_hop, NextHop::Neighbour(GATEWAY.into()));
    assert!(!host.ip.add_address(InterfaceId(5), net));
    assert!(!host.ip.join_group(IF0, PEER.into()), "not a group");
}

#[test]
fn what_changes_is_seen_by_the_very_next_packet() {
    let mut host = Host::new();
    let send = |host: &mut Host| {
        host.send(IpOut::Datagram(to(FAR, udp(b"x"))));
        let sent = host.down().pop().map(|item| (item.next_hop, read(&item.packet).source));
        host.up();
        sent
    };
    let by = |via: Ipv4Addr, source| Some((NextHop::Neighbour(via.into()), source));
    assert_eq!(send(&mut host), by(GATEWAY, US));
    let route = RouteEntry {
        destination: "192.0.2.0/24".parse().unwrap(),
        via: Some(PEER.into()),
        interface: IF0,
        metric: 0,
    };
    assert!(host.ip.add_route(route));
    assert_eq!(send(&mut host), by(PEER, US));
    assert!(host.ip.remove_route(&route));
    assert_eq!(send(&mut host), by(GATEWAY, US));
    let nearer: ipnet::IpNet = "10.9.0.9/25".parse().unwrap();
    assert!(host.ip.add_address(IF0, nearer));
    assert!(host.ip.remove_address(IF0, US.into()));
    assert_eq!(send(&mut host), by(GATEWAY, Ipv4Addr::new(10, 9, 0, 9)));
    let tell = |host: &mut Host, state| {
        let item = NetIn::Address { interface: IF0, address: nearer.addr(), state };
        host.ip.receive(host.now, item, &mut host.driver.out());
    };
    tell(&mut host, AddressState::Conflict);
    assert_eq!(send(&mut host), None);
    tell(&mut host, AddressState::Ready);
    assert_eq!(send(&mut host), by(GATEWAY, Ipv4Addr::new(10, 9, 0, 9)));
}

fn believe(host: &mut Host, destination: Ipv4Addr, mtu: u32) -> Vec<(u8, u32)> {
    host.send(IpOut::PathMtu { destination: destination.into(), mtu });
    told(host, destination)
}

/// To which transports which path MTU was told.
fn told(host: &mut Host, to: Ipv4Addr) -> Vec<(u8, u32)> {
    let told = |item| match item {
        IpIn::PathMtu { protocol, destination, mtu } => {
            assert_eq!(destination, to);
            (protocol, mtu)
        }
        other => panic!("expected a path MTU: {other:?}"),
    };
    host.up().into_iter().map(told).collect()
}

#[test]
fn a_path_mtu_is_told_to_all_transports_used_and_forgotten_after_ten_minutes() {
    let mut host = Host::new();
    let all = |mtu| [(protocol::TCP, mtu), (protocol::UDP, mtu)];
    assert_eq!(believe(&mut host, FAR, 1280), all(1280));
    let full = || Send { dont_fragment: true, ..to(FAR, udp(&data(1400))) };
    host.send(IpOut::Datagram(full()));
    assert_eq!(host.error().kind, IpErrorKind::FragmentationNeeded { mtu: 1280 });
    // Not below 552, not above the interface's.
    assert_eq!(believe(&mut host, FAR, 68), all(552));
    assert_eq!(believe(&mut host, FAR, 9000), all(1500));
    assert_eq!(believe(&mut host, FAR, 1000), all(1000));
    assert_eq!(host.ip.poll_at(), Some(host.now + Duration::from_secs(600)));
    host.wait(Duration::from_secs(599));
    host.silent();
    host.wait(Duration::from_secs(1));
    assert_eq!(told(&mut host, FAR), all(1500));
    host.send(IpOut::Datagram(full()));
    assert_eq!(host.sent().payload.len(), 1408);
    assert_eq!(host.ip.poll_at(), None);
}

#[test]
fn path_mtus_are_bounded_and_the_oldest_goes() {
    let limits = Limits { path_mtus: 2, ..Limits::default() };
    let mut host = Host::with(Config { limits, ..config() });
    for n in 1..=3 {
        host.now += Duration::from_secs(1);
        believe(&mut host, Ipv4Addr::new(192, 0, 2, n), 1000);
    }
    for (n, fits) in [(1, true), (2, false), (3, false)] {
        let send = to(Ipv4Addr::new(192, 0, 2, n), udp(&data(1200)));
        host.send(IpOut::Datagram(Send { dont_fragment: true, ..send }));
        assert_eq!(host.down().len() == 1, fits, "destination {n}");
        host.up();
    }
}
