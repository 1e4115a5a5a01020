//! The 28 bytes, by hand.

use super::*;

const US: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const PEER: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);

const REQUEST: [u8; 28] = [
    0, 1, 8, 0, 6, 4, 0, 1, // Ethernet, IPv4, lengths, request
    2, 0, 0, 0, 0, 2, 10, 9, 0, 1, // sender
    0, 0, 0, 0, 0, 0, 10, 9, 0, 2, // target
];

fn request() -> Message {
    Message::request(PEER, [10, 9, 0, 1].into(), [10, 9, 0, 2].into())
}

#[test]
fn a_request_is_these_bytes() {
    assert_eq!(request().to_packet().to_vec(), REQUEST);
    assert_eq!(Message::parse(&PacketBuf::copy_from(&REQUEST)), Some(request()));
}

#[test]
fn a_reply_swaps_the_ends_and_fills_in_the_address() {
    let bytes = [
        0, 1, 8, 0, 6, 4, 0, 2, // reply
        2, 0, 0, 0, 0, 1, 10, 9, 0, 2, // we are the sender now
        2, 0, 0, 0, 0, 2, 10, 9, 0, 1, // the asker is the target
    ];
    assert_eq!(request().reply(US).to_packet().to_vec(), bytes);
    assert_eq!(Message::parse(&PacketBuf::copy_from(&bytes)), Some(request().reply(US)));
}

#[test]
fn padding_is_ignored_and_pieces_are_joined() {
    let mut packet = PacketBuf::copy_from(&REQUEST[..10]);
    packet.append(REQUEST[10..].to_vec().into());
    packet.append(vec![0xaa; 18].into());
    assert_eq!(Message::parse(&packet), Some(request()));
}

// test: RFC 826 format
#[test]
fn other_types_lengths_and_operations_are_refused() {
    for (at, value, what) in [
        (0, 1, "hardware type"),
        (1, 6, "hardware type"),
        (2, 0x86, "protocol type"),
        (3, 1, "protocol type"),
        (4, 8, "hardware length"),
        (5, 16, "protocol length"),
        (6, 1, "operation"),
        (7, 0, "operation"),
        (7, 3, "operation"),
    ] {
        let mut bytes = REQUEST;
        bytes[at] = value;
        assert_eq!(Message::parse(&PacketBuf::copy_from(&bytes)), None, "{what} {value}");
    }
    for len in 0..28 {
        assert_eq!(Message::parse(&PacketBuf::copy_from(&REQUEST[..len])), None, "{len} bytes");
    }
}

// test: RFC 1122 2.3.1
#[test]
fn trailers_are_not_negotiated() {
    // RFC 893: whoever wants trailers sends an ARP reply of protocol type 0x1001 along.
    let mut bytes = request().reply(US).to_packet().to_vec();
    bytes[2..4].copy_from_slice(&[0x10, 0x01]);
    assert_eq!(Message::parse(&PacketBuf::copy_from(&bytes)), None);
}

#[test]
fn probes_and_announcements_differ_in_the_sender_address() {
    let address = Ipv4Addr::new(10, 9, 0, 2);
    let probe = Message::probe(US, address);
    let announcement = Message::announcement(US, address);
    assert!(probe.is_probe() && !announcement.is_probe());
    assert_eq!((probe.sender_ip, probe.target_ip), (Ipv4Addr::UNSPECIFIED, address));
    assert_eq!((announcement.sender_ip, announcement.target_ip), (address, address));
    assert_eq!(probe.target_mac, MacAddr::ZERO);
}
