//! Bytes that can be made again at any offset, so that the first wrong one can be named.

use anyhow::bail;
use sha2::{Digest, Sha256};

/// After so many bytes the source's pattern begins again.
const PERIOD: u64 = 251;

/// Whole periods of the source's pattern, enough of them to copy rather than compute.
static PERIODS: [u8; 16 * PERIOD as usize] = {
    let mut bytes = [0; 16 * PERIOD as usize];
    let mut at = 0;
    while at < bytes.len() {
        bytes[at] = (at * 31 % PERIOD as usize) as u8;
        at += 1;
    }
    bytes
};

/// An endless sequence of bytes, the same for the same kind.
#[derive(Clone, Copy)]
pub(in crate::netns) enum Content {
    /// What stackd's data source and its page `/bytes/N` send: see stackd/src/services/source.rs.
    Source,
    /// Noise from a seed: nothing repeats, so a shifted or doubled piece cannot pass.
    Noise(u64),
}

impl Content {
    /// Writes the bytes from `offset` on over `buffer`.
    pub(in crate::netns) fn fill(self, offset: u64, buffer: &mut [u8]) {
        match self {
            Content::Source => {
                let (mut phase, mut rest) = ((offset % PERIOD) as usize, buffer);
                while !rest.is_empty() {
                    let count = rest.len().min(PERIODS.len() - phase);
                    let (piece, next) = rest.split_at_mut(count);
                    piece.copy_from_slice(&PERIODS[phase..phase + count]);
                    (phase, rest) = (0, next);
                }
            }
            Content::Noise(seed) => {
                let mut offset = offset;
                let mut rest = buffer;
                while !rest.is_empty() {
                    let word = mix(seed.wrapping_add(offset / 8)).to_le_bytes();
                    let word = &word[(offset % 8) as usize..];
                    let count = word.len().min(rest.len());
                    let (piece, next) = rest.split_at_mut(count);
                    piece.copy_from_slice(&word[..count]);
                    offset += count as u64;
                    rest = next;
                }
            }
        }
    }
}

/// Compares what arrives with what should, byte for byte, and hashes it for the record.
pub(in crate::netns) struct Check {
    content: Content,
    received: u64,
    expected: Vec<u8>,
    hash: Sha256,
}

impl Check {
    pub(in crate::netns) fn new(content: Content) -> Check {
        Check { content, received: 0, expected: Vec::new(), hash: Sha256::new() }
    }

    /// Takes the next bytes that arrived; an error names the first wrong one.
    pub(in crate::netns) fn take(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.expected.resize(bytes.len(), 0);
        self.content.fill(self.received, &mut self.expected);
        self.hash.update(bytes);
        if bytes != self.expected {
            let at = bytes.iter().zip(&self.expected).take_while(|(a, b)| a == b).count();
            let (byte, wanted) = (bytes[at], self.expected[at]);
            bail!("byte {} is {byte:#04x}, not {wanted:#04x}", self.received + at as u64);
        }
        self.received += bytes.len() as u64;
        Ok(())
    }

    pub(in crate::netns) fn received(&self) -> u64 {
        self.received
    }

    /// The SHA-256 of what arrived, which must be so many bytes, as hex digits.
    pub(in crate::netns) fn close(self, bytes: u64) -> anyhow::Result<String> {
        if self.received != bytes {
            bail!("{} bytes arrived, not {bytes}", self.received);
        }
        Ok(self.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): a number to an unrelated number.
pub(in crate::netns) fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
