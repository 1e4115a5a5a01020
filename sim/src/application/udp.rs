//! Programs that talk UDP: an [`Echo`] sends back, a [`Ping`] asks until it was answered.

use core::net::{Ipv4Addr, SocketAddr};

use layer::boundary::SocketId;
use layer::{Duration, Instant};
use socket::{Errno, Host};

use super::Application;
use crate::pattern::Pattern;

/// Largest UDP payload over IPv4, bytes.
const LARGEST: usize = 65_507;

/// Sends every datagram back to its sender. Never in the way of the world's end.
#[derive(Debug)]
pub struct Echo {
    port: u16,
    socket: Option<SocketId>,
    answered: u64,
    buffer: Vec<u8>,
}

impl Echo {
    /// On this port.
    pub fn new(port: u16) -> Self {
        Self { port, socket: None, answered: 0, buffer: vec![0; LARGEST] }
    }
}

impl Application for Echo {
    fn act(&mut self, now: Instant, host: &mut Host) -> Result<bool, String> {
        let Some(socket) = self.socket else {
            self.socket = Some(bind(now, host, self.port)?);
            return Ok(true);
        };
        match host.recv_from(now, socket, &mut self.buffer) {
            Ok(received) => {
                let reply = &self.buffer[..received.copied];
                match host.send_to(now, socket, reply, received.from) {
                    // A full outlet loses the answer, as a network may.
                    Ok(_) | Err(Errno::AGAIN) => {}
                    Err(errno) => return Err(format!("send_to answered {errno:?}")),
                }
                self.answered += 1;
                Ok(true)
            }
            Err(Errno::AGAIN) => Ok(false),
            Err(errno) => Err(format!("recv_from answered {errno:?}")),
        }
    }

    fn wake_at(&self) -> Option<Instant> {
        self.socket.is_none().then_some(Instant::ZERO)
    }

    fn is_done(&self) -> bool {
        true
    }

    fn progress(&self) -> u64 {
        self.answered
    }

    fn describe(&self) -> String {
        format!("UDP echo on port {}: {} answered", self.port, self.answered)
    }
}

/// Sends a datagram of each size and repeats it every second until it comes back, byte for byte.
#[derive(Debug)]
pub struct Ping {
    remote: SocketAddr,
    sizes: Vec<usize>,
    stream: Pattern,
    start: Instant,
    socket: Option<SocketId>,
    /// Index of the datagram under way.
    at: usize,
    sent: u64,
    again: Instant,
    buffer: Vec<u8>,
}

/// When a datagram counts as lost.
const PATIENCE: Duration = Duration::from_secs(1);

impl Ping {
    /// To `remote`, from `start` on.
    pub fn new(remote: SocketAddr, start: Instant, sizes: Vec<usize>) -> Self {
        let buffer = vec![0; LARGEST];
        let stream = Pattern(0x0d47);
        Self { remote, sizes, stream, start, socket: None, at: 0, sent: 0, again: start, buffer }
    }

    /// Each datagram is a piece of the stream of its own.
    fn payload(&self, size: usize) -> Vec<u8> {
        self.stream.bytes(self.at as u64 * (1 << 20), size)
    }
}

impl Application for Ping {
    fn act(&mut self, now: Instant, host: &mut Host) -> Result<bool, String> {
        let Some(&size) = self.sizes.get(self.at).filter(|_| now >= self.start) else {
            return Ok(false);
        };
        let socket = match self.socket {
            Some(socket) => socket,
            None => *self.socket.insert(bind(now, host, 0)?),
        };
        match host.recv_from(now, socket, &mut self.buffer) {
            Ok(received) => {
                // An answer to one asked twice may come twice.
                if self.buffer[..received.copied] == self.payload(size) {
                    self.at += 1;
                    self.again = now;
                } else if !self.is_earlier(&self.buffer[..received.copied]) {
                    return Err(format!("{}: a wrong answer of {}", self.describe(), received.len));
                }
                if self.is_done() {
                    host.close(now, socket).map_err(|errno| format!("close: {errno:?}"))?;
                }
                return Ok(true);
            }
            Err(Errno::AGAIN) => {}
            Err(errno) => return Err(format!("recv_from answered {errno:?}")),
        }
        if now < self.again {
            return Ok(false);
        }
        self.again = now + PATIENCE;
        self.sent += 1;
        let sent = host.send_to(now, socket, &self.payload(size), self.remote);
        sent.map_err(|errno| format!("send_to answered {errno:?}"))?;
        Ok(true)
    }

    fn wake_at(&self) -> Option<Instant> {
        (!self.is_done()).then_some(self.again)
    }

    fn is_done(&self) -> bool {
        self.at == self.sizes.len()
    }

    fn progress(&self) -> u64 {
        self.at as u64
    }

    fn describe(&self) -> String {
        let Self { remote, at, sent, sizes, .. } = self;
        format!("UDP ping {remote}: {at} of {} answered, {sent} sent", sizes.len())
    }
}

impl Ping {
    fn is_earlier(&self, payload: &[u8]) -> bool {
        (0..self.at).any(|at| {
            self.sizes[at] == payload.len()
                && self.stream.check(at as u64 * (1 << 20), payload).is_ok()
        })
    }
}

fn bind(now: Instant, host: &mut Host, port: u16) -> Result<SocketId, String> {
    let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    host.bind_udp(now, any).map_err(|errno| format!("bind_udp: {errno:?}"))
}
