//! [`Pattern`]: streams whose every byte tells its stream and its position.
//!
//! A byte that is lost, doubled, swapped or from another stream does not fit: in each block of
//! eight the bytes are a hash of stream and position. So equality of streams is checked as they
//! arrive and nothing is kept.

use crate::rng::mix;

/// The stream of this number, endless.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pattern(pub u64);

/// The first byte that is not the stream's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {at} of stream {stream:#x} is {got:#04x}, not {expected:#04x}")]
pub struct Mismatch {
    /// Which stream.
    pub stream: u64,
    /// Position in it.
    pub at: u64,
    /// What is there.
    pub got: u8,
    /// What should be.
    pub expected: u8,
}

impl Pattern {
    fn block(self, number: u64) -> [u8; 8] {
        mix(self.0 ^ mix(number)).to_le_bytes()
    }

    /// Fills `bytes` with the stream from position `at` on.
    pub fn fill(self, at: u64, bytes: &mut [u8]) {
        let mut position = at;
        let mut rest = bytes;
        while !rest.is_empty() {
            let from = (position % 8) as usize;
            let n = rest.len().min(8 - from);
            let (now, later) = rest.split_at_mut(n);
            now.copy_from_slice(&self.block(position / 8)[from..from + n]);
            position += n as u64;
            rest = later;
        }
    }

    /// `n` bytes of the stream from position `at` on.
    pub fn bytes(self, at: u64, n: usize) -> Vec<u8> {
        let mut bytes = vec![0; n];
        self.fill(at, &mut bytes);
        bytes
    }

    /// Checks that `bytes` are the stream's from position `at` on.
    ///
    /// # Errors
    ///
    /// The first byte that is not.
    pub fn check(self, at: u64, bytes: &[u8]) -> Result<(), Mismatch> {
        let expected = self.bytes(at, bytes.len());
        if expected == bytes {
            return Ok(());
        }
        let differs = bytes.iter().zip(&expected).position(|(a, b)| a != b).unwrap_or_default();
        Err(Mismatch {
            stream: self.0,
            at: at + differs as u64,
            got: bytes[differs],
            expected: expected[differs],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_cut_of_a_stream_is_the_same_stream() {
        let whole = Pattern(3).bytes(0, 1000);
        for (at, n) in [(0, 1000), (1, 1), (7, 2), (8, 8), (13, 500), (999, 1), (5, 0)] {
            assert_eq!(Pattern(3).bytes(at as u64, n), whole[at..at + n]);
            assert_eq!(Pattern(3).check(at as u64, &whole[at..at + n]), Ok(()));
        }
    }

    #[test]
    fn a_wrong_byte_a_shift_and_another_stream_are_found() {
        let mut bytes = Pattern(3).bytes(100, 64);
        assert!(Pattern(3).check(101, &bytes).is_err());
        assert!(Pattern(4).check(100, &bytes).is_err());
        bytes[17] ^= 1;
        assert_eq!(Pattern(3).check(100, &bytes).map_err(|wrong| wrong.at), Err(117));
    }
}
