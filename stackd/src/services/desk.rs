//! One thread that serves all connections of the simple services: none of them ever waits for its
//! client, so none keeps the others waiting.
//!
//! The thread sleeps in [`Poller::wait`], which carries the stack on meanwhile: a small request is
//! read from the device, understood, answered and written back without a single change of threads.

use core::net::SocketAddr;
use std::io;
use std::sync::Arc;

use layer::{Duration, Instant};
use socket::net::{Poller, TcpListener, TcpStream, UdpSocket};
use stackd::Stack;

use super::{BUFFER, Kind, SILENCE, is_over, source};

/// Connections at once, over all services here; beyond, they wait to be accepted.
const MOST: usize = 1 << 16;

/// Buffers that one connection may fill or send before others get their turn.
const TURNS: usize = 16;

/// Accepting that fails so often in a row is not tried again.
const FAILURES: u32 = 100;

/// How often silent clients are looked for.
const SWEEP: Duration = Duration::from_secs(60);

/// Answers one datagram.
pub(super) type Answer = fn(&UdpSocket, &mut [u8]) -> io::Result<()>;

/// What to do with a new connection that is not served here.
pub(super) type Elsewhere = Box<dyn FnMut(TcpStream, SocketAddr) + Send>;

/// What a token stands for.
enum Post {
    Listener { listener: TcpListener, to: To, failures: u32 },
    Session(Session),
    Datagrams { socket: UdpSocket, answer: Answer },
}

enum To {
    Here(Kind),
    Elsewhere(Elsewhere),
}

/// One connection.
pub(super) struct Session {
    pub(super) stream: TcpStream,
    kind: Kind,
    /// Read and not sent back yet.
    pub(super) waiting: Vec<u8>,
    /// How much of that, or of the pattern, is sent.
    pub(super) at: usize,
    /// The client has finished.
    pub(super) finished: bool,
    heard_of: Instant,
}

/// How far a turn came.
pub(super) enum Turn {
    /// Until nothing more could be done.
    Wait,
    /// There is more to do, but others come first.
    Again,
    Over,
}

/// The thread's state. See the module's head.
pub(super) struct Desk {
    stack: Arc<Stack>,
    poller: Poller,
    posts: Vec<Option<Post>>,
    free: Vec<usize>,
    sessions: usize,
    buffer: Vec<u8>,
    pattern: Vec<u8>,
}

impl Desk {
    pub(super) fn new(stack: &Arc<Stack>) -> Self {
        Self {
            stack: Arc::clone(stack),
            poller: Poller::new(stack.sockets()),
            posts: Vec::new(),
            free: Vec::new(),
            sessions: 0,
            buffer: vec![0; BUFFER],
            pattern: source::pattern(),
        }
    }

    /// Serves this service's connections.
    pub(super) fn listen(&mut self, listener: TcpListener, kind: Kind) -> io::Result<()> {
        self.add_listener(listener, To::Here(kind))
    }

    /// Accepts connections and passes them on.
    pub(super) fn accept(&mut self, listener: TcpListener, elsewhere: Elsewhere) -> io::Result<()> {
        self.add_listener(listener, To::Elsewhere(elsewhere))
    }

    /// Answers datagrams.
    pub(super) fn datagrams(&mut self, socket: UdpSocket, answer: Answer) -> io::Result<()> {
        let token = self.place();
        self.poller.add(&socket, token)?;
        self.posts[token] = Some(Post::Datagrams { socket, answer });
        Ok(())
    }

    fn add_listener(&mut self, listener: TcpListener, to: To) -> io::Result<()> {
        let token = self.place();
        self.poller.add(&listener, token)?;
        self.posts[token] = Some(Post::Listener { listener, to, failures: 0 });
        Ok(())
    }

    fn place(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.posts.push(None);
            self.posts.len() - 1
        })
    }

    /// Serves until the stack ends.
    pub(super) fn run(mut self) {
        let mut tokens = Vec::new();
        let mut sweep_at = self.stack.now() + SWEEP;
        loop {
            self.poller.wait(&mut tokens, Some(SWEEP));
            for token in tokens.drain(..) {
                if self.attend(token).is_err_and(|error| is_over(&error)) {
                    return;
                }
            }
            let now = self.stack.now();
            if now >= sweep_at {
                self.sweep(now);
                sweep_at = now + SWEEP;
                if self.stack.sockets().with_hub(|_, _| Ok(())).is_err() {
                    return;
                }
            }
        }
    }

    /// Serves what a token stands for. Fails only if the stack has ended.
    fn attend(&mut self, token: usize) -> io::Result<()> {
        // A report may come late for a connection that is over.
        let Some(mut post) = self.posts.get_mut(token).and_then(Option::take) else {
            return Ok(());
        };
        let turn = match &mut post {
            Post::Listener { listener, to, failures } => self.welcome(listener, to, failures)?,
            Post::Datagrams { socket, answer } => self.datagram(socket, *answer)?,
            Post::Session(session) => {
                session.heard_of = self.stack.now();
                let turn = session.turn(&mut self.buffer, &self.pattern);
                match turn {
                    Ok(turn) => turn,
                    Err(error) if is_over(&error) => return Err(error),
                    // Clients may go at any time.
                    Err(error) => {
                        tracing::debug!("{}: {error}", session.kind.name());
                        Turn::Over
                    }
                }
            }
        };
        match turn {
            Turn::Wait => {}
            Turn::Again => match &post {
                Post::Listener { listener, .. } => self.poller.again(listener),
                Post::Datagrams { socket, .. } => self.poller.again(socket),
                Post::Session(session) => self.poller.again(&session.stream),
            },
            Turn::Over => {
                self.leave(&post);
                self.free.push(token);
                return Ok(());
            }
        }
        self.posts[token] = Some(post);
        Ok(())
    }

    fn leave(&mut self, post: &Post) {
        if matches!(post, Post::Session(_)) {
            self.sessions -= 1;
            // Somebody may have waited for the place.
            if self.sessions == MOST - 1 {
                for post in self.posts.iter().flatten() {
                    if let Post::Listener { listener, .. } = post {
                        self.poller.again(listener);
                    }
                }
            }
        }
    }

    fn welcome(
        &mut self,
        listener: &TcpListener,
        to: &mut To,
        failures: &mut u32,
    ) -> io::Result<Turn> {
        for _ in 0..TURNS {
            if self.sessions >= MOST {
                return Ok(Turn::Wait);
            }
            match listener.accept() {
                Ok((stream, peer)) => {
                    *failures = 0;
                    match to {
                        To::Here(kind) => self.admit(stream, *kind)?,
                        To::Elsewhere(elsewhere) => elsewhere(stream, peer),
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Turn::Wait),
                Err(error) if is_over(&error) => return Err(error),
                Err(error) => {
                    tracing::warn!("accept: {error}");
                    *failures += 1;
                    if *failures > FAILURES {
                        return Ok(Turn::Over);
                    }
                }
            }
        }
        Ok(Turn::Again)
    }

    fn admit(&mut self, stream: TcpStream, kind: Kind) -> io::Result<()> {
        let token = self.place();
        self.poller.add(&stream, token)?;
        self.sessions += 1;
        let (waiting, heard_of) = (Vec::new(), self.stack.now());
        let session = Session { stream, kind, waiting, at: 0, finished: false, heard_of };
        self.posts[token] = Some(Post::Session(session));
        Ok(())
    }

    fn datagram(&mut self, socket: &UdpSocket, answer: Answer) -> io::Result<Turn> {
        for _ in 0..TURNS {
            match answer(socket, &mut self.buffer) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Turn::Wait),
                Err(error) if is_over(&error) => return Err(error),
                // ICMP may say that an earlier answer reached nobody.
                Err(error) => tracing::debug!("datagram: {error}"),
            }
        }
        Ok(Turn::Again)
    }

    /// Clients that vanished must not hold their places for ever.
    fn sweep(&mut self, now: Instant) {
        for token in 0..self.posts.len() {
            let silent = matches!(&self.posts[token], Some(Post::Session(session))
                if now.since(session.heard_of) > SILENCE);
            if silent && let Some(post) = self.posts[token].take() {
                self.leave(&post);
                self.free.push(token);
            }
        }
    }
}

impl Session {
    fn turn(&mut self, buffer: &mut [u8], pattern: &[u8]) -> io::Result<Turn> {
        for _ in 0..TURNS {
            let turn = match self.kind {
                Kind::Echo => self.echo(buffer),
                Kind::Discard => self.discard(buffer),
                Kind::Source => self.source(pattern),
                Kind::Http => return Ok(Turn::Over),
            };
            match turn {
                Ok(Turn::Again) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Turn::Wait),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
        Ok(Turn::Again)
    }
}
