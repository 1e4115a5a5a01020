//! [`Rng`]: the only chance in a world, SplitMix64 (Steele, Lea, Flood 2014).
//!
//! Small, fast, passes BigCrush, and any 64-bit seed is a good one. Whoever needs chance gets a
//! generator of its own by [`Rng::derive`], so that one more draw in one place does not shift the
//! draws of all others.

/// A seeded generator.
#[derive(Clone, Debug)]
pub struct Rng {
    state: u64,
}

impl Rng {
    /// The generator of `seed`.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// An independent generator for the thing of this name and number.
    pub fn derive(seed: u64, name: &str, number: u64) -> Self {
        let mut rng = Self::new(seed ^ 0x5eed_0f51_7a7e_0001);
        for byte in name.bytes() {
            rng.state = rng.draw() ^ u64::from(byte);
        }
        rng.state = rng.draw() ^ number;
        Self::new(rng.draw())
    }

    /// The next 64 bits.
    pub fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// A number below `limit`; 0 if that is 0. The bias is below one in 2^32 for limits in use.
    pub fn below(&mut self, limit: u64) -> u64 {
        let wide = u128::from(self.draw()) * u128::from(limit);
        (wide >> 64) as u64
    }

    /// As [`Rng::below`], for indices and lengths.
    pub fn index(&mut self, limit: usize) -> usize {
        self.below(limit as u64) as usize
    }

    /// True by `chance`.
    pub fn happens(&mut self, chance: Chance) -> bool {
        chance != Chance::NEVER && self.below(u64::from(Chance::ALWAYS.0)) < u64::from(chance.0)
    }

    /// One of `choices`.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.index(choices.len())]
    }

    /// Fills `bytes`.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.draw().to_le_bytes()[..chunk.len()]);
        }
    }
}

/// The finaliser of SplitMix64: every bit of the input changes half of the output.
pub fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A probability in parts per million: whole numbers give the same worlds on every machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chance(u32);

impl Chance {
    /// 0.
    pub const NEVER: Self = Self(0);
    /// 1.
    pub const ALWAYS: Self = Self(1_000_000);

    /// So many in a million; more is always.
    pub const fn per_million(parts: u32) -> Self {
        if parts > Self::ALWAYS.0 { Self::ALWAYS } else { Self(parts) }
    }

    /// So many in a thousand.
    pub const fn per_mille(parts: u32) -> Self {
        Self::per_million(parts.saturating_mul(1000))
    }

    /// So many in a hundred.
    pub const fn percent(parts: u32) -> Self {
        Self::per_million(parts.saturating_mul(10_000))
    }

    /// In parts per million.
    pub const fn parts(self) -> u32 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first outputs for seed 1234567 of the reference implementation (`splitmix64.c`).
    #[test]
    fn draws_what_the_reference_draws() {
        let mut rng = Rng::new(1_234_567);
        assert_eq!(rng.draw(), 6_457_827_717_110_365_317);
        assert_eq!(rng.draw(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn chances_are_kept_on_average() {
        let mut rng = Rng::new(1);
        let hits = (0..100_000).filter(|_| rng.happens(Chance::percent(2))).count();
        assert!((1_800..2_200).contains(&hits), "{hits} of 100,000 at 2 %");
        assert!((0..1000).all(|_| !rng.happens(Chance::NEVER) && rng.happens(Chance::ALWAYS)));
        assert!((0..1000).all(|_| rng.below(7) < 7) && rng.below(0) == 0);
    }

    #[test]
    fn derived_generators_differ_by_seed_name_and_number() {
        let first = |seed, name, number| Rng::derive(seed, name, number).draw();
        let all = [
            first(1, "wire", 0),
            first(2, "wire", 0),
            first(1, "wire", 1),
            first(1, "host", 0),
            first(0, "", 0),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(!all[at + 1..].contains(one));
        }
        assert_eq!(first(1, "wire", 0), all[0]);
    }
}
