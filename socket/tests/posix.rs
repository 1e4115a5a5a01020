//! The socket contract, row by row, through two hosts that speak raw IP in virtual time. Each test
//! names the page it is from: POSIX.1-2017 or Linux's manual.

mod world;

use std::net::Shutdown;

use layer::Duration;
use layer::boundary::SocketError;
use socket::{Errno, Flags, Kind, OptionValue, SocketOption as O};
use world::{A, B, World, at};

const PEEK: Flags = Flags {
    peek: true,
    oob: false,
    truncate: false,
    wait_all: false,
    dont_wait: false,
    no_signal: false,
    more: false,
};

/// connect(2), EINPROGRESS: "the socket is nonblocking and the connection cannot be completed
/// immediately", then writable with SO_ERROR 0; EALREADY; EISCONN.
#[test]
fn connect_is_under_way_then_already_then_done() {
    let mut world = World::new();
    world.listen(80);
    let (now, id) = (world.now, world.a().socket(Kind::Tcp).expect("a socket"));
    assert_eq!(world.a().connect_socket(now, id, at(B, 80)), Err(Errno::INPROGRESS));
    assert!(!world.a().readiness(id).expect("exists").writable);
    assert_eq!(world.a().connect_socket(now, id, at(B, 80)), Err(Errno::ALREADY));
    world.run(100);
    let (now, ready) = (world.now, world.a().readiness(id).expect("exists"));
    assert!(ready.writable && !ready.error && !ready.hangup);
    assert_eq!(world.a().option(now, id, O::Error), Ok(OptionValue::Int(0)));
    assert_eq!(world.a().connect_socket(now, id, at(B, 80)), Err(Errno::ISCONN));
}

/// connect(2), ECONNREFUSED; poll(2): POLLOUT, POLLERR and POLLHUP wake who waits. The error is
/// told once, and the socket may connect again (Linux; POSIX leaves its state unspecified).
#[test]
fn a_refused_connect_wakes_tells_once_and_may_be_tried_again() {
    let mut world = World::new();
    let id = world.connect(81);
    world.run(100);
    let ready = world.a().readiness(id).expect("exists");
    assert!(ready.writable && ready.readable && ready.error && ready.hangup);
    let now = world.now;
    let refused = OptionValue::Int(Errno::CONNREFUSED.raw());
    assert_eq!(world.a().option(now, id, O::Error), Ok(refused));
    assert_eq!(world.a().option(now, id, O::Error), Ok(OptionValue::Int(0)));
    world.listen(81);
    assert_eq!(world.a().connect_socket(now, id, at(B, 81)), Err(Errno::INPROGRESS));
    world.run(100);
    assert_eq!(world.a().peer_addr(id), Ok(at(B, 81)));
}

/// Linux: a port named by bind(2) outlives a refused connect (SOCK_BINDPORT_LOCK).
#[test]
fn a_refused_connect_keeps_an_explicit_bind() {
    let mut world = World::new();
    let (now, id) = (world.now, world.a().socket(Kind::Tcp).expect("a socket"));
    assert_eq!(world.a().bind(now, id, at(A, 4444)), Ok(()));
    assert_eq!(world.a().connect_socket(now, id, at(B, 81)), Err(Errno::INPROGRESS));
    world.run(100);
    assert_eq!(world.a().local_addr(id), Ok(at(A, 4444)));
    let (now, other) = (world.now, world.a().socket(Kind::Tcp).expect("a socket"));
    assert_eq!(world.a().bind(now, other, at(A, 4444)), Err(Errno::ADDRINUSE));
    assert_eq!(world.a().completed(now, id), Err(Errno::CONNREFUSED));
    assert_eq!(world.a().bind(now, id, at(A, 4445)), Err(Errno::INVAL), "bound already");
}

/// getsockname(2), getpeername(2): ENOTCONN before there is a peer; on Linux all zero before bind,
/// and our end is known as soon as connect has begun.
#[test]
fn names_before_and_after_connect() {
    let mut world = World::new();
    world.listen(80);
    let (now, id) = (world.now, world.a().socket(Kind::Tcp).expect("a socket"));
    assert_eq!(world.a().local_addr(id), Ok(([0, 0, 0, 0], 0).into()));
    assert_eq!(world.a().peer_addr(id), Err(Errno::NOTCONN));
    assert_eq!(world.a().connect_socket(now, id, at(B, 80)), Err(Errno::INPROGRESS));
    let ours = world.a().local_addr(id).expect("exists");
    assert_eq!(ours.ip(), at(A, 0).ip());
    assert_ne!(ours.port(), 0);
    assert_eq!(world.a().peer_addr(id), Err(Errno::NOTCONN));
    world.run(100);
    assert_eq!((world.a().local_addr(id), world.a().peer_addr(id)), (Ok(ours), Ok(at(B, 80))));
}

/// accept(2): EAGAIN with an empty queue, EINVAL on a socket that does not listen; poll(2): a
/// listener with a connection is readable.
#[test]
fn accept_takes_the_oldest_and_a_listener_is_readable() {
    let mut world = World::new();
    let listener = world.listen(80);
    let now = world.now;
    assert_eq!(world.b().accept(now, listener), Err(Errno::AGAIN));
    let plain = world.b().socket(Kind::Tcp).expect("a socket");
    assert_eq!(world.b().accept(now, plain), Err(Errno::INVAL));
    let first = world.connect(80);
    world.run(50);
    world.connect(80);
    world.run(50);
    assert!(world.b().readiness(listener).expect("exists").readable);
    let (now, ours) = (world.now, world.a().local_addr(first).expect("exists"));
    assert_eq!(world.b().accept(now, listener).expect("one").remote, ours);
    assert!(world.b().accept(now, listener).is_ok());
    assert!(!world.b().readiness(listener).expect("exists").readable);
}

/// accept(2) on Linux: a connection that was reset while it waited is returned, and its first read
/// tells.
#[test]
fn a_connection_aborted_before_accept_is_returned_and_tells() {
    let mut world = World::new();
    let listener = world.listen(80);
    let client = world.connect(80);
    world.run(100);
    let now = world.now;
    assert_eq!(world.a().abort(now, client), Ok(()));
    world.run(100);
    let now = world.now;
    let server = world.b().accept(now, listener).expect("it waits").socket;
    assert_eq!(world.b().recv(now, server, &mut [0; 8]), Err(Errno::CONNRESET));
    assert_eq!(world.b().recv(now, server, &mut [0; 8]), Ok(0));
}

/// recv(2): EAGAIN, then 0 only at the end; partial reads.
#[test]
fn read_answers_zero_only_at_the_end() {
    let mut world = World::new();
    let (client, server) = world.pair(80);
    let now = world.now;
    assert_eq!(world.b().recv(now, server, &mut [0; 8]), Err(Errno::AGAIN));
    assert_eq!(world.a().send(now, client, b"hello"), Ok(5));
    assert_eq!(world.a().shutdown(now, client, Shutdown::Write), Ok(()));
    world.run(100);
    let (now, mut buffer) = (world.now, [0; 3]);
    assert_eq!(world.b().recv(now, server, &mut buffer), Ok(3));
    assert_eq!(world.b().recv(now, server, &mut buffer), Ok(2));
    assert_eq!(world.b().recv(now, server, &mut buffer), Ok(0));
    assert_eq!(world.b().recv(now, server, &mut buffer), Ok(0), "again");
}

/// recv(2): MSG_PEEK leaves the data; tcp(7): MSG_TRUNC throws it away.
#[test]
fn peek_leaves_and_trunc_discards() {
    let mut world = World::new();
    let (client, server) = world.pair(80);
    let now = world.now;
    assert_eq!(world.a().send(now, client, b"discard, keep"), Ok(13));
    world.run(100);
    let (now, mut buffer) = (world.now, [0; 7]);
    assert_eq!(world.b().recv_flags(now, server, &mut buffer, PEEK), Ok(7));
    assert_eq!(&buffer, b"discard");
    let truncate = Flags { truncate: true, ..Flags::default() };
    let mut untouched = [b'.'; 9];
    assert_eq!(world.b().recv_flags(now, server, &mut untouched, truncate), Ok(9));
    assert_eq!(untouched, [b'.'; 9]);
    assert_eq!(world.b().recv(now, server, &mut buffer), Ok(4));
    assert_eq!(&buffer[..4], b"keep");
}

/// recv(2): MSG_WAITALL on a non-blocking socket answers what there is (Linux); MSG_DONTWAIT.
#[test]
fn waitall_without_waiting_answers_what_there_is() {
    let mut world = World::new();
    let (client, server) = world.pair(80);
    let flags = Flags::from_linux(0x100 | 0x40);
    assert!(flags.wait_all && flags.dont_wait);
    let now = world.now;
    assert_eq!(world.b().recv_flags(now, server, &mut [0; 8], flags), Err(Errno::AGAIN));
    assert_eq!(world.a().send(now, client, b"abc"), Ok(3));
    world.run(100);
    let now = world.now;
    assert_eq!(world.b().recv_flags(now, server, &mut [0; 8], flags), Ok(3));
}

/// send(2): MSG_MORE holds a partial segment until a send without it.
#[test]
fn more_corks_until_a_send_without_it() {
    let mut world = World::new();
    let (client, server) = world.pair(80);
    let now = world.now;
    let more = Flags { more: true, ..Flags::default() };
    assert_eq!(world.a().send_flags(now, client, b"head", more), Ok(4));
    world.run(50);
    let now = world.now;
    assert_eq!(world.b().recv(now, server, &mut [0; 16]), Err(Errno::AGAIN), "held");
    assert_eq!(world.a().option(now, client, O::Cork), Ok(OptionValue::Int(0)), "not TCP_CORK");
    assert_eq!(world.a().send(now, client, b" body"), Ok(5));
    world.run(50);
    let now = world.now;
    assert_eq!(world.b().recv(now, server, &mut [0; 16]), Ok(9));
}

/// send(2): EPIPE after shutdown; EAGAIN with a full buffer, partial writes before; ENOTCONN.
#[test]
fn send_takes_a_part_then_eagain_and_epipe_after_shutdown() {
    let mut world = World::new();
    let (client, _) = world.pair(80);
    let now = world.now;
    let plain = world.a().socket(Kind::Tcp).expect("a socket");
    assert_eq!(world.a().send(now, plain, b"x"), Err(Errno::NOTCONN));
    let big = vec![0; 200 << 20];
    let taken = world.a().send(now, client, &big).expect("a part");
    assert!(taken > 0 && taken < big.len());
    let mut last = Ok(taken);
    for _ in 0..1000 {
        last = world.a().send(now, client, &big[..1 << 20]);
        if last.is_err() {
            break;
        }
    }
    assert_eq!(last, Err(Errno::AGAIN));
    assert!(!world.a().readiness(client).expect("exists").writable);
    assert_eq!(world.a().shutdown(now, client, Shutdown::Write), Ok(()));
    let no_signal = Flags { no_signal: true, ..Flags::default() };
    assert_eq!(world.a().send_flags(now, client, b"x", no_signal), Err(Errno::PIPE));
}

/// shutdown(2): SHUT_WR sends what is queued, then FIN; again is no error; the other way goes on.
/// POLLRDHUP at the peer, POLLHUP only when both ends are over.
#[test]
fn shutdown_write_then_both_ends() {
    let mut world = World::new();
    let (client, server) = world.pair(80);
    let now = world.now;
    assert_eq!(world.a().send(now, client, b"last words"), Ok(10));
    for _ in 0..2 {
        assert_eq!(world.a().shutdown(now, client, Shutdown::Write), Ok(()));
    }
    world.run(100);
    let ready = world.b().readiness(server).expect("exists");
    assert!(ready.readable && ready.read_hangup && ready.writable && !ready.hangup);
    assert_eq!(ready.poll_bits(), 0x1 | 0x4 | 0x2000);
    let (now, mut buffer) = (world.now, [0; 32]);
    assert_eq!(world.b().recv(now, server, &mut buffer), Ok(10));
    assert_eq!(world.b().send(now, server, b"answer"), Ok(6));
    assert_eq!(world.b().shutdown(now, server, Shutdown::Both), Ok(()));
    assert!(world.b().readiness(server).expect("exists").hangup);
    world.run(100);
    let now = world.now;
    assert_eq!(world.a().recv(now, client, &mut buffer), Ok(6));
    assert!(world.a().readiness(client).expect("exists").hangup);
}

/// shutdown(2): SHUT_RD reads 0; on a socket without connection ENOTCONN; on Linux a listener is
/// ended by SHUT_RD and left alone by SHUT_WR, and a connect under way is given up.
#[test]
fn shutdown_read_and_shutdown_of_what_is_not_connected() {
    let mut world = World::new();
    let (client, _) = world.pair(80);
    let now = world.now;
    assert_eq!(world.a().shutdown(now, client, Shutdown::Read), Ok(()));
    assert_eq!(world.a().recv(now, client, &mut [0; 8]), Ok(0));
    let fresh = world.a().socket(Kind::Tcp).expect("a socket");
    assert_eq!(world.a().shutdown(now, fresh, Shutdown::Both), Err(Errno::NOTCONN));
    let listener = world.listen(82);
    assert_eq!(world.b().shutdown(now, listener, Shutdown::Write), Ok(()));
    assert_eq!(world.b().accept(now, listener), Err(Errno::AGAIN), "it still listens");
    assert_eq!(world.b().shutdown(now, listener, Shutdown::Read), Ok(()));
    assert_eq!(world.b().accept(now, listener), Err(Errno::INVAL));
    let opening = world.connect(80);
    let now = world.now;
    assert_eq!(world.a().shutdown(now, opening, Shutdown::Both), Ok(()));
    assert_eq!(world.a().connect_socket(now, opening, at(B, 80)), Err(Errno::INPROGRESS));
}

/// close(2) with unread data, and socket(7) SO_LINGER 0: the peer is reset, not finished.
#[test]
fn close_resets_with_unread_data_and_with_linger_zero() {
    for linger in [false, true] {
        let mut world = World::new();
        let (client, server) = world.pair(80);
        let now = world.now;
        if linger {
            let zero = OptionValue::Linger(Some(Duration::ZERO));
            assert_eq!(world.b().set_option(now, server, O::Linger, zero), Ok(()));
        } else {
            assert_eq!(world.a().send(now, client, b"nobody reads this"), Ok(17));
            world.run(100);
        }
        let now = world.now;
        assert_eq!(world.b().close(now, server), Ok(()));
        assert_eq!(world.b().close(now, server), Err(Errno::BADF));
        world.run(100);
        let ready = world.a().readiness(client).expect("exists");
        assert!(ready.error && ready.hangup);
        let now = world.now;
        assert_eq!(world.a().recv(now, client, &mut [0; 8]), Err(Errno::CONNRESET));
        assert_eq!(world.a().send(now, client, b"x"), Err(Errno::PIPE));
    }
}

/// setsockopt(2), getsockopt(2): what was set is read back; the ranges of tcp(7), ip(7), socket(7).
#[test]
fn options_are_read_back_and_ranges_kept() {
    let mut world = World::new();
    let (now, id) = (world.now, world.a().socket(Kind::Tcp).expect("a socket"));
    let host = world.a();
    for (option, set, read) in [
        (O::ReuseAddress, 7, 1),
        (O::ReusePort, 1, 1),
        (O::KeepAlive, 1, 1),
        (O::KeepIdle, 10, 10),
        (O::KeepInterval, 5, 5),
        (O::KeepCount, 127, 127),
        (O::NoDelay, 1, 1),
        (O::Cork, 1, 1),
        (O::QuickAck, 1, 1),
        (O::MaxSegment, 1000, 1000),
        (O::UserTimeout, 30_000, 30_000),
        (O::NotSentLowWater, 16_384, 16_384),
        (O::NotSentLowWater, -1, 0),
        (O::Ttl, 5, 5),
        (O::Ttl, -1, 64),
        (O::Tos, 0xb8 | 0x3, 0xb8),
        (O::SendBuffer, 100_000, 200_000),
        (O::ReceiveBuffer, 50_000, 100_000),
        (O::SendBuffer, 0, 4608),
        (O::ReceiveBuffer, 0, 2304),
        (O::OobInline, 1, 1),
        (O::V6Only, 1, 1),
        (O::ReceiveErrors, 1, 1),
    ] {
        assert_eq!(host.set_option(now, id, option, set), Ok(()), "{option:?}");
        assert_eq!(host.option(now, id, option), Ok(OptionValue::Int(read)), "{option:?}");
    }
    for (option, value, errno) in [
        (O::KeepIdle, 0, Errno::INVAL),
        (O::KeepIdle, 32_768, Errno::INVAL),
        (O::KeepCount, 128, Errno::INVAL),
        (O::MaxSegment, 87, Errno::INVAL),
        (O::UserTimeout, -1, Errno::INVAL),
        (O::Ttl, 0, Errno::INVAL),
        (O::Ttl, 256, Errno::INVAL),
        (O::Type, 1, Errno::NOPROTOOPT),
        (O::Broadcast, 1, Errno::NOPROTOOPT),
        (O::Multicast, 1, Errno::OPNOTSUPP),
        (O::V6Only, 0, Errno::OPNOTSUPP),
        (O::Linger, 1, Errno::INVAL),
    ] {
        assert_eq!(host.set_option(now, id, option, value), Err(errno), "{option:?} {value}");
    }
    let name = |name: &str| OptionValue::Name(name.to_owned());
    assert_eq!(host.option(now, id, O::Congestion), Ok(name("cubic")));
    assert_eq!(host.set_option(now, id, O::Congestion, name("reno")), Ok(()));
    assert_eq!(host.option(now, id, O::Congestion), Ok(name("reno")));
    assert_eq!(host.set_option(now, id, O::Congestion, name("vegas")), Err(Errno::NOENT));
    for (option, value) in [(O::Type, 1), (O::Protocol, 6), (O::Domain, 2), (O::AcceptConn, 0)] {
        assert_eq!(host.option(now, id, option), Ok(OptionValue::Int(value)), "{option:?}");
    }
    let udp = host.socket(Kind::Udp).expect("a socket");
    assert_eq!(host.option(now, udp, O::Type), Ok(OptionValue::Int(2)));
    assert_eq!(host.set_option(now, udp, O::Broadcast, 1), Ok(()));
    assert_eq!(host.set_option(now, udp, O::NoDelay, 1), Err(Errno::NOPROTOOPT));
}

/// The numbers of <asm-generic/socket.h>, <linux/in.h>, <linux/tcp.h>; unknown ones ENOPROTOOPT.
#[test]
fn linux_numbers_name_the_options() {
    for (level, name, option) in [
        (1, 2, O::ReuseAddress),
        (1, 4, O::Error),
        (1, 13, O::Linger),
        (0, 1, O::Tos),
        (6, 1, O::NoDelay),
        (6, 11, O::Info),
        (6, 18, O::UserTimeout),
        (6, 25, O::NotSentLowWater),
    ] {
        assert_eq!(O::from_linux(level, name), Some(option));
        assert_eq!(option.linux(), Some((level, name)));
    }
    assert_eq!(O::from_linux(6, 9999), None);
}

/// tcp(7), socket(7): accepted sockets inherit what the listener has set.
#[test]
fn accepted_connections_start_with_the_options_of_the_listener() {
    let mut world = World::new();
    let listener = world.listen(80);
    let now = world.now;
    for (option, value) in [(O::NoDelay, 1), (O::KeepIdle, 33), (O::Tos, 0x20), (O::Ttl, 9)] {
        assert_eq!(world.b().set_option(now, listener, option, value), Ok(()));
    }
    assert_eq!(world.b().option(now, listener, O::AcceptConn), Ok(OptionValue::Int(1)));
    world.connect(80);
    world.run(100);
    let now = world.now;
    let server = world.b().accept(now, listener).expect("one").socket;
    for (option, value) in [(O::NoDelay, 1), (O::KeepIdle, 33), (O::Tos, 0x20), (O::Ttl, 9)] {
        assert_eq!(world.b().option(now, server, option), Ok(OptionValue::Int(value)));
    }
    assert_eq!(world.b().option(now, server, O::ReuseAddress), Ok(OptionValue::Int(1)));
}

/// ip(7), IP_TOS and IP_TTL: on every packet from then on, the reset included.
// test: RFC 9293 MUST-48
// test: RFC 9293 MUST-49
// test: RFC 9293 SHLD-21
// test: RFC 9293 SHLD-22
// test: RFC 9293 SHLD-23
#[test]
fn tos_and_ttl_are_on_every_packet_from_then_on() {
    let mut world = World::new();
    let (client, _) = world.pair(80);
    let (now, host) = (world.now, world.a());
    host.packets(now);
    let header = |host: &mut socket::IpHost, text: &[u8]| {
        host.send(now, client, text).expect("sent");
        let packet = host.packets(now).remove(0).to_vec();
        (packet[1] & !0x3, packet[8])
    };
    host.set_option(now, client, O::NoDelay, 1).expect("set");
    assert_eq!(header(host, b"a"), (0, 64));
    host.set_option(now, client, O::Tos, 0x28).expect("set");
    host.set_option(now, client, O::Ttl, 7).expect("set");
    assert_eq!(header(host, b"b"), (0x28, 7));
    assert_eq!(header(host, b"c"), (0x28, 7), "until it is changed");
    host.set_option(now, client, O::Tos, 0xb8).expect("set");
    assert_eq!(header(host, b"d"), (0xb8, 7));
    host.abort(now, client).expect("aborts");
    let reset = host.packets(now).remove(0).to_vec();
    assert_eq!((reset[1] & !0x3, reset[8], reset[33] & 0x4), (0xb8, 7, 0x4));
}

/// TCP_INFO of tcp(7), through the call.
#[test]
fn tcp_info_tells_of_the_connection() {
    let mut world = World::new();
    let (client, _) = world.pair(80);
    let (now, text) = (world.now, [7; 1000]);
    assert_eq!(world.a().send(now, client, &text), Ok(1000));
    world.run(100);
    let now = world.now;
    let Ok(OptionValue::Info(info)) = world.a().option(now, client, O::Info) else {
        panic!("info")
    };
    assert_eq!((info.tcp.state, info.tcp.bytes_acked, info.tcp.unacked), (1, 1000, 0));
    assert_eq!(info.tcp.min_rtt / 1000, 20, "10 ms each way");
    let fresh = world.a().socket(Kind::Tcp).expect("a socket");
    assert_eq!(world.a().option(now, fresh, O::Info), Err(Errno::NOTCONN));
}

/// bind(2): EADDRINUSE, EADDRNOTAVAIL, EINVAL. socket(7): with SO_REUSEPORT it is shared.
#[test]
fn bind_refuses_what_is_taken_or_not_ours() {
    let mut world = World::new();
    world.listen(80);
    let (now, host) = (world.now, world.b());
    let id = host.socket(Kind::Tcp).expect("a socket");
    assert_eq!(host.bind(now, id, at(B, 80)), Err(Errno::ADDRINUSE));
    assert_eq!(host.bind(now, id, at(A, 81)), Err(Errno::ADDRNOTAVAIL), "somebody else's");
    assert_eq!(host.bind(now, id, at(B, 81)), Ok(()), "an error leaves the socket as it was");
    assert_eq!(host.bind(now, id, at(B, 82)), Err(Errno::INVAL));
    let shared = [0; 2].map(|_| {
        let id = host.socket(Kind::Tcp).expect("a socket");
        host.set_option(now, id, O::ReusePort, 1).expect("set");
        assert_eq!(host.bind(now, id, at(B, 90)), Ok(()));
        id
    });
    assert!(shared.iter().all(|&id| host.listen_socket(now, id, 1) == Ok(())));
}

/// Errno values are Linux's where the transports speak (errno(3)).
#[test]
fn errors_of_the_transports_have_linux_s_numbers() {
    assert_eq!(Errno::from(SocketError::NoBuffers), Errno::NOBUFS);
    assert_eq!(Errno::from(SocketError::AddressNotAvailable), Errno::ADDRNOTAVAIL);
}
