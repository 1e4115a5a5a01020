//! The token bucket at its edges.

use layer::{Duration, Instant};

use super::limit::Bucket;

// test: RFC 1122 3.2.2
#[test]
fn a_bucket_gives_its_burst_and_then_its_rate() {
    let mut bucket = Bucket::new(10, 4);
    let mut now = Instant::from_secs(5);
    let at_once = (0..10).filter(|_| bucket.take(now, 1)).count();
    assert_eq!(at_once, 4);
    now += Duration::from_millis(99);
    assert!(!bucket.take(now, 1));
    now += Duration::from_millis(1);
    assert!(bucket.take(now, 1));
    assert!(!bucket.take(now, 1));
    // However long it waits, it holds no more than its burst.
    now += Duration::from_secs(1_000_000);
    assert!(!bucket.take(now, 5));
    assert!(bucket.take(now, 4));
}

#[test]
fn a_rate_of_nothing_gives_nothing() {
    assert!(!Bucket::new(0, 10).take(Instant::from_secs(1), 1));
    assert!(Bucket::new(u32::MAX, 1).take(Instant::from_secs(1), 1));
}
