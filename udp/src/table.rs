//! Who is on which port: finding the socket of a datagram, and who may share a port.
//!
//! A datagram goes to the socket connected to its sender; else to the one bound to its
//! destination; else to one bound to any address. Broadcasts and multicasts go to all that match
//! (as in 4.4BSD and Linux).

use core::hash::BuildHasher;
use core::net::{IpAddr, SocketAddr};
use std::collections::HashMap;

use layer::InterfaceId;
use layer::boundary::SocketId;
use rustc_hash::FxBuildHasher;
use siphasher::sip::SipHasher13;

/// A socket as the table sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) socket: SocketId,
    /// Unspecified means any of ours.
    pub(crate) local: SocketAddr,
    pub(crate) interface: Option<InterfaceId>,
    pub(crate) reuse: bool,
    pub(crate) remote: Option<SocketAddr>,
}

/// Where a datagram comes from and goes to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flow {
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) interface: InterfaceId,
}

impl Entry {
    /// Two sockets that could both claim a datagram may not be on one port unless both agreed.
    fn conflicts(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.local.ip(), other.local.ip());
        let same_family = ours.is_ipv4() == theirs.is_ipv4();
        let overlap = ours == theirs || ours.is_unspecified() || theirs.is_unspecified();
        let same_interface = match (self.interface, other.interface) {
            (Some(ours), Some(theirs)) => ours == theirs,
            (None, _) | (_, None) => true,
        };
        same_family && overlap && same_interface && !(self.reuse && other.reuse)
    }

    fn takes(&self, flow: &Flow) -> bool {
        let address = self.local.ip();
        let any = address.is_unspecified() && address.is_ipv4() == flow.local.is_ipv4();
        (any || address == flow.local.ip())
            && self.interface.is_none_or(|interface| interface == flow.interface)
            && self.remote.is_none_or(|remote| remote == flow.remote)
    }

    /// How narrowly it was bound: the narrower socket gets the datagram.
    fn narrowness(&self) -> u8 {
        u8::from(!self.local.ip().is_unspecified()) * 2 + u8::from(self.interface.is_some())
    }
}

/// The sockets of one port.
#[derive(Debug, Default)]
struct Port {
    open: Vec<Entry>,
    connected: Vec<Entry>,
}

/// All sockets by port, and connected ones by both ends.
#[derive(Debug)]
pub(crate) struct Table {
    ports: HashMap<u16, Port, FxBuildHasher>,
    /// The remote end is chosen by strangers: a keyed hash keeps them from choosing collisions.
    connected: HashMap<(SocketAddr, SocketAddr), SocketId, Keyed>,
    keyed: Keyed,
}

impl Table {
    pub(crate) fn new(key: [u8; 16]) -> Self {
        let keyed = Keyed { key };
        Self { ports: HashMap::default(), connected: HashMap::with_hasher(keyed), keyed }
    }

    /// Nobody is on `port`, with whatever address.
    pub(crate) fn is_free(&self, port: u16) -> bool {
        !self.ports.contains_key(&port)
    }

    /// `entry` would stand in another's way, itself aside.
    pub(crate) fn conflicts(&self, entry: &Entry) -> bool {
        self.ports.get(&entry.local.port()).is_some_and(|port| {
            let mut others = port.open.iter().chain(&port.connected);
            others.any(|other| other.socket != entry.socket && entry.conflicts(other))
        })
    }

    /// Somebody else is connected between the same two ends.
    pub(crate) fn is_connected(&self, local: SocketAddr, remote: SocketAddr) -> bool {
        self.connected.contains_key(&(local, remote))
    }

    pub(crate) fn insert(&mut self, entry: Entry) {
        let port = self.ports.entry(entry.local.port()).or_default();
        match entry.remote {
            Some(remote) => {
                port.connected.push(entry);
                self.connected.insert((entry.local, remote), entry.socket);
            }
            None => port.open.push(entry),
        }
    }

    pub(crate) fn remove(&mut self, socket: SocketId, port_number: u16) {
        let Some(port) = self.ports.get_mut(&port_number) else { return };
        port.open.retain(|entry| entry.socket != socket);
        if let Some(index) = port.connected.iter().position(|entry| entry.socket == socket) {
            let entry = port.connected.swap_remove(index);
            if let Some(remote) = entry.remote {
                self.connected.remove(&(entry.local, remote));
            }
        }
        if port.open.is_empty() && port.connected.is_empty() {
            self.ports.remove(&port_number);
        }
    }

    /// Who gets a datagram that was sent to us alone.
    pub(crate) fn unicast(&self, flow: &Flow) -> Option<SocketId> {
        if let Some(&socket) = self.connected.get(&(flow.local, flow.remote)) {
            return Some(socket);
        }
        let open = &self.ports.get(&flow.local.port())?.open;
        let takers = || open.iter().filter(|entry| entry.takes(flow));
        let narrowest = takers().map(Entry::narrowness).max()?;
        let equals = || takers().filter(|entry| entry.narrowness() == narrowest);
        // Those that share a port (SO_REUSEPORT) share its senders, each sender always the same.
        let count = u64::try_from(equals().count()).unwrap_or(1).max(1);
        let choice = self.keyed.hash_one(flow.remote) % count;
        equals().nth(usize::try_from(choice).unwrap_or(0)).map(|entry| entry.socket)
    }

    /// Who gets a datagram that was sent to many.
    pub(crate) fn group(&self, flow: &Flow) -> Vec<SocketId> {
        self.ports.get(&flow.local.port()).map_or_else(Vec::new, |port| {
            let all = port.open.iter().chain(&port.connected);
            all.filter(|entry| entry.takes(flow)).map(|entry| entry.socket).collect()
        })
    }

    /// Whose datagram an error is about: the socket connected so, or, with `open`, any that may
    /// have sent it.
    pub(crate) fn sender(
        &self,
        source: IpAddr,
        source_port: u16,
        destination: SocketAddr,
        open: bool,
    ) -> Option<SocketId> {
        let local = SocketAddr::new(source, source_port);
        if let Some(&socket) = self.connected.get(&(local, destination)) {
            return Some(socket);
        }
        let senders = &self.ports.get(&source_port).filter(|_| open)?.open;
        let fits = |entry: &&Entry| {
            let address = entry.local.ip();
            address == source || address.is_unspecified() || source.is_unspecified()
        };
        senders.iter().find(fits).map(|entry| entry.socket)
    }
}

/// SipHash with our secret, for hash maps whose keys strangers choose.
#[derive(Clone, Copy, Debug)]
struct Keyed {
    key: [u8; 16],
}

impl BuildHasher for Keyed {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_key(&self.key)
    }
}
