//! What bytes mean. Records of a fixed size, so that a fuzzer that moves or cuts them keeps the
//! meaning of the rest.

use layer::Duration;

/// What holds for a whole run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    /// One stack and an enemy, instead of two stacks.
    pub(super) assault: bool,
    pub(super) sack: bool,
    pub(super) timestamps: bool,
    pub(super) reno: bool,
    pub(super) nodelay: bool,
    /// Both ends want ECN.
    pub(super) ecn: bool,
    /// Nothing is kept of a SYN.
    pub(super) cookies: bool,
    /// Memory for hardly more than one connection.
    pub(super) poor: bool,
    /// Fixed buffers of this size; otherwise they size themselves.
    pub(super) buffer: Option<u32>,
    pub(super) mtu: u32,
    /// Items that fit an outlet.
    pub(super) room: usize,
    pub(super) seed: u8,
}

/// A socket call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Connect,
    Write {
        bytes: usize,
        urgent: bool,
    },
    Read {
        bytes: usize,
    },
    Shutdown,
    Close,
    Abort,
    /// nodelay, cork, quickack, keep-alive, by bit.
    Configure(u8),
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Deliver { to: usize, count: usize },
    Overtake { to: usize, index: usize },
    Lose { to: usize, index: usize, count: usize },
    Double { to: usize, index: usize },
    Break { to: usize, index: usize, bit: usize },
    Replay { to: usize, index: usize },
    Call { on: usize, call: Call },
    Advance(Duration),
    NextDeadline,
    Enemy { to: usize, what: [u8; 3] },
}

/// Bytes of a record.
const RECORD: usize = 4;

impl Setting {
    /// The setting, and what follows it.
    pub(super) fn read(input: &[u8]) -> (Self, &[u8]) {
        let mut head = [0; RECORD];
        let taken = input.len().min(RECORD);
        head[..taken].copy_from_slice(&input[..taken]);
        let [flags, buffer, mtu, seed] = head;
        let bit = |n: u8| flags >> n & 1 == 1;
        let setting = Self {
            assault: bit(0),
            sack: !bit(1),
            timestamps: !bit(2),
            reno: bit(3),
            nodelay: bit(4),
            ecn: bit(5),
            cookies: bit(6),
            poor: bit(7),
            buffer: [None, Some(2048), Some(9000), Some(65_536)][usize::from(buffer % 4)],
            mtu: [1500, 576, 9000, 140][usize::from(mtu % 4)],
            room: [64, 4, 1, 16][usize::from(mtu / 4 % 4)],
            seed,
        };
        (setting, &input[taken..])
    }
}

impl Action {
    /// All actions of an input; what is left at its end is none.
    pub(super) fn read_all(input: &[u8]) -> impl Iterator<Item = Self> + '_ {
        input
            .chunks_exact(RECORD)
            .map(|record| Self::read(record[0], record[1], record[2], record[3]))
    }

    fn read(kind: u8, a: u8, b: u8, c: u8) -> Self {
        let (to, index) = (usize::from(a & 1), usize::from(b));
        match kind % 32 {
            0..8 => Self::Deliver { to, count: 1 + usize::from(b % 16) },
            8 | 9 => Self::Overtake { to, index },
            10 => Self::Lose { to, index, count: 1 + usize::from(c % 4) },
            11 => Self::Double { to, index },
            12 => Self::Break { to, index, bit: usize::from(u16::from_be_bytes([c, a])) },
            13 => Self::Replay { to, index },
            14..18 => {
                let bytes = size(b, c);
                Self::Call { on: to, call: Call::Write { bytes, urgent: a & 0xf0 == 0xf0 } }
            }
            18..21 => Self::Call { on: to, call: Call::Read { bytes: size(b, c) } },
            21 => Self::Call { on: to, call: Call::Connect },
            22 => Self::Call { on: to, call: rare_call(b) },
            23..26 => Self::Advance(span(b, c)),
            26..28 => Self::NextDeadline,
            _ => Self::Enemy { to, what: [a >> 1, b, c] },
        }
    }
}

/// Small ones exactly, large ones roughly.
fn size(b: u8, c: u8) -> usize {
    let value = usize::from(c) + 1;
    match b % 4 {
        0 => value,
        1 => value * 16,
        2 => value * 128,
        _ => value * 512,
    }
}

fn rare_call(b: u8) -> Call {
    match b % 8 {
        0..3 => Call::Shutdown,
        3 => Call::Close,
        4 => Call::Abort,
        _ => Call::Configure(b >> 3),
    }
}

/// From microseconds to minutes.
fn span(b: u8, c: u8) -> Duration {
    let value = u64::from(c) + 1;
    match b % 8 {
        0 => Duration::from_micros(value),
        1..4 => Duration::from_millis(value),
        4..6 => Duration::from_millis(10 * value),
        6 => Duration::from_millis(200 * value),
        _ => Duration::from_secs(value),
    }
}
