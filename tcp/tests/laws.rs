//! TCP obeys the laws of `layer::Layer`, whatever comes from either side.

mod common;

use core::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use common::{complete, local, remote};
use laws::{BoxedStrategy, Limits, Strategy, Subject, check, strategy};
use layer::boundary::{
    BoundAddress, Cast, Datagram, IpError, IpErrorKind, IpIn, Path, Route, SocketId, TcpCommand,
    TcpOptions, protocol,
};
use layer::{InterfaceId, PacketBuf};
use proptest::prelude::*;
use tcp::{Config, Flags, Options, Segment, Seq, Tcp, Timestamps};

/// A layer on which port 80 listens from the start.
struct Tcps;

/// Numbers near those that a connection here can have: the peer's start at 1000; ours are hashed,
/// so what is right for us is mostly found by the handshake of simultaneous opens and by resets.
fn number() -> impl Strategy<Value = Seq> {
    prop_oneof![
        6 => (995_u32..1100).prop_map(Seq),
        2 => any::<u32>().prop_map(Seq),
        1 => Just(Seq(0)),
    ]
}

fn datagram(packet: PacketBuf, cast: Cast) -> IpIn {
    IpIn::Datagram(Datagram {
        interface: InterfaceId(0),
        source: remote().ip(),
        destination: local().ip(),
        cast,
        protocol: protocol::TCP,
        ttl: 64,
        tos: 0,
        mtu: 1500,
        header_len: 0,
        packet,
    })
}

fn segment() -> BoxedStrategy<IpIn> {
    let flags = prop_oneof![
        4 => Just(Flags::SYN),
        4 => Just(Flags::ACK),
        1 => Just(Flags::RST),
        1 => Just(Flags(0x11)),
        2 => any::<u8>().prop_map(Flags),
    ];
    let mss = proptest::option::of(any::<u16>());
    let more = (any::<bool>(), proptest::option::of((any::<u32>(), any::<u32>())), number());
    let scale = proptest::option::of(0_u8..15);
    let header = (4000_u16..4004, flags, number(), number(), any::<u16>(), any::<u16>());
    (header, mss, scale, more, strategy::bytes(50))
        .prop_map(|(header, mss, window_scale, (sack_permitted, stamps, edge), text)| {
            let (port, flags, seq, ack, window, urgent) = header;
            let mut from = remote();
            from.set_port(port);
            let mut segment = Segment::bare(from, local(), flags, seq);
            (segment.ack, segment.window, segment.urgent) = (ack, window, urgent);
            segment.options = Options { mss, window_scale, sack_permitted, ..Options::default() };
            segment.options.timestamps = stamps.map(|(value, echo)| Timestamps { value, echo });
            if !flags.has(Flags::SYN) {
                segment.options.sack.push((edge, edge.plus(100)));
            }
            segment.payload = PacketBuf::copy_from(&text);
            let mut packet = segment.write();
            complete(&mut packet, remote().ip(), local().ip());
            datagram(packet, Cast::Unicast)
        })
        .boxed()
}

fn socket() -> impl Strategy<Value = SocketId> {
    prop_oneof![
        (0_u64..4).prop_map(SocketId),
        (0_u64..6).prop_map(|n| SocketId(SocketId::ACCEPTED.0 + n)),
    ]
}

fn options() -> impl Strategy<Value = Box<TcpOptions>> {
    (any::<bool>(), any::<bool>(), proptest::option::of(1_u32..5000), any::<bool>()).prop_map(
        |(nodelay, cork, receive_buffer, linger)| {
            let linger = linger.then_some(core::time::Duration::ZERO);
            Box::new(TcpOptions { nodelay, cork, receive_buffer, linger, ..TcpOptions::default() })
        },
    )
}

impl Subject for Tcps {
    type L = Tcp;

    fn build(&self) -> Tcp {
        Tcp::new(Config {
            max_connections: 6,
            max_half_open: 3,
            max_pieces: 8,
            ..Config::new([5; 16])
        })
    }

    fn below(&self) -> BoxedStrategy<IpIn> {
        let error = (number(), 0_u8..5).prop_map(|(seq, kind)| {
            let kind = match kind {
                0 => IpErrorKind::PortUnreachable,
                1 => IpErrorKind::NetUnreachable,
                2 => IpErrorKind::FragmentationNeeded { mtu: 68 },
                3 => IpErrorKind::NeighbourFailed,
                _ => IpErrorKind::TtlExceeded,
            };
            let quote = [&80_u16.to_be_bytes()[..], &[0x0f, 0xa0], &seq.0.to_be_bytes()].concat();
            IpIn::Error(IpError {
                interface: InterfaceId(0),
                kind,
                reporter: None,
                source: local().ip(),
                destination: remote().ip(),
                protocol: protocol::TCP,
                length: 1500,
                quote: PacketBuf::copy_from(&quote),
            })
        });
        let path = (0_u64..4, any::<bool>(), 68_u32..70_000).prop_map(|(token, found, mtu)| {
            let (interface, source) = (InterfaceId(0), local().ip());
            let route = Route { interface, source, mtu, link_mtu: mtu, cast: Cast::Unicast };
            let route = if found { Ok(route) } else { Err(IpErrorKind::NoRoute) };
            let destination = remote().ip();
            IpIn::Path(Path { token, protocol: protocol::TCP, destination, route })
        });
        prop_oneof![
            20 => segment(),
            2 => strategy::packet(80).prop_map(|packet| datagram(packet, Cast::Unicast)),
            1 => strategy::packet(80).prop_map(|packet| datagram(packet, Cast::Broadcast)),
            2 => error,
            4 => path,
        ]
        .boxed()
    }

    fn above(&self) -> BoxedStrategy<TcpCommand> {
        let port = prop_oneof![Just(80_u16), Just(0), Just(4000)];
        let bind = (socket(), port, any::<bool>(), any::<bool>()).prop_map(
            |(socket, port, reuse_address, reuse_port)| {
                let address = SocketAddr::new(IpAddr::from([0, 0, 0, 0]), port);
                let local = BoundAddress { address, interface: None };
                TcpCommand::Bind { socket, local, reuse_address, reuse_port }
            },
        );
        let listen = (socket(), 0_u32..4, options())
            .prop_map(|(socket, backlog, options)| TcpCommand::Listen { socket, backlog, options });
        let connect = (socket(), 0_u16..4004, options()).prop_map(|(socket, port, options)| {
            let remote = SocketAddr::new(remote().ip(), port);
            TcpCommand::Connect { socket, remote, options }
        });
        let send = (socket(), 0_usize..5000)
            .prop_map(|(socket, n)| TcpCommand::Send { socket, data: Bytes::from(vec![1; n]) });
        let consumed = (socket(), 0_u32..3000)
            .prop_map(|(socket, bytes)| TcpCommand::Consumed { socket, bytes });
        let ends = (socket(), 0_u8..4).prop_map(|(socket, how)| match how {
            0 => TcpCommand::Shutdown { socket },
            1 => TcpCommand::Close { socket },
            2 => TcpCommand::Abort { socket },
            _ => TcpCommand::Query { socket },
        });
        let accepted = socket().prop_map(|listener| TcpCommand::Accepted { listener });
        let configure = (socket(), options())
            .prop_map(|(socket, options)| TcpCommand::Configure { socket, options });
        prop_oneof![4 => bind, 4 => listen, 4 => connect, 4 => send, 2 => consumed, 2 => ends,
            1 => accepted, 1 => configure]
        .boxed()
    }

    fn limits(&self) -> Limits {
        Limits {
            held_items: 200,
            held_bytes: 4 << 20,
            outputs: 200,
            exact: false,
            ..Limits::default()
        }
    }
}

#[test]
fn tcp_obeys_the_laws() {
    check(&Tcps, 300);
}

/// What the hub may grant itself wrongly must not break the layer either.
#[test]
fn commands_for_sockets_that_do_not_exist_change_nothing() {
    let mut bench = common::Bench::new();
    let socket = SocketId(77);
    for command in [
        TcpCommand::Send { socket, data: Bytes::from_static(b"x") },
        TcpCommand::Consumed { socket, bytes: 5 },
        TcpCommand::Shutdown { socket },
        TcpCommand::Close { socket },
        TcpCommand::Abort { socket },
        TcpCommand::Query { socket },
        TcpCommand::Accepted { listener: socket },
    ] {
        bench.command(command);
    }
    assert_eq!((bench.sent(), bench.events(), bench.state()), (vec![], vec![], "CLOSED"));
}
