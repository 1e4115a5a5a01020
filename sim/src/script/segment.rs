//! A TCP segment as a line of a script says it.

use core::fmt;

use super::options::TcpOption;

/// A number, or any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// `*`
    Any,
    /// This one.
    Is(u32),
}

impl Field {
    /// Reads a number or `*`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "*" => Ok(Self::Any),
            digits => digits.parse().map(Self::Is).map_err(|_| format!("no number: {digits:?}")),
        }
    }

    /// The number; any is 0 where it has to be one.
    pub fn number(self) -> u32 {
        match self {
            Self::Any => 0,
            Self::Is(number) => number,
        }
    }

    /// `got` is what is asked for.
    pub fn admits(self, got: u32) -> bool {
        match self {
            Self::Any => true,
            Self::Is(number) => number == got,
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Is(number) => write!(f, "{number}"),
        }
    }
}

/// The letters of the control bits from the lowest; `.` is ACK as in tcpdump.
const LETTERS: &str = "FSRP.UEW";

/// The ACK bit.
pub(super) const ACK: u8 = 0x10;
/// The SYN bit.
pub(super) const SYN: u8 = 0x02;

/// A segment: sent by the peer, expected from the host, or seen from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentText {
    /// Control bits.
    pub flags: u8,
    /// First sequence number, relative.
    pub seq: Field,
    /// Bytes of text.
    pub length: Field,
    /// Acknowledgement, relative; only with the ACK bit.
    pub ack: Option<Field>,
    /// Window field.
    pub window: Option<Field>,
    /// Urgent pointer.
    pub urgent: u16,
    /// ECN field of the IP header.
    pub ecn: Option<u8>,
    /// Options; `None` is `<*>`.
    pub options: Option<Vec<TcpOption>>,
}

impl SegmentText {
    /// Reads `S. 0:0(0) ack 1 win 65535 <mss 1460>`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (front, options) = match text.split_once('<') {
            None => (text, Some(Vec::new())),
            Some((front, rest)) => {
                let inside = rest.strip_suffix('>').ok_or("options end with '>'")?;
                let any = inside.trim() == "*";
                (front, if any { None } else { Some(TcpOption::parse_all(inside)?) })
            }
        };
        let mut words = front.split_whitespace();
        let flags = parse_flags(words.next().ok_or("flags are missing")?)?;
        let numbers = words.next().ok_or("first:end(length) is missing")?;
        let (seq, length) = parse_numbers(numbers)?;
        let (mut ack, mut window, mut urgent, mut ecn) = (None, None, 0, None);
        while let Some(word) = words.next() {
            let value = words.next().ok_or_else(|| format!("{word:?} wants a number"))?;
            match word {
                "ack" => ack = Some(Field::parse(value)?),
                "win" => window = Some(Field::parse(value)?),
                "ecn" => ecn = Some(codepoint(value)?),
                "urg" => urgent = value.parse().map_err(|_| "urg wants a number")?,
                other => return Err(format!("what is {other:?}?")),
            }
        }
        if ack.is_some() != (flags & ACK != 0) {
            return Err("'.' among the flags and 'ack' belong together".to_owned());
        }
        Ok(Self { flags, seq, length, ack, window, urgent, ecn, options })
    }

    /// What of `got` is not as this asks; `None` if all is.
    pub fn differs(&self, got: &Self) -> Option<&'static str> {
        let Self { flags, seq, length, ack, window, urgent, ecn, options } = self;
        let acked = |field: &Option<Field>| field.map(Field::number);
        let ack_fits = match (ack, acked(&got.ack)) {
            (Some(field), Some(number)) => field.admits(number),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        let window_fits = window.is_none_or(|window| match got.window {
            Some(field) => window.admits(field.number()),
            None => true,
        });
        let checks = [
            (*flags == got.flags, "flags"),
            (seq.admits(got.seq.number()), "sequence number"),
            (length.admits(got.length.number()), "length"),
            (ack_fits, "acknowledgement"),
            (window_fits, "window"),
            (*urgent == got.urgent, "urgent pointer"),
            (ecn.is_none() || *ecn == got.ecn, "ECN field"),
            (options_fit(options.as_deref(), got.options.as_deref()), "options"),
        ];
        checks.into_iter().find(|(fits, _)| !fits).map(|(_, name)| name)
    }
}

fn options_fit(expected: Option<&[TcpOption]>, got: Option<&[TcpOption]>) -> bool {
    let (Some(expected), Some(got)) = (expected, got) else { return true };
    let counts = |options: &[TcpOption]| -> Vec<TcpOption> {
        options.iter().filter(|option| !option.is_padding()).cloned().collect()
    };
    let (expected, got) = (counts(expected), counts(got));
    expected.len() == got.len() && expected.iter().zip(&got).all(|(e, g)| e.admits(g))
}

/// The ECN field of an IP header by its values (RFC 3168 5).
const CODEPOINTS: [&str; 4] = ["none", "ect1", "ect0", "ce"];

fn codepoint(name: &str) -> Result<u8, String> {
    let at = CODEPOINTS.iter().position(|known| *known == name);
    at.map(|at| at as u8).ok_or_else(|| format!("{name:?} is none of {CODEPOINTS:?}"))
}

fn parse_flags(text: &str) -> Result<u8, String> {
    if text == "-" {
        return Ok(0);
    }
    let bit = |letter| LETTERS.find(letter).map(|bit| 1 << bit);
    text.chars().try_fold(0, |flags, letter| {
        bit(letter).map(|bit: u8| flags | bit).ok_or_else(|| format!("no such flag: {letter:?}"))
    })
}

/// `1:1001(1000)`; the end must fit, if all three are numbers.
fn parse_numbers(text: &str) -> Result<(Field, Field), String> {
    let bad = || format!("{text:?} is not first:end(length)");
    let (seq, rest) = text.split_once(':').ok_or_else(bad)?;
    let (end, rest) = rest.split_once('(').ok_or_else(bad)?;
    let length = rest.strip_suffix(')').ok_or_else(bad)?;
    let [seq, end, length] = [seq, end, length].map(Field::parse);
    let (seq, end, length) = (seq?, end?, length?);
    if let (Field::Is(first), Field::Is(end), Field::Is(length)) = (seq, end, length)
        && first.wrapping_add(length) != end
    {
        return Err(format!("{first} and {length} bytes do not end at {end}"));
    }
    Ok((seq, length))
}

impl fmt::Display for SegmentText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { flags, seq, length, ack, window, urgent, ecn, options } = self;
        let letters = |f: &mut fmt::Formatter<'_>| {
            // As tcpdump: SYN, FIN, RST, PSH first, ACK last.
            "SFRPUEW.".chars().try_for_each(|letter| match LETTERS.find(letter) {
                Some(bit) if flags & (1 << bit) != 0 => write!(f, "{letter}"),
                Some(_) | None => Ok(()),
            })
        };
        if *flags == 0 {
            f.write_str("-")?;
        }
        letters(f)?;
        let end = match (seq, length) {
            (Field::Is(seq), Field::Is(length)) => Field::Is(seq.wrapping_add(*length)),
            (Field::Any, _) | (_, Field::Any) => Field::Any,
        };
        write!(f, " {seq}:{end}({length})")?;
        if let Some(ack) = ack {
            write!(f, " ack {ack}")?;
        }
        if let Some(window) = window {
            write!(f, " win {window}")?;
        }
        let marked = ecn.filter(|field| *field != 0);
        if let Some(name) = marked.and_then(|field| CODEPOINTS.get(usize::from(field))) {
            write!(f, " ecn {name}")?;
        }
        if *urgent != 0 {
            write!(f, " urg {urgent}")?;
        }
        match options {
            None => f.write_str(" <*>"),
            Some(options) if options.is_empty() => Ok(()),
            Some(options) => {
                let shown: Vec<String> = options.iter().map(TcpOption::show).collect();
                write!(f, " <{}>", shown.join(","))
            }
        }
    }
}
