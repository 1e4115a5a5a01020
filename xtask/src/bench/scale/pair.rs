//! Two hosts in this process, back to back, with many idle connections between them.

use std::net::SocketAddr;

use anyhow::{Context, ensure};
use ipnet::IpNet;
use layer::boundary::{Frame, SocketId, protocol};
use layer::{Duration, Instant, InterfaceId, PacketBuf};
use sim::Rng;
use sim::frame::{Address, TcpHeader, tcp};
use socket::{Errno, Host, HostConfig, InterfaceConfig};

const CALLER: Address = Address::numbered(1);
const CALLED: Address = Address::numbered(2);

/// The called host listens on so many ports from `PORT` on: one has only 28,232 callers' ports.
const PORTS: usize = 8;
const PORT: u16 = 1000;

/// Connections that are opened at a time.
const BATCH: usize = 100;

/// A caller and a called host, and what is open between them.
pub(super) struct Pair {
    now: Instant,
    caller: Host,
    called: Host,
    listeners: Vec<SocketId>,
    sockets: Vec<SocketId>,
    /// Source and destination port of each connection as the caller sees them.
    ports: Vec<(u16, u16)>,
    rng: Rng,
}

fn host(address: Address, key: u8) -> Host {
    let net = IpNet::new_assert(address.ip.into(), 24);
    let interface = InterfaceConfig::new(address.mac, vec![net]);
    let mut config = HostConfig::new([key; 16]).interface(interface);
    config.hub.max_sockets = config.tcp.max_connections;
    Host::new(&config)
}

/// Hands over all that is under way, until both are quiet.
fn exchange(now: Instant, a: &mut Host, b: &mut Host) {
    loop {
        let mut moved = false;
        for turn in [true, false] {
            let (from, to) = if turn { (&mut *a, &mut *b) } else { (&mut *b, &mut *a) };
            while let Some(frame) = from.transmit() {
                to.receive(now, frame);
                moved = true;
            }
            to.poll(now);
        }
        if !moved {
            return;
        }
    }
}

impl Pair {
    /// Both hosts, listening, with addresses announced.
    pub(super) fn new() -> anyhow::Result<Self> {
        let (caller, called) = (host(CALLER, 1), host(CALLED, 2));
        let mut pair = Self {
            now: Instant::from_secs(1000),
            caller,
            called,
            listeners: Vec::new(),
            sockets: Vec::new(),
            ports: Vec::new(),
            rng: Rng::new(1),
        };
        pair.pass(Duration::from_secs(3));
        for index in 0..PORTS {
            let any = SocketAddr::from(([0, 0, 0, 0], port(index)));
            let listening = pair.called.listen(pair.now, any, 1024);
            let listener = listening.map_err(|errno| anyhow::anyhow!("listen: {errno:?}"))?;
            pair.listeners.push(listener);
        }
        Ok(pair)
    }

    /// Lets time pass, deadline by deadline.
    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            exchange(self.now, &mut self.caller, &mut self.called);
            let next = [self.caller.poll_at(), self.called.poll_at()].into_iter().flatten().min();
            let Some(next) = next.filter(|at| *at <= end) else { break };
            self.now = self.now.max(next);
            self.caller.poll(self.now);
            self.called.poll(self.now);
        }
        self.now = end;
    }

    /// Opens `count` connections and lets them fall idle.
    pub(super) fn open(&mut self, count: usize) -> anyhow::Result<()> {
        let mut begin = 0;
        while begin < count {
            // The first alone: more than a few would not wait for the other's Ethernet address.
            let batch = begin..count.min(if begin == 0 { 1 } else { begin + BATCH });
            begin = batch.end;
            for index in batch.clone() {
                let to = SocketAddr::from((CALLED.ip, port(index)));
                let called = self.caller.connect(self.now, to);
                self.sockets.push(called.map_err(|errno| anyhow::anyhow!("connect: {errno:?}"))?);
            }
            exchange(self.now, &mut self.caller, &mut self.called);
            for index in batch {
                let listener = self.listeners[index % PORTS];
                let accepted = self.called.accept(self.now, listener);
                accepted.map_err(|errno| anyhow::anyhow!("connection {index}: {errno:?}"))?;
            }
            self.now += Duration::from_millis(1);
        }
        self.pass(Duration::from_secs(5));
        let open = self.caller.connections();
        ensure!(open.len() == count, "{} of {count} connections are open", open.len());
        self.ports = open.iter().map(|one| (one.local.port(), one.remote.port())).collect();
        Ok(())
    }

    /// Frames for the called host, each with a segment of some connection that the connection
    /// drops when it has been found: a reset far outside the window. And the same once more.
    pub(super) fn strays(&mut self, count: usize) -> (Vec<Frame>, Vec<Frame>) {
        let mut stray = || {
            let (source, destination) = *self.rng.pick(&self.ports);
            let seq = self.rng.draw() as u32;
            let header = TcpHeader { source, destination, seq, flags: 4, ..Default::default() };
            let segment = tcp(CALLER.ip, CALLED.ip, &header, &[]);
            let bytes = CALLER.packet(&CALLED, protocol::TCP, 1, &segment);
            let frame =
                || Frame { interface: InterfaceId(0), packet: PacketBuf::copy_from(&bytes) };
            (frame(), frame())
        };
        (0..count).map(|_| stray()).unzip()
    }

    /// The called host takes these in.
    pub(super) fn receive(&mut self, frames: Vec<Frame>) {
        for frame in frames {
            self.called.receive(self.now, frame);
        }
    }

    /// Polls a host that has nothing to do so often.
    pub(super) fn poll_idle(&mut self, times: usize) {
        for _ in 0..times {
            self.called.poll(self.now);
            std::hint::black_box(self.called.poll_at());
        }
    }

    /// `count` connections send a byte that is lost, and time passes: as many timers are due.
    pub(super) fn arm(&mut self, count: usize) -> anyhow::Result<()> {
        for _ in 0..count {
            let socket = *self.rng.pick(&self.sockets);
            match self.caller.send(self.now, socket, b"x") {
                Ok(_) | Err(Errno::AGAIN) => {}
                Err(errno) => return Err(anyhow::anyhow!("{errno:?}")).context("send"),
            }
        }
        while self.caller.transmit().is_some() {}
        self.now += Duration::from_secs(10);
        Ok(())
    }

    /// The timers expire; what they send waits.
    pub(super) fn expire(&mut self) {
        self.caller.poll(self.now);
    }

    /// What the timers sent arrives and is acknowledged.
    pub(super) fn settle(&mut self) {
        self.pass(Duration::from_secs(5));
        self.strays_settled();
    }

    /// What the strays have woken falls idle again.
    pub(super) fn fall_idle(&mut self) {
        self.strays_settled();
        self.pass(Duration::from_secs(3));
    }

    /// Answers to strays, if any, are forgotten.
    fn strays_settled(&mut self) {
        self.called.poll(self.now);
        exchange(self.now, &mut self.caller, &mut self.called);
    }
}

fn port(index: usize) -> u16 {
    PORT + (index % PORTS) as u16
}
