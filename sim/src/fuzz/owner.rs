//! The programs on a host under fire: they use the sockets at random and believe nothing.

use core::net::{Ipv4Addr, SocketAddr};
use std::net::Shutdown;

use layer::Instant;
use layer::boundary::SocketId;
use socket::Host;

use crate::frame::Address;
use crate::rng::Rng;

/// Random calls on a bounded set of sockets.
pub(super) struct Owner {
    rng: Rng,
    listeners: Vec<SocketId>,
    datagrams: Vec<SocketId>,
    streams: Vec<SocketId>,
    connections: u64,
    read: u64,
}

impl Owner {
    /// Most sockets at once.
    pub(super) const MOST: usize = 32;

    pub(super) fn new(seed: u64) -> Self {
        Self {
            rng: Rng::derive(seed, "owner", 0),
            listeners: Vec::new(),
            datagrams: Vec::new(),
            streams: Vec::new(),
            connections: 0,
            read: 0,
        }
    }

    /// One random call. Errors are answers like others.
    pub(super) fn act(&mut self, now: Instant, host: &mut Host) {
        let any = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        let room = self.streams.len() < Self::MOST / 2;
        match self.rng.index(16) {
            0 if self.listeners.len() < 2 => {
                let port = *self.rng.pick(&[7, 80]);
                self.listeners.extend(host.listen(now, any(port), 4));
            }
            1 if self.datagrams.len() < 4 => {
                let port = *self.rng.pick(&[7, 9, 0]);
                self.datagrams.extend(host.bind_udp(now, any(port)));
            }
            2 if room && self.rng.index(4) == 0 => {
                let peer = Address::numbered(*self.rng.pick(&[1, 3, 77])).ip;
                let port = *self.rng.pick(&[7, 80]);
                self.streams.extend(host.connect(now, SocketAddr::from((peer, port))));
            }
            3..=5 if room => self.accept(now, host),
            6 | 7 => self.datagram(now, host),
            _ => self.stream(now, host),
        }
    }

    fn accept(&mut self, now: Instant, host: &mut Host) {
        for &listener in &self.listeners {
            if let Ok(accepted) = host.accept(now, listener) {
                self.connections += 1;
                self.streams.push(accepted.socket);
            }
        }
        if self.rng.index(200) == 0 && !self.listeners.is_empty() {
            let at = self.rng.index(self.listeners.len());
            let _ = host.close(now, self.listeners.swap_remove(at));
        }
    }

    fn datagram(&mut self, now: Instant, host: &mut Host) {
        if self.datagrams.is_empty() {
            return;
        }
        let at = self.rng.index(self.datagrams.len());
        let (socket, mut buffer) = (self.datagrams[at], vec![0; 2000]);
        if let Ok(received) = host.recv_from(now, socket, &mut buffer) {
            self.read += 1;
            let data = &buffer[..received.copied];
            let _ = host.send_to(now, socket, data, received.from);
        }
        match self.rng.index(40) {
            0 => {
                let _ = host.close(now, self.datagrams.swap_remove(at));
            }
            1 => {
                let peer = Address::numbered(*self.rng.pick(&[1, 77, 255])).ip;
                let data = vec![1; *self.rng.pick(&[0, 100, 5000, 65_507])];
                let _ = host.send_to(now, socket, &data, SocketAddr::from((peer, 7)));
            }
            _ => {}
        }
    }

    fn stream(&mut self, now: Instant, host: &mut Host) {
        if self.streams.is_empty() {
            return;
        }
        let at = self.rng.index(self.streams.len());
        let socket = self.streams[at];
        match self.rng.index(24) {
            0..10 => {
                let mut buffer = vec![0; *self.rng.pick(&[1, 100, 4000])];
                let got = host.recv(now, socket, &mut buffer);
                self.read += got.map_or(0, |bytes| bytes as u64);
            }
            10..20 => {
                let data = vec![2; *self.rng.pick(&[1, 100, 1460, 20_000])];
                let _ = host.send(now, socket, &data);
            }
            20 => {
                let how = *self.rng.pick(&[Shutdown::Write, Shutdown::Read, Shutdown::Both]);
                let _ = host.shutdown(now, socket, how);
            }
            21 => {
                let nodelay = self.rng.index(2) == 0;
                let _ = host.with_hub(now, |hub, out| {
                    hub.set_tcp_options(socket, |options| options.nodelay = nodelay, out)
                });
            }
            22 => {
                let _ = host.close(now, self.streams.swap_remove(at));
            }
            _ => {
                self.streams.swap_remove(at);
                let _ = host.with_hub(now, |hub, out| hub.abort(socket, out));
            }
        }
    }

    /// All programs end.
    pub(super) fn end(&mut self, now: Instant, host: &mut Host) {
        let streams = self.streams.drain(..);
        for socket in streams.chain(self.listeners.drain(..)).chain(self.datagrams.drain(..)) {
            let _ = host.close(now, socket);
        }
    }

    /// Connections accepted, and what was read.
    pub(super) fn achieved(&self) -> (u64, u64) {
        (self.connections, self.read)
    }
}
