//! The laws of `layer::Layer` on [`Arp`], in every mode of conflict detection.

use core::net::{Ipv4Addr, Ipv6Addr};

use arp::{Acd, Arp, Config, Limits, Message, Operation};
use laws::proptest::prelude::*;
use laws::{Subject, strategy};
use layer::boundary::{Cast, EthIn, EthOut, NetIn, NetOut, NextHop, Reachability, ethertype};
use layer::{Accounted, InterfaceId, Layer, MacAddr, PacketBuf};

const INTERFACE: InterfaceId = InterfaceId(0);
const US: MacAddr = MacAddr([2, 0, 0, 0, 0, 0xff]);

/// Small bounds, so that random calls reach them.
const LIMITS: (usize, usize, usize, usize) = (6, 3, 8, 4096);

struct Arps(Acd);

impl Subject for Arps {
    type L = Arp;

    fn build(&self) -> Arp {
        let mut config = Config::new(INTERFACE, US, vec![ip(1), ip(2)], [3; 16]);
        let (neighbours, held_per_neighbour, held_packets, held_bytes) = LIMITS;
        config.acd = self.0;
        config.limits =
            Limits { neighbours, held_per_neighbour, held_packets, held_bytes, ..config.limits };
        Arp::new(config)
    }

    fn below(&self) -> BoxedStrategy<EthIn> {
        let message = messages().prop_map(|message| message.to_packet().to_vec()).boxed();
        let arp = (Just(ethertype::ARP), strategy::hostile(message));
        let ip = (Just(ethertype::IPV4), strategy::packet(40));
        let any = (any::<u16>(), strategy::packet(40));
        prop_oneof![6 => arp, 1 => ip, 1 => any]
            .prop_map(|(ethertype, packet)| {
                let (source, cast) = (station(9), Cast::Broadcast);
                EthIn { interface: INTERFACE, source, cast, ethertype, packet }
            })
            .boxed()
    }

    fn above(&self) -> BoxedStrategy<NetOut> {
        let next_hop = prop_oneof![
            8 => addresses().prop_map(|ip| NextHop::Neighbour(ip.into())),
            1 => Just(NextHop::Neighbour(Ipv6Addr::LOCALHOST.into())),
            1 => Just(NextHop::Broadcast),
            1 => addresses().prop_map(|ip| NextHop::Group(ip.into())),
        ];
        let packet = prop_oneof![
            4 => addresses().prop_map(|source| {
                let mut bytes = [0; 20];
                bytes[12..16].copy_from_slice(&source.octets());
                PacketBuf::copy_from(&bytes)
            }),
            1 => strategy::packet(3000),
        ];
        let hint = prop_oneof![
            Just(Reachability::Unknown),
            Just(Reachability::Confirmed),
            Just(Reachability::Doubted),
        ];
        (next_hop, packet, hint)
            .prop_map(|(next_hop, packet, reachability)| {
                let ethertype = ethertype::IPV4;
                NetOut { interface: INTERFACE, next_hop, ethertype, reachability, packet }
            })
            .boxed()
    }

    fn limits(&self) -> laws::Limits {
        let (neighbours, _, held, bytes) = LIMITS;
        // Two queues of the same bounds: one for neighbours, one for addresses of ours.
        let (held_items, held_bytes) = (2 * held, 2 * bytes);
        // Everything held leaves, everybody is asked, each address is announced and told of.
        let outputs = held_items + neighbours + 2 * 3;
        laws::Limits { held_items, held_bytes, outputs, ..laws::Limits::default() }
    }

    /// The station that was asked answers, now and then from elsewhere.
    fn answer_below(&self, item: &EthOut, choice: u32) -> Option<EthIn> {
        let asked = Message::parse(&item.packet)?;
        let mac = station(if choice.is_multiple_of(4) { 7 } else { asked.target_ip.octets()[3] });
        let (source, cast, ethertype) = (mac, Cast::Unicast, ethertype::ARP);
        let packet = asked.reply(mac).to_packet();
        Some(EthIn { interface: INTERFACE, source, cast, ethertype, packet })
    }

    /// A packet that came back is sent again.
    fn answer_above(&self, item: &NetIn, _: u32) -> Option<NetOut> {
        let NetIn::Unreachable { interface, next_hop, packet } = item.clone() else { return None };
        let (next_hop, ethertype) = (NextHop::Neighbour(next_hop), ethertype::IPV4);
        Some(NetOut { interface, next_hop, ethertype, reachability: Reachability::Unknown, packet })
    }

    fn work(&self, layer: &Arp) -> Option<u64> {
        Some(layer.entries_examined())
    }
}

fn ip(n: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 9, 0, n)
}

fn station(n: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 0, n])
}

/// Ours (.1 and .2), neighbours', and a few that are nobody's.
fn addresses() -> impl Strategy<Value = Ipv4Addr> + Clone {
    prop_oneof![
        12 => (1_u8..12).prop_map(ip),
        1 => Just(Ipv4Addr::UNSPECIFIED),
        1 => Just(Ipv4Addr::BROADCAST),
        1 => Just(Ipv4Addr::new(224, 0, 0, 1)),
    ]
}

fn messages() -> impl Strategy<Value = Message> + Clone {
    let mac = prop_oneof![
        8 => (1_u8..12).prop_map(station),
        1 => Just(US),
        1 => Just(MacAddr::ZERO),
        1 => Just(MacAddr::BROADCAST),
    ];
    let operation = prop_oneof![Just(Operation::Request), Just(Operation::Reply)];
    (operation, mac, addresses(), addresses()).prop_map(|(operation, sender_mac, from, to)| {
        let request = Message::request(sender_mac, from, to);
        Message { operation, ..request }
    })
}

#[test]
fn optimistic_obeys_the_laws() {
    laws::check(&Arps(Acd::Optimistic), 768);
}

#[test]
fn strict_obeys_the_laws() {
    laws::check(&Arps(Acd::Strict), 768);
}

#[test]
fn off_obeys_the_laws() {
    laws::check(&Arps(Acd::Off), 256);
}

/// Passing up is exact: an IP packet from below comes out above, byte for byte.
#[test]
fn ip_packets_pass_unchanged() {
    let mut arp = Arps(Acd::Optimistic).build();
    let mut driver = layer::outlet::Driver::new(64);
    let packet = PacketBuf::copy_from(&[0x45, 1, 2, 3]);
    let item = EthIn {
        interface: INTERFACE,
        source: station(9),
        cast: Cast::Broadcast,
        ethertype: ethertype::IPV4,
        packet: packet.clone(),
    };
    arp.receive(layer::Instant::ZERO, item, &mut driver.out());
    let (interface, cast, ethertype) = (INTERFACE, Cast::Broadcast, ethertype::IPV4);
    let expected = NetIn::Packet { interface, cast, ethertype, packet };
    assert_eq!(driver.up.pop(), Some(expected));
    assert_eq!(arp.held_items(), 0);
}
