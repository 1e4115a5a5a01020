//! A data source in the manner of RFC 864, as fast as the connection takes it: byte `i` of the
//! stream is `i * 31 % 251`, so a receiver can check every byte wherever it is:
//!
//! ```python
//! period = bytes(i * 31 % 251 for i in range(251))
//! ```

use std::io::{self, Write};

use socket::net::TcpStream;

use super::BUFFER;
use super::desk::{Session, Turn};

impl Session {
    /// Sends until the peer goes away.
    pub(super) fn source(&mut self, pattern: &[u8]) -> io::Result<Turn> {
        // A client that has gone is noticed by the write; what it says does not matter.
        self.at = (self.at + self.stream.write(&pattern[self.at..])?) % pattern.len();
        Ok(Turn::Again)
    }
}

/// After so many bytes the pattern begins again.
const PERIOD: usize = 251;

/// Whole periods, about as much as a super-frame carries.
pub(super) fn pattern() -> Vec<u8> {
    // The remainder of a division by 251 fits a byte.
    let byte = |i: usize| u8::try_from(i * 31 % PERIOD).unwrap_or_default();
    (0..BUFFER / PERIOD * PERIOD).map(byte).collect()
}

/// Sends the first `n` bytes of the pattern.
pub(super) fn first(stream: &mut TcpStream, n: u64) -> io::Result<()> {
    let pattern = pattern();
    let mut left = n;
    while left > 0 {
        let part = usize::try_from(left).unwrap_or(usize::MAX).min(pattern.len());
        stream.write_all(&pattern[..part])?;
        left -= part as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pattern_is_as_documented_and_joins_seamlessly() {
        let pattern = pattern();
        assert_eq!(pattern[..5], [0, 31, 62, 93, 124]);
        // 9 * 31 = 279 = 251 + 28
        assert_eq!(pattern[9], 28);
        assert_eq!(pattern[251], 0);
        assert_eq!(pattern.len() % PERIOD, 0);
    }
}
