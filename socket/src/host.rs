//! [`Host`]: a whole host in one value, driven by frames and `now`.
//!
//! ```text
//!    receive(now, frame)  poll(now)  with_hub(now, call)          poll_at()   transmit() -> frame
//!           |                 |              |                        ^            ^
//!           v                 v              v                        |            |
//!         link -> arp -> ip -> tcp | udp -> hub, inline, no threads, no clock, no IO
//! ```
//!
//! For simulations, tests and programs that bring their own event loop. After a batch of frames,
//! call [`Host::poll`]; take frames out with [`Host::transmit`] until there are none; come back no
//! later than [`Host::poll_at`]. Calls into the sockets poll by themselves.

use core::net::SocketAddr;
use std::net::Shutdown;

use arp::NeighbourEntry;
use layer::boundary::{ConnectionInfo, Frame, SocketId};
use layer::outlet::{Driver, ROOM};
use layer::{Accounted, Counted, Instant, InterfaceId, Layer, Ledger, Out};

use crate::Errno;
use crate::assembly::{HostConfig, Whole, whole};
use crate::hub::{Accepted, Flags, Hub, Kind, Readiness, Ready, Received, Reuse};

/// Link to sockets, inline.
#[derive(Debug)]
pub struct Host {
    whole: Whole,
    driver: Driver<Ready, Frame>,
    /// Somebody takes [`Host::ready`]; otherwise it is thrown away.
    watched: bool,
}

impl Host {
    /// A host with these interfaces and addresses.
    pub fn new(config: &HostConfig) -> Self {
        Self { whole: whole(config), driver: Driver::new(ROOM), watched: false }
    }

    /// A frame comes in on its interface. Call [`Host::poll`] after the last one of a batch.
    pub fn receive(&mut self, now: Instant, frame: Frame) {
        self.whole.receive(now, frame, &mut self.driver.out());
        self.forget_unwatched();
    }

    /// Does what is due.
    pub fn poll(&mut self, now: Instant) {
        self.whole.poll(now, &mut self.driver.out());
        self.forget_unwatched();
    }

    /// When to poll next; `None` while nothing is pending.
    pub fn poll_at(&self) -> Option<Instant> {
        self.whole.poll_at()
    }

    /// The next frame to send. It may be a super-segment: whoever puts it on a wire cuts it.
    pub fn transmit(&mut self) -> Option<Frame> {
        self.driver.down.pop()
    }

    /// Calls into the sockets and lets what came of it run through the layers.
    pub fn with_hub<R>(
        &mut self,
        now: Instant,
        call: impl FnOnce(&mut Hub, &mut Out<'_, Hub>) -> R,
    ) -> R {
        let result = self.whole.with_upper(now, &mut self.driver.out(), |upper, out| {
            upper.with_upper(now, out, |transports, out| transports.with_upper(now, out, call))
        });
        self.poll(now);
        result
    }

    /// From now on [`Host::ready`] tells of changes; who asks for them must take them.
    pub fn watch(&mut self) {
        self.watched = true;
    }

    /// The next thing the sockets have to tell, if [`Host::watch`] was called.
    pub fn ready(&mut self) -> Option<Ready> {
        self.driver.up.pop()
    }

    fn forget_unwatched(&mut self) {
        if !self.watched {
            self.driver.up.drain().for_each(drop);
        }
    }

    /// Drops by reason, over all layers, and notes if somebody listens.
    pub fn ledger(&self) -> &Ledger {
        &self.driver.ledger
    }

    /// The ledger, to listen to notes.
    pub fn ledger_mut(&mut self) -> &mut Ledger {
        &mut self.driver.ledger
    }

    /// All layers, to look at and for control.
    pub fn whole(&self) -> &Whole {
        &self.whole
    }

    /// All layers, for control that puts nothing out.
    pub fn whole_mut(&mut self) -> &mut Whole {
        &mut self.whole
    }

    /// Every TCP connection.
    pub fn connections(&self) -> Vec<ConnectionInfo> {
        self.whole.upper().upper().lower().a().connections()
    }

    /// Every neighbour, by interface.
    pub fn neighbours(&self, now: Instant) -> Vec<(InterfaceId, NeighbourEntry)> {
        let arps = self.whole.lower().upper().iter();
        (0..)
            .map(InterfaceId)
            .zip(arps)
            .flat_map(|(interface, arp)| {
                arp.neighbours(now).map(move |neighbour| (interface, neighbour))
            })
            .collect()
    }

    /// Items and bytes that all layers hold.
    pub fn held(&self) -> (usize, usize) {
        (self.whole.held_items(), self.whole.held_bytes())
    }
}

/// The calls that tests and simulations make most; all others go by [`Host::with_hub`].
impl Host {
    /// A TCP socket that listens.
    pub fn listen(
        &mut self,
        now: Instant,
        address: SocketAddr,
        backlog: u32,
    ) -> Result<SocketId, Errno> {
        let id = self.with_hub(now, |hub, _| hub.socket(Kind::Tcp))?;
        let listening = self
            .with_hub(now, |hub, out| {
                hub.set_reuse(id, Reuse { address: true, port: false })?;
                hub.bind(id, address, out)
            })
            .or_else(|errno| self.outcome(now, id, errno))
            .and_then(|()| self.with_hub(now, |hub, out| hub.listen(id, backlog, out)));
        self.or_close(now, id, listening)
    }

    /// A TCP connection under way; [`Host::completed`] tells when it is there.
    pub fn connect(&mut self, now: Instant, remote: SocketAddr) -> Result<SocketId, Errno> {
        let id = self.with_hub(now, |hub, _| hub.socket(Kind::Tcp))?;
        match self.with_hub(now, |hub, out| hub.connect(id, remote, out)) {
            Ok(()) | Err(Errno::INPROGRESS) => Ok(id),
            Err(errno) => self.or_close(now, id, Err(errno)),
        }
    }

    /// A bound UDP socket.
    pub fn bind_udp(&mut self, now: Instant, address: SocketAddr) -> Result<SocketId, Errno> {
        let id = self.with_hub(now, |hub, _| hub.socket(Kind::Udp))?;
        let bound = self
            .with_hub(now, |hub, out| hub.bind(id, address, out))
            .or_else(|errno| self.outcome(now, id, errno));
        self.or_close(now, id, bound)
    }

    /// See [`Hub::completed`].
    pub fn completed(&mut self, now: Instant, id: SocketId) -> Result<(), Errno> {
        self.with_hub(now, |hub, _| hub.completed(id))
    }

    /// See [`Hub::accept`].
    pub fn accept(&mut self, now: Instant, id: SocketId) -> Result<Accepted, Errno> {
        self.with_hub(now, |hub, out| hub.accept(id, out))
    }

    /// See [`Hub::send`].
    pub fn send(&mut self, now: Instant, id: SocketId, data: &[u8]) -> Result<usize, Errno> {
        self.with_hub(now, |hub, out| hub.send(id, data, out))
    }

    /// See [`Hub::send_urgent`].
    pub fn send_urgent(&mut self, now: Instant, id: SocketId, data: &[u8]) -> Result<usize, Errno> {
        self.with_hub(now, |hub, out| hub.send_urgent(id, data, out))
    }

    /// See [`Hub::at_mark`].
    pub fn at_mark(&mut self, now: Instant, id: SocketId) -> Result<bool, Errno> {
        self.with_hub(now, |hub, _| hub.at_mark(id))
    }

    /// See [`Hub::receive`].
    pub fn recv(&mut self, now: Instant, id: SocketId, buffer: &mut [u8]) -> Result<usize, Errno> {
        self.with_hub(now, |hub, out| hub.recv(id, buffer, Flags::default(), out))
    }

    /// See [`Hub::send_to`].
    pub fn send_to(
        &mut self,
        now: Instant,
        id: SocketId,
        data: &[u8],
        to: SocketAddr,
    ) -> Result<usize, Errno> {
        self.with_hub(now, |hub, out| hub.send_to(id, data, Some(to), None, out))
    }

    /// See [`Hub::recv_from`].
    pub fn recv_from(
        &mut self,
        now: Instant,
        id: SocketId,
        buffer: &mut [u8],
    ) -> Result<Received, Errno> {
        self.with_hub(now, |hub, out| hub.recv_from(id, buffer, Flags::default(), out))
    }

    /// See [`Hub::shutdown`].
    pub fn shutdown(&mut self, now: Instant, id: SocketId, how: Shutdown) -> Result<(), Errno> {
        self.with_hub(now, |hub, out| hub.shutdown(id, how, out))
    }

    /// See [`Hub::close`].
    pub fn close(&mut self, now: Instant, id: SocketId) -> Result<(), Errno> {
        self.with_hub(now, |hub, out| hub.close(id, out))
    }

    /// See [`Hub::poll_socket`].
    pub fn readiness(&self, id: SocketId) -> Result<Readiness, Errno> {
        self.whole.upper().upper().upper().poll_socket(id)
    }

    /// Inline, what was begun is done when the call returns, unless the network is awaited.
    fn outcome(&mut self, now: Instant, id: SocketId, errno: Errno) -> Result<(), Errno> {
        match errno {
            Errno::INPROGRESS => self.completed(now, id),
            other => Err(other),
        }
    }

    fn or_close(
        &mut self,
        now: Instant,
        id: SocketId,
        result: Result<(), Errno>,
    ) -> Result<SocketId, Errno> {
        if result.is_err() {
            // It exists: closing cannot fail.
            let _ = self.close(now, id);
        }
        result.map(|()| id)
    }
}

impl Counted for Host {
    fn counters(&self, each: &mut dyn FnMut(&'static str, u64)) {
        self.whole.counters(each);
    }
}
