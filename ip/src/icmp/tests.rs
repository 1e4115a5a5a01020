//! The token bucket at its edges, and when not to send.

use layer::boundary::{Cast, protocol};
use layer::{Duration, Instant};

use super::errors::icmp_allowed;
use super::limit::Bucket;
use crate::header::Header;

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

// test: RFC 1122 3.2.2
#[test]
fn an_error_is_about_one_hosts_first_fragment_to_one_host() {
    let good = Header {
        header_len: 20,
        total_len: 60,
        tos: 0,
        identification: 1,
        dont_fragment: false,
        more_fragments: true,
        offset: 0,
        ttl: 9,
        protocol: protocol::UDP,
        source: [10, 9, 0, 1].into(),
        destination: [10, 9, 0, 2].into(),
    };
    let allowed = |header: Header| icmp_allowed(&header, Cast::Unicast, &[3, 3]);
    assert!(allowed(good));
    assert!(allowed(Header { source: [127, 0, 0, 1].into(), ..good }), "our own, never a wire's");
    assert!(!allowed(Header { offset: 8, ..good }));
    assert!(!allowed(Header { protocol: protocol::ICMP, ..good }));
    for source in [[0, 0, 0, 0], [0, 1, 2, 3], [224, 0, 0, 1], [240, 0, 0, 1], [255; 4]] {
        assert!(!allowed(Header { source: source.into(), ..good }), "to {source:?}");
    }
    for destination in [[224, 0, 0, 1], [255; 4]] {
        assert!(!allowed(Header { destination: destination.into(), ..good }));
    }
    for cast in [Cast::Broadcast, Cast::Multicast] {
        assert!(!icmp_allowed(&good, cast, &[3, 3]));
    }
    // Questions and answers of ICMP may be complained about; nothing else of it.
    let query = |kind: u8| {
        icmp_allowed(&Header { protocol: protocol::ICMP, ..good }, Cast::Unicast, &[kind])
    };
    let queries: Vec<u8> = (0..=255).filter(|&kind| query(kind)).collect();
    assert_eq!(queries, [0, 8, 13, 14, 15, 16, 17, 18]);
    assert!(!icmp_allowed(&Header { protocol: protocol::ICMP, ..good }, Cast::Unicast, &[]));
}
