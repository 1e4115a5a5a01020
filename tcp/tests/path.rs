//! News about the path that do not come by a segment of this connection: from IP, about another
//! connection's packets or our own ones.

mod common;

use common::*;
use layer::boundary::{IpError, IpErrorKind, IpIn, IpOut, protocol};
use layer::{InterfaceId, Layer, PacketBuf, Reason};

fn sizes(sent: &[tcp::Segment]) -> Vec<usize> {
    sent.iter().map(|segment| segment.payload.len()).collect()
}

fn announce(bench: &mut Bench, mtu: u32) {
    let destination = remote().ip();
    let news = IpIn::PathMtu { protocol: protocol::TCP, destination, mtu };
    bench.tcp.receive(bench.now, news, &mut bench.driver.out());
}

/// What IP is told beside the segments.
fn told(bench: &mut Bench) -> Vec<u32> {
    let (told, rest): (Vec<_>, Vec<_>) =
        bench.driver.down.drain().partition(|item| matches!(item, IpOut::PathMtu { .. }));
    rest.into_iter().for_each(|item| bench.driver.down.push(item));
    let mtu = |item| match item {
        IpOut::PathMtu { destination, mtu } if destination == remote().ip() => mtu,
        other => panic!("{other:?}"),
    };
    told.into_iter().map(mtu).collect()
}

// test: RFC 1191 estimate
#[test]
fn a_change_is_followed_at_the_next_send() {
    let mut bench = Bench::new();
    bench.accept_nodelay();
    announce(&mut bench, 1400);
    bench.poll();
    assert_eq!(bench.sent(), [], "nothing to send, nothing sent");
    let sent = bench.write(ACCEPTED, pattern(1460));
    assert_eq!(sizes(&sent), [1460], "one super-segment");
    let cut = sent[0].payload.offload().segmentation.map(|cut| cut.size);
    assert_eq!(cut, Some(1360), "to be cut at the new size");
    assert_eq!(bench.tcp.connections()[0].mss, 1360);
    bench.ack(1461);
    // Wider again, but not wider than the peer's MSS.
    announce(&mut bench, 9000);
    bench.write(ACCEPTED, pattern(10));
    assert_eq!(bench.tcp.connections()[0].mss, 1460);
}

// test: RFC 1191 estimate
#[test]
fn what_is_validated_is_told_to_ip_and_not_to_the_application() {
    let mut bench = Bench::new();
    bench.accept_nodelay();
    bench.write(ACCEPTED, pattern(1460));
    let seq = bench.iss.plus(1);
    bench.icmp(IpErrorKind::FragmentationNeeded { mtu: 1400 }, seq);
    assert_eq!(told(&mut bench), [1400]);
    assert_eq!(sizes(&bench.sent()), [1360, 100]);
    assert_eq!(bench.events(), [], "no soft error");
    bench.icmp(IpErrorKind::FragmentationNeeded { mtu: 1400 }, seq);
    assert_eq!(told(&mut bench), [], "once");
}

#[test]
fn what_ip_itself_refuses_is_believed_and_not_told_back() {
    let mut bench = Bench::new();
    bench.accept_nodelay();
    bench.write(ACCEPTED, pattern(1460));
    bench.ack(1461);
    bench.write(ACCEPTED, pattern(1460));
    let quote = [
        &bench.local.port().to_be_bytes()[..],
        &remote().port().to_be_bytes(),
        &bench.iss.plus(1461).0.to_be_bytes(),
    ];
    let error = IpError {
        interface: InterfaceId(0),
        kind: IpErrorKind::FragmentationNeeded { mtu: 1300 },
        reporter: None,
        source: bench.local.ip(),
        destination: remote().ip(),
        protocol: protocol::TCP,
        length: 1500,
        quote: PacketBuf::copy_from(&quote.concat()),
    };
    bench.tcp.receive(bench.now, IpIn::Error(error), &mut bench.driver.out());
    bench.poll();
    assert_eq!(told(&mut bench), [], "its age would never end");
    assert_eq!(sizes(&bench.sent()), [1260, 200]);
}

// test: RFC 1191 forged
#[test]
fn a_guess_is_counted_and_ignored() {
    let mut bench = Bench::new();
    bench.accept_nodelay();
    bench.write(ACCEPTED, pattern(1460));
    for seq in [bench.iss, bench.iss.plus(1461), bench.iss.plus(1 << 30)] {
        bench.icmp(IpErrorKind::FragmentationNeeded { mtu: 600 }, seq);
    }
    assert_eq!(bench.drops(Reason::TcpErrorUnclaimed), 3);
    assert_eq!(bench.sent(), []);
    assert_eq!(bench.tcp.connections()[0].mss, 1460);
}

// test: RFC 9293 MUST-67
#[test]
fn a_narrow_path_does_not_make_small_what_we_can_take() {
    let mut bench = Bench::new();
    announce(&mut bench, 1400);
    let syn = bench.connect(layer::boundary::TcpOptions::default());
    assert_eq!(syn.options.mss, Some(1460), "of the interface");
    let mut syn_ack = bench.segment(SA, IRS, bench.iss.plus(1), b"");
    syn_ack.options.mss = Some(1460);
    bench.receive(syn_ack);
    assert_eq!(bench.tcp.connections().first().unwrap().mss, 1360);
}
