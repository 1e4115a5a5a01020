//! The control plane: a Unix socket that speaks HTTP/1.1 with JSON, so that `curl --unix-socket`
//! is a client. What can be asked is in `docs/control.md`.
//!
//! ```text
//!    door (paths.rs) -> accept thread -> credentials, places -> a thread a client (http.rs)
//!                                                                   |
//!         api.rs: who asks for what      sockets.rs, tables.rs: the stages, by mail
//!                                        live.rs, capture.rs, ping.rs: the feed
//! ```
//!
//! Nothing here can hold up a packet: questions are calls mailed to the stages, small ones; what is
//! live comes from bounded queues; and who does not read what he asked for is dropped. Left out:
//! access over TCP, and users with different rights: who may connect may do all.

mod api;
mod capture;
mod http;
mod live;
mod names;
pub(crate) mod ping;
mod sockets;
mod tables;

pub(crate) use ping::why;

use std::io;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use layer::Duration;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::sockopt::socket_peercred;
use rustix::process::{getegid, geteuid};

use crate::Stack;
use crate::alarm::Wake;
use crate::io::EventFd;
use crate::paths::Door;

/// Clients at once; more are told to come again.
const CLIENTS: usize = 32;

/// Stack of a client's thread.
const THREAD_STACK: usize = 256 << 10;

/// How long a client may say nothing between two requests.
const IDLE: Duration = Duration::from_secs(60);

/// How long a client may take nothing of an answer: then it is dropped.
const SLOW: Duration = Duration::from_secs(5);

/// A control socket that is served; dropped, it is closed and its clients with it.
pub struct Server {
    stop: Arc<AtomicBool>,
    event: Arc<EventFd>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves `door` for `stack`.
    ///
    /// # Errors
    ///
    /// No threads or descriptors left.
    pub fn start(stack: &Arc<Stack>, door: Door) -> io::Result<Self> {
        door.listener().set_nonblocking(true)?;
        let event = Arc::new(EventFd::new()?);
        let stop = Arc::new(AtomicBool::new(false));
        let porter = Porter {
            stack: Arc::clone(stack),
            door,
            event: Arc::clone(&event),
            stop: Arc::clone(&stop),
            clients: Vec::new(),
        };
        let builder = thread::Builder::new().name("control".to_owned());
        let thread = Some(builder.spawn(move || porter.run())?);
        Ok(Self { stop, event, thread })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        self.event.wake();
        if let Some(thread) = self.thread.take() {
            // A panic over there has ended the process.
            let _ = thread.join();
        }
    }
}

/// Lets clients in.
struct Porter {
    stack: Arc<Stack>,
    door: Door,
    event: Arc<EventFd>,
    stop: Arc<AtomicBool>,
    clients: Vec<(UnixStream, JoinHandle<()>)>,
}

impl Porter {
    fn run(mut self) {
        while !self.stop.load(Ordering::SeqCst) {
            let mut fds = [
                PollFd::new(self.door.listener(), PollFlags::IN),
                PollFd::new(&*self.event, PollFlags::IN),
            ];
            // Interrupted by a signal: looked again.
            let _ = poll(&mut fds, None);
            match self.door.listener().accept() {
                Ok((stream, _)) => self.admit(stream),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => {
                    tracing::warn!("control socket: {error}");
                    // No descriptors left, most likely: they come back when clients go.
                    thread::park_timeout(Duration::from_millis(100));
                }
            }
        }
        for (stream, thread) in self.clients {
            // It may have gone by itself.
            let _ = stream.shutdown(Shutdown::Both);
            let _ = thread.join();
        }
    }

    fn admit(&mut self, stream: UnixStream) {
        self.clients.retain(|(_, thread)| !thread.is_finished());
        let served = if !is_allowed(&stream) {
            refuse(stream, "403 Forbidden", "root, the daemon's user and its group may ask")
        } else if self.clients.len() >= CLIENTS {
            refuse(stream, "503 Service Unavailable", "too many clients")
        } else {
            self.serve(stream)
        };
        if let Err(error) = served {
            tracing::debug!("control client: {error}");
        }
    }

    fn serve(&mut self, stream: UnixStream) -> io::Result<()> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(IDLE))?;
        stream.set_write_timeout(Some(SLOW))?;
        let (stack, twin) = (Arc::clone(&self.stack), stream.try_clone()?);
        let builder = thread::Builder::new().name("control client".to_owned());
        let thread = builder.stack_size(THREAD_STACK).spawn(move || {
            // Clients may go at any time.
            if let Err(error) = api::serve(&stack, &stream) {
                tracing::debug!("control client: {error}");
            }
            // Its twin is still open.
            let _ = stream.shutdown(Shutdown::Both);
        })?;
        self.clients.push((twin, thread));
        Ok(())
    }
}

/// The mode of the socket says the same; but a mode can be changed, and not every file system
/// heeds it.
fn is_allowed(stream: &UnixStream) -> bool {
    let Ok(peer) = socket_peercred(stream) else { return false };
    peer.uid.is_root() || peer.uid == geteuid() || peer.gid == getegid()
}

fn refuse(stream: UnixStream, status: &str, why: &str) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_write_timeout(Some(Duration::from_millis(100)))?;
    http::Reply::new(&stream, false).error(status, why)
}

#[cfg(test)]
mod tests;
