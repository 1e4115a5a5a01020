//! Packet scripts: one host against a peer that follows a file, in the manner of packetdrill.
//!
//! ```text
//! # test: RFC 9293 MUST-10              a requirement that this script shows
//! set mtu 1500                          settings come first
//! 0.000 listen 80                       a call into the sockets at 0 s
//! 0.100 < S 0:0(0) win 65535 <mss 1460> the peer sends a segment
//! 0.100 > S. 0:0(0) ack 1 <*>           the host must send this, now and nothing else
//! +0.01 < . 1:1(0) ack 1                a hundredth later than the line before
//! 0.200 accept                          the connection is there, and is the current one
//! 0.300 write 1000
//! 0.300 > P. 1:1001(1000) ack 1
//! * > P. 1:1001(1000) ack 1             whenever it comes next
//! ```
//!
//! **Segments**: flags (`S F R P . U E W`, or `-`), `first:end(length)`, then `ack`, `win`, `urg`,
//! `ecn none|ect0|ect1|ce` (of the IP header; not looked at unless written) and options in `<>`.
//! Numbers count from each side's own initial one. The peer's is just before 2^32, so every script
//! crosses the wrap; the host's is learnt from its SYN. The window is the field on the wire. In
//! what is expected, `*` stands for any number, a window not written is not looked at, options not
//! written must not be there (`<*>`: any), and padding does not count.
//! In `ts V *` of what the peer sends, `*` is the last timestamp of the host.
//! Super-segments are cut before they are shown. Text is a pattern by position, and checked.
//!
//! `< too_big 1001 mtu 1400` is a router's ICMP "fragmentation needed" about the packet of the
//! interface's MTU at 1001 (or of `length N`); `mtu 0` is one from before RFC 1191.
//!
//! **Calls**: `listen PORT`, `connect PORT`, `connected [ERRNO]`, `accept`, `write N [ERRNO]`,
//! `read N` (`read 0` is the end), `read N of MAX` (asks for MAX, gets N), `read ERRNO`,
//! `urgent N` (a write with MSG_OOB), `mark yes|no` (SIOCATMARK), `priority yes|no` (POLLPRI),
//! `writable yes|no` (POLLOUT), `cork on|off`, `nodelay on|off`, `quickack on|off`,
//! `shutdown`, `close`, `abort`, `state NAME`, `counter NAME N` (of `nstat`, on the whole host),
//! `icmp KIND N` (the peer reports trouble with the host's segment at N),
//! `error [ERRNO]` (SO_ERROR), `quiet` (nothing was sent until now),
//! `flow PORT` (segments of another port of the peer from here on),
//! `again` (the next SYN of the host begins a new connection),
//! `congestion NAME` (TCP_CONGESTION), `cwnd LOW HIGH` and `ssthresh LOW HIGH` (bytes),
//! `answer RTT for S [losing N]`: for so long the application writes what it can, and the peer, if
//! it never gets the first N segments, acknowledges each of the others a round trip after it left.
//!
//! **Settings**: `set mtu N`, `set nodelay`, `set quickack`, `set receive_buffer N`,
//! `set send_buffer N`, `set keepalive IDLE INTERVAL PROBES`, `set user_timeout S`,
//! `set cork`, `set notsent_lowat N`,
//! `set memory N` (of all connections), `set linger S`, `set receive_errors` (IP_RECVERR),
//! `set tolerance S` (of times, 1 ms if not said),
//! `set backlog N` (16 if not said), `set syncookies off|full|always`,
//! `set ecn off|passive|active`, `set congestion NAME`,
//! `set iss N` (the host's first SYN has this number; the script begins when its clock says so).
//!
//! A script drives a whole [`socket::Host`] at its wire; ARP is answered behind the scenes.

mod options;
mod player;
mod segment;
mod syntax;

use core::fmt;
use std::path::{Path, PathBuf};

use layer::Duration;
use tcp::{EcnPolicy, SynCookies};

pub use segment::{Field, SegmentText};

/// A script that was read.
#[derive(Clone, Debug)]
pub struct Script {
    name: String,
    settings: Settings,
    lines: Vec<Line>,
}

/// What holds for the whole script.
#[derive(Clone, Debug)]
struct Settings {
    mtu: u32,
    nodelay: bool,
    quickack: bool,
    cork: bool,
    notsent_lowat: Option<u32>,
    memory: Option<u64>,
    receive_buffer: Option<u32>,
    send_buffer: Option<u32>,
    keepalive: Option<(Duration, Duration, u8)>,
    user_timeout: Option<Duration>,
    linger: Option<Duration>,
    receive_errors: bool,
    tolerance: Duration,
    iss: Option<u32>,
    backlog: u32,
    syn_cookies: SynCookies,
    ecn: EcnPolicy,
    congestion: &'static str,
    resting: bool,
}

/// One line: when, and what.
#[derive(Clone, Debug)]
struct Line {
    number: usize,
    text: String,
    when: When,
    action: Action,
}

/// When a line happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    /// So long after the script's start.
    At(Duration),
    /// So long after the line before.
    After(Duration),
    /// Whenever the next segment leaves.
    Whenever,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Action {
    /// The peer sends.
    Inject(SegmentText),
    /// A router says that the packet with this number was too big: its MTU, the packet's length.
    TooBig { seq: u32, mtu: u16, length: Option<u16> },
    /// The host must send.
    Expect(SegmentText),
    /// A call into the sockets, or into the player.
    Call(Call),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Call {
    Listen(u16),
    Connect(u16),
    Connected(Option<String>),
    Accept,
    Write(usize, Option<String>),
    Urgent(usize),
    Mark(bool),
    Priority(bool),
    ReadOf(usize, usize),
    Read(Result<usize, String>),
    Writable(bool),
    Cork(bool),
    NoDelay(bool),
    QuickAck(bool),
    Congestion(&'static str),
    Answer(Duration, Duration, u32),
    Cwnd(u32, u32),
    Ssthresh(u32, u32),
    Shutdown,
    Close,
    Abort,
    State(String),
    Counter(String, u64),
    Icmp((u8, u8), u32),
    Error(Option<String>),
    Quiet,
    Flow(u16),
    Again,
}

/// Why a script did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptError {
    /// Which script.
    pub name: String,
    /// Which line of it; one past the last for its end.
    pub line: usize,
    /// The line.
    pub text: String,
    /// What is wrong.
    pub what: String,
    /// What happened until then, in the syntax of scripts.
    pub trace: Vec<String>,
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, line, text, what, trace } = self;
        writeln!(f, "{name}:{line}: {what}")?;
        writeln!(f, "  line:  {text}")?;
        for (at, event) in trace.iter().enumerate() {
            let head = if at == 0 { "  trace:" } else { "        " };
            writeln!(f, "{head} {event}")?;
        }
        Ok(())
    }
}

impl core::error::Error for ScriptError {}

impl Script {
    /// Reads a script; `name` is for messages.
    ///
    /// # Errors
    ///
    /// The first line that is none.
    pub fn parse(name: &str, text: &str) -> Result<Self, ScriptError> {
        syntax::parse(name, text)
    }

    /// Plays it on a fresh host; answers what happened.
    ///
    /// # Errors
    ///
    /// The first line that did not come true.
    pub fn play(&self) -> Result<Vec<String>, ScriptError> {
        player::play(self)
    }

    /// Has connections take their small form whenever they may, not only after a second's silence:
    /// nothing that the script sees may depend on it.
    #[must_use]
    pub fn resting(mut self) -> Self {
        self.settings.resting = true;
        self
    }
}

/// Reads and plays a file.
///
/// # Errors
///
/// It cannot be read, is no script, or did not come true.
pub fn run_file(path: &Path) -> Result<(), ScriptError> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| ScriptError {
        name: name.clone(),
        line: 0,
        text: String::new(),
        what: error.to_string(),
        trace: Vec::new(),
    })?;
    let script = Script::parse(&name, &text)?;
    let trace = script.play()?;
    let again = script.resting().play()?;
    match trace.iter().zip(&again).position(|(one, other)| one != other) {
        None if trace.len() == again.len() => Ok(()),
        at => Err(ScriptError {
            name,
            line: 0,
            text: String::new(),
            what: format!("event {at:?} is another when connections rest"),
            trace: again,
        }),
    }
}

/// All `*.pkt` files in and below a folder, in order of their names.
///
/// # Errors
///
/// What the file system says.
pub fn files_below(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(files_below(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "pkt") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests;
