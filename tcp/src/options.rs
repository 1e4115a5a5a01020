//! TCP options (RFC 9293 3.2, RFC 7323 2): read by our own walk, written padded.
//!
//! The walk is our own because an unknown kind must be skipped by its length, not end it.

/// The options of one segment that we know. Absent ones are `None` or false.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Maximum segment size the sender can receive, bytes (kind 2).
    pub mss: Option<u16>,
    /// Window scale shift (kind 3); above 14 is read as 14.
    pub window_scale: Option<u8>,
}

mod kind {
    pub(super) const END: u8 = 0;
    pub(super) const NOP: u8 = 1;
    pub(super) const MSS: u8 = 2;
    pub(super) const WINDOW_SCALE: u8 = 3;
}

impl Options {
    /// RFC 7323 2.3: the largest shift.
    pub const MAX_SCALE: u8 = 14;

    /// Reads an options area: header bytes from 20 to the data offset.
    ///
    /// A length that makes no sense ends the walk; what was read before it counts.
    pub fn read(mut bytes: &[u8]) -> Self {
        let mut options = Self::default();
        // RFC 9293 3.1 MUST-5: called for every segment, not only for SYNs.
        // RFC 9293 3.2 MUST-64: nothing here assumes alignment.
        while let [kind, rest @ ..] = bytes {
            bytes = match *kind {
                kind::END => break,
                kind::NOP => rest,
                kind => {
                    // RFC 9293 3.1 MUST-7: lengths of 0, 1 or past the end are survived.
                    let Some((&length, _)) = rest.split_first() else { break };
                    let Some(option) = bytes.get(..usize::from(length)).filter(|o| o.len() >= 2)
                    else {
                        break;
                    };
                    options.take(kind, &option[2..]);
                    &bytes[option.len()..]
                }
            };
        }
        options
    }

    fn take(&mut self, kind: u8, body: &[u8]) {
        match (kind, body) {
            // RFC 9293 3.1 MUST-4: EOL, NOP and MSS are understood.
            (kind::MSS, &[high, low]) => self.mss = Some(u16::from_be_bytes([high, low])),
            (kind::WINDOW_SCALE, &[shift]) => self.window_scale = Some(shift.min(Self::MAX_SCALE)),
            // RFC 9293 3.1 MUST-6: unknown options are skipped by their length.
            _ => {}
        }
    }

    /// Bytes that [`Options::write`] will fill: a multiple of 4.
    pub fn len(&self) -> usize {
        usize::from(self.mss.is_some()) * 4 + usize::from(self.window_scale.is_some()) * 4
    }

    /// No option at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes them into `area`, which is [`Options::len`] bytes long.
    pub fn write(&self, area: &mut [u8]) {
        let mut words = area.chunks_exact_mut(4);
        if let (Some(mss), Some(word)) = (self.mss, self.mss.and_then(|_| words.next())) {
            let [high, low] = mss.to_be_bytes();
            // RFC 9293 3.1 MUST-68: every option but EOL and NOP carries its length.
            word.copy_from_slice(&[kind::MSS, 4, high, low]);
        }
        if let (Some(shift), Some(word)) =
            (self.window_scale, self.window_scale.and_then(|_| words.next()))
        {
            word.copy_from_slice(&[kind::NOP, kind::WINDOW_SCALE, 3, shift]);
        }
        // RFC 9293 3.1 MUST-69: we need no EOL, so nothing can follow one; the rest stays zero.
    }
}

#[cfg(test)]
mod tests;
