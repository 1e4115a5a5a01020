//! [`Talk`]: one end of a TCP conversation, whatever its plan, and its checks.
//!
//! Both directions are [`Pattern`]s. A plan only says how far this end may send, given what it has
//! received; so bulk, echo, request and response, and half-close are one state machine.

use std::net::Shutdown;

use layer::boundary::SocketId;
use layer::{Duration, Instant};
use socket::{Errno, Host};

use crate::pattern::Pattern;

/// Who may send when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Sends `bytes` at once, and finishes.
    Send {
        /// How many.
        bytes: u64,
    },
    /// Sends `bytes` when the peer has finished: works only if half-close does.
    SendAfterPeer {
        /// How many.
        bytes: u64,
    },
    /// Sends a request, waits for the whole response, `rounds` times.
    Ask {
        /// Bytes of a request.
        request: u64,
        /// Bytes of a response.
        response: u64,
        /// How often.
        rounds: u64,
    },
    /// Sends a response for every whole request, and finishes when the peer has.
    Answer {
        /// Bytes of a request.
        request: u64,
        /// Bytes of a response.
        response: u64,
    },
    /// Sends back what it receives, and finishes when the peer has.
    Echo,
}

impl Plan {
    /// How far this end may have sent, having received so much.
    pub fn allowance(self, received: u64, peer_finished: bool) -> u64 {
        match self {
            Self::Send { bytes } => bytes,
            Self::SendAfterPeer { bytes } => u64::from(peer_finished) * bytes,
            Self::Ask { request, response, rounds } => {
                request * rounds.min(received / response + 1)
            }
            Self::Answer { request, response } => response * (received / request),
            Self::Echo => received,
        }
    }

    /// Nothing more is to be sent.
    pub fn is_sent(self, sent: u64, received: u64, peer_finished: bool) -> bool {
        match self {
            Self::Send { bytes } => sent == bytes,
            Self::SendAfterPeer { bytes } => peer_finished && sent == bytes,
            Self::Ask { request, rounds, .. } => sent == request * rounds,
            Self::Answer { .. } | Self::Echo => {
                peer_finished && sent == self.allowance(received, true)
            }
        }
    }
}

/// A reader that takes so much at a time, and then waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Bytes at a time.
    pub bytes: usize,
    /// Between two times.
    pub every: Duration,
}

/// What one end is to do.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    /// When to send how much.
    pub plan: Plan,
    /// The stream it sends.
    pub sends: Pattern,
    /// The stream it must receive.
    pub receives: Pattern,
    /// How many bytes it must receive, if that is settled.
    pub expects: Option<u64>,
    /// How it reads; `None` as fast as it can.
    pub pace: Option<Pace>,
}

impl Script {
    /// The end that called, of conversation number `id`.
    pub fn calling(id: u64, plan: Plan) -> Self {
        Self {
            plan,
            sends: Pattern(2 * id),
            receives: Pattern(2 * id + 1),
            expects: None,
            pace: None,
        }
    }

    /// The end that was called. An echo sends the stream it receives.
    pub fn answering(id: u64, plan: Plan) -> Self {
        let Self { plan, sends: receives, receives: own, expects, pace } = Self::calling(id, plan);
        let sends = if plan == Plan::Echo { receives } else { own };
        Self { plan, sends, receives, expects, pace }
    }

    /// It must receive exactly so much.
    #[must_use]
    pub fn expecting(self, bytes: u64) -> Self {
        Self { expects: Some(bytes), ..self }
    }

    /// It must receive its own stream back.
    #[must_use]
    pub fn echoed(self) -> Self {
        Self { receives: self.sends, ..self }
    }

    /// It reads slowly.
    #[must_use]
    pub fn paced(self, pace: Pace) -> Self {
        Self { pace: Some(pace), ..self }
    }
}

/// One end of a conversation.
#[derive(Debug)]
pub struct Talk {
    script: Script,
    socket: SocketId,
    sent: u64,
    received: u64,
    write_shut: bool,
    peer_finished: bool,
    closed: bool,
    read_at: Instant,
}

/// Bytes moved by one call of an application.
const CHUNK: usize = 16 * 1024;

impl Talk {
    /// Begins on an open connection.
    pub fn new(script: Script, socket: SocketId) -> Self {
        Self {
            script,
            socket,
            sent: 0,
            received: 0,
            write_shut: false,
            peer_finished: false,
            closed: false,
            read_at: Instant::ZERO,
        }
    }

    /// Sends, receives, finishes and closes, as far as it can now.
    ///
    /// # Errors
    ///
    /// Wrong bytes, too many or too few, or an errno.
    pub fn act(&mut self, now: Instant, host: &mut Host) -> Result<bool, String> {
        if self.closed {
            return Ok(false);
        }
        let before = (self.sent, self.received, self.write_shut, self.peer_finished);
        self.receive(now, host)?;
        self.send(now, host)?;
        let Script { plan, .. } = self.script;
        if !self.write_shut && plan.is_sent(self.sent, self.received, self.peer_finished) {
            self.write_shut = true;
            let shut = host.shutdown(now, self.socket, Shutdown::Write);
            shut.map_err(|errno| self.fault("shutdown", errno))?;
        }
        if self.write_shut && self.peer_finished {
            self.closed = true;
            host.close(now, self.socket).map_err(|errno| self.fault("close", errno))?;
            return Ok(true);
        }
        Ok(before != (self.sent, self.received, self.write_shut, self.peer_finished))
    }

    fn send(&mut self, now: Instant, host: &mut Host) -> Result<(), String> {
        let mut chunk = [0; CHUNK];
        loop {
            let Script { plan, sends, .. } = self.script;
            let left = plan.allowance(self.received, self.peer_finished).saturating_sub(self.sent);
            let n = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
            if n == 0 || self.write_shut {
                return Ok(());
            }
            sends.fill(self.sent, &mut chunk[..n]);
            match host.send(now, self.socket, &chunk[..n]) {
                Ok(taken) => self.sent += taken as u64,
                Err(Errno::AGAIN) => return Ok(()),
                Err(errno) => return Err(self.fault("send", errno)),
            }
        }
    }

    fn receive(&mut self, now: Instant, host: &mut Host) -> Result<(), String> {
        let mut chunk = [0; CHUNK];
        while !self.peer_finished && now >= self.read_at {
            let most = self.script.pace.map_or(CHUNK, |pace| pace.bytes.min(CHUNK));
            match host.recv(now, self.socket, &mut chunk[..most]) {
                Ok(0) => self.finish()?,
                Ok(n) => {
                    let fits = self.script.receives.check(self.received, &chunk[..n]);
                    fits.map_err(|wrong| format!("{}: {wrong}", self.describe()))?;
                    self.received += n as u64;
                    if let Some(pace) = self.script.pace {
                        self.read_at = now + pace.every;
                    }
                }
                Err(Errno::AGAIN) => return Ok(()),
                Err(errno) => return Err(self.fault("recv", errno)),
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), String> {
        self.peer_finished = true;
        match self.script.expects {
            Some(expected) if expected != self.received => {
                Err(format!("{}: the peer finished after too little or too much", self.describe()))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn fault(&self, call: &str, errno: Errno) -> String {
        format!("{}: {call} answered {errno:?}", self.describe())
    }

    /// A slow reader wants to read on, however little happens.
    pub fn wake_at(&self) -> Option<Instant> {
        let waits = self.script.pace.is_some() && !self.peer_finished && !self.closed;
        waits.then_some(self.read_at)
    }

    /// Both directions are finished and the socket is closed.
    pub fn is_done(&self) -> bool {
        self.closed
    }

    /// Bytes moved, and one for each thing done.
    pub fn progress(&self) -> u64 {
        let steps = [self.write_shut, self.peer_finished, self.closed];
        self.sent + self.received + steps.into_iter().map(u64::from).sum::<u64>()
    }

    /// Bytes received.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Where it is.
    pub fn describe(&self) -> String {
        let Self { script, socket, sent, received, write_shut, peer_finished, closed, .. } = self;
        let expects = script.expects.map_or(String::new(), |n| format!(" of {n}"));
        format!(
            "{:?} on socket {:#x}: sent {sent}{}, received {received}{expects}{}{}",
            script.plan,
            socket.0,
            if *write_shut { " and FIN" } else { "" },
            if *peer_finished { " and FIN" } else { "" },
            if *closed { ", closed" } else { "" },
        )
    }
}
