//! The hub against scripted transports: what POSIX says each call answers, and what goes down.

use core::net::SocketAddr;
use std::net::Shutdown;

use bytes::Bytes;
use layer::boundary::{
    CloseReason, SocketError, SocketId, TcpCommand, TcpEvent, TcpOptions, UdpCommand, UdpEvent,
};
use layer::outlet::Driver;
use layer::{Accounted, Either, Instant, InterfaceId, Layer, PacketBuf};

use super::{Call, Command, Config, Flags, Hub, Kind, Readiness, Ready, Reply, Request, Reuse};
use crate::Errno;

struct Bench {
    hub: Hub,
    driver: Driver<Ready, Command>,
}

fn local() -> SocketAddr {
    SocketAddr::from(([10, 9, 0, 2], 80))
}

fn remote() -> SocketAddr {
    SocketAddr::from(([10, 9, 0, 1], 4000))
}

/// Calls a method of the hub with its outlets.
macro_rules! hub {
    ($bench:ident.$method:ident($($argument:expr),*)) => {
        $bench.hub.$method($($argument,)* &mut $bench.driver.out())
    };
}

impl Bench {
    fn new() -> Self {
        Self { hub: Hub::new(Config::default()), driver: Driver::new(64) }
    }

    fn socket(&mut self, kind: Kind) -> SocketId {
        self.hub.socket(kind).unwrap()
    }

    fn tcp(&mut self, event: TcpEvent) {
        self.hub.receive(Instant::ZERO, Either::A(event), &mut self.driver.out());
    }

    fn udp(&mut self, event: UdpEvent) {
        self.hub.receive(Instant::ZERO, Either::B(event), &mut self.driver.out());
    }

    fn poll(&mut self) {
        self.hub.poll(Instant::ZERO, &mut self.driver.out());
    }

    fn for_tcp(&mut self) -> Option<TcpCommand> {
        match self.driver.down.pop()? {
            Either::A(command) => Some(command),
            Either::B(command) => panic!("for UDP: {command:?}"),
        }
    }

    fn for_udp(&mut self) -> Option<UdpCommand> {
        match self.driver.down.pop()? {
            Either::A(command) => panic!("for TCP: {command:?}"),
            Either::B(command) => Some(command),
        }
    }

    fn changed(&mut self) -> Option<(SocketId, Readiness)> {
        match self.driver.up.pop()? {
            Ready::Changed { socket, readiness } => Some((socket, readiness)),
            answer @ Ready::Answer { .. } => panic!("not a change: {answer:?}"),
        }
    }

    fn readiness(&self, id: SocketId) -> Readiness {
        self.hub.poll_socket(id).unwrap()
    }

    /// A socket that listens, everything told.
    fn listener(&mut self) -> SocketId {
        let id = self.socket(Kind::Tcp);
        assert_eq!(hub!(self.bind(id, local())), Err(Errno::INPROGRESS));
        self.tcp(TcpEvent::Bound { socket: id, result: Ok(local()) });
        hub!(self.listen(id, 5)).unwrap();
        self.forget();
        id
    }

    /// A connection that was opened from here, with this much room, everything told.
    fn connection(&mut self, room: u32) -> SocketId {
        let id = self.socket(Kind::Tcp);
        assert_eq!(hub!(self.connect(id, remote())), Err(Errno::INPROGRESS));
        self.tcp(TcpEvent::Established { socket: id, local: local(), remote: remote() });
        self.tcp(TcpEvent::Room { socket: id, bytes: room });
        self.forget();
        id
    }

    fn data(&mut self, id: SocketId, bytes: &'static [u8]) {
        self.tcp(TcpEvent::Data { socket: id, chunk: Bytes::from_static(bytes) });
    }

    fn read(&mut self, id: SocketId, len: usize) -> Result<Vec<u8>, Errno> {
        let mut buffer = vec![0; len];
        let n = hub!(self.recv(id, &mut buffer, Flags::default()))?;
        buffer.truncate(n);
        Ok(buffer)
    }

    fn forget(&mut self) {
        self.driver.up.drain().for_each(drop);
        self.driver.down.drain().for_each(drop);
    }
}

#[test]
fn bind_and_listen_go_down_in_order_and_complete() {
    let mut bench = Bench::new();
    let id = bench.socket(Kind::Tcp);
    let reuse = Reuse { address: true, port: false };
    bench.hub.set_reuse(id, reuse).unwrap();
    assert_eq!(hub!(bench.bind(id, local())), Err(Errno::INPROGRESS));
    assert_eq!(bench.hub.completed(id), Err(Errno::INPROGRESS));
    // Without waiting for the answer: listening follows by itself.
    assert_eq!(hub!(bench.listen(id, 5)), Err(Errno::INPROGRESS));
    assert!(matches!(bench.for_tcp(), Some(TcpCommand::Bind { reuse_address: true, .. })));
    assert_eq!(bench.for_tcp(), None);
    bench.tcp(TcpEvent::Bound { socket: id, result: Ok(local()) });
    let options = Box::new(TcpOptions::default());
    assert_eq!(bench.for_tcp(), Some(TcpCommand::Listen { socket: id, backlog: 5, options }));
    assert_eq!(bench.hub.completed(id), Ok(()));
    assert_eq!(bench.hub.local_addr(id), Ok(Some(local())));
    assert_eq!(hub!(bench.bind(id, local())), Err(Errno::INVAL), "once");
}

#[test]
fn a_refused_bind_is_told_once_and_may_be_tried_again() {
    let mut bench = Bench::new();
    let id = bench.socket(Kind::Tcp);
    assert_eq!(hub!(bench.bind(id, local())), Err(Errno::INPROGRESS));
    bench.tcp(TcpEvent::Bound { socket: id, result: Err(SocketError::AddressInUse) });
    assert!(bench.changed().is_some(), "who waits is woken");
    assert_eq!(bench.hub.completed(id), Err(Errno::ADDRINUSE));
    assert_eq!(bench.hub.completed(id), Ok(()));
    assert_eq!(hub!(bench.bind(id, local())), Err(Errno::INPROGRESS));
}

#[test]
fn accept_takes_the_oldest_and_gives_the_backlog_back() {
    let mut bench = Bench::new();
    let listener = bench.listener();
    assert_eq!(hub!(bench.accept(listener)), Err(Errno::AGAIN));
    let ids = [SocketId::ACCEPTED, SocketId(SocketId::ACCEPTED.0 + 1)];
    for socket in ids {
        bench.tcp(TcpEvent::Incoming { listener, socket, local: local(), remote: remote() });
    }
    let readable = Readiness { readable: true, ..Readiness::default() };
    assert_eq!(bench.changed(), Some((listener, readable)));
    assert_eq!(bench.changed(), None, "an edge, not one a connection");
    for socket in ids {
        let accepted = hub!(bench.accept(listener)).unwrap();
        assert_eq!((accepted.socket, accepted.local, accepted.remote), (socket, local(), remote()));
        assert_eq!(bench.for_tcp(), Some(TcpCommand::Accepted { listener }));
    }
    assert_eq!(hub!(bench.accept(listener)), Err(Errno::AGAIN));
    assert_eq!(bench.hub.peer_addr(ids[0]), Ok(remote()));
}

#[test]
fn a_connection_reset_before_accept_is_returned_and_tells_at_the_first_read() {
    let mut bench = Bench::new();
    let listener = bench.listener();
    let socket = SocketId::ACCEPTED;
    bench.tcp(TcpEvent::Incoming { listener, socket, local: local(), remote: remote() });
    let reason = CloseReason::Failed(SocketError::ConnectionReset);
    bench.tcp(TcpEvent::Closed { socket, reason });
    assert_eq!(hub!(bench.accept(listener)).map(|accepted| accepted.socket), Ok(socket));
    assert_eq!(bench.read(socket, 10), Err(Errno::CONNRESET));
    assert_eq!(bench.read(socket, 10), Ok(vec![]));
}

#[test]
fn a_connection_for_a_closed_listener_is_aborted() {
    let mut bench = Bench::new();
    let listener = bench.listener();
    let (waiting, late) = (SocketId::ACCEPTED, SocketId(SocketId::ACCEPTED.0 + 1));
    let incoming =
        |socket| TcpEvent::Incoming { listener, socket, local: local(), remote: remote() };
    bench.tcp(incoming(waiting));
    hub!(bench.close(listener)).unwrap();
    assert_eq!(bench.for_tcp(), Some(TcpCommand::Abort { socket: waiting }));
    assert_eq!(bench.for_tcp(), Some(TcpCommand::Close { socket: listener }));
    bench.tcp(incoming(late));
    assert_eq!(bench.for_tcp(), Some(TcpCommand::Abort { socket: late }));
    assert_eq!(bench.hub.sockets(), 0);
}

#[test]
fn a_connection_beyond_the_limit_is_aborted_and_leaves_the_backlog() {
    let mut bench = Bench::new();
    bench.hub = Hub::new(Config { max_sockets: 1, ..Config::default() });
    let listener = bench.listener();
    let socket = SocketId::ACCEPTED;
    bench.tcp(TcpEvent::Incoming { listener, socket, local: local(), remote: remote() });
    assert_eq!(bench.for_tcp(), Some(TcpCommand::Abort { socket }));
    assert_eq!(bench.for_tcp(), Some(TcpCommand::Accepted { listener }));
    assert_eq!(hub!(bench.accept(listener)), Err(Errno::AGAIN));
}

#[test]
fn connect_is_in_progress_then_already_then_is_connected() {
    let mut bench = Bench::new();
    let id = bench.socket(Kind::Tcp);
    assert_eq!(bench.read(id, 1), Err(Errno::NOTCONN));
    assert_eq!(hub!(bench.send(id, b"x")), Err(Errno::NOTCONN));
    assert_eq!(hub!(bench.shutdown(id, Shutdown::Both)), Err(Errno::NOTCONN));
    assert_eq!(hub!(bench.connect(id, remote())), Err(Errno::INPROGRESS));
    assert!(matches!(bench.for_tcp(), Some(TcpCommand::Connect { .. })));
    assert_eq!(hub!(bench.connect(id, remote())), Err(Errno::ALREADY));
    assert_eq!(hub!(bench.send(id, b"x")), Err(Errno::AGAIN));
    assert_eq!(bench.readiness(id), Readiness::default());
    assert_eq!(bench.hub.peer_addr(id), Err(Errno::NOTCONN));
    bench.tcp(TcpEvent::Established { socket: id, local: local(), remote: remote() });
    bench.tcp(TcpEvent::Room { socket: id, bytes: 10 });
    let writable = Readiness { writable: true, ..Readiness::default() };
    assert_eq!(bench.changed(), Some((id, writable)));
    assert_eq!(bench.hub.completed(id), Ok(()));
    assert_eq!(bench.hub.take_error(id), Ok(None));
    assert_eq!(hub!(bench.connect(id, remote())), Err(Errno::ISCONN));
    assert_eq!(bench.hub.peer_addr(id), Ok(remote()));
    assert_eq!(bench.hub.local_addr(id), Ok(Some(local())));
}

#[test]
fn a_refused_connect_wakes_tells_once_and_leaves_a_usable_socket() {
    let mut bench = Bench::new();
    let id = bench.socket(Kind::Tcp);
    assert_eq!(hub!(bench.connect(id, remote())), Err(Errno::INPROGRESS));
    let reason = CloseReason::Failed(SocketError::ConnectionRefused);
    bench.tcp(TcpEvent::Closed { socket: id, reason });
    let (_, readiness) = bench.changed().unwrap();
    assert!(readiness.writable && readiness.error && readiness.hangup);
    assert_eq!(hub!(bench.connect(id, remote())), Err(Errno::CONNREFUSED), "once");
    assert_eq!(bench.hub.take_error(id), Ok(None));
    bench.forget();
    assert_eq!(hub!(bench.connect(id, remote())), Err(Errno::INPROGRESS));
    assert!(matches!(bench.for_tcp(), Some(TcpCommand::Connect { .. })));
    // The next outcome is an edge again, though the error before was the same.
    bench.tcp(TcpEvent::Closed { socket: id, reason });
    assert!(bench.changed().is_some_and(|(_, readiness)| readiness.error));
}

#[test]
fn sending_keeps_to_the_room_granted() {
    let mut bench = Bench::new();
    let id = bench.connection(6);
    assert_eq!(hub!(bench.send(id, b"abcd")), Ok(4));
    assert_eq!(hub!(bench.send(id, b"efgh")), Ok(2), "partial");
    assert_eq!(hub!(bench.send(id, b"gh")), Err(Errno::AGAIN));
    assert_eq!(hub!(bench.send(id, b"")), Ok(0));
    for expected in [&b"abcd"[..], b"ef"] {
        let data = Bytes::copy_from_slice(expected);
        assert_eq!(bench.for_tcp(), Some(TcpCommand::Send { socket: id, data }));
    }
    assert!(!bench.readiness(id).writable);
    bench.tcp(TcpEvent::Room { socket: id, bytes: 2 });
    assert!(bench.changed().is_some_and(|(_, readiness)| readiness.writable));
    let mut rest = Bytes::from_static(b"gh!");
    assert_eq!(hub!(bench.send_bytes(id, &mut rest)), Ok(2));
    assert_eq!(rest, "!", "what was not taken is left");
}

#[test]
fn a_buffer_that_shrank_is_writable_again_when_it_is_empty() {
    let mut bench = Bench::new();
    let id = bench.connection(65_536);
    assert_eq!(hub!(bench.send(id, &[0; 65_536])), Ok(65_536));
    assert!(!bench.readiness(id).writable);
    // SO_SNDBUF 4608 meanwhile; all is acknowledged, and no more than that is granted ever.
    bench.tcp(TcpEvent::Room { socket: id, bytes: 4_608 });
    assert!(bench.readiness(id).writable, "a writer would wait for ever");
    assert_eq!(hub!(bench.send(id, &[0; 3_000])), Ok(3_000));
    assert!(!bench.readiness(id).writable, "a third of it is not worth a wake-up");
}

#[test]
fn without_room_below_a_sender_is_told_when_there_is_some() {
    let mut bench = Bench::new();
    let id = bench.connection(100);
    bench.driver.down.set_capacity(1);
    assert_eq!(hub!(bench.send(id, b"a")), Ok(1));
    assert_eq!(hub!(bench.send(id, b"b")), Err(Errno::AGAIN));
    assert!(!bench.readiness(id).writable);
    bench.poll();
    assert_eq!(bench.changed(), None, "still none");
    assert!(bench.for_tcp().is_some());
    bench.poll();
    assert!(bench.changed().is_some_and(|(_, readiness)| readiness.writable));
    assert_eq!(hub!(bench.send(id, b"b")), Ok(1));
}

#[test]
fn receiving_copies_across_chunks_and_returns_credit_once() {
    let mut bench = Bench::new();
    let id = bench.connection(0);
    assert_eq!(bench.read(id, 10), Err(Errno::AGAIN));
    for chunk in [&b"abc"[..], b"def", b"g"] {
        bench.data(id, chunk);
    }
    assert_eq!(bench.changed().map(|(_, readiness)| readiness.readable), Some(true));
    assert_eq!(bench.changed(), None, "an edge");
    assert_eq!((bench.hub.held_items(), bench.hub.held_bytes()), (3, 7));
    let mut peeked = [0; 4];
    assert_eq!(hub!(bench.recv(id, &mut peeked, Flags { peek: true, ..Flags::default() })), Ok(4));
    assert_eq!((peeked, bench.for_tcp()), (*b"abcd", None));
    assert_eq!(bench.read(id, 5), Ok(b"abcde".to_vec()));
    assert_eq!(bench.for_tcp(), Some(TcpCommand::Consumed { socket: id, bytes: 5 }));
    assert_eq!(bench.for_tcp(), None);
    assert_eq!(hub!(bench.recv_chunk(id, 100)), Ok(Bytes::from_static(b"f")));
    let mut chunks = Vec::new();
    assert_eq!(hub!(bench.recv_chunks(id, 100, &mut chunks)), Ok(1));
    assert_eq!(chunks, ["g"]);
    assert_eq!((bench.hub.held_items(), bench.hub.held_bytes()), (0, 0));
    bench.data(id, b"h");
    assert!(bench.changed().is_some(), "readable again");
}

#[test]
fn credit_that_finds_no_room_is_summed_and_paid_later() {
    let mut bench = Bench::new();
    let id = bench.connection(0);
    bench.driver.down.set_capacity(0);
    bench.data(id, b"abcdef");
    for _ in 0..3 {
        assert!(bench.read(id, 2).is_ok());
    }
    assert_eq!((bench.for_tcp(), bench.hub.poll_at()), (None, Some(Instant::ZERO)));
    bench.driver.down.set_capacity(64);
    bench.poll();
    assert_eq!(bench.for_tcp(), Some(TcpCommand::Consumed { socket: id, bytes: 6 }));
    assert_eq!((bench.for_tcp(), bench.hub.poll_at()), (None, None));
}

#[test]
fn commands_without_room_wait_in_order() {
    let mut bench = Bench::new();
    let (one, two) = (bench.connection(10), bench.connection(10));
    bench.driver.down.set_capacity(0);
    hub!(bench.shutdown(one, Shutdown::Write)).unwrap();
    hub!(bench.close(one)).unwrap();
    hub!(bench.close(two)).unwrap();
    bench.driver.down.set_capacity(2);
    bench.poll();
    assert_eq!(bench.for_tcp(), Some(TcpCommand::Shutdown { socket: one }));
    assert_eq!(bench.for_tcp(), Some(TcpCommand::Close { socket: one }));
    assert_eq!(bench.for_tcp(), None);
    bench.poll();
    assert_eq!(bench.for_tcp(), Some(TcpCommand::Close { socket: two }));
}

#[test]
fn read_answers_zero_at_fin_and_writing_goes_on() {
    let mut bench = Bench::new();
    let id = bench.connection(10);
    bench.data(id, b"last");
    bench.tcp(TcpEvent::Finished { socket: id });
    assert_eq!(bench.read(id, 10), Ok(b"last".to_vec()));
    assert_eq!(bench.read(id, 10), Ok(vec![]));
    assert_eq!(bench.read(id, 10), Ok(vec![]), "and again");
    let readiness = bench.readiness(id);
    assert!(readiness.readable && readiness.read_hangup && !readiness.hangup);
    assert_eq!(hub!(bench.send(id, b"x")), Ok(1));
    hub!(bench.shutdown(id, Shutdown::Write)).unwrap();
    assert!(bench.readiness(id).hangup, "both ends are finished");
}

#[test]
fn after_shutdown_writing_answers_epipe_and_reading_goes_on() {
    let mut bench = Bench::new();
    let id = bench.connection(10);
    for _ in 0..2 {
        hub!(bench.shutdown(id, Shutdown::Write)).unwrap();
    }
    assert_eq!(bench.for_tcp(), Some(TcpCommand::Shutdown { socket: id }));
    assert_eq!(bench.for_tcp(), None, "FIN is sent once");
    assert_eq!(hub!(bench.send(id, b"x")), Err(Errno::PIPE));
    assert!(bench.readiness(id).writable, "EPIPE comes without waiting");
    bench.data(id, b"still");
    assert_eq!(bench.read(id, 10), Ok(b"still".to_vec()));
    hub!(bench.shutdown(id, Shutdown::Read)).unwrap();
    assert_eq!(bench.read(id, 10), Ok(vec![]));
}

#[test]
fn a_reset_lets_data_through_then_tells_once_then_ends() {
    let mut bench = Bench::new();
    let id = bench.connection(10);
    bench.data(id, b"before");
    let reason = CloseReason::Failed(SocketError::ConnectionReset);
    bench.tcp(TcpEvent::Closed { socket: id, reason });
    bench.forget();
    assert_eq!(bench.read(id, 10), Ok(b"before".to_vec()));
    assert_eq!(bench.for_tcp(), None, "TCP knows the id no more");
    assert_eq!(bench.read(id, 10), Err(Errno::CONNRESET));
    assert_eq!(bench.read(id, 10), Ok(vec![]));
    assert_eq!(hub!(bench.send(id, b"x")), Err(Errno::PIPE));
    hub!(bench.close(id)).unwrap();
    assert_eq!(bench.for_tcp(), None);
}

#[test]
fn closing_tells_tcp_what_was_read_first_and_linger_zero_aborts() {
    let mut bench = Bench::new();
    let id = bench.connection(10);
    bench.driver.down.set_capacity(0);
    bench.data(id, b"ab");
    assert!(bench.read(id, 2).is_ok());
    hub!(bench.close(id)).unwrap();
    bench.driver.down.set_capacity(64);
    bench.poll();
    assert_eq!(bench.for_tcp(), Some(TcpCommand::Consumed { socket: id, bytes: 2 }));
    assert_eq!(bench.for_tcp(), Some(TcpCommand::Close { socket: id }));
    assert_eq!(bench.read(id, 1), Err(Errno::BADF));
    // What was on its way up meets nobody.
    bench.forget();
    bench.data(id, b"late");
    assert_eq!((bench.changed(), bench.hub.held_items()), (None, 0));

    let id = bench.connection(10);
    let linger = |options: &mut TcpOptions| options.linger = Some(layer::Duration::ZERO);
    hub!(bench.set_tcp_options(id, linger)).unwrap();
    assert!(matches!(bench.for_tcp(), Some(TcpCommand::Configure { .. })));
    hub!(bench.close(id)).unwrap();
    assert_eq!(bench.for_tcp(), Some(TcpCommand::Abort { socket: id }));
}

#[test]
fn shutting_down_a_listener_ends_it() {
    let mut bench = Bench::new();
    let listener = bench.listener();
    hub!(bench.shutdown(listener, Shutdown::Read)).unwrap();
    assert_eq!(bench.for_tcp(), Some(TcpCommand::Close { socket: listener }));
    assert!(bench.changed().is_some(), "who waits in accept is woken");
    assert_eq!(hub!(bench.accept(listener)), Err(Errno::INVAL));
}

#[test]
fn changes_without_room_wait_one_a_socket() {
    let mut bench = Bench::new();
    let (one, two) = (bench.connection(0), bench.connection(0));
    bench.driver.up.set_capacity(0);
    for _ in 0..3 {
        bench.data(one, b"x");
        bench.data(two, b"y");
    }
    assert_eq!(bench.read(one, 10), Ok(b"xxx".to_vec()), "and nothing is left to tell");
    bench.driver.up.set_capacity(64);
    bench.poll();
    assert_eq!(bench.changed().map(|(socket, _)| socket), Some(two));
    assert_eq!((bench.changed(), bench.hub.poll_at()), (None, None));
}

#[test]
fn sockets_are_limited_and_come_back() {
    let mut bench = Bench::new();
    bench.hub = Hub::new(Config { max_sockets: 2, ..Config::default() });
    let one = bench.socket(Kind::Tcp);
    bench.socket(Kind::Udp);
    assert_eq!(bench.hub.socket(Kind::Tcp), Err(Errno::MFILE));
    hub!(bench.close(one)).unwrap();
    assert!(bench.hub.socket(Kind::Tcp).is_ok());
}

#[test]
fn a_udp_socket_binds_by_itself_and_exchanges_datagrams() {
    let mut bench = Bench::new();
    let id = bench.socket(Kind::Udp);
    assert_eq!(hub!(bench.send(id, b"x")), Err(Errno::DESTADDRREQ));
    assert_eq!(hub!(bench.send_to(id, b"ping", Some(remote()), None)), Ok(4));
    assert!(matches!(bench.for_udp(), Some(UdpCommand::Bind { local, .. })
        if local.address == SocketAddr::from(([0, 0, 0, 0], 0))));
    let (to, packet) = (Some(remote()), PacketBuf::copy_from(b"ping"));
    let send = UdpCommand::Send { socket: id, source: None, to, packet };
    assert_eq!(bench.for_udp(), Some(send));
    bench.udp(UdpEvent::Bound { socket: id, result: Ok(local()) });
    bench.udp(UdpEvent::Datagram {
        socket: id,
        from: remote(),
        to: local(),
        interface: InterfaceId(0),
        cast: layer::boundary::Cast::Unicast,
        packet: PacketBuf::copy_from(b"pong"),
    });
    assert!(bench.readiness(id).readable);
    let mut buffer = [0; 3];
    let received = hub!(bench.recv_from(id, &mut buffer, Flags::default())).unwrap();
    assert_eq!((received.copied, received.len, &buffer), (3, 4, b"pon"), "truncated");
    assert_eq!((received.from, received.to), (remote(), local()));
    assert_eq!(bench.for_udp(), Some(UdpCommand::Consumed { socket: id, bytes: 4 }));
    assert_eq!(bench.read(id, 10), Err(Errno::AGAIN));
    hub!(bench.close(id)).unwrap();
    assert_eq!(bench.for_udp(), Some(UdpCommand::Close { socket: id }));
}

#[test]
fn udp_answers_what_it_knows_at_once_and_errors_once() {
    let mut bench = Bench::new();
    let id = bench.socket(Kind::Udp);
    let too_long = vec![0; 65_508];
    assert_eq!(hub!(bench.send_to(id, &too_long, Some(remote()), None)), Err(Errno::MSGSIZE));
    let everybody = SocketAddr::from(([255, 255, 255, 255], 9));
    assert_eq!(hub!(bench.send_to(id, b"x", Some(everybody), None)), Err(Errno::ACCES));
    assert_eq!(hub!(bench.connect(id, remote())), Err(Errno::INPROGRESS));
    assert_eq!(bench.hub.completed(id), Err(Errno::INPROGRESS));
    bench.udp(UdpEvent::Bound { socket: id, result: Ok(local()) });
    bench.udp(UdpEvent::Connected { socket: id, result: Ok(local()) });
    assert_eq!(bench.hub.completed(id), Ok(()));
    assert_eq!(bench.hub.peer_addr(id), Ok(remote()));
    bench.forget();
    bench.udp(UdpEvent::Error { socket: id, error: SocketError::ConnectionRefused });
    assert!(bench.changed().is_some_and(|(_, readiness)| readiness.error && readiness.readable));
    assert_eq!(bench.read(id, 10), Err(Errno::CONNREFUSED));
    assert_eq!(bench.read(id, 10), Err(Errno::AGAIN));
    assert_eq!(hub!(bench.send(id, b"again")), Ok(5));
}

#[test]
fn calls_as_values_are_answered_with_their_ticket_in_order() {
    let mut bench = Bench::new();
    bench.driver.up.set_capacity(1);
    for (ticket, request) in [
        (7, Request::Socket(Kind::Tcp)),
        (8, Request::Poll(SocketId(0))),
        (9, Request::Accept(SocketId(0))),
    ] {
        let call = Call { ticket, request };
        Layer::send(&mut bench.hub, Instant::ZERO, call, &mut bench.driver.out());
    }
    let fresh = Readiness { writable: true, hangup: true, ..Readiness::default() };
    for expected in [
        Ready::Answer { ticket: 7, result: Ok(Reply::Socket(SocketId(0))) },
        Ready::Answer { ticket: 8, result: Ok(Reply::Readiness(fresh)) },
        Ready::Answer { ticket: 9, result: Err(Errno::INVAL) },
    ] {
        assert_eq!(bench.driver.up.pop(), Some(expected));
        bench.poll();
    }
}

#[test]
fn a_close_that_lingers_is_over_when_tcp_says_so() {
    let mut bench = Bench::new();
    let id = bench.connection(1000);
    let linger = |options: &mut TcpOptions| options.linger = Some(layer::Duration::from_secs(5));
    hub!(bench.set_tcp_options(id, linger)).unwrap();
    bench.forget();
    assert_eq!(hub!(bench.close(id)), Err(Errno::INPROGRESS));
    assert_eq!(bench.for_tcp(), Some(TcpCommand::Close { socket: id }));
    // The id is good for one question only.
    assert_eq!(hub!(bench.send(id, b"x")), Err(Errno::BADF));
    assert_eq!(bench.hub.completed(id), Err(Errno::INPROGRESS));
    bench.tcp(TcpEvent::Closed { socket: id, reason: CloseReason::Finished });
    assert!(bench.changed().is_some_and(|(socket, now)| socket == id && now.hangup));
    assert_eq!(bench.hub.completed(id), Err(Errno::BADF));
    assert_eq!(bench.hub.sockets(), 0);
}

#[test]
fn what_waits_to_be_read_is_copied_together_when_tcp_asks() {
    let mut bench = Bench::new();
    let id = bench.connection(10);
    // A slice keeps all of its block alive.
    let block = Bytes::from(vec![7; 1000]);
    for at in 0..3 {
        let chunk = block.slice(at..=at);
        bench.tcp(TcpEvent::Data { socket: id, chunk });
    }
    assert!(!block.is_unique());
    bench.tcp(TcpEvent::Collapse { socket: id });
    assert!(block.is_unique(), "nobody else refers to it any more");
    assert_eq!((bench.hub.held_items(), bench.hub.held_bytes()), (1, 3));
    // What is tight already stays where it is.
    bench.tcp(TcpEvent::Data { socket: id, chunk: Bytes::from_static(b"8") });
    bench.tcp(TcpEvent::Collapse { socket: id });
    let mut chunks = Vec::new();
    assert_eq!(hub!(bench.recv_chunks(id, 100, &mut chunks)), Ok(4));
    assert_eq!(chunks, [&[7, 7, 7][..], b"8"]);
}
