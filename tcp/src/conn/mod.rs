//! One connection, in the shape its state needs: [`Opening`], [`Open`], [`Idle`] while nothing
//! happens on it, or the little that is left to tell the hub when it is [`Over`]. TIME-WAIT has a
//! table of its own, [`crate::timewait`].

pub mod acks;
pub mod arrives;
pub mod buffers;
pub mod closing;
pub mod guard;
pub mod idle;
pub mod info;
pub mod keepalive;
pub mod limits;
pub mod losses;
pub mod meter;
pub mod opening;
pub mod output;
pub mod path;
pub mod patience;
pub mod rest;
pub mod shortage;
pub mod state;
pub mod turn;

use std::sync::Arc;

use core::net::SocketAddr;
use std::collections::VecDeque;

use bytes::Bytes;
use layer::boundary::{CloseReason, SocketError, SocketId, TcpEvent, TcpOptions, TcpState};
use layer::{Instant, Note, Out};

use crate::cc::Congestion;
use crate::config::Config;
use crate::layer::Tcp;
use crate::recv::Receiver;
use crate::send::Sender;
use crate::send::room::Room;
use crate::stats::Stats;
use crate::timers::Timers;
use idle::Idle;
use keepalive::KeepAlive;
use meter::Meter;
use opening::Opening;
use patience::Patience;
use state::Event;

/// What every step of a connection works with besides the connection itself.
pub struct Io<'a, 'b> {
    /// The time.
    pub now: Instant,
    /// The ways out.
    pub out: &'a mut Out<'b, Tcp>,
    /// The layer's counters.
    pub stats: &'a mut Stats,
    /// The layer's settings.
    pub config: &'a Config,
}

/// Who a connection is between, and what all its packets have in common.
#[derive(Clone, Debug)]
pub struct Ends {
    /// Its name towards the hub.
    pub id: SocketId,
    /// Our end.
    pub local: SocketAddr,
    /// The peer's end.
    pub remote: SocketAddr,
    /// IP_TTL.
    pub ttl: Option<u8>,
    /// IP_TOS.
    pub tos: u8,
}

/// A connection in the table.
#[derive(Debug)]
pub struct Connection {
    /// Who.
    pub ends: Ends,
    /// In which shape.
    pub phase: Phase,
    /// The application closed it: nothing more is told.
    pub orphan: bool,
    /// It stands on the due list.
    pub due: bool,
    /// Memory that it is charged with, bytes.
    pub charged: u32,
    /// It waits for memory to open its window.
    pub starved: bool,
    /// It had its small form a moment ago.
    pub stirred: bool,
    /// The earliest hint in the deadline heap.
    pub hinted: Option<Instant>,
}

/// A state holds only what exists in that state.
#[derive(Debug)]
pub enum Phase {
    /// SYN-SENT, SYN-RECEIVED.
    Opening(Box<Opening>),
    /// ESTABLISHED to LAST-ACK.
    Open(Box<Open>),
    /// The same, on which nothing has happened for a while.
    Idle(Idle),
    /// CLOSED, with something left to tell.
    Over(Box<Over>),
}

/// What the hub is still to be told about a connection that ended.
#[derive(Debug)]
pub struct Over {
    /// Bytes that came before the end.
    pub ready: VecDeque<Bytes>,
    /// The peer's FIN came before the end.
    pub finished: bool,
    /// How it ended.
    pub reason: CloseReason,
    /// SO_LINGER is set to a time: who closes it waits to be told.
    pub lingers: bool,
}

/// What the hub is to be told about an open connection, one flag or sum each.
#[derive(Debug, Default)]
pub struct Tell {
    /// The opening is complete.
    pub established: bool,
    /// The peer's FIN was reached.
    pub finished: bool,
    /// Urgent data ends after so many bytes of the stream.
    pub urgent: Option<u64>,
    /// A soft error.
    pub soft_error: Option<SocketError>,
}

/// A synchronized connection: ESTABLISHED, FIN-WAIT-1, FIN-WAIT-2, CLOSE-WAIT, CLOSING, LAST-ACK.
#[derive(Debug)]
pub struct Open {
    /// Which of them.
    pub state: TcpState,
    /// The sending half.
    pub snd: Sender,
    /// The receiving half.
    pub rcv: Receiver,
    /// Congestion control.
    pub cc: Box<dyn Congestion + Send>,
    /// Timers.
    pub timers: Timers,
    /// Socket options.
    pub options: Arc<TcpOptions>,
    /// What the hub is to be told.
    pub tell: Tell,
    /// The send buffer's size, and how much of it the hub may fill.
    pub room: Room,
    /// The listener, until the hub was told of a passive open.
    pub listener: Option<SocketId>,
    /// The application closed the socket.
    pub orphan: bool,
    /// How long silence is borne.
    pub patience: Patience,
    /// Whether the peer is still there.
    pub keepalive: KeepAlive,
    /// When the last challenge ACK left (RFC 5961 7).
    pub challenged: Option<Instant>,
    /// The segment being processed came without text (it may have lost it since).
    pub bare_arrival: bool,
    /// One lost segment is to be sent again whatever the window says.
    pub force_one: bool,
    /// What it counts of itself.
    pub meter: Meter,
}

/// What becomes of a connection after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes on.
    Stay,
    /// Both FINs are exchanged and we closed first: wait out old duplicates.
    TimeWait,
    /// It is over.
    Gone(CloseReason),
}

impl Fate {
    /// Over because of `error`.
    pub const fn failed(error: SocketError) -> Self {
        Self::Gone(CloseReason::Failed(error))
    }
}

impl Open {
    /// Follows an arrow of Figure 5.
    pub fn enter(&mut self, event: Event, ends: &Ends, io: &mut Io<'_, '_>) {
        let Some(to) = state::next(self.state, event) else { return };
        note_state(ends, io, self.state, to);
        self.state = to;
        self.arm_fin_wait_2(io);
    }

    /// Our SYN is acknowledged. What a listener got has no id yet: it is stated when it has one.
    pub fn establish(&mut self, ends: &Ends, io: &mut Io<'_, '_>) {
        let event = Event::SynAcknowledged;
        match self.listener {
            None => self.enter(event, ends, io),
            Some(_) => self.state = state::next(self.state, event).unwrap_or(self.state),
        }
    }

    /// A socket that nobody reads does not wait for ever for the peer's FIN.
    pub fn arm_fin_wait_2(&mut self, io: &Io<'_, '_>) {
        if self.state == TcpState::FinWait2 && self.orphan {
            self.timers.fin_wait_2.get_or_insert(io.now + io.config.fin_wait_2);
        }
    }

    /// Tells the hub what there is to tell, as far as there is room. True when all is told.
    pub fn inform(&mut self, ends: &Ends, io: &mut Io<'_, '_>) -> bool {
        if self.orphan {
            return true;
        }
        while io.out.up.room() > 0 {
            let Some(event) = self.next_event(ends) else { return true };
            io.out.up.push(event);
        }
        !self.has_news()
    }

    fn has_news(&self) -> bool {
        let Tell { established, finished, urgent, soft_error } = &self.tell;
        *established
            || *finished
            || urgent.is_some()
            || soft_error.is_some()
            || self.rcv.has_ready()
            || self.rcv.collapse_due
            || self.room_to_grant().is_some()
    }

    fn next_event(&mut self, ends: &Ends) -> Option<TcpEvent> {
        let socket = ends.id;
        if core::mem::take(&mut self.tell.established) {
            let (local, remote) = (ends.local, ends.remote);
            return Some(match self.listener.take() {
                Some(listener) => TcpEvent::Incoming { listener, socket, local, remote },
                None => TcpEvent::Established { socket, local, remote },
            });
        }
        if let Some(bytes) = self.room_to_grant() {
            self.room.granted(bytes);
            return Some(TcpEvent::Room { socket, bytes });
        }
        // Ahead of the bytes it is about: who reads them should know.
        if let Some(end) = self.tell.urgent.take() {
            return Some(TcpEvent::Urgent { socket, end });
        }
        if let Some(chunk) = self.rcv.take_ready() {
            return Some(TcpEvent::Data { socket, chunk });
        }
        if self.rcv.take_collapse() {
            return Some(TcpEvent::Collapse { socket });
        }
        if core::mem::take(&mut self.tell.finished) {
            return Some(TcpEvent::Finished { socket });
        }
        if let Some(error) = self.tell.soft_error.take() {
            return Some(TcpEvent::SoftError { socket, error });
        }
        None
    }
}

impl Over {
    /// Tells the rest. True when all is told.
    pub fn inform(&mut self, ends: &Ends, io: &mut Io<'_, '_>) -> bool {
        let socket = ends.id;
        while io.out.up.room() > 0 {
            if let Some(chunk) = self.ready.pop_front() {
                io.out.up.push(TcpEvent::Data { socket, chunk });
            } else if core::mem::take(&mut self.finished) {
                io.out.up.push(TcpEvent::Finished { socket });
            } else {
                io.out.up.push(TcpEvent::Closed { socket, reason: self.reason });
                return true;
            }
        }
        false
    }
}

/// States a change of state.
pub fn note_state(ends: &Ends, io: &mut Io<'_, '_>, from: TcpState, to: TcpState) {
    let (socket, local, remote) = (ends.id, ends.local, ends.remote);
    io.out.note(|| Note::TcpState { socket, local, remote, from, to });
}
