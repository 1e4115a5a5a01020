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
