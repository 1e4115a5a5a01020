//! What the layer shows of its connections: for `ss`, the status page and TCP_INFO.
//!
//! A table of a hundred thousand connections is read in pages, so that whoever reads never holds up
//! the packets between two of them. As with Linux's own dumps, a connection that comes or goes
//! between two pages may be missed, or one be shown twice.

use layer::Instant;
use layer::boundary::{ConnectionInfo, SocketId, TcpState, TimerInfo, TimerKind};

use super::Tcp;
use crate::config::Config;
use crate::conn::opening::Opening;
use crate::conn::{Connection, Phase};
use crate::requests::Request;
use crate::table::Tuple;

/// Something in one of the tables, not yet looked at.
enum Entry<'a> {
    Living(&'a Connection),
    HalfOpen(&'a Request),
    Waiting(Box<ConnectionInfo>),
}

impl Tcp {
    /// All connections but those in LISTEN, as of the last time the layer was told.
    pub fn connections(&self) -> Vec<ConnectionInfo> {
        self.page(self.now, 0, usize::MAX).0
    }

    /// Up to `most` connections from place `from` on, and the place after them; `None` after the
    /// last. Those in LISTEN are not among them, see [`Tcp::listeners`].
    pub fn page(
        &self,
        now: Instant,
        from: usize,
        most: usize,
    ) -> (Vec<ConnectionInfo>, Option<usize>) {
        let all = self.table.len() + self.requests.len() + self.time_waits.len();
        let living = self.table.iter().map(Entry::Living);
        let half_open = self.requests.iter().map(Entry::HalfOpen);
        let waiting = self.time_waits.infos(now).map(|info| Entry::Waiting(Box::new(info)));
        let entries = living.chain(half_open).chain(waiting).skip(from).take(most);
        let infos = entries.filter_map(|entry| entry.info(now, &self.config)).collect();
        let next = from.saturating_add(most);
        (infos, (next < all).then_some(next))
    }

    /// The settings in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Changes settings for what comes: timers that run and buffers that grew stay as they are.
    /// Neither the key nor the limits of memory nor the range of ports can be changed so.
    pub fn tune(&mut self, change: impl FnOnce(&mut Config)) {
        let Config { key, memory, ephemeral_ports, .. } = self.config;
        change(&mut self.config);
        let fixed = (key, memory, ephemeral_ports);
        (self.config.key, self.config.memory, self.config.ephemeral_ports) = fixed;
    }

    /// Sockets that listen, in the order of their ids.
    pub fn listeners(&self) -> Vec<ConnectionInfo> {
        let of = |(id, listener): (&SocketId, &crate::listen::Listener)| {
            Some(listener.info(*id, self.bound.get(id)?.local))
        };
        let mut infos: Vec<ConnectionInfo> = self.listeners.iter().filter_map(of).collect();
        infos.sort_unstable_by_key(|info| info.socket);
        infos
    }
}

impl Entry<'_> {
    fn info(self, now: Instant, config: &Config) -> Option<ConnectionInfo> {
        match self {
            Self::Living(connection) => connection_info(connection, now, config),
            Self::HalfOpen(request) => {
                let Tuple { local, remote } = request.tuple();
                let state = TcpState::SynReceived;
                // It has no socket yet: who listens is shown.
                Some(ConnectionInfo::bare(request.listener, local, remote, state))
            }
            Self::Waiting(info) => Some(*info),
        }
    }
}

/// A snapshot of one connection; `None` once it is over.
pub(super) fn connection_info(
    connection: &Connection,
    now: Instant,
    config: &Config,
) -> Option<ConnectionInfo> {
    let ends = &connection.ends;
    match &connection.phase {
        Phase::Open(open) => Some(open.info(ends, now, config)),
        Phase::Idle(idle) => Some(idle.open().info(ends, now, config)),
        Phase::Opening(opening) => {
            let bare = ConnectionInfo::bare(ends.id, ends.local, ends.remote, opening.state);
            let (rto, timer) = (opening.rto(config), opening_timer(opening, now));
            Some(ConnectionInfo { rto, timer, ..bare })
        }
        Phase::Over(_) => None,
    }
}

fn opening_timer(opening: &Opening, now: Instant) -> Option<TimerInfo> {
    let left = opening.retransmit?.since(now);
    let retries = u8::try_from(opening.retries).unwrap_or(u8::MAX);
    Some(TimerInfo { kind: TimerKind::Retransmit, left, retries })
}
