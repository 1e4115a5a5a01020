//! Whom to believe, and how far to fall: by hand from RFC 1191 7.1 and RFC 5927 7.2.

use core::net::Ipv4Addr;

use super::*;

const START: Instant = Instant::from_secs(100);

fn path() -> PathMtu {
    PathMtu::new(1460, Ipv4Addr::LOCALHOST.into(), false, Seq(0))
}

fn says(mtu: u32, length: u32) -> TooBig {
    TooBig { seq: Seq(1), mtu, length, local: false }
}

// test: RFC 1191 plateau
#[test]
fn a_router_that_says_nothing_gets_the_next_plateau() {
    for (length, mtu) in [(9000, 8166), (4352, 2002), (1500, 1492), (1492, 1006), (1006, 552)] {
        let mut path = PathMtu::new(length - 40, Ipv4Addr::LOCALHOST.into(), false, Seq(0));
        assert_eq!(path.judge(says(0, length)), Verdict::Believe(mtu), "{length}");
    }
    // Many messages about one burst are one step.
    let mut path = path();
    assert_eq!(path.judge(says(0, 1500)), Verdict::Believe(1492));
    path.learn(1492);
    assert_eq!(path.judge(says(0, 1500)), Verdict::Ignore);
}

// test: RFC 1191 floor
#[test]
fn nothing_makes_it_smaller_than_the_floor() {
    let mut path = path();
    assert_eq!(path.judge(says(68, 1500)), Verdict::Believe(552));
    path.learn(68);
    assert_eq!(path.size(), 512);
    assert_eq!(path.judge(says(68, 552)), Verdict::Ignore);
    // A peer or an interface with less than the floor is not made larger by it.
    let mut small = PathMtu::new(260, Ipv4Addr::LOCALHOST.into(), false, Seq(0));
    assert_eq!(small.judge(says(68, 300)), Verdict::Ignore);
    small.learn(68);
    assert_eq!(small.size(), 260);
    let mut v6 = PathMtu::new(1440, core::net::Ipv6Addr::LOCALHOST.into(), false, Seq(0));
    assert_eq!(v6.judge(says(600, 1500)), Verdict::Believe(1280));
}

// test: RFC 5927 7.2
#[test]
fn what_contradicts_progress_waits_for_a_timeout() {
    let mut path = path();
    path.acknowledged(Seq(1), Seq(1461), START);
    let message = TooBig { seq: Seq(1461), ..says(1400, 1500) };
    assert_eq!(path.judge(message), Verdict::Wait);
    assert_eq!(path.take_pending(), Some(1400));
    // The segment arrives after all: the message lied.
    assert_eq!(path.judge(message), Verdict::Wait);
    path.acknowledged(Seq(1461), Seq(1462), START);
    assert_eq!(path.take_pending(), None);
    // Less than what was acknowledged contradicts nothing.
    let mut fresh = self::path();
    fresh.acknowledged(Seq(1), Seq(1001), START);
    assert_eq!(fresh.judge(says(1400, 1500)), Verdict::Believe(1400));
}

#[test]
fn our_own_ip_is_believed() {
    let mut path = path();
    path.acknowledged(Seq(1), Seq(1461), START);
    assert_eq!(path.judge(TooBig { local: true, ..says(1400, 1500) }), Verdict::Believe(1400));
}

// test: RFC 4821 black-hole
#[test]
fn a_hole_is_suspected_step_by_step_and_an_outage_forgiven() {
    let mut path = path();
    assert!(!path.timed_out(2, Seq(9000), START));
    assert!(path.timed_out(3, Seq(9000), START));
    assert_eq!(path.size(), 1024);
    assert!(path.timed_out(4, Seq(9000), START));
    assert_eq!(path.size(), 512);
    assert!(!path.timed_out(5, Seq(9000), START), "it ends there");
    // Before all of the old flight has arrived, nothing larger is tried.
    path.acknowledged(Seq(1), Seq(8999), START);
    assert_eq!(path.candidate(START), None);
    path.acknowledged(Seq(8999), Seq(9000), START);
    assert_eq!(path.candidate(START), Some(1460));
    path.probing(Seq(9000), 1460);
    assert_eq!(path.candidate(START), None, "one at a time");
    assert_eq!(path.acknowledged(Seq(9000), Seq(10_459), START), Probed::Nothing);
    assert_eq!(path.acknowledged(Seq(10_459), Seq(10_460), START), Probed::Arrived);
    assert_eq!(path.size(), 1460);
}

#[test]
fn a_real_hole_is_measured_and_tried_again_after_ten_minutes() {
    let mut path = path();
    assert!(path.timed_out(3, Seq(1), START));
    let (mut at, mut tried) = (Seq(1), Vec::new());
    path.acknowledged(at, at, START);
    while let Some(size) = path.candidate(START) {
        tried.push(size);
        path.probing(at, size);
        if size <= 1300 {
            path.acknowledged(at, at.plus(size), START);
        } else {
            assert_eq!(path.resent(at, at.plus(path.size()), START), Probed::Lost);
        }
        at = at.plus(size);
    }
    // 1460 is lost; then half the way between what works and what does not.
    assert_eq!(tried, [1460, 1242, 1351]);
    assert_eq!(path.size(), 1242);
    assert_eq!(path.candidate(START + AGE), Some(1460));
}
