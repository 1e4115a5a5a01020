//! `/v1/capture`: frames as they cross the devices, as pcapng, each with a comment: the state and
//! the congestion window of its connection, or why it was dropped.
//!
//! What a layer says of a frame comes after the frame, so frames wait here for a moment before they
//! are written; their times are when they crossed. Left out: cutting frames short.

use std::collections::{HashMap, VecDeque};
use std::io::{self, Write};
use std::sync::Arc;

use layer::{Duration, Note, Reason};
use link::capture::{Capture, Direction};
use parking_lot::Mutex;

use super::http::{Chunks, Reply, Request};
use super::live::Known;
use super::sockets;
use crate::Stack;
use crate::clock::Clock;
use crate::feed::filter::{Ends, Filter};
use crate::feed::{Interest, Seen, SeenFrame};

/// How long a frame waits for what is said of it: many times what a loaded pipeline takes.
const WAIT_NS: u64 = 50_000_000;

/// Frames that wait, at most.
const WAITING: usize = 8192;

/// How often somebody looks whether the client is still there.
const LOOK: Duration = Duration::from_millis(20);

/// A frame before it is written.
struct Waiting {
    frame: Box<SeenFrame>,
    comment: Option<String>,
}

/// Answers `/v1/capture`.
pub(super) fn answer(stack: &Stack, request: &Request, reply: Reply<'_>) -> io::Result<()> {
    let (filter, count) = match wanted(request) {
        Ok(wanted) => wanted,
        Err(why) => return reply.error("400 Bad Request", &why),
    };
    let Some(mut subscription) = stack.feed().subscribe(Interest::Frames(filter)) else {
        return reply.error("503 Service Unavailable", "too many subscribers");
    };
    let mut chunks = reply.chunks("application/x-pcapng")?;
    let names: Vec<&str> = stack.interfaces().iter().map(|i| i.name.as_str()).collect();
    let buffer = Buffer::default();
    let mut capture = Capture::new(Box::new(buffer.clone()), &names).map_err(io::Error::other)?;
    let mut session =
        Session { known: Known::default(), waiting: VecDeque::new(), reasons: HashMap::new() };
    session.known.learn(stack);
    let mut left = count;
    let mut lost = 0;
    loop {
        buffer.pass_on(&mut chunks)?;
        let mut patience = LOOK;
        // No more than there is place for, however fast they come.
        for _ in 0..WAITING {
            let Some(seen) = subscription.next(patience) else { break };
            session.take(seen);
            patience = Duration::ZERO;
        }
        lost += subscription.lost();
        let ended = stack.has_ended();
        let ripe = if ended { u64::MAX } else { Clock::unix_ns().saturating_sub(WAIT_NS) };
        while let Some(Waiting { frame, comment }) = session.ripe(ripe) {
            let SeenFrame { unix_ns, interface, direction, packet } = &*frame;
            let lost = core::mem::take(&mut lost);
            let comment = comment_with_loss(comment, lost);
            capture
                .record(*unix_ns, *interface, *direction, packet, comment.as_deref())
                .map_err(io::Error::other)?;
            left = left.map(|left| left - 1);
            if left == Some(0) {
                break;
            }
        }
        capture.flush().map_err(io::Error::other)?;
        if left == Some(0) || ended || chunks.is_left() {
            break;
        }
    }
    buffer.pass_on(&mut chunks)?;
    chunks.end()
}

fn comment_with_loss(comment: Option<String>, lost: u64) -> Option<String> {
    if lost == 0 {
        return comment;
    }
    let told = format!("{lost} frames or notes before this one found no place");
    Some(comment.map_or_else(|| told.clone(), |comment| format!("{comment}; {told}")))
}

fn wanted(request: &Request) -> Result<(Filter, Option<u64>), String> {
    fn number<T: core::str::FromStr>(request: &Request, name: &str) -> Result<Option<T>, String> {
        let value = request.value(name);
        value
            .map(|text| text.parse().map_err(|_| format!("{name}: {text:?} makes no sense")))
            .transpose()
    }
    let filter = Filter { host: number(request, "host")?, port: number(request, "port")? };
    match number(request, "count")? {
        Some(0) => Err("count: nothing would be captured".to_owned()),
        count => Ok((filter, count)),
    }
}

/// What comes of the feed, until it is written.
struct Session {
    known: Known,
    waiting: VecDeque<Waiting>,
    /// Why frames that wait were dropped, by their numbers.
    reasons: HashMap<u32, Reason>,
}

impl Session {
    fn take(&mut self, seen: Seen) {
        match seen {
            Seen::Note { note: Note::DroppedFrame { serial, reason }, .. } => {
                // A number of a frame that the filter left out stays until frames run dry.
                if self.reasons.len() < WAITING {
                    self.reasons.insert(serial, reason);
                }
            }
            Seen::Note { note, .. } => self.known.note(&note),
            Seen::Frame(frame) => {
                let comment = self.comment(&frame);
                self.waiting.push_back(Waiting { frame, comment });
            }
        }
    }

    /// The next frame that has waited long enough, or for which there is no place.
    fn ripe(&mut self, until: u64) -> Option<Waiting> {
        let crowded = self.waiting.len() > WAITING;
        let first = self.waiting.front()?;
        if first.frame.unix_ns > until && !crowded {
            return None;
        }
        let mut first = self.waiting.pop_front()?;
        if let Some(reason) = self.reasons.remove(&first.frame.packet.serial()) {
            let dropped = format!("dropped: {}", reason.name());
            let comment = first.comment.map(|comment| format!("{dropped}; {comment}"));
            first.comment = Some(comment.unwrap_or(dropped));
        }
        if self.waiting.is_empty() {
            self.reasons.clear();
        }
        Some(first)
    }

    /// The connection's state and window as the frame crosses.
    fn comment(&self, frame: &SeenFrame) -> Option<String> {
        let (source, destination) = Ends::of(&frame.packet)?.tcp()?;
        let connection = match frame.direction {
            Direction::In => self.known.between(destination, source),
            Direction::Out => self.known.between(source, destination),
        }?;
        let mut comment = sockets::state(connection.state).to_owned();
        if let Some((cwnd, ssthresh)) = connection.cwnd {
            comment += &format!(", cwnd {cwnd}");
            if ssthresh != u32::MAX {
                comment += &format!(", ssthresh {ssthresh}");
            }
        }
        if connection.in_recovery {
            comment += ", in recovery";
        }
        Some(comment)
    }
}

/// What the pcapng writer has written and nobody was given yet.
#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    fn pass_on(&self, to: &mut Chunks<'_>) -> io::Result<()> {
        let bytes = core::mem::take(&mut *self.0.lock());
        to.write_all(&bytes)?;
        to.flush()
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
