//! TCP options in scripts: `<mss 1460,nop,wscale 7,sackOK,sack 1:11 21:31,ts 5 0,raw fd04abcd>`.
//!
//! Written and read from the pictures of RFC 9293 3.2, RFC 7323 and RFC 2018, without the crate
//! under test.

use super::segment::Field;

/// One option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TcpOption {
    /// Kind 0.
    End,
    /// Kind 1.
    Nop,
    /// Kind 2.
    Mss(u16),
    /// Kind 3.
    WindowScale(u8),
    /// Kind 4.
    SackPermitted,
    /// Kind 5: blocks, relative.
    Sack(Vec<(u32, u32)>),
    /// Kind 8: value and echo.
    Timestamps(Field, Field),
    /// Any bytes, kind and length included.
    Raw(Vec<u8>),
}

impl TcpOption {
    /// Reads what stands between `<` and `>`.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, String> {
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(Self::parse).collect()
    }

    fn parse(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let bad = || format!("no such TCP option: {text:?}");
        Ok(match words.as_slice() {
            ["eol"] => Self::End,
            ["nop"] => Self::Nop,
            ["mss", size] => Self::Mss(size.parse().map_err(|_| bad())?),
            ["wscale", shift] => Self::WindowScale(shift.parse().map_err(|_| bad())?),
            ["sackOK"] => Self::SackPermitted,
            ["sack", blocks @ ..] => {
                let block = |text: &&str| {
                    let (left, right) = text.split_once(':')?;
                    Some((left.parse().ok()?, right.parse().ok()?))
                };
                Self::Sack(blocks.iter().map(block).collect::<Option<_>>().ok_or_else(bad)?)
            }
            ["ts", value, echo] => Self::Timestamps(Field::parse(value)?, Field::parse(echo)?),
            ["raw", digits] => Self::Raw(hex(digits).ok_or_else(bad)?),
            _ => return Err(bad()),
        })
    }

    /// Appends it to an options area; numbers in SACK blocks count from `base`.
    pub fn write(&self, base: u32, area: &mut Vec<u8>) {
        match self {
            Self::End => area.push(0),
            Self::Nop => area.push(1),
            Self::Mss(size) => {
                area.extend([2, 4]);
                area.extend(size.to_be_bytes());
            }
            Self::WindowScale(shift) => area.extend([3, 3, *shift]),
            Self::SackPermitted => area.extend([4, 2]),
            Self::Sack(blocks) => {
                area.extend([5, (2 + 8 * blocks.len()) as u8]);
                for edge in blocks.iter().flat_map(|&(left, right)| [left, right]) {
                    area.extend(base.wrapping_add(edge).to_be_bytes());
                }
            }
            Self::Timestamps(value, echo) => {
                area.extend([8, 10]);
                area.extend(value.number().to_be_bytes());
                area.extend(echo.number().to_be_bytes());
            }
            Self::Raw(bytes) => area.extend(bytes),
        }
    }

    /// Reads an options area, padding left out; numbers in SACK blocks count from `base`.
    pub fn read(mut area: &[u8], base: u32) -> Vec<Self> {
        let mut options = Vec::new();
        while let [kind, rest @ ..] = area {
            match *kind {
                0 => break,
                1 => {
                    area = rest;
                    continue;
                }
                _ => {}
            }
            let length = rest.first().map_or(area.len(), |&length| usize::from(length).max(2));
            let (option, behind) = area.split_at(length.min(area.len()));
            options.push(Self::read_one(option, base));
            area = behind;
        }
        options
    }

    fn read_one(option: &[u8], base: u32) -> Self {
        let number = |at: usize| {
            option.get(at..at + 4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]))
        };
        match *option {
            [2, 4, high, low] => Self::Mss(u16::from_be_bytes([high, low])),
            [3, 3, shift] => Self::WindowScale(shift),
            [4, 2] => Self::SackPermitted,
            [5, length, ref body @ ..] if usize::from(length) == option.len() => {
                let edge = |at: usize| number(at).unwrap_or_default().wrapping_sub(base);
                let blocks = 0..body.len() / 8;
                Self::Sack(blocks.map(|n| (edge(2 + 8 * n), edge(6 + 8 * n))).collect())
            }
            [8, 10, ..] if option.len() == 10 => {
                let field = |at: usize| Field::Is(number(at).unwrap_or_default());
                Self::Timestamps(field(2), field(6))
            }
            _ => Self::Raw(option.to_vec()),
        }
    }

    /// Whether `got` is what this asks for.
    pub fn admits(&self, got: &Self) -> bool {
        match (self, got) {
            (Self::Timestamps(value, echo), Self::Timestamps(got_value, got_echo)) => {
                value.admits(got_value.number()) && echo.admits(got_echo.number())
            }
            (expected, got) => expected == got,
        }
    }

    /// Padding, which does not count in comparisons.
    pub fn is_padding(&self) -> bool {
        matches!(self, Self::End | Self::Nop)
    }

    /// As it stands in a script.
    pub fn show(&self) -> String {
        match self {
            Self::End => "eol".to_owned(),
            Self::Nop => "nop".to_owned(),
            Self::Mss(size) => format!("mss {size}"),
            Self::WindowScale(shift) => format!("wscale {shift}"),
            Self::SackPermitted => "sackOK".to_owned(),
            Self::Sack(blocks) => {
                blocks.iter().fold("sack".to_owned(), |text, (l, r)| text + &format!(" {l}:{r}"))
            }
            Self::Timestamps(value, echo) => format!("ts {value} {echo}"),
            Self::Raw(bytes) => {
                bytes.iter().fold("raw ".to_owned(), |text, byte| text + &format!("{byte:02x}"))
            }
        }
    }
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
