//! The scoreboard against one entry per byte.

use super::*;
use proptest::prelude::*;

#[derive(Clone, Copy, Debug, PartialEq)]
struct Byte {
    sent_at: Instant,
    resent: bool,
    sacked: bool,
    lost: bool,
}

#[derive(Clone, Debug)]
enum Op {
    Send(u32),
    Acknowledge(u32),
    Sack(u32, u32),
    Resend(u32, u32),
    LoseOlderThan(u64),
    LoseFirst(u32),
    Timeout,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (1_u32..30).prop_map(Op::Send),
        3 => (0_u32..20).prop_map(Op::Acknowledge),
        4 => (0_u32..60, 1_u32..20).prop_map(|(a, b)| Op::Sack(a, b)),
        3 => (0_u32..60, 1_u32..20).prop_map(|(a, b)| Op::Resend(a, b)),
        2 => (0_u64..40).prop_map(Op::LoseOlderThan),
        1 => (0_u32..20).prop_map(Op::LoseFirst),
        1 => Just(Op::Timeout),
    ]
}

fn count(model: &[Byte], what: impl Fn(&Byte) -> bool) -> u32 {
    u32::try_from(model.iter().filter(|byte| what(byte)).count()).expect("few")
}

fn time_out(model: &mut [Byte]) {
    let reneged = model.first().is_some_and(|byte| byte.sacked);
    for byte in model {
        byte.sacked &= !reneged;
        byte.lost = !byte.sacked;
    }
}

proptest! {
    #[test]
    fn agrees_with_one_entry_per_byte(
        start in prop_oneof![Just(u32::MAX - 20), any::<u32>()],
        ops in proptest::collection::vec(op(), 1..40),
    ) {
        let (mut board, mut una) = (Scoreboard::default(), Seq(start));
        let mut model: Vec<Byte> = Vec::new();
        for (step, op) in (0_u64..).zip(ops) {
            let now = Instant::from_millis(step);
            let len = u32::try_from(model.len()).expect("few");
            let (mut delivered, mut expected) = (Delivered::default(), 0);
            match op {
                Op::Send(n) => {
                    board.sent(una.plus(len), una.plus(len + n), now);
                    let byte = Byte { sent_at: now, resent: false, sacked: false, lost: false };
                    model.extend(std::iter::repeat_n(byte, n as usize));
                }
                Op::Acknowledge(n) => {
                    let n = n.min(len);
                    expected = count(&model[..n as usize], |byte| !byte.sacked);
                    una = una.plus(n);
                    board.acknowledged(una, now, &mut delivered);
                    model.drain(..n as usize);
                }
                Op::Sack(from, n) => {
                    let (from, to) = (from.min(len), (from + n).min(len));
                    let hit = &mut model[from as usize..to as usize];
                    expected = count(hit, |byte| !byte.sacked);
                    board.sacked(una.plus(from), una.plus(to), now, &mut delivered);
                    hit.iter_mut().for_each(|byte| (byte.sacked, byte.lost) = (true, false));
                }
                Op::Resend(from, n) => {
                    let (from, to) = (from.min(len), (from + n).min(len));
                    board.resent(una.plus(from), una.plus(to), now);
                    for byte in &mut model[from as usize..to as usize] {
                        (byte.sent_at, byte.resent, byte.lost) = (now, true, false);
                    }
                }
                Op::LoseOlderThan(age) => {
                    let old = |at: Instant| at + Duration::from_millis(age) < now;
                    board.mark_lost(|range| old(range.sent_at));
                    let hit = model.iter_mut().filter(|byte| !byte.sacked && old(byte.sent_at));
                    hit.for_each(|byte| byte.lost = true);
                }
                Op::LoseFirst(n) => {
                    board.mark_first_lost(n);
                    let hit = model.iter_mut().take(n as usize).filter(|byte| !byte.sacked);
                    hit.for_each(|byte| byte.lost = true);
                }
                Op::Timeout => {
                    board.timeout();
                    time_out(&mut model);
                }
            }
            prop_assert_eq!(delivered.bytes, expected);
            let flat: Vec<Byte> = board
                .iter()
                .flat_map(|&Range { sent_at, resent, sacked, lost, start, end }| {
                    let byte = Byte { sent_at, resent, sacked, lost };
                    std::iter::repeat_n(byte, end.since(start) as usize)
                })
                .collect();
            prop_assert_eq!(&flat, &model);
            prop_assert_eq!(board.sacked_bytes(), count(&model, |byte| byte.sacked));
            prop_assert_eq!(board.lost_bytes(), count(&model, |byte| byte.lost));
            prop_assert_eq!(board.pipe(), count(&model, |byte| !byte.sacked && !byte.lost));
            let lost = model.iter().position(|byte| byte.lost);
            let first = board.first_lost().map(|range| range.start.since(una) as usize);
            prop_assert_eq!(first, lost);
        }
    }
}

#[test]
fn a_bulk_sender_has_one_range_a_call_and_a_bounded_number() {
    let mut board = Scoreboard::default();
    for n in 0..5000_u32 {
        board.sent(Seq(n * 10), Seq(n * 10 + 10), Instant::from_millis(u64::from(n)));
    }
    assert_eq!(board.iter().count(), MOST);
    assert_eq!(board.pipe(), 50_000);
    for n in 0..5000_u32 {
        let mut delivered = Delivered::default();
        board.sacked(Seq(n * 10 + 2), Seq(n * 10 + 5), Instant::from_secs(9), &mut delivered);
    }
    assert!(board.iter().count() <= MOST + 1);
}

// test: RFC 6298 3
#[test]
fn round_trips_come_from_what_left_once() {
    let at = Instant::from_millis;
    let mut board = Scoreboard::default();
    for n in 0..4 {
        board.sent(Seq(10 * n), Seq(10 * n + 10), at(u64::from(n)));
    }
    board.resent(Seq(0), Seq(10), at(8));
    // What is reported now came now.
    let mut delivered = Delivered::default();
    board.sacked(Seq(20), Seq(30), at(30), &mut delivered);
    assert_eq!(delivered.rtt, Some(Duration::from_millis(28)));
    // 10..20 may have waited for 0..10 to come again: a report of it may have been lost.
    let mut delivered = Delivered::default();
    board.acknowledged(Seq(30), at(40), &mut delivered);
    assert_eq!((delivered.rtt, delivered.bytes), (None, 20));
    assert!(delivered.resent);
    assert_eq!(delivered.latest.map(|range| range.start), Some(Seq(0)));
    let mut delivered = Delivered::default();
    board.acknowledged(Seq(40), at(50), &mut delivered);
    assert_eq!(delivered.rtt, Some(Duration::from_millis(47)));
}

/// What was resent, and then reported, and is acknowledged at last with something that left once.
// test: RFC 6298 3
#[test]
fn an_acknowledgement_of_a_resend_that_was_reported_gives_no_round_trip() {
    let at = Instant::from_millis;
    let mut board = Scoreboard::default();
    board.sent(Seq(0), Seq(10), at(0));
    board.sent(Seq(10), Seq(20), at(1));
    board.resent(Seq(10), Seq(20), at(8));
    board.sacked(Seq(10), Seq(20), at(30), &mut Delivered::default());
    let mut delivered = Delivered::default();
    board.acknowledged(Seq(20), at(40), &mut delivered);
    assert_eq!(delivered.rtt, None);
    // What the same segment reports besides is new.
    board.sent(Seq(20), Seq(30), at(41));
    board.sent(Seq(30), Seq(40), at(42));
    board.resent(Seq(20), Seq(30), at(50));
    let mut delivered = Delivered::default();
    board.acknowledged(Seq(30), at(60), &mut delivered);
    board.sacked(Seq(30), Seq(40), at(60), &mut delivered);
    assert_eq!(delivered.rtt, Some(Duration::from_millis(18)));
}

/// A peer that reports every second of many small segments at once: the number of ranges, and so
/// the work of an acknowledgement, stays bounded, and the sums stay right.
#[test]
fn reports_of_every_second_byte_stay_bounded() {
    let mut board = Scoreboard::default();
    let at = |n: u32| Instant::ZERO + Duration::from_millis(n.into());
    for n in 0..5000 {
        board.sent(Seq(n), Seq(n + 1), at(n));
        if n % 2 == 0 {
            board.sacked(Seq(n), Seq(n + 1), at(n), &mut Delivered::default());
        }
        assert!(board.iter().count() <= MOST, "{} ranges", board.iter().count());
    }
    let sacked: u32 = board.iter().filter(|range| range.sacked).map(Range::len).sum();
    assert_eq!((board.sacked_bytes(), board.pipe()), (sacked, 5000 - sacked));
    let mut delivered = Delivered::default();
    board.acknowledged(Seq(5000), at(5000), &mut delivered);
    assert_eq!((delivered.bytes, board.pipe(), board.iter().count()), (5000 - sacked, 0, 0));
}
