//! [`Tcp`] as a [`Layer`]: finds the connection, keeps the list of what is due, and puts
//! connections into the shape that their state needs.
//!
//! Everything that changes a connection marks it due; `poll` serves the due ones, once each. A
//! connection that stops for want of room stays due. So `poll` costs what is due (law L7), and a
//! batch of segments is answered by one burst of output.

mod budget;
mod commands;
mod lingering;
mod listening;
mod paths;
mod resting;
mod segments;
mod show;
mod waiting;

use core::net::SocketAddr;
use std::collections::VecDeque;
use std::sync::Arc;

use layer::boundary::{IpIn, IpOut, SocketId, TcpCommand, TcpEvent, TcpOptions, TcpState};
use layer::time::earliest;
use layer::{Accounted, Counted, Deadlines, Instant, Layer, Out};
use rustc_hash::FxHashMap;

use crate::config::Config;
use crate::conn::opening::Outcome;
use crate::conn::{Connection, Fate, Io, Over, Phase, note_state};
use crate::cookie::Cookies;
use crate::isn::IsnSource;
use crate::listen::Listener;
use crate::memory::Memory;
use crate::ports::{Bound, Ports};
use crate::requests::Requests;
use crate::stats::Stats;
use crate::table::{Key, Table};
use crate::timewait::TimeWaits;
use commands::Routing;
use layer::boundary::CloseReason;
pub(crate) use paths::Paths;

/// The TCP layer of one stack.
#[derive(Debug)]
pub struct Tcp {
    config: Config,
    isn: IsnSource,
    cookies: Cookies,
    table: Table,
    /// Half-open connections of listeners.
    requests: Requests,
    ports: Ports,
    /// Reserved addresses, by socket.
    bound: FxHashMap<SocketId, Bound>,
    listeners: FxHashMap<SocketId, Listener>,
    /// Sockets that wait for IP to name a route.
    routing: FxHashMap<SocketId, Routing>,
    /// Connections to be served by the next poll.
    due: VecDeque<Key>,
    deadlines: Deadlines<Key>,
    /// Answers to commands for which there is no connection, until there is room.
    answers: VecDeque<TcpEvent>,
    /// What IP said about paths.
    paths: Paths,
    stats: Stats,
    next_accepted: u64,
    /// The last time we were told, for snapshots.
    now: Instant,
    time_waits: TimeWaits,
    /// What the buffers of all connections hold.
    memory: Memory,
    /// The options that were last given to a connection: many have the same.
    common: Arc<TcpOptions>,
}

impl Tcp {
    /// A layer without connections.
    pub fn new(config: Config) -> Self {
        let key = config.key;
        Self {
            isn: IsnSource::new(derive(key, 1)),
            table: Table::new(derive(key, 2)),
            ports: Ports::new(derive(key, 3), config.ephemeral_ports),
            cookies: Cookies::new(derive(key, 4)),
            requests: Requests::new(derive(key, 5)),
            memory: Memory::new(config.memory),
            common: Arc::default(),
            config,
            bound: FxHashMap::default(),
            listeners: FxHashMap::default(),
            routing: FxHashMap::default(),
            due: VecDeque::new(),
            deadlines: Deadlines::default(),
            answers: VecDeque::new(),
            paths: Paths::default(),
            stats: Stats::default(),
            next_accepted: SocketId::ACCEPTED.0,
            now: Instant::ZERO,
            time_waits: TimeWaits::new(derive(key, 6)),
        }
    }

    /// Counters since construction.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Our end of a connection in any state, as soon as it is known.
    pub fn local_addr(&self, socket: SocketId) -> Option<SocketAddr> {
        let key = self.table.find_id(socket)?;
        self.table.get(key).map(|connection| connection.ends.local)
    }

    /// Connections in the table, any state but LISTEN.
    pub fn connection_count(&self) -> usize {
        self.table.len() + self.time_waits.len()
    }

    /// Entries of the deadline heap, stale ones included: what tests look at.
    pub fn hints(&self) -> usize {
        self.deadlines.len()
    }

    /// Puts a connection on the due list, once.
    fn mark_due(&mut self, key: Key) {
        if let Some(connection) = self.table.get_mut(key)
            && !connection.due
        {
            connection.due = true;
            self.due.push_back(key);
        }
    }

    /// Serves one due connection: timers, output, news for the hub. False if an outlet was full.
    fn serve(&mut self, key: Key, now: Instant, out: &mut Out<'_, Self>) -> bool {
        if self.sacrifice(key, now, out) {
            return true;
        }
        self.allow(key);
        let Self { table, stats, config, paths, .. } = self;
        let Some(connection) = table.get_mut(key) else { return true };
        connection.due = false;
        let io = &mut Io { now, out, stats, config };
        let Connection { ends, phase, orphan, .. } = connection;
        let (outcome, done) = match phase {
            Phase::Opening(opening) => (Served::Opening(opening.on_timer(ends, io)), true),
            Phase::Open(open) => {
                open.follow_path(ends, io, paths);
                let fate = open.on_timers(ends, io);
                let sent = fate != Fate::Stay || open.output(ends, io);
                let told = open.inform(ends, io);
                open.rest(io);
                let fate = match fate {
                    Fate::Stay if told && open.state == TcpState::TimeWait => Fate::TimeWait,
                    other => other,
                };
                (Served::Open(fate), sent && told)
            }
            // It was woken a moment ago.
            Phase::Idle(_) => (Served::Stay, true),
            Phase::Over(over) => {
                let told = *orphan || over.inform(ends, io);
                (if told { Served::Told(ends.id) } else { Served::Stay }, told)
            }
        };
        match outcome {
            Served::Opening(outcome) => self.follow_opening(key, now, outcome, out),
            Served::Open(fate) => {
                self.follow(key, now, fate, out);
                self.linger(key, out);
            }
            Served::Told(id) => {
                // The hub has forgotten the id by now, so nobody else gives the address back.
                self.unbind(id);
                self.remove(key);
            }
            Served::Stay => {}
        }
        self.settle(key);
        self.hint(key);
        if done {
            self.doze(key, now);
        }
        done
    }

    /// Acts on the fate of an open connection.
    fn follow(&mut self, key: Key, now: Instant, fate: Fate, out: &mut Out<'_, Self>) {
        match fate {
            Fate::Stay => {}
            Fate::Gone(reason) => self.end(key, now, reason, out),
            Fate::TimeWait => self.enter_time_wait(key, now, out),
        }
    }

    /// Acts on what became of an opening.
    fn follow_opening(
        &mut self,
        key: Key,
        now: Instant,
        outcome: Outcome,
        out: &mut Out<'_, Self>,
    ) {
        let error = match outcome {
            Outcome::Stay => return,
            Outcome::Open(open, segment) => {
                self.opened(key, open, now, out);
                if let Some(segment) = segment {
                    self.deliver_rest(key, now, segment, out);
                }
                self.mark_due(key);
                return;
            }
            Outcome::Failed(error) => error,
            Outcome::Vanished => layer::boundary::SocketError::ConnectionAborted,
        };
        self.stats.attempt_fails += 1;
        self.end(key, now, CloseReason::Failed(error), out);
    }

    /// A connection is over: its tuple is free at once, and the hub hears of it when it can.
    fn end(&mut self, key: Key, now: Instant, reason: CloseReason, out: &mut Out<'_, Self>) {
        let Self { table, stats, config, .. } = self;
        let Some(connection) = table.get_mut(key) else { return };
        connection.wake();
        let port = connection.ends.local.port();
        let io = &mut Io { now, out, stats, config };
        let from = state_of(&connection.phase);
        note_state(&connection.ends, io, from, TcpState::Closed);
        let lingers = connection.phase.lingers();
        let over = Over { ready: VecDeque::new(), finished: false, reason, lingers };
        let nothing = Phase::Over(Box::new(over));
        let (told, listener, rest) = match core::mem::replace(&mut connection.phase, nothing) {
            Phase::Opening(_) | Phase::Idle(_) => (true, None, None),
            Phase::Open(open) => {
                let open = *open;
                (open.listener.is_none(), open.listener, Some((open.rcv, open.tell.finished)))
            }
            Phase::Over(_) => (false, None, None),
        };
        if let (Some((rcv, finished)), Phase::Over(over)) = (rest, &mut connection.phase) {
            over.ready = rcv.into_ready();
            over.finished = finished;
        }
        // A passive opening that the hub never heard of ends as silently.
        connection.orphan |= !told;
        let orphan = connection.orphan;
        if let Some(listener) = listener.and_then(|id| self.listeners.get_mut(&id)) {
            listener.release();
        }
        if self.table.forget_tuple(key) {
            self.ports.disconnected(port);
        }
        if orphan {
            self.remove(key);
        } else {
            self.mark_due(key);
        }
    }

    fn remove(&mut self, key: Key) {
        let had_tuple = self.table.forget_tuple(key);
        let Some(connection) = self.table.remove(key) else { return };
        self.release(&connection);
        if had_tuple {
            self.ports.disconnected(connection.ends.local.port());
        }
    }

    /// Tells the deadline heap when to look at a connection.
    fn hint(&mut self, key: Key) {
        let Some(connection) = self.table.get_mut(key) else { return };
        let at = match &connection.phase {
            Phase::Opening(opening) => opening.retransmit,
            Phase::Open(open) => open.timers.next(),
            // The hint that was given before is still out.
            Phase::Idle(_) | Phase::Over(_) => None,
        };
        self.deadlines.hint(at, key, &mut connection.hinted);
        let Self { table, deadlines, .. } = self;
        deadlines.prune(table.len(), |at, key| {
            table.get(key).is_some_and(|connection| connection.hinted == Some(at))
        });
    }
}

/// What serving a connection led to.
enum Served {
    Opening(Outcome),
    Open(Fate),
    /// The hub knows that it is over.
    Told(SocketId),
    Stay,
}

impl Layer for Tcp {
    type FromBelow = IpIn;
    type ToAbove = TcpEvent;
    type FromAbove = TcpCommand;
    type ToBelow = IpOut;

    fn receive(&mut self, now: Instant, item: IpIn, out: &mut Out<'_, Self>) {
        match item {
            IpIn::Datagram(datagram) => self.datagram(now, datagram, out),
            IpIn::Error(error) => self.error(now, error, out),
            IpIn::Path(path) => self.routed(now, path, out),
            IpIn::PathMtu { protocol: _, destination, mtu } => {
                self.paths.learn(destination, mtu);
                out.ledger.count_consumed();
            }
        }
    }

    fn send(&mut self, now: Instant, item: TcpCommand, out: &mut Out<'_, Self>) {
        self.now = now;
        out.ledger.count_consumed();
        self.command(now, item, out);
    }

    fn poll(&mut self, now: Instant, out: &mut Out<'_, Self>) {
        self.now = now;
        while let Some((at, key)) = self.deadlines.pop_due(now) {
            let Some(connection) = self.table.get_mut(key) else { continue };
            if connection.hinted == Some(at) {
                connection.hinted = None;
                self.mark_due(key);
            }
        }
        self.expire_time_waits(now, out);
        while out.up.room() > 0
            && let Some(answer) = self.answers.pop_front()
        {
            out.up.push(answer);
        }
        self.poll_requests(now, out);
        self.relieve();
        // Once round: what becomes due again meanwhile waits for the next call.
        for _ in 0..self.due.len() {
            let Some(key) = self.due.pop_front() else { break };
            if !self.serve(key, now, out) {
                self.mark_due(key);
            }
        }
    }

    fn poll_at(&self) -> Option<Instant> {
        if self.due.is_empty() && self.answers.is_empty() && !self.memory.has_relief() {
            let waits = earliest(self.requests.next(), self.time_waits.next());
            earliest(self.deadlines.next(), waits)
        } else {
            Some(Instant::ZERO)
        }
    }
}

impl Accounted for Tcp {
    fn held_items(&self) -> usize {
        self.table
            .iter()
            .map(|connection| match &connection.phase {
                Phase::Open(open) => open.rcv.held(),
                Phase::Over(over) => over.ready.len(),
                Phase::Opening(_) | Phase::Idle(_) => 0,
            })
            .sum()
    }

    fn held_bytes(&self) -> usize {
        let connections: usize = self
            .table
            .iter()
            .map(|connection| {
                let buffers = match &connection.phase {
                    Phase::Open(open) => open.snd.buffer.held_bytes() + open.rcv.held_bytes(),
                    Phase::Over(over) => over.ready.iter().map(bytes::Bytes::len).sum(),
                    Phase::Idle(idle) => idle.held_bytes(),
                    Phase::Opening(_) => 0,
                };
                core::mem::size_of::<Connection>() + buffers
            })
            .sum();
        connections + self.requests.held_bytes()
    }
}

impl Counted for Tcp {
    fn counters(&self, each: &mut dyn FnMut(&'static str, u64)) {
        let established = self
            .table
            .iter()
            .filter(|c| matches!(state_of(&c.phase), TcpState::Established | TcpState::CloseWait));
        // Linux's 4: Van Jacobson's algorithm. Times in ms.
        each("TcpRtoAlgorithm", 4);
        each("TcpRtoMin", self.config.rto_min.as_millis() as u64);
        each("TcpRtoMax", self.config.rto_max.as_millis() as u64);
        each("TcpMaxConn", self.config.max_connections as u64);
        each("TcpCurrEstab", established.count() as u64);
        self.stats.each(each);
    }
}

fn state_of(phase: &Phase) -> TcpState {
    match phase {
        Phase::Opening(opening) => opening.state,
        Phase::Open(open) => open.state,
        Phase::Idle(idle) => idle.state(),
        Phase::Over(_) => TcpState::Closed,
    }
}

/// One key for each use, so that what one reveals says nothing about another.
fn derive(key: [u8; 16], purpose: u8) -> [u8; 16] {
    use core::hash::Hasher;
    let mut derived = [0; 16];
    for (half, bytes) in derived.chunks_exact_mut(8).enumerate() {
        let mut hasher = siphasher::sip::SipHasher24::new_with_key(&key);
        hasher.write(&[purpose, u8::from(half > 0)]);
        bytes.copy_from_slice(&hasher.finish().to_le_bytes());
    }
    derived
}
