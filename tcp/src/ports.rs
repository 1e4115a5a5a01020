//! Local ports: who has bound which, and ephemeral ones that nobody can guess (RFC 6056).

use core::hash::Hasher;
use core::net::SocketAddr;

use layer::boundary::{SocketError, SocketId};
use rustc_hash::FxHashMap;
use siphasher::sip::SipHasher24;

use crate::isn::write_address;

/// A reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// By which socket.
    pub socket: SocketId,
    /// Of which address; unspecified means all of ours.
    pub local: SocketAddr,
    /// SO_REUSEADDR.
    pub reuse_address: bool,
    /// SO_REUSEPORT.
    pub reuse_port: bool,
    /// It listens.
    pub listening: bool,
}

#[derive(Debug, Default)]
struct Port {
    bound: Vec<Bound>,
    /// Connections with this local port, any state.
    connections: u32,
}

/// All local ports in use.
#[derive(Debug)]
pub struct Ports {
    key: [u8; 16],
    range: (u16, u16),
    used: FxHashMap<u16, Port>,
    /// RFC 6056's counter: moves on with each port given out.
    counter: u16,
    /// Who takes what nobody else listens for.
    everywhere: Option<SocketId>,
}

impl Ports {
    /// No port is used; `range` is for ephemeral ones, both ends included.
    pub fn new(key: [u8; 16], range: (u16, u16)) -> Self {
        Self { key, range, used: FxHashMap::default(), counter: 0, everywhere: None }
    }

    /// Reserves an address; port 0 takes any free one. Answers with the port filled in.
    ///
    /// # Errors
    ///
    /// `AddressInUse`: somebody else has it and not both allow sharing, or no port is free.
    pub fn bind(&mut self, mut bound: Bound) -> Result<SocketAddr, SocketError> {
        if bound.local.port() == 0 {
            let free = self
                .candidates(bound.local, bound.local)
                .find(|port| !self.used.contains_key(port))
                .ok_or(SocketError::AddressInUse)?;
            self.counter = self.counter.wrapping_add(1);
            bound.local.set_port(free);
        }
        let port = self.used.entry(bound.local.port()).or_default();
        let shareable = |other: &Bound| {
            (bound.reuse_port && other.reuse_port)
                || (bound.reuse_address && other.reuse_address && !other.listening)
        };
        let clash = port.bound.iter().any(|other| {
            overlap(other.local, bound.local) && other.socket != bound.socket && !shareable(other)
        });
        // Without SO_REUSEADDR old connections stand in the way, also in TIME-WAIT.
        if clash || (port.connections > 0 && !bound.reuse_address && !bound.reuse_port) {
            return Err(SocketError::AddressInUse);
        }
        port.bound.push(bound);
        Ok(bound.local)
    }

    /// The reservation of `socket` now listens.
    ///
    /// # Errors
    ///
    /// `AddressInUse` if another socket listens there and they do not share.
    pub fn listen(&mut self, socket: SocketId, local: SocketAddr) -> Result<(), SocketError> {
        let port = self.used.get_mut(&local.port()).ok_or(SocketError::InvalidInput)?;
        let own_reuse = port.bound.iter().any(|b| b.socket == socket && b.reuse_port);
        let clash = port.bound.iter().any(|other| {
            other.socket != socket
                && other.listening
                && overlap(other.local, local)
                && !(own_reuse && other.reuse_port)
        });
        if clash {
            return Err(SocketError::AddressInUse);
        }
        let own = port.bound.iter_mut().find(|b| b.socket == socket);
        own.ok_or(SocketError::InvalidInput)?.listening = true;
        Ok(())
    }

    /// From now on `socket`, which listens, also takes what nobody else listens for.
    ///
    /// # Errors
    ///
    /// `AddressInUse` if another one does.
    pub fn listen_everywhere(&mut self, socket: SocketId) -> Result<(), SocketError> {
        if self.everywhere.is_some_and(|other| other != socket) {
            return Err(SocketError::AddressInUse);
        }
        self.everywhere = Some(socket);
        Ok(())
    }

    /// Gives a reservation back.
    pub fn unbind(&mut self, socket: SocketId, local: SocketAddr) {
        self.everywhere = self.everywhere.filter(|other| *other != socket);
        if let Some(port) = self.used.get_mut(&local.port()) {
            port.bound.retain(|bound| bound.socket != socket);
        }
        self.tidy(local.port());
    }

    /// Who listens for a segment to `local`; a specific address goes before all. Among several
    /// that share the port (SO_REUSEPORT) `flow`, a hash of the segment's tuple, chooses.
    pub fn listener(&self, local: SocketAddr, flow: u64) -> Option<SocketId> {
        self.bound_listener(local, flow).or(self.everywhere)
    }

    fn bound_listener(&self, local: SocketAddr, flow: u64) -> Option<SocketId> {
        let bound = &self.used.get(&local.port())?.bound;
        let listening = || bound.iter().filter(|b| b.listening);
        let specific = || listening().filter(|b| b.local.ip() == local.ip());
        let any = || {
            let same = |b: &&Bound| b.local.is_ipv4() == local.is_ipv4();
            listening().filter(|b| b.local.ip().is_unspecified()).filter(same)
        };
        chosen(specific, flow).or_else(|| chosen(any, flow)).map(|b| b.socket)
    }

    /// An ephemeral port for a connection from `local` to `remote` such that `taken` says no.
    pub fn ephemeral(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        taken: impl Fn(u16) -> bool,
    ) -> Option<u16> {
        let bound = |port: u16| self.used.get(&port).is_some_and(|p| !p.bound.is_empty());
        let port = self.candidates(local, remote).find(|&port| !bound(port) && !taken(port))?;
        self.counter = self.counter.wrapping_add(1);
        Some(port)
    }

    /// A connection with this local port begins.
    pub fn connected(&mut self, port: u16) {
        self.used.entry(port).or_default().connections += 1;
    }

    /// A connection with this local port is gone.
    pub fn disconnected(&mut self, port: u16) {
        if let Some(entry) = self.used.get_mut(&port) {
            entry.connections = entry.connections.saturating_sub(1);
        }
        self.tidy(port);
    }

    fn tidy(&mut self, port: u16) {
        if self.used.get(&port).is_some_and(|p| p.bound.is_empty() && p.connections == 0) {
            self.used.remove(&port);
        }
    }

    /// RFC 6056 3.3.3's "simple hash-based": the whole range once, from a secret place on.
    fn candidates(
        &self,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> impl Iterator<Item = u16> + use<> {
        let (first, last) = self.range;
        let count = u64::from(last.saturating_sub(first)) + 1;
        let mut hasher = SipHasher24::new_with_key(&self.key);
        write_address(&mut hasher, SocketAddr::new(local.ip(), 0));
        write_address(&mut hasher, remote);
        // The counter goes into the hash too, so that ports in a row show no pattern.
        hasher.write_u16(self.counter);
        let start = hasher.finish() % count;
        (0..count).map(move |n| {
            first.saturating_add(u16::try_from((start + n) % count).unwrap_or_default())
        })
    }
}

/// The one of `group` that a flow belongs to; the same as long as the group is.
fn chosen<'a, I: Iterator<Item = &'a Bound>>(
    group: impl Fn() -> I,
    flow: u64,
) -> Option<&'a Bound> {
    let size = group().count() as u64;
    group().nth(usize::try_from(flow.checked_rem(size)?).unwrap_or_default())
}

/// Two reservations of one port concern the same packets.
fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    a.is_ipv4() == b.is_ipv4()
        && (a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified())
}

#[cfg(test)]
mod tests;
