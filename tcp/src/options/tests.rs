//! Options: each alone, in all orders, unaligned, unknown, malformed.

use super::*;
use proptest::prelude::*;

const MSS: &[u8] = &[2, 4, 0x05, 0xb4];
const SCALE: &[u8] = &[3, 3, 7];

fn read(parts: &[&[u8]]) -> Options {
    Options::read(&parts.concat())
}

fn both() -> Options {
    Options { mss: Some(1460), window_scale: Some(7), ..Options::default() }
}

// test: RFC 9293 MUST-4
// test: RFC 9293 MUST-64
#[test]
fn each_alone_and_in_all_orders_and_unaligned() {
    assert_eq!(read(&[MSS]), Options { mss: Some(1460), window_scale: None, ..Options::default() });
    assert_eq!(read(&[SCALE]), Options { mss: None, window_scale: Some(7), ..Options::default() });
    assert_eq!(read(&[MSS, SCALE, &[0, 0, 0]]), both());
    assert_eq!(read(&[SCALE, MSS]), both());
    assert_eq!(read(&[&[1], SCALE, &[1, 1, 1], MSS]), both());
    assert_eq!(read(&[&[0], MSS]), Options::default(), "nothing counts after the end");
}

// test: RFC 9293 MUST-6
#[test]
fn unknown_kinds_are_skipped_by_their_length() {
    for kind in 4..=255 {
        for length in 2..=36_u8 {
            let mut unknown = vec![0xee; usize::from(length)];
            (unknown[0], unknown[1]) = (kind, length);
            assert_eq!(read(&[&unknown, MSS]).mss, Some(1460), "kind {kind} length {length}");
        }
    }
}

// test: RFC 9293 MUST-7
#[test]
fn impossible_lengths_end_the_walk() {
    for bad in [&[2, 0][..], &[2, 1], &[99, 0], &[99, 1], &[99, 41], &[2], &[2, 4, 5]] {
        assert_eq!(
            read(&[SCALE, bad]),
            Options { mss: None, window_scale: Some(7), ..Options::default() }
        );
        assert_eq!(read(&[bad]), Options::default());
    }
    // A known kind with another length than its own says nothing, but is skipped.
    assert_eq!(
        read(&[&[2, 3, 9], SCALE]),
        Options { mss: None, window_scale: Some(7), ..Options::default() }
    );
}

#[test]
fn a_shift_above_14_is_14() {
    assert_eq!(read(&[&[3, 3, 255]]).window_scale, Some(14));
}

// test: RFC 9293 MUST-68
// test: RFC 9293 MUST-69
#[test]
fn what_is_written_is_strict() {
    let mut all = both();
    all.sack_permitted = true;
    all.timestamps = Some(Timestamps { value: 0x0102_0304, echo: 0xfffe_fdfc });
    let mut blocks = Options { timestamps: all.timestamps, ..Options::default() };
    for n in 1..4 {
        assert!(blocks.sack.push((Seq(n * 100), Seq(n * 100 + 50))));
    }
    for options in [both(), read(&[MSS]), read(&[SCALE]), all, blocks, Options::default()] {
        let mut area = [0xff; 40];
        let area = &mut area[..options.len()];
        options.write(area);
        assert_eq!(options.len() % 4, 0);
        let strict = etherparse::TcpOptionsIterator::from_slice(area);
        assert!(strict.into_iter().all(|option| option.is_ok()));
        assert_eq!(Options::read(area), options);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let options = Options::read(&bytes);
        prop_assert!(options.window_scale.is_none_or(|shift| shift <= 14));
    }
}
