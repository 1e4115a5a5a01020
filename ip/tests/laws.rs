//! IP obeys the laws of `layer::Layer`, whatever comes from either side.

use core::net::{IpAddr, Ipv4Addr};

use ip::{Config, Interface, Ip};
use laws::{BoxedStrategy, Strategy, Subject, check, strategy};
use layer::boundary::{
    AddressState, Cast, Datagram, IpIn, IpOut, NetIn, NetOut, Reachability, RejectReason,
    RouterFact, Send, ethertype,
};
use layer::{InterfaceId, PacketBuf};
use proptest::prelude::*;

const US: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);
const PEER: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);

struct Ips;

fn config() -> Config {
    let mut config = Config::new([3; 16])
        .interface(Interface::new(1500).address("10.9.0.2/24".parse().expect("a prefix")))
        .interface(Interface::new(100).address("10.8.0.2/24".parse().expect("a prefix")))
        .gateway(PEER.into(), InterfaceId(0));
    // Small enough to be reached.
    config.limits.reassembly_datagrams = 4;
    config.limits.reassembly_bytes = 4096;
    config.limits.reassembly_bytes_each = 2048;
    config.limits.loopback_packets = 3;
    config.limits.waiting_fragments = 40;
    config.limits.path_mtus = 2;
    config.limits.icmp_errors_burst = 5;
    config
}

fn address() -> impl Strategy<Value = Ipv4Addr> {
    prop_oneof![
        8 => Just(US),
        8 => Just(PEER),
        2 => Just(Ipv4Addr::new(10, 8, 0, 2)),
        2 => Just(Ipv4Addr::new(10, 8, 0, 9)),
        1 => Just(Ipv4Addr::LOCALHOST),
        1 => Just(Ipv4Addr::BROADCAST),
        1 => Just(Ipv4Addr::new(10, 9, 0, 255)),
        1 => Just(Ipv4Addr::new(224, 0, 0, 1)),
        1 => any::<u32>().prop_map(Ipv4Addr::from),
    ]
}

fn any_address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![9 => address().prop_map(IpAddr::V4), 1 => Just(IpAddr::from([1_u16; 8]))]
}

fn protocol() -> impl Strategy<Value = u8> {
    prop_oneof![4 => Just(1_u8), 4 => Just(17), 4 => Just(6), 1 => any::<u8>()]
}

fn interface() -> impl Strategy<Value = InterfaceId> {
    prop_oneof![8 => Just(0_u16), 4 => Just(1), 1 => Just(9)].prop_map(InterfaceId)
}

fn cast() -> impl Strategy<Value = Cast> {
    prop_oneof![6 => Just(Cast::Unicast), 1 => Just(Cast::Broadcast), 1 => Just(Cast::Multicast)]
}

fn sum(bytes: &[u8]) -> u16 {
    let mut sum = layer::checksum::Sum::new();
    sum.add(bytes);
    sum.checksum()
}

/// Payloads that get somewhere: ICMP with a right checksum and perhaps a quote, or anything.
fn payload() -> BoxedStrategy<Vec<u8>> {
    let kinds = prop_oneof![Just(8_u8), Just(0), Just(3), Just(11), Just(12), any::<u8>()];
    let icmp = (kinds, 0_u8..6, address(), address(), protocol(), strategy::bytes(40)).prop_map(
        |(kind, code, source, destination, protocol, data)| {
            let quote = header(source, destination, protocol, 0, &[], data.len());
            let mut message = [&[kind, code, 0, 0, 0, 0, 0, 0], &quote[..], &data].concat();
            let checksum = sum(&message);
            message[2..4].copy_from_slice(&checksum.to_be_bytes());
            message
        },
    );
    prop_oneof![2 => icmp, 1 => strategy::bytes(200)].boxed()
}

fn header(
    source: Ipv4Addr,
    destination: Ipv4Addr,
    protocol: u8,
    flags: u16,
    options: &[u8],
    payload: usize,
) -> Vec<u8> {
    let len = 20 + options.len();
    let total = (len + payload) as u16;
    let mut header = vec![0x40 | (len / 4) as u8, 0];
    header.extend(total.to_be_bytes());
    header.extend([0, 7]);
    header.extend(flags.to_be_bytes());
    header.extend([64, protocol, 0, 0]);
    header.extend(source.octets());
    header.extend(destination.octets());
    header.extend(options);
    let checksum = sum(&header);
    header[10..12].copy_from_slice(&checksum.to_be_bytes());
    header
}

/// Whole packets, fragments of few datagrams, and options of all kinds.
fn valid() -> BoxedStrategy<Vec<u8>> {
    let flags = prop_oneof![
        6 => Just(0_u16),
        2 => (0_u16..12).prop_map(|offset| 0x2000 | offset),
        1 => 0_u16..12,
        1 => any::<u16>(),
    ];
    let options = prop_oneof![
        5 => Just(Vec::new()),
        1 => Just(vec![148, 4, 0, 0]),
        1 => any::<[u8; 8]>().prop_map(|bytes| bytes.to_vec()),
    ];
    (address(), address(), protocol(), flags, options, payload())
        .prop_map(|(source, destination, protocol, flags, options, mut payload)| {
            if flags & 0x2000 != 0 {
                payload.truncate(payload.len() & !7);
            }
            let len = payload.len();
            [header(source, destination, protocol, flags, &options, len), payload].concat()
        })
        .boxed()
}

/// Packets as a link delivers them, offload metadata sometimes set, and then mostly wrong.
fn packet() -> BoxedStrategy<PacketBuf> {
    (strategy::hostile(valid()), strategy::offload(), 0_u8..4)
        .prop_map(|(mut packet, offload, dice)| {
            if dice == 0 {
                *packet.offload_mut() = offload;
            }
            packet
        })
        .boxed()
}

fn arriving() -> impl Strategy<Value = NetIn> {
    let kind = prop_oneof![9 => Just(ethertype::IPV4), 1 => Just(ethertype::IPV6)];
    (interface(), cast(), kind, packet()).prop_map(|(interface, cast, ethertype, packet)| {
        NetIn::Packet { interface, cast, ethertype, packet }
    })
}

fn state() -> impl Strategy<Value = AddressState> {
    use AddressState::{Conflict, Ready, Tentative};
    prop_oneof![Just(Tentative), Just(Ready), Just(Conflict)]
}

fn send() -> impl Strategy<Value = IpOut> {
    let size = prop_oneof![6 => Just(0_usize), 1 => Just(300), 1 => Just(3000), 1 => Just(65_510)];
    let packet = (strategy::packet(64), size, strategy::offload(), any::<bool>()).prop_map(
        |(mut packet, more, offload, set)| {
            packet.append(vec![7; more].into());
            if set {
                *packet.offload_mut() = offload;
            }
            packet
        },
    );
    let ends = (
        proptest::option::weighted(0.1, interface()),
        proptest::option::weighted(0.3, any_address()),
        any_address(),
    );
    let ttl = proptest::option::weighted(0.2, 0_u8..3);
    (ends, protocol(), ttl, any::<bool>(), packet).prop_map(
        |((interface, source, destination), protocol, ttl, dont_fragment, packet)| {
            IpOut::Datagram(Send {
                interface,
                source,
                destination,
                protocol,
                ttl,
                tos: 0,
                dont_fragment,
                reachability: Reachability::Unknown,
                packet,
            })
        },
    )
}

fn reject() -> impl Strategy<Value = IpOut> {
    let ends = (any_address(), any_address());
    (interface(), ends, cast(), protocol(), strategy::packet(64), 0_usize..80).prop_map(
        |(interface, (source, destination), cast, protocol, packet, header_len)| IpOut::Reject {
            reason: RejectReason::PortUnreachable,
            datagram: Datagram {
                interface,
                source,
                destination,
                cast,
                protocol,
                ttl: 9,
                tos: 0,
                mtu: 1500,
                header_len,
                packet,
            },
        },
    )
}

impl Subject for Ips {
    type L = Ip;

    fn build(&self) -> Ip {
        Ip::new(config())
    }

    fn below(&self) -> BoxedStrategy<NetIn> {
        let unreachable = (interface(), packet()).prop_map(|(interface, packet)| {
            NetIn::Unreachable { interface, next_hop: PEER.into(), packet }
        });
        let address = (interface(), any_address(), state())
            .prop_map(|(interface, address, state)| NetIn::Address { interface, address, state });
        let fact = RouterFact::Default { router: PEER.into(), lifetime_s: 9 };
        let router = Just(NetIn::Router { interface: InterfaceId(0), fact });
        prop_oneof![20 => arriving(), 2 => unreachable, 1 => address, 1 => router].boxed()
    }

    fn above(&self) -> BoxedStrategy<IpOut> {
        let lookup = (proptest::option::of(interface()), any_address(), any_address()).prop_map(
            |(interface, source, destination)| IpOut::Lookup {
                token: 5,
                protocol: 6,
                interface,
                source: Some(source),
                destination,
            },
        );
        let path_mtu = (any_address(), any::<u32>())
            .prop_map(|(destination, mtu)| IpOut::PathMtu { destination, mtu });
        prop_oneof![10 => send(), 3 => reject(), 1 => lookup, 2 => path_mtu].boxed()
    }

    fn limits(&self) -> laws::Limits {
        laws::Limits {
            // Pieces of 8 bytes and up in 4 KiB, three looped packets, forty fragments.
            held_items: 64 + 3 + 40,
            held_bytes: 4096 + 3 * 70_000 + 40 * 70_000,
            // A datagram may leave as many fragments as may wait.
            outputs: 64,
            ..laws::Limits::default()
        }
    }

    fn answer_below(&self, item: &NetOut, choice: u32) -> Option<NetIn> {
        let (interface, packet) = (item.interface, item.packet.clone());
        Some(if choice.is_multiple_of(3) {
            NetIn::Unreachable { interface, next_hop: PEER.into(), packet }
        } else {
            let (cast, ethertype) = (Cast::Unicast, item.ethertype);
            NetIn::Packet { interface, cast, ethertype, packet }
        })
    }

    fn answer_above(&self, item: &IpIn, _: u32) -> Option<IpOut> {
        match item {
            IpIn::Datagram(datagram) => {
                let (reason, datagram) = (RejectReason::PortUnreachable, datagram.clone());
                Some(IpOut::Reject { reason, datagram })
            }
            IpIn::Error(_) | IpIn::PathMtu { .. } | IpIn::Path(_) => None,
        }
    }
}

#[test]
fn laws() {
    check(&Ips, 512);
}
