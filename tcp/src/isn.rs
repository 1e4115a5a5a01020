//! Initial sequence numbers (RFC 9293 3.4.1, RFC 6528).

use core::hash::Hasher;
use core::net::SocketAddr;

use layer::Instant;
use siphasher::sip::SipHasher24;

use crate::seq::Seq;

/// Makes initial sequence numbers that nobody without the key can guess.
#[derive(Clone, Copy, Debug)]
pub struct IsnSource {
    key: [u8; 16],
}

impl IsnSource {
    /// With a secret that was drawn at the start of the stack.
    pub fn new(key: [u8; 16]) -> Self {
        Self { key }
    }

    /// The number for a connection that opens now.
    pub fn isn(&self, now: Instant, local: SocketAddr, remote: SocketAddr) -> Seq {
        // RFC 9293 3.4.1 MUST-8: a clock that ticks about every 4 microseconds.
        let clock = now.as_micros() / 4;
        // RFC 9293 3.4.1 SHLD-1: plus a keyed hash of the connection's addresses.
        Seq(truncate(clock.wrapping_add(self.hash(b'i', local, remote))))
    }

    /// What is added to the timestamp clock of a connection (RFC 7323 5.4: no uptime leaks).
    pub fn stamp_offset(&self, local: SocketAddr, remote: SocketAddr) -> u32 {
        truncate(self.hash(b't', local, remote))
    }

    /// RFC 9293 3.4.1 MUST-9: the key is secret, so the hash cannot be computed outside.
    fn hash(&self, purpose: u8, local: SocketAddr, remote: SocketAddr) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.key);
        hasher.write_u8(purpose);
        write_address(&mut hasher, local);
        write_address(&mut hasher, remote);
        hasher.finish()
    }
}

/// Feeds an address into a keyed hash.
pub(crate) fn write_address(hasher: &mut impl Hasher, address: SocketAddr) {
    match address {
        SocketAddr::V4(v4) => hasher.write(&v4.ip().octets()),
        SocketAddr::V6(v6) => hasher.write(&v6.ip().octets()),
    }
    hasher.write_u16(address.port());
}

/// The low 32 bits.
pub(crate) fn truncate(value: u64) -> u32 {
    u32::try_from(value & 0xffff_ffff).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuple(n: u16) -> (SocketAddr, SocketAddr) {
        (SocketAddr::from(([10, 9, 0, 2], 80)), SocketAddr::from(([10, 9, 0, 1], n)))
    }

    // test: RFC 9293 MUST-8
    // test: RFC 6528 3
    #[test]
    fn the_clock_ticks_every_four_microseconds() {
        let source = IsnSource::new([7; 16]);
        let (local, remote) = tuple(4000);
        let first = source.isn(Instant::from_secs(100), local, remote);
        let later = source.isn(Instant::from_secs(101), local, remote);
        assert_eq!(later.since(first), 250_000);
    }

    // test: RFC 9293 SHLD-1
    // test: RFC 6528 3
    #[test]
    fn tuples_show_no_order() {
        let source = IsnSource::new([7; 16]);
        let isns: Vec<Seq> = (1000..2000)
            .map(|n| {
                let (local, remote) = tuple(n);
                source.isn(Instant::from_secs(1), local, remote)
            })
            .collect();
        let far = isns
            .windows(2)
            .filter(|pair| pair[1].since(pair[0]).min(pair[0].since(pair[1])) > 1 << 24)
            .count();
        assert!(far > 900, "{far} of 999 neighbours are more than 2^24 apart");
        let mut buckets = [0_u32; 16];
        for isn in &isns {
            buckets[(isn.0 >> 28) as usize] += 1;
        }
        // Chi-square with 15 degrees of freedom: 37.7 is the 0.1 % point.
        let expected = 1000.0 / 16.0;
        let chi: f64 = buckets.iter().map(|&n| (f64::from(n) - expected).powi(2) / expected).sum();
        assert!(chi < 37.7, "chi-square {chi}");
    }

    // test: RFC 9293 MUST-9
    #[test]
    fn another_key_gives_another_number() {
        let (local, remote) = tuple(4000);
        let a = IsnSource::new([1; 16]).isn(Instant::ZERO, local, remote);
        let b = IsnSource::new([2; 16]).isn(Instant::ZERO, local, remote);
        assert_ne!(a, b);
    }
}
