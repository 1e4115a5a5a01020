//! The demo services, written on the blocking sockets: what a program on this stack looks like.

mod discard;
mod echo;
mod http;
mod limit;
mod source;

use core::fmt;
use core::net::{Ipv4Addr, SocketAddr};
use core::str::FromStr;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use anyhow::Context;
use layer::Duration;
use socket::net::{TcpListener, TcpStream, UdpSocket};
use stackd::Stack;

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

/// Connections served at once, over all services; beyond, accepting waits.
const CONNECTIONS: usize = 1024;

/// Stack of a connection's thread: the deepest, `http`, needs a few KiB, and what a thread runs of
/// the TCP/IP stack on the spot a little more.
const THREAD_STACK: usize = 256 << 10;

/// How long connections may take to notice the end.
const PATIENCE: Duration = Duration::from_secs(1);

/// Accepting that fails so often in a row is not tried again.
const FAILURES: u32 = 100;

/// Services at work.
pub(crate) struct Services {
    threads: Vec<JoinHandle<()>>,
    limit: Limit,
}

impl Services {
    /// Starts them all: when this returns, they answer.
    pub(crate) fn start(stack: &Arc<Stack>, services: &[Service]) -> anyhow::Result<Self> {
        let mut running = Self { threads: Vec::new(), limit: Limit::new(CONNECTIONS) };
        for service in services {
            running.start_one(stack, *service).with_context(|| format!("service {service}"))?;
        }
        Ok(running)
    }

    fn start_one(&mut self, stack: &Arc<Stack>, service: Service) -> io::Result<()> {
        let Service { kind, port } = service;
        let anywhere = (Ipv4Addr::UNSPECIFIED, port);
        let listener = TcpListener::bind(stack.sockets(), anywhere)?;
        let (limit, serving) = (self.limit.clone(), Arc::clone(stack));
        self.spawn(service, move || accept(&listener, &limit, &serving, kind))?;
        let answer: fn(&UdpSocket, &mut [u8]) -> io::Result<()> = match kind {
            Kind::Echo => echo::udp,
            Kind::Discard => discard::udp,
            Kind::Source | Kind::Http => return Ok(()),
        };
        let socket = UdpSocket::bind(stack.sockets(), anywhere)?;
        self.spawn(service, move || datagrams(&socket, answer))
    }

    fn spawn(&mut self, service: Service, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
        self.threads.push(thread::Builder::new().name(service.to_string()).spawn(run)?);
        Ok(())
    }

    /// After the stack has ended: waits for all threads.
    pub(crate) fn join(self) {
        for thread in self.threads {
            // A panic over there has ended the process.
            let _ = thread.join();
        }
        let left = self.limit.drain(PATIENCE);
        if left > 0 {
            tracing::warn!("{left} connections did not notice the end");
        }
    }
}

/// The stack has ended.
fn is_over(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NetworkDown
}

fn accept(listener: &TcpListener, limit: &Limit, stack: &Arc<Stack>, kind: Kind) {
    let mut failures = 0;
    while failures < FAILURES {
        let permit = limit.enter();
        match listener.accept() {
            Ok((stream, peer)) => {
                failures = 0;
                let stack = Arc::clone(stack);
                let spawned = thread::Builder::new()
                    .name(format!("{} {peer}", kind.name()))
                    .stack_size(THREAD_STACK)
                    .spawn(move || {
                        let _permit = permit;
                        serve(&stack, kind, stream, peer);
                    });
                if let Err(error) = spawned {
                    tracing::warn!("no thread for {peer}: {error}");
                }
            }
            Err(error) if is_over(&error) => return,
            Err(error) => {
                failures += 1;
                tracing::warn!("accept on {}: {error}", kind.name());
            }
        }
    }
}

/// How long a client may neither send nor take anything. Clients that vanished must not hold the
/// places of all others for ever.
const SILENCE: Duration = Duration::from_secs(600);

fn serve(stack: &Stack, kind: Kind, stream: TcpStream, peer: SocketAddr) {
    // Only a timeout of zero is refused.
    let _ = stream.set_read_timeout(Some(SILENCE));
    let _ = stream.set_write_timeout(Some(SILENCE));
    let result = match kind {
        Kind::Echo => echo::tcp(stream),
        Kind::Discard => discard::tcp(stream),
        Kind::Source => source::tcp(stream),
        Kind::Http => http::serve(stack, stream),
    };
    // Clients may go at any time.
    if let Err(error) = result {
        tracing::debug!("{} {peer}: {error}", kind.name());
    }
}

fn datagrams(socket: &UdpSocket, answer: fn(&UdpSocket, &mut [u8]) -> io::Result<()>) {
    let mut buffer = vec![0; BUFFER];
    loop {
        match answer(socket, &mut buffer) {
            Ok(()) => {}
            Err(error) if is_over(&error) => return,
            // ICMP may say that an earlier answer reached nobody.
            Err(error) => tracing::debug!("datagram: {error}"),
        }
    }
}
