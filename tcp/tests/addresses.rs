//! Which addresses a connection has (RFC 9293 3.9.1.1, 3.9.2.3), and that IPv6 ones are as good as
//! IPv4 ones.

mod common;

use core::net::{IpAddr, Ipv6Addr, SocketAddr};

use common::*;
use layer::boundary::{
    BoundAddress, Cast, IpIn, IpOut, Path, Route, SocketError, SocketId, TcpCommand, TcpEvent,
    TcpOptions, protocol,
};
use layer::{InterfaceId, Layer, Reason};
use tcp::{Flags, Options, Segment, Seq};

/// A second socket of the hub.
const OTHER: SocketId = SocketId(2);
const NAMED: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(10, 9, 0, 5));

fn us() -> SocketAddr {
    SocketAddr::from((Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2), 80))
}

fn peer() -> SocketAddr {
    SocketAddr::from((Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1), 4000))
}

fn bind(bench: &mut Bench, socket: SocketId, address: SocketAddr) {
    let local = BoundAddress { address, interface: None };
    let (reuse_address, reuse_port) = (true, false);
    bench.command(TcpCommand::Bind { socket, local, reuse_address, reuse_port });
    assert!(matches!(bench.events()[..], [TcpEvent::Bound { result: Ok(_), .. }]));
}

fn listen(bench: &mut Bench, socket: SocketId) {
    let options = Box::new(TcpOptions::default());
    bench.command(TcpCommand::Listen { socket, backlog: 8, options });
    assert_eq!(bench.events(), []);
}

/// Connects without answering the lookup: what was asked of IP, and nothing else.
fn asked(bench: &mut Bench, remote: SocketAddr) -> (u64, Option<IpAddr>) {
    let options = Box::new(TcpOptions::default());
    let connect = TcpCommand::Connect { socket: SOCKET, remote, options };
    bench.tcp.send(bench.now, connect, &mut bench.driver.out());
    bench.tcp.poll(bench.now, &mut bench.driver.out());
    let out: Vec<IpOut> = bench.driver.down.drain().collect();
    match out[..] {
        [IpOut::Lookup { token, source, destination, .. }] if destination == remote.ip() => {
            (token, source)
        }
        _ => panic!("not one question: {out:?}"),
    }
}

fn answer(bench: &mut Bench, token: u64, destination: IpAddr, source: IpAddr, cast: Cast) {
    let (interface, mtu) = (InterfaceId(0), bench.mtu);
    let route = Ok(Route { interface, source, mtu, link_mtu: mtu, cast });
    let path = IpIn::Path(Path { token, protocol: protocol::TCP, destination, route });
    bench.tcp.receive(bench.now, path, &mut bench.driver.out());
    bench.poll();
}

// test: RFC 9293 MUST-42
#[test]
fn a_port_can_listen_while_it_opens_a_connection() {
    for crossing in [false, true] {
        let mut bench = Bench::new();
        bind(&mut bench, SOCKET, local());
        bench.connect(TcpOptions::default());
        if crossing {
            let syn = bench.syn();
            assert_eq!(bench.receive(syn)[0].flags, SA);
        }
        let opening = if crossing { "SYN-RECEIVED" } else { "SYN-SENT" };
        assert_eq!(bench.state(), opening);
        bind(&mut bench, OTHER, SocketAddr::from(([0, 0, 0, 0], local().port())));
        listen(&mut bench, OTHER);
        // Somebody else's SYN goes to the listener, the opening is as it was.
        let mut syn = bench.syn();
        syn.source.set_port(4001);
        assert_eq!(bench.receive(syn)[0].flags, SA);
        let states: Vec<_> =
            bench.tcp.connections().iter().map(|c| (c.remote.port(), c.state.name())).collect();
        assert!(states.contains(&(4000, opening)), "{states:?}");
        assert!(states.contains(&(4001, "SYN-RECEIVED")), "{states:?}");
    }
}

// test: RFC 9293 MUST-43
#[test]
fn the_program_may_name_the_address_it_connects_from() {
    let mut bench = Bench::new();
    bind(&mut bench, SOCKET, SocketAddr::new(NAMED, 0));
    let (token, source) = asked(&mut bench, remote());
    assert_eq!(source, Some(NAMED));
    answer(&mut bench, token, remote().ip(), NAMED, Cast::Unicast);
    assert_eq!(bench.sent_one().source.ip(), NAMED);
}

// test: RFC 9293 MUST-44
// test: RFC 9293 MUST-45
#[test]
fn otherwise_ip_chooses_it_before_the_first_syn_and_it_stays() {
    let mut bench = Bench::new();
    let (token, source) = asked(&mut bench, remote());
    assert_eq!(source, None);
    answer(&mut bench, token, remote().ip(), NAMED, Cast::Unicast);
    let syn = bench.sent_one();
    assert_eq!((syn.flags, syn.source.ip()), (S, NAMED));
    (bench.iss, bench.local) = (syn.seq, syn.source);
    // IP would choose another by now (10.9.0.2, as the bench answers): it is not asked again.
    let again = bench.next_sent();
    assert_eq!((again.flags, again.source), (S, syn.source));
    let mut syn_ack = bench.segment(SA, IRS, bench.iss.plus(1), b"");
    syn_ack.options = Options { mss: Some(1460), ..Options::default() };
    assert_eq!(bench.receive(syn_ack)[0].source, syn.source);
    assert_eq!(bench.write(SOCKET, "text")[0].source, syn.source);
    assert_eq!(bench.next_sent().source, syn.source, "a resend");
    bench.command(TcpCommand::Abort { socket: SOCKET });
    let reset = bench.sent_one();
    assert_eq!((reset.flags, reset.source), (RA, syn.source));
}

/// IP has dropped most of them (see its own tests); those that only TCP can know, and those of
/// IPv6, are dropped here.
// test: RFC 9293 MUST-63
#[test]
fn a_syn_from_an_impossible_source_is_ignored() {
    let mut bench = Bench::new();
    bind(&mut bench, SOCKET, SocketAddr::from((Ipv6Addr::UNSPECIFIED, 80)));
    listen(&mut bench, SOCKET);
    bind(&mut bench, OTHER, SocketAddr::from(([0, 0, 0, 0], 80)));
    listen(&mut bench, OTHER);
    let sources = [
        "0.0.0.0:4000",
        "224.0.0.1:4000",
        "239.1.2.3:4000",
        "255.255.255.255:4000",
        "240.0.0.1:4000",
        "10.9.0.1:0",
        "[::]:4000",
        "[ff02::1]:4000",
        "[::ffff:10.9.0.1]:4000",
        "[fd00::1]:0",
    ];
    for source in sources {
        let source: SocketAddr = source.parse().expect("an address");
        let destination = if source.is_ipv4() { local() } else { us() };
        let syn = Segment::bare(source, destination, S, IRS);
        assert_eq!(bench.receive(syn), [], "{source}");
        assert_eq!(bench.tcp.connection_count(), 0, "{source}");
    }
    assert_eq!(bench.drops(Reason::TcpNotUnicast), sources.len() as u64);
    assert_eq!(bench.receive(Segment::bare(peer(), us(), S, IRS))[0].flags, SA);
}

// test: RFC 9293 SHLD-6
#[test]
fn the_mss_is_that_of_the_interface_that_is_used() {
    let mut bench = Bench::new();
    bench.listen(TcpOptions::default());
    for (port, mtu) in [(1000, 1500), (1001, 576), (1002, 9000), (1003, 1280)] {
        bench.mtu = mtu;
        let mut syn = bench.syn();
        syn.source.set_port(port);
        let answer = bench.receive(syn).remove(0);
        assert_eq!(answer.options.mss.map(u32::from), Some(mtu - 40));
    }
}

/// A handshake, text both ways and the end, all over IPv6.
// test: RFC 9293 MUST-2
// test: RFC 9293 MUST-3
// test: RFC 9293 MUST-15
// test: RFC 9293 MUST-67
#[test]
fn ipv6_connections_are_as_good() {
    let mut bench = Bench::new();
    bind(&mut bench, SOCKET, SocketAddr::from((Ipv6Addr::UNSPECIFIED, 80)));
    listen(&mut bench, SOCKET);
    let from_peer = |flags: Flags, seq: Seq, ack: Seq, text: &[u8]| {
        let mut segment = Segment::bare(peer(), us(), flags, seq);
        (segment.ack, segment.window) = (ack, 64_000);
        segment.payload = layer::PacketBuf::copy_from(text);
        segment
    };
    let syn_ack = bench.receive(from_peer(S, IRS, Seq(0), b"")).remove(0);
    // What can be reassembled, less 60; the bench checks the sum over the IPv6 pseudo-header.
    assert_eq!((syn_ack.flags, syn_ack.options.mss), (SA, Some(1440)));
    let (seq, iss) = (IRS.plus(1), syn_ack.seq);
    bench.receive(from_peer(A, seq, iss.plus(1), b""));
    // A wrong sum is not answered.
    let mut broken = from_peer(PA, seq, iss.plus(1), b"odd").write();
    complete(&mut broken, peer().ip(), us().ip());
    broken.head_mut()[20] ^= 1;
    bench.datagram(broken, peer().ip(), us().ip(), Cast::Unicast);
    bench.poll();
    assert_eq!((bench.sent(), bench.drops(Reason::TcpBadChecksum)), (vec![], 1));
    bench.events();
    bench.receive(from_peer(PA, seq, iss.plus(1), b"odd"));
    assert_eq!(bench.data(), b"odd");
    // No MSS in the SYN: 1220 over IPv6.
    let sent = bench.write(ACCEPTED, pattern(3001));
    let sizes: Vec<u32> = sent
        .iter()
        .map(|s| s.payload.offload().segmentation.map_or(s.len(), |cut| u32::from(cut.size)))
        .collect();
    assert!(sizes.iter().all(|&size| size <= 1220) && sizes.contains(&1220), "{sizes:?}");
    let end = iss.plus(3002);
    bench.receive(from_peer(A, seq.plus(3), end, b""));
    bench.command(TcpCommand::Shutdown { socket: ACCEPTED });
    assert!(bench.sent().last().is_some_and(|last| last.flags.has(Flags::FIN)));
}

// test: RFC 9293 MUST-46
#[test]
fn no_connection_to_an_ipv6_group() {
    let mut bench = Bench::new();
    let group: SocketAddr = "[ff02::1]:80".parse().expect("an address");
    let (token, _) = asked(&mut bench, group);
    answer(&mut bench, token, group.ip(), us().ip(), Cast::Multicast);
    assert_eq!(bench.sent(), []);
    let reason = layer::boundary::CloseReason::Failed(SocketError::NetworkUnreachable);
    assert_eq!(bench.events(), [TcpEvent::Closed { socket: SOCKET, reason }]);
}

// test: RFC 9293 MUST-57
#[test]
fn a_syn_to_an_ipv6_group_is_dropped_silently() {
    let mut bench = Bench::new();
    bind(&mut bench, SOCKET, SocketAddr::from((Ipv6Addr::UNSPECIFIED, 80)));
    listen(&mut bench, SOCKET);
    let group: SocketAddr = "[ff02::1]:80".parse().expect("an address");
    let mut packet = Segment::bare(peer(), group, S, IRS).write();
    complete(&mut packet, peer().ip(), group.ip());
    bench.datagram(packet, peer().ip(), group.ip(), Cast::Multicast);
    bench.poll();
    assert_eq!((bench.sent(), bench.tcp.connection_count()), (vec![], 0));
}
