//! Cookies say what they were told, for about two minutes, and to nobody else.

use core::net::SocketAddr;

use layer::{Duration, Instant};

use super::{Carried, Cookies, SIZES};
use crate::seq::Seq;
use crate::table::Tuple;

fn tuple(port: u16) -> Tuple {
    Tuple {
        local: SocketAddr::from(([10, 9, 0, 2], 80)),
        remote: SocketAddr::from(([10, 9, 0, 1], port)),
    }
}

fn at(secs: u64) -> Instant {
    Instant::from_secs(secs)
}

#[test]
fn a_cookie_keeps_the_segment_size_rounded_down() {
    let cookies = Cookies::new([3; 16]);
    for (told, kept) in [
        (0, 48),
        (48, 48),
        (535, 48),
        (536, 536),
        (1219, 536),
        (1220, 1220),
        (1379, 1300),
        (1380, 1380),
        (1459, 1440),
        (1460, 1460),
        (8939, 1460),
        (8960, 8940),
        (u16::MAX, 8940),
    ] {
        for irs in [Seq(0), Seq(u32::MAX), Seq(0x8000_0000)] {
            let cookie = cookies.make(at(1000), &tuple(4000), irs, told);
            assert_eq!(cookies.check(at(1000), &tuple(4000), irs, cookie), Some(kept), "{told}");
        }
    }
}

#[test]
fn it_is_good_for_one_to_two_minutes() {
    let cookies = Cookies::new([3; 16]);
    // Also across the wrap of the counter's eight bits.
    for start in [960, 255 * 60, 256 * 60] {
        let cookie = cookies.make(at(start), &tuple(4000), Seq(7), 1460);
        let check = |secs| cookies.check(at(start + secs), &tuple(4000), Seq(7), cookie);
        assert_eq!((check(0), check(59), check(60), check(119)), {
            let good = Some(1460);
            (good, good, good, good)
        });
        assert_eq!((check(120), check(180), check(256 * 60 - 60)), (None, None, None));
    }
}

#[test]
fn it_is_bound_to_tuple_number_and_key() {
    let cookies = Cookies::new([3; 16]);
    let cookie = cookies.make(at(1000), &tuple(4000), Seq(7), 1460);
    assert_eq!(cookies.check(at(1000), &tuple(4001), Seq(7), cookie), None);
    assert_eq!(cookies.check(at(1000), &tuple(4000), Seq(8), cookie), None);
    assert_eq!(cookies.check(at(1000), &tuple(4000), Seq(8), cookie.plus(1)), None);
    assert_eq!(Cookies::new([4; 16]).check(at(1000), &tuple(4000), Seq(7), cookie), None);
}

/// Of 2^32 numbers, 2 minutes times 8 sizes are right: one in 2^28. Of 2^20 guesses none should be,
/// and a chain of neighbours of a right one is at most the eight sizes long.
#[test]
fn guessing_does_not_pay() {
    let cookies = Cookies::new([3; 16]);
    let good = |guess| cookies.check(at(1000), &tuple(4000), Seq(7), guess).is_some();
    let lucky = (0..1 << 20).filter(|n: &u32| good(Seq(n.wrapping_mul(4093)))).count();
    assert_eq!(lucky, 0, "the odds are 1 in 256");
    let cookie = cookies.make(at(1000), &tuple(4000), Seq(7), 48);
    let run = (0..100).filter(|&n| good(cookie.plus(n))).count();
    assert_eq!(run, SIZES.len());
}

/// What RFC 9293 3.4.1 wants of initial numbers: those of one tuple do not come back at once.
#[test]
fn numbers_of_one_tuple_grow_with_the_minutes() {
    let cookies = Cookies::new([3; 16]);
    let first = cookies.make(at(0), &tuple(4000), Seq(7), 1460);
    let later = cookies.make(at(600), &tuple(4000), Seq(7), 1460);
    let grown = later.since(first);
    assert!((9 << 24..=11 << 24).contains(&grown), "{grown:#x} in ten minutes");
}

#[test]
fn stamps_carry_options_and_never_run_ahead() {
    for offset in [0, 77, u32::MAX - 3] {
        for millis in (1_000_000..1_000_200).chain([u64::from(u32::MAX), 1 << 32]) {
            let now = Instant::ZERO + Duration::from_millis(millis);
            for scale in [None, Some(0), Some(7), Some(14)] {
                for (sack, ecn) in [(false, false), (true, false), (false, true), (true, true)] {
                    let carried = Carried { scale, sack, ecn };
                    let stamp = carried.stamp(offset, now);
                    assert_eq!(Carried::read(offset, stamp), carried);
                    let behind = crate::recv::paws::clock(offset, now).wrapping_sub(stamp);
                    assert!(behind < 128, "{behind} ms behind the clock");
                }
            }
        }
    }
    let more = Carried { scale: Some(15), sack: false, ecn: false };
    assert_eq!(Carried::read(0, more.stamp(0, at(1))).scale, Some(14), "RFC 7323 2.3");
}
