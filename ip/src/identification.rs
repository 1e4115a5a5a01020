//! Identifications of packets that may be fragmented (RFC 6864).
//!
//! A counter for each of many buckets, plus a keyed offset for each (source, destination,
//! protocol). One destination sees consecutive numbers, so none repeats within 65,536 datagrams to
//! it; which destinations share a counter, and where each starts, takes the key to know. A rate
//! above 546 datagrams a second for two segment lifetimes repeats numbers whatever the algorithm:
//! who sends so fast should forbid fragmentation, as TCP always does.

use core::hash::Hasher;
use core::net::Ipv4Addr;

use siphasher::sip::SipHasher13;

/// Buckets; Linux has as many on a small machine.
const BUCKETS: usize = 2048;

/// Source of identifications.
#[derive(Debug)]
pub(crate) struct Identifications {
    key: [u8; 16],
    counters: Vec<u16>,
}

impl Identifications {
    pub(crate) fn new(key: [u8; 16]) -> Self {
        Self { key, counters: vec![0; BUCKETS] }
    }

    /// The identification of the next fragmentable datagram.
    pub(crate) fn next(&mut self, source: Ipv4Addr, destination: Ipv4Addr, protocol: u8) -> u16 {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        hasher.write(&source.octets());
        hasher.write(&destination.octets());
        hasher.write_u8(protocol);
        let [a, b, c, d, ..] = hasher.finish().to_le_bytes();
        let bucket = usize::from(u16::from_le_bytes([a, b])) % BUCKETS;
        let Some(counter) = self.counters.get_mut(bucket) else { return 0 };
        *counter = counter.wrapping_add(1);
        // RFC 6864 global: the offset hides the counter that other destinations share.
        counter.wrapping_add(u16::from_le_bytes([c, d]))
    }
}

#[cfg(test)]
mod tests {
    //! Test vectors are relations, not numbers: the hash is free to change.

    use super::*;

    const A: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);
    const B: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);

    // test: RFC 6864 4.3
    #[test]
    fn one_destination_sees_no_number_twice_in_65536() {
        let mut ids = Identifications::new([7; 16]);
        let mut seen = vec![false; 65_536];
        for _ in 0..65_536 {
            let id = usize::from(ids.next(A, B, 17));
            assert!(!seen[id], "identification {id} came twice");
            seen[id] = true;
        }
    }

    // test: RFC 6864 global
    #[test]
    fn destinations_start_apart_and_keys_differ() {
        let mut ids = Identifications::new([7; 16]);
        let mut other_key = Identifications::new([8; 16]);
        let mut close = 0;
        let mut same = 0;
        for host in 1..=250 {
            let to = Ipv4Addr::new(10, 9, 1, host);
            let (here, there) = (ids.next(A, to, 17), other_key.next(A, to, 17));
            let before = ids.next(A, Ipv4Addr::new(10, 9, 1, host - 1), 17);
            close += u32::from(here.wrapping_sub(before) < 256);
            same += u32::from(here == there);
        }
        // By chance 1 of 256 is close and 1 of 65,536 equal; a global counter makes all 250 close.
        assert!(close < 10, "{close} of 250 numbers follow their neighbour's");
        assert!(same < 5, "{same} of 250 numbers do not depend on the key");
    }
}
