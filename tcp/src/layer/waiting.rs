//! Into TIME-WAIT and out of it: the connection leaves the table of the living, see
//! [`crate::timewait`].

use layer::boundary::{CloseReason, SocketId, TcpEvent, TcpState};
use layer::{Instant, Out};

use super::Tcp;
use crate::conn::state::{Event, follow};
use crate::conn::{Ends, Io, Phase, note_state};
use crate::segment::Segment;
use crate::table::{Key, Tuple};
use crate::timewait::Reopened;

impl Tcp {
    /// Both sides have finished and we did first: only the little that TIME-WAIT needs stays.
    pub(super) fn enter_time_wait(&mut self, key: Key, now: Instant, out: &mut Out<'_, Self>) {
        let Self { table, stats, config, .. } = self;
        let Some(connection) = table.get_mut(key) else { return };
        let Phase::Open(open) = &mut connection.phase else { return };
        let io = &mut Io { now, out, stats, config };
        let orphan = connection.orphan;
        // The last ACK may be owed, and the hub may not know all yet: then later.
        let quiet = open.output(&connection.ends, io) && open.inform(&connection.ends, io);
        let room = orphan || io.out.up.room() > 0;
        if !(quiet && room) {
            self.mark_due(key);
            return;
        }
        let Ends { id, local, remote, .. } = connection.ends;
        if !orphan {
            let reason = CloseReason::Finished;
            io.out.up.push(TcpEvent::Closed { socket: id, reason });
        }
        io.stats.time_waits += 1;
        let wait = open.time_wait(&connection.ends);
        // RFC 9293 3.6.1 MUST-13: 2 MSL.
        let until = now + io.config.time_wait;
        if let Some(connection) = self.table.remove(key) {
            self.release(&connection);
        }
        self.time_waits.insert(&Tuple { local, remote }, wait, until);
        if !orphan {
            self.unbind(id);
        }
    }

    /// A segment for nobody alive: it may be one for TIME-WAIT.
    pub(super) fn dead_or_unknown(
        &mut self,
        now: Instant,
        tuple: &Tuple,
        segment: Segment,
        mtu: u32,
        out: &mut Out<'_, Self>,
    ) {
        if !self.time_waits.contains(tuple) {
            return self.unknown(now, segment, mtu, None, out);
        }
        let listening = self.ports.listener(segment.destination, 0).is_some();
        let Self { time_waits, stats, config, .. } = self;
        let io = &mut Io { now, out, stats, config };
        if let Some(Reopened::Yes(segment, beyond)) =
            time_waits.arrives(tuple, io, segment, listening)
        {
            self.unknown(now, segment, mtu, Some(beyond), out);
            // A SYN that found no place leaves everything as it was (RFC 6191 2).
            if self.requests.find(tuple).is_some() && self.time_waits.remove(tuple) {
                self.ports.disconnected(tuple.local.port());
                self.stats.tw_recycled += 1;
            }
        }
    }

    /// 2 MSL have passed.
    pub(super) fn expire_time_waits(&mut self, now: Instant, out: &mut Out<'_, Self>) {
        while let Some(Tuple { local, remote }) = self.time_waits.pop_expired(now) {
            self.ports.disconnected(local.port());
            let Self { stats, config, .. } = self;
            let ends = Ends { id: SocketId::default(), local, remote, ttl: None, tos: 0 };
            let to = follow(TcpState::TimeWait, Event::Expired);
            let io = &mut Io { now, out, stats, config };
            note_state(&ends, io, TcpState::TimeWait, to);
        }
    }

    /// No connection more can be taken in, for want of places or of memory. Those that only wait
    /// out old duplicates give way first.
    pub(super) fn is_full(&mut self) -> bool {
        if self.connection_count() >= self.config.max_connections
            && let Some(tuple) = self.time_waits.pop_oldest()
        {
            self.ports.disconnected(tuple.local.port());
        }
        self.connection_count() >= self.config.max_connections || self.memory.is_exhausted()
    }
}
