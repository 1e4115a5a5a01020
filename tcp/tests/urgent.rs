//! Urgent data (RFC 9293 3.8.5, RFC 6093): a pointer that moves nothing.

mod common;

use common::*;
use layer::boundary::{TcpCommand, TcpEvent, TcpOptions};
use tcp::{Flags, Segment};

const U: Flags = Flags(0x30);
const UP: Flags = Flags(0x38);

fn urgent(bench: &mut Bench, bytes: &[u8]) -> Vec<Segment> {
    let data = bytes::Bytes::copy_from_slice(bytes);
    bench.command(TcpCommand::SendUrgent { socket: ACCEPTED, data });
    bench.sent()
}

/// Flags, first number from ours, length, pointer.
fn shape(bench: &Bench, segment: &Segment) -> (Flags, u32, usize, u16) {
    let at = segment.seq.since(bench.iss);
    (segment.flags, at, segment.payload.len(), segment.urgent)
}

fn shapes(bench: &Bench, segments: &[Segment]) -> Vec<(Flags, u32, usize, u16)> {
    segments.iter().map(|segment| shape(bench, segment)).collect()
}

/// A segment of the peer with URG; what the hub was told of the mark, and the bytes that came.
fn told(bench: &mut Bench, mut segment: Segment, pointer: u16) -> (Option<u64>, Vec<u8>) {
    segment.flags = segment.flags.with(Flags::URG);
    segment.urgent = pointer;
    bench.inject(segment);
    bench.poll();
    let (mut mark, mut data) = (None, Vec::new());
    for event in bench.events() {
        match event {
            TcpEvent::Urgent { end, .. } => mark = Some(end),
            TcpEvent::Data { chunk, .. } => data.extend_from_slice(&chunk),
            TcpEvent::Finished { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    bench.sent();
    (mark, data)
}

// test: RFC 9293 MUST-30
// test: RFC 9293 MUST-62
#[test]
fn the_pointer_we_send_names_the_octet_after_the_urgent_data() {
    let mut bench = Bench::new();
    bench.accept();
    let sent = urgent(&mut bench, b"abc");
    // Octets 1 to 3: 4 follows them.
    assert_eq!(shapes(&bench, &sent), [(UP, 1, 3, 3)]);
    assert_eq!(sent[0].payload.to_vec(), b"abc");
    // Ordinary data after it carries none; Nagle holds it until then.
    assert_eq!(bench.write(ACCEPTED, "de"), []);
    let sent = bench.ack(4);
    assert_eq!(shapes(&bench, &sent), [(PA, 4, 2, 0)]);
}

#[test]
fn urgent_data_is_not_held_by_nagle_and_is_sent_behind_ordinary_data() {
    let mut bench = Bench::new();
    bench.accept();
    assert_eq!(bench.write(ACCEPTED, "first").len(), 1);
    assert_eq!(bench.write(ACCEPTED, "held"), []);
    let sent = urgent(&mut bench, b"!");
    // The pointer tells to read up to and with the last octet, what was held included.
    assert_eq!(shapes(&bench, &sent), [(UP, 6, 5, 5)]);
    assert_eq!(sent[0].payload.to_vec(), b"held!");
}

// test: RFC 9293 MUST-31
#[test]
fn urgent_data_beyond_one_segment_is_pointed_at_from_each() {
    let mut bench = Bench::new();
    bench.accept();
    let sent = urgent(&mut bench, &pattern(3000));
    let expected = [(U, 1, 1460, 3000), (U, 1461, 1460, 1540), (UP, 2921, 80, 80)];
    assert_eq!(shapes(&bench, &sent), expected);
    // A device that cuts a segment would copy the pointer: none is cut.
    assert!(sent.iter().all(|segment| segment.payload.offload().segmentation.is_none()));
}

// test: RFC 9293 MUST-31
#[test]
fn beyond_the_pointers_reach_it_says_65535() {
    let mut bench = Bench::new();
    bench.accept();
    let sent = urgent(&mut bench, &pattern(100_000));
    assert_eq!(sent.len(), 10, "the initial window");
    assert!(sent.iter().all(|segment| segment.urgent == 65_535), "{sent:?}");
    // Acknowledged in steps, until the end is in reach.
    let (mut pointers, mut acked) = (Vec::new(), 14_601);
    while acked < 100_001 {
        for segment in bench.ack(acked) {
            let (_, at, len, pointer) = shape(&bench, &segment);
            assert_eq!(u32::from(pointer), (100_001 - at).min(65_535));
            pointers.push(pointer);
            acked = at + u32::try_from(len).expect("a value");
        }
    }
    assert_eq!((pointers[0], pointers[pointers.len() - 1]), (65_535, 720));
}

// test: RFC 9293 urgent-data
#[test]
fn a_resend_points_to_the_same_octet() {
    let mut bench = Bench::new();
    bench.accept();
    assert_eq!(urgent(&mut bench, b"abc").len(), 1);
    // More has been written meanwhile and goes along with the resend: the mark stays.
    assert_eq!(bench.write(ACCEPTED, "def"), []);
    let again = bench.next_sent();
    assert_eq!(again.seq.since(bench.iss) + u32::from(again.urgent), 4);
    assert_eq!(&again.payload.to_vec()[..3], b"abc");
    // Half of it is acknowledged: the pointer counts from the new first octet.
    bench.ack(3);
    bench.sent();
    let again = bench.next_sent();
    assert_eq!((again.seq.since(bench.iss), again.urgent), (3, 1));
}

/// The news need not wait for a window.
// test: RFC 9293 MUST-30
#[test]
fn a_closed_window_does_not_hold_up_the_pointer() {
    let mut bench = Bench::new();
    bench.accept();
    let mut closed = bench.segment(A, bench.seq, bench.iss.plus(1), b"");
    closed.window = 0;
    assert_eq!(bench.receive(closed), []);
    let sent = urgent(&mut bench, b"stop");
    assert_eq!(shapes(&bench, &sent), [(U, 1, 0, 4)]);
    // Once; after that the probes say it.
    bench.poll();
    assert_eq!(bench.sent(), []);
    let probe = bench.next_sent();
    assert_eq!(shape(&bench, &probe), (U, 1, 1, 4));
}

#[test]
fn neither_fin_nor_reset_carries_a_pointer_past_the_end() {
    let mut bench = Bench::new();
    bench.accept();
    bench.command(TcpCommand::SendUrgent { socket: ACCEPTED, data: "ab".into() });
    bench.command(TcpCommand::Shutdown { socket: ACCEPTED });
    let sent = bench.sent();
    assert_eq!(shapes(&bench, &sent), [(UP, 1, 2, 2), (FA, 3, 0, 0)]);
    bench.command(TcpCommand::Abort { socket: ACCEPTED });
    let reset = bench.sent_one();
    assert_eq!((reset.flags, reset.urgent), (RA, 0));
}

// test: RFC 9293 MUST-32
#[test]
fn the_program_is_told_when_urgent_data_begins_and_when_it_moves_on() {
    let mut bench = Bench::new();
    bench.accept();
    let (seq, ack) = (bench.seq, bench.iss.plus(1));
    // Announced before it is there, without text.
    let bare = bench.segment(A, seq, ack, b"");
    assert_eq!(told(&mut bench, bare, 3), (Some(3), vec![]));
    // The same again is no news, nor is one further back.
    let text = bench.segment(PA, seq, ack, b"ab");
    assert_eq!(told(&mut bench, text, 3), (None, b"ab".to_vec()));
    let text = bench.segment(PA, seq.plus(2), ack, b"cd");
    assert_eq!(told(&mut bench, text, 0), (None, b"cd".to_vec()));
    let text = bench.segment(PA, seq.plus(4), ack, b"ef");
    assert_eq!(told(&mut bench, text, 2), (Some(6), b"ef".to_vec()));
    // What the program has consumed by now is nothing to be told of.
    bench.command(TcpCommand::Consumed { socket: ACCEPTED, bytes: 6 });
    let old = bench.segment(A, seq.plus(6), ack, b"");
    assert_eq!(told(&mut bench, old, 0), (None, vec![]));
}

/// Pointer 0, 1, inside, at the end, beyond, as far as it goes; text arrives as it was sent.
// test: RFC 9293 urgent-data
#[test]
fn no_pointer_loses_doubles_or_moves_a_byte() {
    for (pointer, mark) in
        [(0, None), (1, Some(1)), (4, Some(4)), (8, Some(8)), (9, Some(9)), (65_535, Some(65_535))]
    {
        let mut bench = Bench::new();
        bench.accept();
        let (seq, ack) = (bench.seq, bench.iss.plus(1));
        let text = bench.segment(PA, seq, ack, b"01234567");
        let (at, data) = told(&mut bench, text.clone(), pointer);
        assert_eq!((at, data.as_slice()), (mark, &b"01234567"[..]), "pointer {pointer}");
        // The same segment again, whole, then overlapping by half with new text behind.
        assert_eq!(told(&mut bench, text, pointer), (None, vec![]), "pointer {pointer}");
        let half = bench.segment(PA, seq.plus(4), ack, b"456789");
        let (_, data) = told(&mut bench, half, pointer);
        assert_eq!(data, b"89", "pointer {pointer}");
        // And a FIN with URG.
        let fin = bench.segment(FA, seq.plus(10), ack, b"ab");
        let (_, data) = told(&mut bench, fin, pointer);
        assert_eq!((data.as_slice(), bench.state()), (&b"ab"[..], "CLOSE-WAIT"), "{pointer}");
    }
}

// test: RFC 9293 urgent-data
#[test]
fn reordered_segments_keep_the_furthest_mark() {
    let mut bench = Bench::new();
    bench.accept();
    let (seq, ack) = (bench.seq, bench.iss.plus(1));
    let late = bench.segment(PA, seq.plus(4), ack, b"4567");
    assert_eq!(told(&mut bench, late, 3), (Some(7), vec![]));
    let first = bench.segment(PA, seq, ack, b"0123");
    assert_eq!(told(&mut bench, first, 2), (None, b"01234567".to_vec()));
}

/// RFC 9293 3.10.7.3: data and pointer on a SYN count from the number after it.
// test: RFC 9293 urgent-data
#[test]
fn urg_on_a_handshake_is_harmless() {
    let mut bench = Bench::new();
    bench.listen(TcpOptions::default());
    let mut syn = bench.syn();
    syn.flags = S.with(Flags::URG);
    syn.urgent = 7;
    let syn_ack = bench.receive(syn).remove(0);
    assert_eq!((syn_ack.flags, syn_ack.urgent), (SA, 0));
    bench.iss = syn_ack.seq;
    let mut ack = bench.segment(A, bench.seq, bench.iss.plus(1), b"x");
    (ack.flags, ack.urgent) = (U, 1);
    bench.receive(ack);
    let events = bench.events();
    assert!(events.contains(&TcpEvent::Urgent { socket: ACCEPTED, end: 1 }), "{events:?}");
    let chunk = bytes::Bytes::from_static(b"x");
    assert!(events.contains(&TcpEvent::Data { socket: ACCEPTED, chunk }), "{events:?}");
}

/// Our window is 0: text is not taken, the pointer is.
// test: RFC 9293 MUST-66
#[test]
fn urg_counts_while_our_window_is_closed() {
    let mut bench = Bench::new();
    bench.accept_with(TcpOptions { receive_buffer: Some(1000), ..TcpOptions::default() });
    bench.text(&pattern(1000), 1);
    assert_eq!(bench.data(), pattern(1000));
    let probe = bench.segment(A, bench.seq, bench.iss.plus(1), b"y");
    assert_eq!(told(&mut bench, probe, 4), (Some(1004), vec![]));
    let bare = bench.segment(A, bench.seq, bench.iss.plus(1), b"");
    assert_eq!(told(&mut bench, bare, 5), (Some(1005), vec![]));
}

#[test]
fn after_the_peers_fin_a_pointer_means_nothing() {
    let mut bench = Bench::new();
    bench.accept();
    let fin = bench.segment(FA, bench.seq, bench.iss.plus(1), b"");
    bench.receive(fin);
    bench.events();
    let bare = bench.segment(A, bench.seq.plus(1), bench.iss.plus(1), b"");
    assert_eq!(told(&mut bench, bare, 9), (None, vec![]));
}
