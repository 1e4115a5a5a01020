//! Bytes that can be made again at any offset, so that the first wrong one can be named.

use anyhow::bail;
use sha2::{Digest, Sha256};

/// An endless sequence of bytes, the same for the same kind.
#[derive(Clone, Copy)]
pub(super) enum Content {
    /// What stackd's data source and its page `/bytes/N` send: see stackd/src/services/source.rs.
    Source,
    /// Noise from a seed: nothing repeats, so a shifted or doubled piece cannot pass.
    Noise(u64),
}

impl Content {
    /// Writes the bytes from `offset` on over `buffer`.
    pub(super) fn fill(self, offset: u64, buffer: &mut [u8]) {
        match self {
            Content::Source => {
                for (at, byte) in (offset..).zip(buffer) {
                    *byte = (at % 251 * 31 % 251) as u8;
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

/// Compares what arrives with what should, and hashes both.
pub(super) struct Check {
    content: Content,
    received: u64,
    expected: Vec<u8>,
    got: Sha256,
    wanted: Sha256,
}

impl Check {
    pub(super) fn new(content: Content) -> Check {
        let (got, wanted) = (Sha256::new(), Sha256::new());
        Check { content, received: 0, expected: Vec::new(), got, wanted }
    }

    /// Takes the next bytes that arrived; an error names the first wrong one.
    pub(super) fn take(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.expected.resize(bytes.len(), 0);
        self.content.fill(self.received, &mut self.expected);
        self.got.update(bytes);
        self.wanted.update(&self.expected);
        if let Some(at) = bytes.iter().zip(&self.expected).position(|(a, b)| a != b) {
            let (byte, wanted) = (bytes[at], self.expected[at]);
            bail!("byte {} is {byte:#04x}, not {wanted:#04x}", self.received + at as u64);
        }
        self.received += bytes.len() as u64;
        Ok(())
    }

    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// The equal SHA-256 of what arrived and what should have, as hex digits.
    pub(super) fn close(self, bytes: u64) -> anyhow::Result<String> {
        if self.received != bytes {
            bail!("{} bytes arrived, not {bytes}", self.received);
        }
        let (got, wanted) = (hex(&self.got.finalize()), hex(&self.wanted.finalize()));
        if got != wanted {
            bail!("SHA-256 {got}, not {wanted}");
        }
        Ok(got)
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): a number to an unrelated number.
pub(super) fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
