//! Reads scripts. See the head of [`super`] for the language.

use core::str::FromStr;

use layer::Duration;
use tcp::{EcnPolicy, SynCookies};

use super::segment::SegmentText;
use super::{Action, Call, Line, Script, ScriptError, Settings, When};

pub(super) fn parse(name: &str, text: &str) -> Result<Script, ScriptError> {
    let mut script =
        Script { name: name.to_owned(), settings: Settings::default(), lines: Vec::new() };
    for (index, raw) in text.lines().enumerate() {
        let line = raw.split('#').next().unwrap_or_default().trim();
        let taken = match line.strip_prefix("set ") {
            _ if line.is_empty() => Ok(()),
            Some(_) if !script.lines.is_empty() => Err("settings come first".to_owned()),
            Some(setting) => script.settings.take(setting),
            None => parse_line(index + 1, line).map(|line| script.lines.push(line)),
        };
        taken.map_err(|what| ScriptError {
            name: name.to_owned(),
            line: index + 1,
            text: raw.to_owned(),
            what,
            trace: Vec::new(),
        })?;
    }
    Ok(script)
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mtu: 1500,
            nodelay: false,
            quickack: false,
            cork: false,
            notsent_lowat: None,
            memory: None,
            receive_buffer: None,
            send_buffer: None,
            keepalive: None,
            user_timeout: None,
            linger: None,
            receive_errors: false,
            tolerance: Duration::from_millis(1),
            iss: None,
            backlog: 16,
            syn_cookies: SynCookies::WhenFull,
            ecn: EcnPolicy::Passive,
            congestion: tcp::CONGESTION[0],
            resting: false,
        }
    }
}

impl Settings {
    fn take(&mut self, text: &str) -> Result<(), String> {
        match text.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["mtu", bytes] => self.mtu = number(bytes)?,
            ["nodelay"] => self.nodelay = true,
            ["cork"] => self.cork = true,
            ["notsent_lowat", bytes] => self.notsent_lowat = Some(number(bytes)?),
            ["memory", bytes] => self.memory = Some(number(bytes)?),
            ["quickack"] => self.quickack = true,
            ["receive_buffer", bytes] => self.receive_buffer = Some(number(bytes)?),
            ["send_buffer", bytes] => self.send_buffer = Some(number(bytes)?),
            ["backlog", most] => self.backlog = number(most)?,
            ["syncookies", "off"] => self.syn_cookies = SynCookies::Off,
            ["syncookies", "full"] => self.syn_cookies = SynCookies::WhenFull,
            ["syncookies", "always"] => self.syn_cookies = SynCookies::Always,
            ["ecn", "off"] => self.ecn = EcnPolicy::Off,
            ["ecn", "passive"] => self.ecn = EcnPolicy::Passive,
            ["ecn", "active"] => self.ecn = EcnPolicy::Active,
            ["congestion", name] => self.congestion = congestion(name)?,
            ["iss", iss] => self.iss = Some(number(iss)?),
            ["keepalive", idle, interval, probes] => {
                self.keepalive = Some((span(idle)?, span(interval)?, number(probes)?));
            }
            ["user_timeout", seconds] => self.user_timeout = Some(span(seconds)?),
            ["linger", seconds] => self.linger = Some(span(seconds)?),
            ["receive_errors"] => self.receive_errors = true,
            ["tolerance", seconds] => self.tolerance = span(seconds)?,
            _ => return Err(format!("no such setting: {text:?}")),
        }
        Ok(())
    }
}

fn parse_line(number: usize, text: &str) -> Result<Line, String> {
    let (when, what) = text.split_once(char::is_whitespace).ok_or("a line is: time, action")?;
    let when = match when.strip_prefix('+') {
        Some(later) => When::After(span(later)?),
        None if when == "*" => When::Whenever,
        None => When::At(span(when)?),
    };
    let what = what.trim();
    let action = if let Some(rest) = what.strip_prefix("< too_big ") {
        parse_too_big(rest)?
    } else if let Some(segment) = what.strip_prefix('<') {
        Action::Inject(SegmentText::parse(segment.trim())?)
    } else if let Some(segment) = what.strip_prefix('>') {
        Action::Expect(SegmentText::parse(segment.trim())?)
    } else {
        Action::Call(parse_call(what)?)
    };
    if when == When::Whenever && !matches!(action, Action::Expect(_)) {
        return Err("'*' is a time only for what the host sends".to_owned());
    }
    Ok(Line { number, text: text.to_owned(), when, action })
}

/// `1001 mtu 1400 [length 1500]`
fn parse_too_big(text: &str) -> Result<Action, String> {
    match text.split_whitespace().collect::<Vec<_>>().as_slice() {
        [seq, "mtu", mtu] => {
            Ok(Action::TooBig { seq: number(seq)?, mtu: number(mtu)?, length: None })
        }
        [seq, "mtu", mtu, "length", length] => {
            let length = Some(number(length)?);
            Ok(Action::TooBig { seq: number(seq)?, mtu: number(mtu)?, length })
        }
        _ => Err(format!("{text:?} is not: NUMBER mtu N [length N]")),
    }
}

fn parse_call(text: &str) -> Result<Call, String> {
    let errno = |word: &str| {
        let name = word.strip_prefix('E').filter(|name| name.chars().all(char::is_alphanumeric));
        name.map(str::to_owned).ok_or_else(|| format!("no errno: {word:?}"))
    };
    Ok(match text.split_whitespace().collect::<Vec<_>>().as_slice() {
        ["listen", port] => Call::Listen(number(port)?),
        ["connect", port] => Call::Connect(number(port)?),
        ["connected"] => Call::Connected(None),
        ["connected", word] => Call::Connected(Some(errno(word)?)),
        ["accept"] => Call::Accept,
        ["write", bytes] => Call::Write(number(bytes)?, None),
        ["write", bytes, word] => Call::Write(number(bytes)?, Some(errno(word)?)),
        ["urgent", bytes] => Call::Urgent(number(bytes)?),
        ["mark", answer] => Call::Mark(yes(answer)?),
        ["writable", answer] => Call::Writable(yes(answer)?),
        ["cork", answer] => Call::Cork(on(answer)?),
        ["nodelay", answer] => Call::NoDelay(on(answer)?),
        ["quickack", answer] => Call::QuickAck(on(answer)?),
        ["congestion", name] => Call::Congestion(congestion(name)?),
        ["answer", rtt, "for", time] => Call::Answer(span(rtt)?, span(time)?, 0),
        ["answer", rtt, "for", time, "losing", losses] => {
            Call::Answer(span(rtt)?, span(time)?, number(losses)?)
        }
        ["cwnd", low, high] => Call::Cwnd(number(low)?, number(high)?),
        ["ssthresh", low, high] => Call::Ssthresh(number(low)?, number(high)?),
        ["priority", answer] => Call::Priority(yes(answer)?),
        ["read", bytes, "of", most] => Call::ReadOf(number(bytes)?, number(most)?),
        ["read", word] => match number(word) {
            Ok(bytes) => Call::Read(Ok(bytes)),
            Err(_) => Call::Read(Err(errno(word)?)),
        },
        ["shutdown"] => Call::Shutdown,
        ["close"] => Call::Close,
        ["abort"] => Call::Abort,
        ["state", name] => Call::State((*name).to_owned()),
        ["counter", name, value] => Call::Counter((*name).to_owned(), number(value)?),
        ["icmp", kind, at] => Call::Icmp(icmp(kind)?, number(at)?),
        ["error"] => Call::Error(None),
        ["error", word] => Call::Error(Some(errno(word)?)),
        ["quiet"] => Call::Quiet,
        ["flow", port] => Call::Flow(number(port)?),
        ["again"] => Call::Again,
        _ => return Err(format!("no such call: {text:?}")),
    })
}

/// Type and code of an ICMP error, by its name in RFC 792.
fn icmp(name: &str) -> Result<(u8, u8), String> {
    Ok(match name {
        "net-unreachable" => (3, 0),
        "host-unreachable" => (3, 1),
        "protocol-unreachable" => (3, 2),
        "port-unreachable" => (3, 3),
        "time-exceeded" => (11, 0),
        _ => return Err(format!("no such ICMP error: {name:?}")),
    })
}

/// An algorithm's name.
fn congestion(name: &str) -> Result<&'static str, String> {
    let known = tcp::CONGESTION.into_iter().find(|known| *known == name);
    known.ok_or_else(|| format!("no such algorithm: {name:?}"))
}

fn on(word: &str) -> Result<bool, String> {
    match word {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(format!("neither on nor off: {word:?}")),
    }
}

fn yes(text: &str) -> Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        other => Err(format!("neither yes nor no: {other:?}")),
    }
}

fn number<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("no number, or too large: {text:?}"))
}

/// Seconds, to the nanosecond.
fn span(text: &str) -> Result<Duration, String> {
    let bad = || format!("no time in seconds: {text:?}");
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 9 {
        return Err(bad());
    }
    let nanos: u32 = format!("{fraction:0<9}").parse().map_err(|_| bad())?;
    Ok(Duration::new(whole.parse().map_err(|_| bad())?, nanos))
}
