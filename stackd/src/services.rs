//! The demo services, written on the blocking sockets: what a program on this stack looks like.

use core::fmt;
use core::str::FromStr;

/// What a service does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// RFC 862: sends back what it gets; TCP and UDP.
    Echo,
    /// RFC 863: reads and forgets; TCP and UDP.
    Discard,
    /// In the manner of RFC 864: sends without end, as fast as it can.
    Source,
    /// A page about the stack itself.
    Http,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Echo, Self::Discard, Self::Source, Self::Http];

    const fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Discard => "discard",
            Self::Source => "source",
            Self::Http => "http",
        }
    }

    /// The port it is known on.
    const fn port(self) -> u16 {
        match self {
            Self::Echo => 7,
            Self::Discard => 9,
            Self::Source => 19,
            Self::Http => 80,
        }
    }
}

/// A service and its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Service {
    pub(crate) kind: Kind,
    pub(crate) port: u16,
}

impl Service {
    /// All of them on their own ports.
    pub(crate) fn defaults() -> Vec<Self> {
        Kind::ALL.map(|kind| Self { kind, port: kind.port() }).into()
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.name(), self.port)
    }
}

impl FromStr for Service {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, port) = match text.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (text, None),
        };
        let kind = Kind::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| format!("services are {}", Kind::ALL.map(Kind::name).join(", ")))?;
        let port = match port.map(str::parse) {
            None => kind.port(),
            Some(Ok(port)) if port > 0 => port,
            Some(Ok(_) | Err(_)) => return Err("a port is a number from 1 to 65535".to_owned()),
        };
        Ok(Self { kind, port })
    }
}
