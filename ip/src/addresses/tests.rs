//! What addresses mean, at the edges of prefixes.

use super::*;

fn one(net: &str) -> Addresses {
    Addresses::new(&[Interface::new(1500).address(net.parse().unwrap())])
}

// test: RFC 1122 3.3.6
#[test]
fn only_subnets_with_room_for_one_have_a_broadcast_address() {
    let id = InterfaceId(0);
    for (net, address, expected) in [
        ("10.9.0.2/24", [10, 9, 0, 255], Destination::Broadcast),
        ("10.9.0.2/24", [10, 9, 0, 0], Destination::Broadcast),
        ("10.9.0.2/30", [10, 9, 0, 3], Destination::Broadcast),
        // RFC 3021: both addresses of a /31 are hosts.
        ("10.9.0.2/31", [10, 9, 0, 3], Destination::Other),
        ("10.9.0.2/32", [10, 9, 0, 2], Destination::Ours(id)),
        ("10.9.0.2/32", [10, 9, 0, 3], Destination::Other),
        ("10.9.0.2/0", [255, 255, 255, 255], Destination::Broadcast),
        // An address of ours is ours, whatever it looks like.
        ("10.9.0.0/24", [10, 9, 0, 0], Destination::Ours(id)),
        ("10.9.0.2/24", [224, 0, 0, 1], Destination::Group),
        ("10.9.0.2/24", [224, 0, 0, 2], Destination::UnjoinedGroup),
    ] {
        assert_eq!(one(net).classify(id, address.into()), expected, "{address:?} in {net}");
    }
}

// test: RFC 1122 3.3.4.3
#[test]
fn the_narrowest_subnet_around_the_next_hop_gives_the_source_and_then_the_first() {
    let nets = ["10.1.7.1/24", "10.1.7.2/24", "10.1.0.1/16", "172.16.0.1/24"];
    let interface = nets
        .iter()
        .fold(Interface::new(1500), |interface, net| interface.address(net.parse().unwrap()));
    let addresses = Addresses::new(&[interface]);
    for (towards, source) in [
        ([10, 1, 7, 9], [10, 1, 7, 1]),
        ([10, 1, 8, 9], [10, 1, 0, 1]),
        ([172, 16, 0, 9], [172, 16, 0, 1]),
        ([192, 0, 2, 1], [10, 1, 7, 1]),
    ] {
        let chosen = addresses.source_for(InterfaceId(0), towards.into());
        assert_eq!(chosen, Some(source.into()), "towards {towards:?}");
    }
    assert_eq!(addresses.source_for(InterfaceId(1), [10, 1, 7, 9].into()), None);
}

#[test]
fn a_tiny_mtu_is_taken_as_the_least_there_is() {
    assert_eq!(Addresses::new(&[Interface::new(0)]).mtu(InterfaceId(0)), 68);
}

#[test]
fn an_ipv6_address_is_kept_and_not_spoken() {
    let addresses = one("fd00::2/64");
    assert_eq!(addresses.all().count(), 1);
    assert_eq!(addresses.first_usable(), None);
}
