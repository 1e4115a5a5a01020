//! Flights, rounds and spare windows, in segments of 1000 bytes.

use super::*;

const MSS: u32 = 1000;
const RTO: Duration = Duration::from_millis(200);

/// After `una` segments were acknowledged and up to `nxt` sent, with a window of `cwnd`.
fn turn(millis: u64, una: u32, nxt: u32, cwnd: u32) -> Turn {
    Turn {
        now: Instant::from_millis(1000 + millis),
        una: Seq(una * MSS),
        nxt: Seq(nxt * MSS),
        full: nxt - una + 1 > cwnd,
        cwnd: cwnd * MSS,
        slow_start: false,
        rto: RTO,
    }
}

// test: RFC 5681 3.1
#[test]
fn the_flight_is_the_largest_of_two_round_trips() {
    let mut usage = Usage::default();
    assert_eq!(usage.flight(3), 3);
    usage.sent(turn(0, 0, 10, 10));
    assert_eq!(usage.flight(0), 10 * MSS);
    // Half of it is acknowledged, and little follows: the same round still.
    usage.sent(turn(10, 8, 11, 10));
    assert_eq!(usage.flight(0), 10 * MSS);
    usage.sent(turn(20, 10, 13, 10));
    assert_eq!(usage.flight(0), 10 * MSS, "the round before");
    usage.sent(turn(30, 13, 17, 10));
    assert_eq!(usage.flight(0), 4 * MSS);
}

// test: RFC 7661 4.3
#[test]
fn a_window_is_the_limit_if_it_was_full_in_the_round() {
    let mut usage = Usage::default();
    usage.sent(turn(0, 0, 10, 10));
    assert!(usage.limited(10 * MSS, false));
    usage.sent(turn(5, 5, 12, 15));
    assert!(usage.limited(15 * MSS, false), "full earlier in the round");
    usage.sent(turn(10, 10, 19, 15));
    assert!(!usage.limited(15 * MSS, false), "nine of fifteen");
    assert!(usage.limited(15 * MSS, true), "more than half, in slow start");
    assert!(!usage.limited(20 * MSS, true), "not more than half of twenty");
}

// test: RFC 7661 4
#[test]
fn after_a_timeouts_worth_of_spare_window_it_is_told_how_much_was_used() {
    let mut usage = Usage::default();
    assert_eq!(usage.sent(turn(0, 0, 100, 100)), None);
    // Two segments, four, one, each acknowledged before the next.
    assert_eq!(usage.sent(turn(100, 100, 102, 100)), None);
    assert_eq!(usage.sent(turn(200, 102, 106, 100)), None);
    assert_eq!(usage.sent(turn(299, 106, 107, 100)), None);
    assert_eq!(usage.sent(turn(300, 107, 108, 100)), Some(4 * MSS));
    assert_eq!(usage.sent(turn(499, 108, 109, 100)), None, "it starts again");
    // A full window is no spare one.
    assert_eq!(usage.sent(turn(550, 109, 209, 100)), None);
    assert_eq!(usage.sent(turn(560, 209, 210, 100)), None);
    assert_eq!(usage.sent(turn(700, 210, 211, 100)), None);
}
