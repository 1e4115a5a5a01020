//! The relay of a connection: bytes from the program's pair to the hub and back, and how either
//! side ends.
//!
//! ```text
//!    the peer              hub                        pair
//!    data, FIN    -->  recv_chunks, 0      -->  write, shutdown(WR)      the program reads
//!    window       <--  send_bytes          <--  read                     the program writes
//!    FIN          <--  shutdown(WR)        <--  0, half closed           shutdown(WR)
//!    FIN          <--  close               <--  0, hung up               close
//!    RST          <--  abort               <--  ECONNRESET               close with unread data
//!    RST          -->  an error            -->  Notice::Reset
//! ```
//!
//! Each direction holds at most one piece that the other side had no room for; then it stops and
//! back-pressure does the rest.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::net::Shutdown;
use std::os::fd::BorrowedFd;

use bytes::{Buf, Bytes};
use layer::boundary::SocketId;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::EventFlags;
use socket::Errno;
use socket::net::Stack;

use super::{End, Exchange, Role, hub};

/// Bytes taken from the program at a time, and how often before others get their turn.
const PIECE: usize = 64 * 1024;
const ROUNDS: usize = 8;
/// The same of the hub, which gives them by reference.
const UP_PIECE: usize = 256 * 1024;
const UP_ROUNDS: usize = 2;
/// Elements of one `writev`.
const SLICES: usize = 64;
/// Less than this is copied out of the block it was read into.
const SMALL: usize = 16 * 1024;

/// A connection.
#[derive(Default)]
pub(super) struct Stream {
    /// Taken from the hub, not taken by the pair.
    up: VecDeque<Bytes>,
    /// Taking from the hub stopped so that others get their turn: it says nothing again of what it
    /// has told.
    up_more: bool,
    /// The peer's end was passed on.
    up_over: bool,
    /// Taken from the pair, not taken by the hub.
    down: Bytes,
    /// The program's end was read.
    down_over: bool,
    /// It was passed on.
    finished: bool,
    /// The program has closed.
    hung: bool,
    /// `connect` has answered that it is there.
    pub(super) told: bool,
    /// Why it is over, to be told after what has arrived.
    failed: Option<Errno>,
    /// Memory to read into.
    spare: Vec<u8>,
}

/// How far a turn came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// It waits.
    Waits,
    /// It stopped so that others get their turn.
    More,
    /// The program has closed, having read everything.
    Closed,
    /// The program has closed without reading everything.
    Dropped,
    /// The connection failed.
    Failed(Errno),
}

impl Exchange {
    /// Carries on a connection.
    pub(super) fn pump(&mut self, end: End, flags: EventFlags) {
        let Some(entry) = self.ends.get_mut(&end) else { return };
        let (id, ours) = (entry.socket, entry.ours.as_ref());
        let (Role::Stream(stream), Some(ours)) = (&mut entry.role, ours) else { return };
        match stream.turn(&self.stack, id, rustix::fd::AsFd::as_fd(ours), flags) {
            Turn::Waits => {}
            Turn::More => self.again.push_back(end),
            Turn::Closed => self.close(end),
            Turn::Dropped => self.forget(end, |id, hub, out| hub.abort(id, out)),
            Turn::Failed(error) => self.reset(end, error),
        }
    }
}

impl Stream {
    /// One that nobody asks about by `connect`.
    pub(super) fn accepted() -> Self {
        Self { told: true, ..Self::default() }
    }

    fn turn(
        &mut self,
        stack: &Stack,
        id: SocketId,
        ours: BorrowedFd<'_>,
        flags: EventFlags,
    ) -> Turn {
        self.hung |= flags.contains(EventFlags::HUP);
        // The hub said something: either direction may go on. The pair did: the one it is about.
        let news = flags.is_empty();
        let inward = EventFlags::IN | EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR;
        let mut turn = Turn::Waits;
        let stopped = self.up_more || !self.up.is_empty();
        let room = flags.contains(EventFlags::OUT) && stopped;
        if (news || room) && !self.hung {
            turn = self.carry_up(stack, id, ours);
        }
        if matches!(turn, Turn::Waits | Turn::More)
            && (news && !self.down.is_empty() || flags.intersects(inward))
        {
            let down = self.carry_down(stack, id, ours);
            turn = if down == Turn::Waits { turn } else { down };
        }
        match turn {
            Turn::Failed(_) if self.hung => Turn::Closed,
            Turn::Failed(error) if !self.up.is_empty() => {
                self.failed = Some(error);
                Turn::Waits
            }
            _ if self.hung && self.down_over && self.finished => {
                if self.up.is_empty() {
                    Turn::Closed
                } else {
                    Turn::Dropped
                }
            }
            turn => turn,
        }
    }

    /// From the peer to the program.
    fn carry_up(&mut self, stack: &Stack, id: SocketId, ours: BorrowedFd<'_>) -> Turn {
        self.up_more = false;
        for _ in 0..UP_ROUNDS {
            if self.up.is_empty() {
                if let Some(error) = self.failed {
                    return Turn::Failed(error);
                }
                if self.up_over {
                    return Turn::Waits;
                }
                let mut chunks = Vec::new();
                let taken = hub(stack, |hub, out| hub.recv_chunks(id, UP_PIECE, &mut chunks, out));
                match taken {
                    Ok(0) => {
                        // Fails only where the program has closed, which is seen elsewhere.
                        let _ = rustix::net::shutdown(ours, rustix::net::Shutdown::Write);
                        self.up_over = true;
                        return Turn::Waits;
                    }
                    Ok(_) => self.up.extend(chunks),
                    Err(Errno::AGAIN) => return Turn::Waits,
                    Err(error) => return Turn::Failed(error),
                }
            }
            match self.write(ours) {
                Ok(()) => {}
                Err(rustix::io::Errno::AGAIN) => return Turn::Waits,
                // The program reads no more; what comes is taken and thrown away. If it has closed,
                // that is told next.
                Err(rustix::io::Errno::PIPE) => self.up.clear(),
                Err(_) => return Turn::Dropped,
            }
        }
        self.up_more = true;
        Turn::More
    }

    /// Writes until the pair is full or nothing is left.
    fn write(&mut self, ours: BorrowedFd<'_>) -> rustix::io::Result<()> {
        while !self.up.is_empty() {
            let slices: Vec<IoSlice<'_>> =
                self.up.iter().take(SLICES).map(|chunk| IoSlice::new(chunk)).collect();
            let mut written = rustix::io::writev(ours, &slices)?;
            while let Some(chunk) = self.up.front_mut() {
                let n = written.min(chunk.len());
                chunk.advance(n);
                written -= n;
                if !chunk.is_empty() {
                    break;
                }
                self.up.pop_front();
            }
        }
        Ok(())
    }

    /// From the program to the peer.
    fn carry_down(&mut self, stack: &Stack, id: SocketId, ours: BorrowedFd<'_>) -> Turn {
        for _ in 0..ROUNDS {
            if self.down.is_empty() {
                if self.down_over {
                    return self.finish(stack, id);
                }
                match self.read(ours) {
                    Ok(true) => {}
                    Ok(false) => {
                        self.down_over = true;
                        continue;
                    }
                    Err(rustix::io::Errno::AGAIN) => return Turn::Waits,
                    // The program closed with something unread.
                    Err(_) => return Turn::Dropped,
                }
            }
            let down = &mut self.down;
            match hub(stack, |hub, out| hub.send_bytes(id, down, out)) {
                Ok(_) => {}
                Err(Errno::AGAIN) => return Turn::Waits,
                Err(error) => return Turn::Failed(error),
            }
        }
        Turn::More
    }

    /// Reads a piece; false at the end.
    fn read(&mut self, ours: BorrowedFd<'_>) -> rustix::io::Result<bool> {
        self.spare.clear();
        self.spare.reserve(PIECE);
        let n = rustix::io::read(ours, spare_capacity(&mut self.spare))?;
        self.down = if n < SMALL {
            Bytes::copy_from_slice(&self.spare)
        } else {
            core::mem::take(&mut self.spare).into()
        };
        Ok(n > 0)
    }

    fn finish(&mut self, stack: &Stack, id: SocketId) -> Turn {
        if !self.finished {
            self.finished = true;
            // Where that fails, the connection has ended, and reading tells why.
            let _ = hub(stack, |hub, out| hub.shutdown(id, Shutdown::Write, out));
        }
        Turn::Waits
    }
}
