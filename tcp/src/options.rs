//! TCP options (RFC 9293 3.2, RFC 7323 2 and 3, RFC 2018): read by our own walk, written padded.
//!
//! The walk is our own because an unknown kind must be skipped by its length, not end it.

use crate::seq::Seq;

/// The options of one segment that we know. Absent ones are `None`, false or empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Maximum segment size the sender can receive, bytes (kind 2).
    pub mss: Option<u16>,
    /// Window scale shift (kind 3); above 14 is read as 14.
    pub window_scale: Option<u8>,
    /// The sender can take SACK blocks (kind 4, RFC 2018 2).
    pub sack_permitted: bool,
    /// TSval and TSecr (kind 8, RFC 7323 3).
    pub timestamps: Option<Timestamps>,
    /// What arrived beyond a hole (kind 5, RFC 2018 3).
    pub sack: SackBlocks,
}

/// TSval and TSecr.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timestamps {
    /// The sender's clock.
    pub value: u32,
    /// What it last heard from us.
    pub echo: u32,
}

/// Up to four SACK blocks, each from its first number to one past its last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SackBlocks {
    blocks: [(Seq, Seq); SackBlocks::MOST],
    count: u8,
}

impl SackBlocks {
    /// As many as fit the options area (RFC 2018 3).
    pub const MOST: usize = 4;

    /// Appends a block; false if there is no place left.
    pub fn push(&mut self, block: (Seq, Seq)) -> bool {
        let Some(place) = self.blocks.get_mut(usize::from(self.count)) else { return false };
        *place = block;
        self.count += 1;
        true
    }

    /// The blocks, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Seq, Seq)> + '_ {
        self.blocks.iter().copied().take(usize::from(self.count))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        usize::from(self.count)
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

mod kind {
    pub(super) const END: u8 = 0;
    pub(super) const NOP: u8 = 1;
    pub(super) const MSS: u8 = 2;
    pub(super) const WINDOW_SCALE: u8 = 3;
    pub(super) const SACK_PERMITTED: u8 = 4;
    pub(super) const SACK: u8 = 5;
    pub(super) const TIMESTAMPS: u8 = 8;
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
            (kind::SACK_PERMITTED, []) => self.sack_permitted = true,
            (kind::TIMESTAMPS, &[a, b, c, d, e, f, g, h]) => {
                self.timestamps = Some(Timestamps {
                    value: u32::from_be_bytes([a, b, c, d]),
                    echo: u32::from_be_bytes([e, f, g, h]),
                });
            }
            (kind::SACK, blocks) if blocks.len() % 8 == 0 => {
                for block in blocks.chunks_exact(8) {
                    let edge = |at: usize| block.get(at..at + 4).and_then(|b| b.try_into().ok());
                    let (Some(from), Some(to)) = (edge(0), edge(4)) else { break };
                    let block = (Seq(u32::from_be_bytes(from)), Seq(u32::from_be_bytes(to)));
                    if !self.sack.push(block) {
                        break;
                    }
                }
            }
            // RFC 9293 3.1 MUST-6: unknown options are skipped by their length.
            _ => {}
        }
    }

    /// Bytes that [`Options::write`] will fill: a multiple of 4.
    pub fn len(&self) -> usize {
        let Self { mss, window_scale, sack_permitted, timestamps, sack } = self;
        let sack = if sack.is_empty() { 0 } else { 4 + 8 * sack.len() };
        4 * usize::from(mss.is_some())
            + 4 * usize::from(window_scale.is_some())
            + 4 * usize::from(*sack_permitted)
            + 12 * usize::from(timestamps.is_some())
            + sack
    }

    /// No option at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes them into `area`, which is [`Options::len`] bytes long. Each starts with the NOPs
    /// that align it, so none needs to follow one that is padded at its end.
    pub fn write(&self, area: &mut [u8]) {
        let mut rest = area;
        let mut put = |bytes: &[u8]| {
            let (place, behind) = core::mem::take(&mut rest).split_at_mut(bytes.len());
            place.copy_from_slice(bytes);
            rest = behind;
        };
        // RFC 9293 3.1 MUST-68: every option but EOL and NOP carries its length.
        if let Some(mss) = self.mss {
            let [high, low] = mss.to_be_bytes();
            put(&[kind::MSS, 4, high, low]);
        }
        if self.sack_permitted {
            put(&[kind::NOP, kind::NOP, kind::SACK_PERMITTED, 2]);
        }
        if let Some(shift) = self.window_scale {
            put(&[kind::NOP, kind::WINDOW_SCALE, 3, shift]);
        }
        if let Some(Timestamps { value, echo }) = self.timestamps {
            put(&[kind::NOP, kind::NOP, kind::TIMESTAMPS, 10]);
            put(&value.to_be_bytes());
            put(&echo.to_be_bytes());
        }
        if !self.sack.is_empty() {
            let length = u8::try_from(2 + 8 * self.sack.len()).unwrap_or_default();
            put(&[kind::NOP, kind::NOP, kind::SACK, length]);
            for (from, to) in self.sack.iter() {
                put(&from.0.to_be_bytes());
                put(&to.0.to_be_bytes());
            }
        }
        // RFC 9293 3.1 MUST-69: we need no EOL, so nothing can follow one.
    }
}

#[cfg(test)]
mod tests;
