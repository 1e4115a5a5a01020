//! UDP obeys the laws of `layer::Layer`.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use laws::{BoxedStrategy, Limits, Strategy, Subject, check, strategy};
use layer::boundary::{
    BoundAddress, Cast, Datagram, IpError, IpErrorKind, IpIn, IpOut, Path, Route, SocketId,
    UdpCommand, UdpEvent, UdpOptions, protocol,
};
use layer::{InterfaceId, PacketBuf};
use proptest::prelude::*;
use udp::{Config, Udp};

const US: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);
const PEER: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);

struct Udps;

fn socket() -> impl Strategy<Value = SocketId> {
    (0_u64..4).prop_map(SocketId)
}

fn port() -> impl Strategy<Value = u16> {
    prop_oneof![Just(0), Just(7), Just(9), Just(4000)]
}

fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        3 => Just(PEER.into()),
        3 => Just(US.into()),
        2 => Just(Ipv4Addr::UNSPECIFIED.into()),
        1 => Just(Ipv4Addr::BROADCAST.into()),
        2 => Just(Ipv4Addr::new(10, 9, 0, 255).into()),
        1 => Just(IpAddr::from([0xff02, 0, 0, 0, 0, 0, 0, 1])),
    ]
}

fn end() -> impl Strategy<Value = SocketAddr> {
    (address(), port()).prop_map(|(ip, port)| SocketAddr::new(ip, port))
}

fn cast() -> impl Strategy<Value = Cast> {
    prop_oneof![4 => Just(Cast::Unicast), 1 => Just(Cast::Broadcast), 1 => Just(Cast::Multicast)]
}

/// Datagrams without a checksum, so that most of them get past it.
fn valid() -> BoxedStrategy<Vec<u8>> {
    (port(), port(), strategy::bytes(64))
        .prop_map(|(source, destination, payload)| {
            let len = u16::try_from(8 + payload.len()).unwrap_or(u16::MAX);
            let header = [source, destination, len, 0].map(u16::to_be_bytes);
            [header.concat(), payload].concat()
        })
        .boxed()
}

fn arriving() -> impl Strategy<Value = IpIn> {
    let packet = strategy::hostile(valid());
    (packet, strategy::offload(), address(), address(), cast(), any::<bool>()).prop_map(
        |(mut packet, offload, source, destination, cast, offloaded)| {
            if offloaded {
                *packet.offload_mut() = offload;
            }
            IpIn::Datagram(Datagram {
                interface: InterfaceId(0),
                source,
                destination,
                cast,
                protocol: protocol::UDP,
                ttl: 64,
                tos: 0,
                mtu: 1500,
                header_len: 0,
                packet,
            })
        },
    )
}

fn error() -> impl Strategy<Value = IpIn> {
    let kind = prop_oneof![Just(IpErrorKind::PortUnreachable), Just(IpErrorKind::NoRoute)];
    (kind, any::<bool>(), address(), address(), strategy::hostile(valid())).prop_map(
        |(kind, remote, source, destination, quote)| {
            IpIn::Error(IpError {
                interface: InterfaceId(0),
                kind,
                reporter: remote.then_some(PEER.into()),
                source,
                destination,
                protocol: protocol::UDP,
                length: 28,
                quote,
            })
        },
    )
}

fn route(choice: u32) -> Result<Route, IpErrorKind> {
    let cast = match choice % 4 {
        0 => return Err(IpErrorKind::NoRoute),
        1 => Cast::Broadcast,
        _ => Cast::Unicast,
    };
    let (interface, source) = (InterfaceId(0), US.into());
    Ok(Route { interface, source, mtu: 1500, link_mtu: 1500, cast })
}

impl Subject for Udps {
    type L = Udp;

    fn build(&self) -> Udp {
        Udp::new(Config { receive_buffer: 4096, ..Config::new([5; 16]) })
    }

    fn below(&self) -> BoxedStrategy<IpIn> {
        let path = (0_u64..8, any::<u32>()).prop_map(|(token, choice)| {
            let (protocol, destination) = (protocol::UDP, PEER.into());
            IpIn::Path(Path { token, protocol, destination, route: route(choice) })
        });
        prop_oneof![6 => arriving(), 2 => error(), 1 => path].boxed()
    }

    fn above(&self) -> BoxedStrategy<UdpCommand> {
        let options = any::<bool>()
            .prop_map(|broadcast| UdpOptions { broadcast, ..UdpOptions::default() })
            .boxed();
        let bind = (socket(), end(), any::<bool>(), options.clone()).prop_map(
            |(socket, address, reuse, options)| {
                let local = BoundAddress { address, interface: None };
                UdpCommand::Bind { socket, local, reuse, options }
            },
        );
        let connect = (socket(), proptest::option::weighted(0.8, end()))
            .prop_map(|(socket, remote)| UdpCommand::Connect { socket, remote });
        let send = (socket(), proptest::option::of(end()), strategy::packet(64))
            .prop_map(|(socket, to, packet)| UdpCommand::Send { socket, source: None, to, packet });
        let consumed = (socket(), any::<u32>())
            .prop_map(|(socket, bytes)| UdpCommand::Consumed { socket, bytes });
        let configure = (socket(), options)
            .prop_map(|(socket, options)| UdpCommand::Configure { socket, options });
        let close = socket().prop_map(|socket| UdpCommand::Close { socket });
        prop_oneof![6 => bind, 2 => connect, 6 => send, 1 => consumed, 1 => configure, 1 => close]
            .boxed()
    }

    fn limits(&self) -> Limits {
        // Four receive buffers of 4096 bytes at 256 and more a datagram, an answer a step, and
        // 64 datagrams waiting for leave a socket.
        Limits { held_items: 4 * 16 + 48 + 4 * 64, ..Limits::default() }
    }

    fn answer_below(&self, item: &IpOut, choice: u32) -> Option<IpIn> {
        match *item {
            IpOut::Lookup { token, protocol, destination, .. } => {
                Some(IpIn::Path(Path { token, protocol, destination, route: route(choice) }))
            }
            IpOut::Datagram(_) | IpOut::Reject { .. } | IpOut::PathMtu { .. } => None,
        }
    }

    fn answer_above(&self, item: &UdpEvent, choice: u32) -> Option<UdpCommand> {
        match item {
            UdpEvent::Datagram { socket, from, to, packet, .. } => {
                Some(if choice.is_multiple_of(2) {
                    let bytes = u32::try_from(packet.len()).unwrap_or(u32::MAX);
                    UdpCommand::Consumed { socket: *socket, bytes }
                } else {
                    let packet = PacketBuf::copy_from(&packet.to_vec());
                    let (source, to) = (Some(to.ip()), Some(*from));
                    UdpCommand::Send { socket: *socket, source, to, packet }
                })
            }
            UdpEvent::Bound { .. } | UdpEvent::Connected { .. } | UdpEvent::Error { .. } => None,
        }
    }
}

#[test]
fn udp_obeys_the_laws() {
    check(&Udps, 512);
}
