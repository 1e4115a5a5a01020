//! ECN where scripts do not reach: a peer that asks for accurate feedback (RFC 9768).

mod common;

use common::*;
use layer::boundary::{Cast, TcpOptions};
use tcp::{Flags, Segment};

/// A SYN with AE, CWR and ECE, as a host that knows RFC 9768 sends it.
fn accurate_syn(bench: &mut Bench) -> Segment {
    let mut syn = bench.syn();
    let (source, destination) = (syn.source.ip(), syn.destination.ip());
    syn.flags = S.with(Flags::ECE).with(Flags::CWR);
    let mut packet = syn.write();
    // AE is the lowest bit of the byte before the flags.
    packet.head_mut()[12] |= 1;
    complete(&mut packet, source, destination);
    bench.datagram(packet, source, destination, Cast::Unicast);
    bench.poll();
    bench.sent_one()
}

// test: RFC 9768 fallback
#[test]
fn who_asks_for_accurate_feedback_is_answered_as_by_a_classic_host() {
    let mut bench = Bench::new();
    bench.listen(TcpOptions::default());
    let answer = accurate_syn(&mut bench);
    // RFC 9768 3.1.2, Table 2: AE 0, CWR 0, ECE 1 is "ECN as in RFC 3168".
    assert_eq!(answer.flags, SA.with(Flags::ECE));
    bench.iss = answer.seq;
    bench.ack(1);
    bench.events();
    let sent = bench.write(ACCEPTED, pattern(100));
    assert_eq!(sent.len(), 1);
    assert!(!sent[0].flags.has(Flags::CWR), "nothing was reduced");
}
