//! Programs that talk TCP: a [`Caller`] opens one connection, a [`Listener`] accepts some.

use core::net::{Ipv4Addr, SocketAddr};

use layer::Instant;
use layer::boundary::SocketId;
use socket::{Errno, Host};

use super::Application;
use super::talk::{Script, Talk};

/// Opens a connection at a time, and talks.
#[derive(Debug)]
pub struct Caller {
    remote: SocketAddr,
    start: Instant,
    script: Script,
    /// The errno that opening must end with, if it must fail.
    refusal: Option<Errno>,
    state: Calling,
}

#[derive(Debug)]
enum Calling {
    NotYet,
    Connecting(SocketId),
    Talking(Talk),
    Refused,
}

impl Caller {
    /// Calls `remote` at `start`.
    pub fn new(remote: SocketAddr, start: Instant, script: Script) -> Self {
        Self { remote, start, script, refusal: None, state: Calling::NotYet }
    }

    /// Calls, and must be told `errno`.
    #[must_use]
    pub fn refused(self, errno: Errno) -> Self {
        Self { refusal: Some(errno), ..self }
    }

    fn connected(&mut self, now: Instant, host: &mut Host, id: SocketId) -> Result<bool, String> {
        match (host.completed(now, id), self.refusal) {
            (Err(Errno::INPROGRESS), _) => Ok(false),
            (Ok(()), None) => {
                self.state = Calling::Talking(Talk::new(self.script, id));
                Ok(true)
            }
            (Err(errno), Some(expected)) if errno == expected => {
                self.state = Calling::Refused;
                host.close(now, id).map_err(|errno| format!("close answered {errno:?}"))?;
                Ok(true)
            }
            (outcome, expected) => {
                Err(format!("connect to {} ended in {outcome:?}, not {expected:?}", self.remote))
            }
        }
    }
}

impl Application for Caller {
    fn act(&mut self, now: Instant, host: &mut Host) -> Result<bool, String> {
        match &mut self.state {
            Calling::NotYet if now < self.start => Ok(false),
            Calling::NotYet => {
                let id = host.connect(now, self.remote).map_err(|errno| format!("{errno:?}"))?;
                self.state = Calling::Connecting(id);
                Ok(true)
            }
            Calling::Connecting(id) => {
                let id = *id;
                self.connected(now, host, id)
            }
            Calling::Talking(talk) => talk.act(now, host),
            Calling::Refused => Ok(false),
        }
    }

    fn wake_at(&self) -> Option<Instant> {
        match &self.state {
            Calling::NotYet => Some(self.start),
            Calling::Talking(talk) => talk.wake_at(),
            Calling::Connecting(_) | Calling::Refused => None,
        }
    }

    fn is_done(&self) -> bool {
        match &self.state {
            Calling::NotYet | Calling::Connecting(_) => false,
            Calling::Talking(talk) => talk.is_done(),
            Calling::Refused => true,
        }
    }

    fn progress(&self) -> u64 {
        match &self.state {
            Calling::NotYet => 0,
            Calling::Connecting(_) => 1,
            Calling::Talking(talk) => 2 + talk.progress(),
            Calling::Refused => 2,
        }
    }

    fn describe(&self) -> String {
        match &self.state {
            Calling::NotYet => format!("will call {} at {}", self.remote, self.start),
            Calling::Connecting(_) => format!("calls {}", self.remote),
            Calling::Talking(talk) => talk.describe(),
            Calling::Refused => format!("was refused by {}", self.remote),
        }
    }
}

/// Accepts so many connections on a port and talks on each.
#[derive(Debug)]
pub struct Listener {
    port: u16,
    script: Script,
    expects: usize,
    socket: Option<SocketId>,
    talks: Vec<Talk>,
    closed: bool,
}

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 128;

impl Listener {
    /// Accepts `expects` connections on `port`, all with the same script.
    pub fn new(port: u16, script: Script, expects: usize) -> Self {
        Self { port, script, expects, socket: None, talks: Vec::new(), closed: false }
    }
}

impl Application for Listener {
    fn act(&mut self, now: Instant, host: &mut Host) -> Result<bool, String> {
        let mut did = false;
        let listener = match self.socket {
            Some(socket) => socket,
            None => {
                let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, self.port));
                let listening = host.listen(now, any, BACKLOG);
                did = true;
                *self.socket.insert(listening.map_err(|errno| format!("listen: {errno:?}"))?)
            }
        };
        while self.talks.len() < self.expects {
            match host.accept(now, listener) {
                Ok(accepted) => self.talks.push(Talk::new(self.script, accepted.socket)),
                Err(Errno::AGAIN) => break,
                Err(errno) => return Err(format!("accept answered {errno:?}")),
            }
            did = true;
        }
        if self.talks.len() == self.expects && !self.closed {
            self.closed = true;
            host.close(now, listener).map_err(|errno| format!("close answered {errno:?}"))?;
            did = true;
        }
        for talk in &mut self.talks {
            did |= talk.act(now, host)?;
        }
        Ok(did)
    }

    fn wake_at(&self) -> Option<Instant> {
        let talks = self.talks.iter().filter_map(Talk::wake_at).min();
        if self.socket.is_none() { Some(Instant::ZERO) } else { talks }
    }

    fn is_done(&self) -> bool {
        self.closed && self.talks.iter().all(Talk::is_done)
    }

    fn progress(&self) -> u64 {
        self.talks.len() as u64 + self.talks.iter().map(Talk::progress).sum::<u64>()
    }

    fn describe(&self) -> String {
        let Self { port, expects, talks, .. } = self;
        let lines: Vec<String> = talks.iter().take(4).map(Talk::describe).collect();
        let done = talks.iter().filter(|talk| talk.is_done()).count();
        let accepted = talks.len();
        format!("port {port}: accepted {accepted} of {expects}, {done} done; {}", lines.join("; "))
    }
}
