//! Whole hosts, cut into stages at every boundary with room for one batch in between, under the
//! seeded scheduler and on wires with faults: every byte arrives, nothing waits for a bell that
//! does not ring, and the same seed gives the same trace.

#![expect(clippy::unwrap_used, reason = "helpers of tests count as no test")]

use std::collections::VecDeque;
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::sync::{Arc, Weak};

use layer::boundary::{Frame, SocketId};
use layer::{Duration, Instant, InterfaceId, Layer, MacAddr, Out, Outlet};
use sim::pattern::Pattern;
use sim::wire::{Wire, WireConfig};
use sim::{Chance, Rng};
use socket::assembly::{Parts, Transports, parts};
use socket::hub::{Flags, Hub, Kind, Ready};
use socket::{Errno, HostConfig, InterfaceConfig};
use stackd::lane::{Lane, Port, Ring};
use stackd::schedule::{Schedule, Step, virtual_alarm};
use stackd::stage::{Ends, Stage};

const PORT: u16 = 7;
const STREAM: Pattern = Pattern(1);
const NAMES: [[&str; 4]; 2] =
    [["a.link", "a.arp", "a.ip", "a.transports"], ["b.link", "b.arp", "b.ip", "b.transports"]];

/// What the sockets have to tell is not listened to: the programs here just try again.
struct Deaf;

impl Port<Ready> for Deaf {
    fn offer(&self, outlet: &mut Outlet<Ready>) -> bool {
        outlet.drain().count() > 0
    }
    fn notify(&self, _: Option<Instant>) {}
    fn bind(&self, _: Weak<dyn Ring>) {}
}

/// One host as four stages, and the wire on which it sends.
struct Tower {
    top: Arc<Stage<Transports>>,
    rising: Arc<Lane<Frame>>,
    sinking: Arc<Lane<Frame>>,
    /// Frames that found no room in the lane.
    inbound: Outlet<Frame>,
    wire: Wire,
}

/// Both directions of a boundary, with room for one batch each.
struct Boundary<Up, Down> {
    up: Arc<Lane<Up>>,
    down: Arc<Lane<Down>>,
}

impl<Up, Down> Boundary<Up, Down> {
    fn new() -> Self {
        Self { up: Arc::new(Lane::new(1)), down: Arc::new(Lane::new(1)) }
    }
}

fn address(host: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, host as u8 + 1)
}

fn config(host: usize) -> HostConfig {
    let mac = MacAddr([2, 0, 0, 0, 0, host as u8 + 1]);
    let net = format!("{}/24", address(host)).parse().unwrap();
    HostConfig::new([host as u8 + 1; 16]).interface(InterfaceConfig::new(mac, vec![net]))
}

/// The ends of a stage between two boundaries.
fn ends<L: Layer>(
    below: &Boundary<L::FromBelow, L::ToBelow>,
    above: &Boundary<L::ToAbove, L::FromAbove>,
) -> Ends<L>
where
    L::ToAbove: Send + 'static,
    L::ToBelow: Send + 'static,
{
    Ends {
        below: Some(Arc::clone(&below.up)),
        above: Some(Arc::clone(&above.down)),
        up: Box::new(Arc::clone(&above.up)),
        down: Box::new(Arc::clone(&below.down)),
    }
}

fn tower(host: usize, schedule: &mut Schedule, wire: Wire) -> Tower {
    let Parts { link, arp, ip, transports } = parts(&config(host));
    let (frames, packets) = (Boundary::new(), Boundary::new());
    let (nets, datagrams) = (Boundary::new(), Boundary::new());
    let [link_name, arp_name, ip_name, top_name] = NAMES[host];
    schedule.add(Arc::new(Stage::new(link_name, link, ends(&frames, &packets), virtual_alarm())));
    schedule.add(Arc::new(Stage::new(arp_name, arp, ends(&packets, &nets), virtual_alarm())));
    schedule.add(Arc::new(Stage::new(ip_name, ip, ends(&nets, &datagrams), virtual_alarm())));
    let (below, down) = (Some(datagrams.up), Box::new(datagrams.down));
    let ends = Ends { below, above: None, up: Box::new(Deaf), down };
    let top = Arc::new(Stage::new(top_name, transports, ends, virtual_alarm()));
    schedule.add(top.clone());
    let Boundary { up: rising, down: sinking } = frames;
    Tower { top, rising, sinking, inbound: Outlet::with_capacity(1 << 20), wire }
}

impl Tower {
    fn with_hub<R>(&self, now: Instant, call: impl FnOnce(&mut Hub, &mut Out<'_, Hub>) -> R) -> R {
        self.top.enter(now, |transports, now, out| transports.with_upper(now, out, call))
    }
}

/// Two towers, a program on each, and the scheduler.
struct World {
    schedule: Schedule,
    towers: [Tower; 2],
    rng: Rng,
    bytes: u64,
    listener: Option<SocketId>,
    /// The connection at either end.
    sockets: [Option<SocketId>; 2],
    sent: u64,
    received: u64,
    shut: bool,
    done: bool,
    trace: Vec<Step>,
    frames: u64,
}

impl World {
    fn new(seed: u64, wire: WireConfig, bytes: u64) -> Self {
        let mut schedule = Schedule::new(seed);
        schedule.advance_to(Instant::from_secs(1000));
        let towers = [0, 1].map(|host| {
            let rng = Rng::derive(seed, "wire", host as u64);
            tower(host, &mut schedule, Wire::new(wire, rng))
        });
        Self {
            schedule,
            towers,
            rng: Rng::derive(seed, "world", 0),
            bytes,
            listener: None,
            sockets: [None; 2],
            sent: 0,
            received: 0,
            shut: false,
            done: false,
            trace: Vec::new(),
            frames: 0,
        }
    }

    /// Moves frames between lanes and wires. True if any moved.
    fn carry(&mut self) -> bool {
        let now = self.schedule.now();
        let mut moved = false;
        for host in 0..2 {
            let mut batch = VecDeque::new();
            let Tower { sinking, wire, .. } = &mut self.towers[host];
            if sinking.take(&mut batch) {
                sinking.relieve(None);
                moved = true;
                for frame in batch {
                    wire.put(now, frame.packet, |_| self.frames += 1);
                }
            }
            while let Some(packet) = self.towers[host].wire.take(now) {
                let frame = Frame { interface: InterfaceId(0), packet };
                self.towers[1 - host].inbound.push(frame);
            }
            let Tower { rising, inbound, .. } = &mut self.towers[host];
            if rising.offer(inbound) {
                rising.notify(None);
                moved = true;
            }
        }
        moved
    }

    /// Both programs do what they can. True if they did anything.
    fn act(&mut self) -> bool {
        let before = (self.sockets, self.sent, self.received, self.shut, self.done);
        self.serve();
        self.call();
        before != (self.sockets, self.sent, self.received, self.shut, self.done)
    }

    fn serve(&mut self) {
        let (now, server) = (self.schedule.now(), &self.towers[1]);
        let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT));
        let listener = *self.listener.get_or_insert_with(|| {
            server.with_hub(now, |hub, out| {
                let id = hub.socket(Kind::Tcp).unwrap();
                assert_eq!(hub.bind(id, any, out), Err(Errno::INPROGRESS));
                assert_eq!(hub.listen(id, 1, out), Err(Errno::INPROGRESS));
                id
            })
        });
        let Some(socket) = self.sockets[1] else {
            let accepted = server.with_hub(now, |hub, out| hub.accept(listener, out));
            self.sockets[1] = accepted.ok().map(|accepted| accepted.socket);
            return;
        };
        let mut buffer = [0; 5000];
        while !self.done {
            match server
                .with_hub(now, |hub, out| hub.recv(socket, &mut buffer, Flags::default(), out))
            {
                Ok(0) => {
                    self.done = true;
                    assert_eq!(self.received, self.bytes, "the end came early");
                }
                Ok(n) => {
                    STREAM.check(self.received, &buffer[..n]).unwrap();
                    self.received += n as u64;
                }
                Err(Errno::AGAIN) => return,
                Err(errno) => panic!("{errno:?}"),
            }
        }
    }

    fn call(&mut self) {
        let (now, client) = (self.schedule.now(), &self.towers[0]);
        let remote = SocketAddr::from((address(1), PORT));
        let socket = *self.sockets[0].get_or_insert_with(|| {
            client.with_hub(now, |hub, out| {
                let id = hub.socket(Kind::Tcp).unwrap();
                assert_eq!(hub.connect(id, remote, out), Err(Errno::INPROGRESS));
                id
            })
        });
        if client.with_hub(now, |hub, _| hub.completed(socket)) != Ok(()) {
            return;
        }
        while self.sent < self.bytes {
            let n = (self.bytes - self.sent).min(9000) as usize;
            let data = STREAM.bytes(self.sent, n);
            match client.with_hub(now, |hub, out| hub.send(socket, &data, out)) {
                Ok(taken) => self.sent += taken as u64,
                Err(Errno::AGAIN) => return,
                Err(errno) => panic!("{errno:?}"),
            }
        }
        if !self.shut {
            self.shut = true;
            client.with_hub(now, |hub, out| hub.shutdown(socket, Shutdown::Write, out)).unwrap();
        }
    }

    fn run(mut self, seed: u64) -> Self {
        let limit = Instant::from_secs(1000) + Duration::from_secs(600);
        while !self.done {
            // Turns of stages, and now and then the world outside.
            let mut moved = false;
            while let Some(step) = self.schedule.step() {
                moved = true;
                self.trace.push(step);
                if self.rng.index(8) == 0 {
                    break;
                }
            }
            moved |= self.carry();
            moved |= self.act();
            if moved {
                continue;
            }
            let arrivals = self.towers.iter().filter_map(|tower| tower.wire.next_at());
            let next = arrivals.chain(self.schedule.next_deadline()).min();
            let next = next.unwrap_or_else(|| panic!("seed {seed}: nothing is pending"));
            assert!(next < limit, "seed {seed}: {} of {} bytes", self.received, self.bytes);
            self.schedule.advance_to(next);
        }
        self
    }
}

fn faulty() -> WireConfig {
    WireConfig {
        loss: Chance::percent(1),
        reorder: Chance::percent(2),
        duplicate: Chance::percent(1),
        corrupt: Chance::per_mille(5),
        ..WireConfig::delayed(Duration::from_millis(5))
    }
}

fn run(seed: u64, wire: WireConfig, bytes: u64) -> World {
    World::new(seed, wire, bytes).run(seed)
}

#[test]
fn a_transfer_between_staged_hosts_completes_whatever_the_order_of_turns() {
    for seed in 1..=12 {
        run(seed, faulty(), 100_000);
    }
    let world = run(13, WireConfig::delayed(Duration::from_millis(1)), 2_000_000);
    for name in NAMES.concat() {
        let turns = world.trace.iter().filter(|step| step.stage == name).count();
        assert!(turns >= 10, "{name} had {turns} turns");
    }
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let [first, again, other] = [5, 5, 6].map(|seed| run(seed, faulty(), 50_000));
    assert_eq!(first.trace, again.trace);
    assert_eq!(first.frames, again.frames);
    assert_ne!(first.trace, other.trace);
}
