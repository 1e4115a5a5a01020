//! [`Host`]: a whole host in one value, driven by frames and `now`.
//!
//! ```text
//!    receive(now, frame)  poll(now)  with_hub(now, call)          poll_at()   transmit() -> frame
//!           |                 |              |                        ^            ^
//!           v                 v              v                        |            |
//!         link -> arp -> ip -> tcp | udp -> hub, inline, no threads, no clock, no IO
//! ```
//!
//! For simulations, tests and programs that bring their own event loop: [`Host::new`] speaks
//! Ethernet, [`Host::ip`] raw IP packets (TUN, WireGuard, a browser). After a batch of packets call
//! [`Host::poll`]; take packets out with [`Host::transmit`] until there are none; come back no
//! later than [`Host::poll_at`]. Calls into the sockets (`host/calls.rs`) never wait, and poll by
//! themselves. The clock is yours: virtual time runs as fast as the machine can think.
//!
//! ```
//! use layer::{Duration, Instant, PacketBuf};
//! use socket::{Errno, Host, HostConfig, InterfaceConfig, Kind};
//!
//! let host = |last: u8| {
//!     let net = format!("10.0.0.{last}/24").parse().unwrap();
//!     Host::ip(&HostConfig::new([last; 16]).interface(InterfaceConfig::ip(1500, vec![net])))
//! };
//! let (mut a, mut b, mut now) = (host(1), host(2), Instant::from_secs(1));
//! let listener = b.listen(now, "10.0.0.2:80".parse().unwrap(), 16)?;
//! let client = a.socket(Kind::Tcp)?;
//! let begun = a.connect_socket(now, client, "10.0.0.2:80".parse().unwrap());
//! assert_eq!(begun, Err(Errno::INPROGRESS));
//! let server = loop {
//!     // Your wire: whatever one has to send, the other receives, 10 ms later.
//!     let (from_a, from_b) = (a.packets(now), b.packets(now));
//!     now += Duration::from_millis(10);
//!     from_a.into_iter().for_each(|packet| b.receive_packet(now, packet));
//!     from_b.into_iter().for_each(|packet| a.receive_packet(now, packet));
//!     (a.poll(now), b.poll(now));
//!     if let Ok(accepted) = b.accept(now, listener) {
//!         break accepted.socket;
//!     }
//! };
//! assert!(a.readiness(client)?.writable, "connected");
//! a.send(now, client, b"hello")?;
//! a.packets(now).into_iter().for_each(|packet| b.receive_packet(now, packet));
//! b.poll(now);
//! let mut buffer = [0; 16];
//! assert_eq!(b.recv(now, server, &mut buffer), Ok(5));
//! # Ok::<(), Errno>(())
//! ```

mod calls;

use arp::NeighbourEntry;
use layer::boundary::{ConnectionInfo, Frame};
use layer::outlet::{Driver, ROOM};
use layer::{Accounted, Counted, Instant, InterfaceId, Layer, Ledger, Out, PacketBuf, Reason};
use link::{Tunnel, tunnel};

use crate::assembly::{Below, HostConfig, Links, Whole, raw, whole};
use crate::hub::{Hub, Ready};

/// Link to sockets, inline. `L` is what is below IP: Ethernet, unless it says otherwise.
#[derive(Debug)]
pub struct Host<L: Below = Links> {
    whole: Whole<L>,
    driver: Driver<Ready, Frame>,
    /// Somebody takes [`Host::ready`]; otherwise it is thrown away.
    watched: bool,
}

/// A host that speaks raw IP.
pub type IpHost = Host<Tunnel>;

impl Host {
    /// A host with these interfaces and addresses, on Ethernet.
    pub fn new(config: &HostConfig) -> Self {
        Self::of(whole(config))
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
}

impl Host<Tunnel> {
    /// A host with these addresses that speaks raw IP: no Ethernet, no ARP. Interfaces are made by
    /// [`InterfaceConfig::ip`](crate::InterfaceConfig::ip).
    pub fn ip(config: &HostConfig) -> Self {
        Self::of(raw(config))
    }

    /// An IP packet comes in on the first interface.
    pub fn receive_packet(&mut self, now: Instant, packet: PacketBuf) {
        self.receive(now, Frame { interface: InterfaceId::default(), packet });
    }

    /// All IP packets to send now, cut to the MTU, checksums complete.
    pub fn packets(&mut self, now: Instant) -> Vec<PacketBuf> {
        let mut packets = Vec::new();
        loop {
            let before = packets.len();
            while let Some(Frame { packet, .. }) = self.transmit() {
                if tunnel::to_tunnel(packet, &mut packets).is_err() {
                    self.driver.ledger.count_drop(Reason::LinkBadOffload);
                }
            }
            if packets.len() == before {
                return packets;
            }
            // Room for packets may be what the host was waiting for.
            self.poll(now);
        }
    }
}

impl<L: Below> Host<L> {
    fn of(whole: Whole<L>) -> Self {
        Self { whole, driver: Driver::new(ROOM), watched: false }
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
    pub fn whole(&self) -> &Whole<L> {
        &self.whole
    }

    /// All layers, for control that puts nothing out.
    pub fn whole_mut(&mut self) -> &mut Whole<L> {
        &mut self.whole
    }

    /// Every TCP connection.
    pub fn connections(&self) -> Vec<ConnectionInfo> {
        self.whole.upper().upper().lower().a().connections()
    }

    /// Items and bytes that all layers hold.
    pub fn held(&self) -> (usize, usize) {
        (self.whole.held_items(), self.whole.held_bytes())
    }
}

impl<L: Below> Counted for Host<L> {
    fn counters(&self, each: &mut dyn FnMut(&'static str, u64)) {
        self.whole.counters(each);
    }
}
