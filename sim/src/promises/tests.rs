//! A checker that never complains is worth nothing: each promise is broken once.

use super::*;

fn tuple() -> Tuple {
    (SocketAddr::from(([10, 0, 0, 2], 80)), SocketAddr::from(([10, 0, 0, 1], 4000)))
}

fn segment(seq: u32, ack: u32, text: &[u8]) -> View {
    View { seq, ack: Some(ack), window: 1000, text: text.to_vec(), ..View::default() }
}

/// The peer's SYN was at 99, ours at 999; it takes 10 bytes at a time and has sent 5.
fn open() -> Promises {
    let mut promises = Promises::new();
    let syn = View { seq: 99, syn: true, window: 20, mss: Some(1460), ..View::default() };
    promises.received(tuple(), &syn);
    let answer = View { syn: true, ..segment(999, 100, b"") };
    promises.sent(tuple(), &answer).unwrap();
    let mut text = segment(100, 1000, b"hello");
    text.window = 10;
    promises.received(tuple(), &text);
    promises.sent(tuple(), &segment(1000, 105, b"abc")).unwrap();
    promises
}

/// What is wrong with a segment of the end.
fn broken(view: &View) -> String {
    open().sent(tuple(), view).unwrap_err()
}

#[test]
fn an_honest_end_is_left_alone() {
    let mut promises = open();
    promises.sent(tuple(), &segment(1000, 105, b"abcdef")).unwrap();
    promises.sent(tuple(), &View { fin: true, ..segment(1006, 105, b"g") }).unwrap();
    promises.sent(tuple(), &View { fin: true, ..segment(1003, 105, b"defg") }).unwrap();
    // A SYN of 20 bytes of window was here before: the edge is that of the SYN, plus a probe.
    let mut promises = open();
    promises.sent(tuple(), &segment(1003, 105, &[1; 18])).unwrap();
    // Out of order, then reported.
    promises.received(tuple(), &segment(110, 1000, b"later"));
    let report = View { sack: vec![(110, 115)], ..segment(1003, 105, b"") };
    promises.sent(tuple(), &report).unwrap();
}

#[test]
fn each_promise_can_be_broken() {
    assert!(broken(&segment(1003, 106, b"")).contains("only 6 arrived"));
    assert!(broken(&segment(1003, 104, b"")).contains("goes back"));
    assert!(broken(&View { window: 900, ..segment(1003, 105, b"") }).contains("right edge"));
    assert!(broken(&segment(1003, 105, &[1; 19])).contains("past the window"));
    assert!(broken(&segment(1004, 105, b"x")).contains("leaves out"));
    assert!(broken(&segment(1000, 105, b"abd")).contains("byte 3 was"));
    assert!(broken(&segment(1003, 105, &[1; 1461])).contains("MSS"));
    let report = View { sack: vec![(105, 110)], ..segment(1003, 105, b"") };
    assert!(broken(&report).contains("block 0"));
    let mut promises = open();
    promises.sent(tuple(), &View { fin: true, ..segment(1003, 105, b"") }).unwrap();
    let moved = View { fin: true, ..segment(1002, 105, b"") };
    assert!(promises.sent(tuple(), &moved).unwrap_err().contains("FIN moved"));
    assert!(
        promises.sent(tuple(), &segment(1003, 105, b"x")).unwrap_err().contains("after the FIN")
    );
    let unasked = Promises::new().sent(tuple(), &View { syn: true, ..segment(1, 1, b"") });
    assert!(unasked.unwrap_err().contains("did not come"));
}
