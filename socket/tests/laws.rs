//! The hub obeys the laws of `layer::Layer`, whatever transports tell it and applications ask.

use core::net::SocketAddr;
use std::net::Shutdown;

use bytes::Bytes;
use laws::{BoxedStrategy, Limits, Strategy, Subject, check};
use layer::boundary::{
    Cast, CloseReason, SocketError, SocketId, TcpCommand, TcpEvent, UdpCommand, UdpEvent,
};
use layer::{Either, InterfaceId, PacketBuf};
use proptest::prelude::*;
use socket::hub::{Call, Command, Config, Request};
use socket::{Hub, Kind, Ready};

type Event = Either<TcpEvent, UdpEvent>;

struct Hubs;

/// Sockets of the application, accepted connections, and ids nobody has.
fn socket() -> impl Strategy<Value = SocketId> {
    prop_oneof![
        6 => (0_u64..6).prop_map(SocketId),
        3 => (0_u64..4).prop_map(|n| SocketId(SocketId::ACCEPTED.0 + n)),
    ]
}

fn local() -> SocketAddr {
    SocketAddr::from(([10, 9, 0, 2], 80))
}

fn remote() -> SocketAddr {
    SocketAddr::from(([10, 9, 0, 1], 4000))
}

fn data() -> impl Strategy<Value = Bytes> {
    proptest::collection::vec(any::<u8>(), 1..64).prop_map(Bytes::from)
}

fn outcome() -> impl Strategy<Value = Result<SocketAddr, SocketError>> {
    prop_oneof![3 => Just(Ok(local())), 1 => Just(Err(SocketError::AddressInUse))]
}

fn tcp_event() -> impl Strategy<Value = Event> {
    let reason = prop_oneof![
        Just(CloseReason::Finished),
        Just(CloseReason::Failed(SocketError::ConnectionReset)),
    ];
    let soft = SocketError::HostUnreachable;
    prop_oneof![
        2 => (socket(), outcome())
            .prop_map(|(socket, result)| TcpEvent::Bound { socket, result }),
        4 => (socket(), socket()).prop_map(|(listener, socket)| {
            TcpEvent::Incoming { listener, socket, local: local(), remote: remote() }
        }),
        4 => socket().prop_map(|socket| {
            TcpEvent::Established { socket, local: local(), remote: remote() }
        }),
        6 => (socket(), data()).prop_map(|(socket, chunk)| TcpEvent::Data { socket, chunk }),
        1 => socket().prop_map(|socket| TcpEvent::Finished { socket }),
        4 => (socket(), any::<u32>()).prop_map(|(socket, bytes)| TcpEvent::Room { socket, bytes }),
        1 => socket().prop_map(move |socket| TcpEvent::SoftError { socket, error: soft }),
        1 => (socket(), reason).prop_map(|(socket, reason)| TcpEvent::Closed { socket, reason }),
    ]
    .prop_map(Either::A)
}

fn udp_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        2 => (socket(), outcome())
            .prop_map(|(socket, result)| UdpEvent::Bound { socket, result }),
        2 => (socket(), outcome())
            .prop_map(|(socket, result)| UdpEvent::Connected { socket, result }),
        4 => (socket(), data()).prop_map(|(socket, data)| UdpEvent::Datagram {
            socket,
            from: remote(),
            to: local(),
            interface: InterfaceId(0),
            cast: Cast::Unicast,
            packet: PacketBuf::from_shared(data),
        }),
        1 => socket().prop_map(|socket| {
            UdpEvent::Error { socket, error: SocketError::ConnectionRefused }
        }),
    ]
    .prop_map(Either::B)
}

fn request() -> impl Strategy<Value = Request> {
    let how = prop_oneof![Just(Shutdown::Read), Just(Shutdown::Write), Just(Shutdown::Both)];
    let kind = prop_oneof![2 => Just(Kind::Tcp), 1 => Just(Kind::Udp)];
    prop_oneof![
        6 => kind.prop_map(Request::Socket),
        2 => socket().prop_map(|socket| Request::Bind(socket, local())),
        3 => (socket(), any::<u32>()).prop_map(|(socket, n)| Request::Listen(socket, n)),
        3 => socket().prop_map(Request::Accept),
        4 => socket().prop_map(|socket| Request::Connect(socket, remote())),
        1 => socket().prop_map(Request::Completed),
        4 => (socket(), data()).prop_map(|(socket, data)| Request::Send(socket, data)),
        3 => (socket(), data()).prop_map(|(socket, data)| Request::SendTo {
            socket,
            data,
            to: Some(remote()),
            source: None,
        }),
        4 => (socket(), 0_usize..100).prop_map(|(socket, max)| Request::Receive(socket, max)),
        2 => (socket(), 0_usize..100).prop_map(|(socket, max)| Request::ReceiveFrom(socket, max)),
        1 => (socket(), how).prop_map(|(socket, how)| Request::Shutdown(socket, how)),
        2 => socket().prop_map(Request::Close),
        1 => socket().prop_map(Request::Abort),
        1 => socket().prop_map(Request::Poll),
    ]
}

impl Subject for Hubs {
    type L = Hub;

    fn build(&self) -> Hub {
        Hub::new(Config { max_sockets: 8, ..Config::default() })
    }

    fn below(&self) -> BoxedStrategy<Event> {
        prop_oneof![3 => tcp_event(), 1 => udp_event()].boxed()
    }

    fn above(&self) -> BoxedStrategy<Call> {
        (any::<u64>(), request()).prop_map(|(ticket, request)| Call { ticket, request }).boxed()
    }

    fn limits(&self) -> Limits {
        // One chunk, command or answer a step at most, and a few commands when a listener ends.
        Limits { held_items: 3 * 48, held_bytes: 64 * 48, outputs: 3 * 48, ..Limits::default() }
    }

    fn answer_below(&self, command: &Command, choice: u32) -> Option<Event> {
        let refused = choice.is_multiple_of(4);
        let result = if refused { Err(SocketError::AddressInUse) } else { Ok(local()) };
        match *command {
            Either::A(TcpCommand::Bind { socket, .. }) => {
                Some(Either::A(TcpEvent::Bound { socket, result }))
            }
            Either::A(TcpCommand::Connect { socket, .. }) => {
                let (local, remote) = (local(), remote());
                Some(Either::A(TcpEvent::Established { socket, local, remote }))
            }
            Either::A(TcpCommand::Send { socket, ref data }) => {
                let bytes = u32::try_from(data.len()).unwrap_or(u32::MAX);
                Some(Either::A(TcpEvent::Room { socket, bytes }))
            }
            Either::B(UdpCommand::Bind { socket, .. }) => {
                Some(Either::B(UdpEvent::Bound { socket, result }))
            }
            Either::B(UdpCommand::Connect { socket, .. }) => {
                Some(Either::B(UdpEvent::Connected { socket, result }))
            }
            Either::A(_) | Either::B(_) => None,
        }
    }

    fn answer_above(&self, ready: &Ready, choice: u32) -> Option<Call> {
        match *ready {
            Ready::Changed { socket, .. } => {
                let request = if choice.is_multiple_of(2) {
                    Request::Receive(socket, 10)
                } else {
                    Request::Accept(socket)
                };
                Some(Call { ticket: choice.into(), request })
            }
            Ready::Answer { .. } => None,
        }
    }
}

#[test]
fn the_hub_obeys_the_laws() {
    check(&Hubs, 1024);
}
