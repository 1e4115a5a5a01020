//! The demo services, what a program on this stack looks like: HTTP with a thread a connection, the
//! others all in one.

mod desk;
mod discard;
mod echo;
mod http;
mod limit;
mod source;

use core::fmt;
use core::net::Ipv4Addr;
use core::str::FromStr;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use anyhow::Context;
use layer::Duration;
use socket::net::{TcpListener, UdpSocket};
use stackd::Stack;

use desk::{Answer, Desk, Elsewhere};
use limit::Limit;

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

/// Bytes read or written at once: about what a super-frame carries.
const BUFFER: usize = 64 << 10;

/// HTTP connections served at once: each has a thread.
const CONNECTIONS: usize = 1024;

/// Stack of a connection's thread: the deepest, `http`, needs a few KiB, and what a thread runs of
/// the TCP/IP stack on the spot a little more.
const THREAD_STACK: usize = 256 << 10;

/// How long connections may take to notice the end.
const PATIENCE: Duration = Duration::from_secs(1);

/// Services at work.
pub(crate) struct Services {
    desk: JoinHandle<()>,
    limit: Limit,
}

impl Services {
    /// Starts them all: when this returns, they answer.
    pub(crate) fn start(stack: &Arc<Stack>, services: &[Service]) -> anyhow::Result<Self> {
        let limit = Limit::new(CONNECTIONS);
        let mut desk = Desk::new(stack);
        for service in services {
            open(&mut desk, stack, &limit, *service)
                .with_context(|| format!("service {service}"))?;
        }
        let builder = thread::Builder::new().name("services".to_owned());
        Ok(Self { desk: builder.spawn(move || desk.run())?, limit })
    }

    /// After the stack has ended: waits for all threads.
    pub(crate) fn join(self) {
        // A panic over there has ended the process.
        let _ = self.desk.join();
        let left = self.limit.drain(PATIENCE);
        if left > 0 {
            tracing::warn!("{left} connections did not notice the end");
        }
    }
}

fn open(desk: &mut Desk, stack: &Arc<Stack>, limit: &Limit, service: Service) -> io::Result<()> {
    let Service { kind, port } = service;
    let anywhere = (Ipv4Addr::UNSPECIFIED, port);
    let listener = TcpListener::bind(stack.sockets(), anywhere)?;
    let answer: Answer = match kind {
        Kind::Echo => echo::udp,
        Kind::Discard => discard::udp,
        Kind::Source => return desk.listen(listener, kind),
        Kind::Http => return desk.accept(listener, a_thread_each(stack, limit)),
    };
    desk.listen(listener, kind)?;
    desk.datagrams(UdpSocket::bind(stack.sockets(), anywhere)?, answer)
}

/// Serves connections on the blocking sockets, which is how most programs are written.
fn a_thread_each(stack: &Arc<Stack>, limit: &Limit) -> Elsewhere {
    let (stack, limit) = (Arc::clone(stack), limit.clone());
    Box::new(move |stream, peer| {
        let Some(permit) = limit.try_enter() else {
            return tracing::warn!("{CONNECTIONS} connections at once: {peer} is turned away");
        };
        let stack = Arc::clone(&stack);
        let spawned = thread::Builder::new()
            .name(format!("http {peer}"))
            .stack_size(THREAD_STACK)
            .spawn(move || {
                let _permit = permit;
                // Clients may go at any time.
                if let Err(error) = http::serve(&stack, stream) {
                    tracing::debug!("http {peer}: {error}");
                }
            });
        if let Err(error) = spawned {
            tracing::warn!("no thread for {peer}: {error}");
        }
    })
}

/// The stack has ended.
fn is_over(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NetworkDown
}

/// How long a client may neither send nor take anything. Clients that vanished must not hold the
/// places of all others for ever.
const SILENCE: Duration = Duration::from_secs(600);
