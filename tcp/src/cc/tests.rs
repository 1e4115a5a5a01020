//! The initial window, and what every algorithm has in common.

use super::*;

// test: RFC 6928 2
#[test]
fn initial_window_for_small_usual_and_jumbo_segments() {
    assert_eq!(initial_window(536, false), 5360);
    assert_eq!(initial_window(1460, false), 14_600);
    assert_eq!(initial_window(8960, false), 17_920);
    assert_eq!(initial_window(1460, true), 1460);
}

#[test]
fn every_algorithm_starts_alike_cuts_restores_and_knows_its_name() {
    for name in NAMES {
        let mut cc = by_name(name, 1000, false);
        assert_eq!((cc.name(), cc.cwnd(), cc.ssthresh()), (name, 10_000, u32::MAX));
        let acked = Acked {
            now: Instant::from_secs(1),
            bytes: 10_000,
            limited: true,
            rtt: None,
            srtt: None,
            una: Seq(0),
            nxt: Seq(0),
        };
        cc.acknowledged(&Acked { limited: false, ..acked });
        assert_eq!(cc.cwnd(), 10_000, "an unused window does not grow");
        cc.acknowledged(&acked);
        assert_eq!(cc.cwnd(), 20_000, "slow start doubles");
        let (cwnd, ssthresh) = (cc.cwnd(), cc.ssthresh());
        cc.loss(20_000);
        assert!(cc.cwnd() < cwnd && cc.cwnd() == cc.ssthresh());
        cc.timeout(20_000, true);
        assert_eq!(cc.cwnd(), 1000);
        cc.restore(cwnd, ssthresh);
        assert_eq!((cc.cwnd(), cc.ssthresh()), (cwnd, ssthresh));
        cc.idle();
        assert_eq!(cc.cwnd(), 10_000);
    }
}

// test: RFC 7661 4
#[test]
fn a_window_that_is_partly_used_shrinks_halfway_to_what_was_used() {
    for name in NAMES {
        let mut cc = by_name(name, 1000, false);
        cc.restore(100_000, 0);
        cc.loss(u32::MAX);
        let (cwnd, ssthresh) = (cc.cwnd(), cc.ssthresh());
        cc.unused(cwnd);
        assert_eq!((cc.cwnd(), cc.ssthresh()), (cwnd, ssthresh), "all of it was used");
        cc.unused(20_000);
        assert_eq!(cc.cwnd(), 20_000 + (cwnd - 20_000) / 2);
        assert_eq!(cc.ssthresh(), ssthresh);
        for _ in 0..20 {
            cc.unused(1);
        }
        assert!((10_000..10_010).contains(&cc.cwnd()), "not below the initial window");
        assert_eq!(cc.ssthresh(), ssthresh, "it is soon there again");
    }
}
