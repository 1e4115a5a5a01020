//! Random socket calls on two hosts over a faulty wire, as a list that proptest can shrink, against
//! a model: a connection is two streams of bytes, each with one end.
//!
//! Whatever is called when: what is read is a prefix of what was written; the end comes after all
//! of it, and only if the peer ended in good order; and once everything is closed, nothing is left.

#![expect(clippy::unwrap_used, reason = "helpers of tests count as no test")]

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Shutdown, SocketAddr};

use layer::Duration;
use layer::boundary::SocketId;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use sim::pattern::Pattern;
use sim::{Bounds, Chance, StationId, WireConfig, World};
use socket::Errno;

const PORT: u16 = 7;

/// What is done, on the host of this number or to the end of a connection of about this index.
#[derive(Clone, Copy, Debug)]
enum Action {
    Connect(usize),
    Accept(usize),
    Send(usize, usize),
    Receive(usize, usize),
    Shutdown(usize),
    Close(usize),
    Abort(usize),
    Advance(u64),
}

fn action() -> impl Strategy<Value = Action> {
    let size = prop_oneof![1..10_usize, 1..3_000_usize, 10_000..100_000_usize];
    prop_oneof![
        2 => (0..2_usize).prop_map(Action::Connect),
        3 => (0..2_usize).prop_map(Action::Accept),
        6 => (0..8_usize, size.clone()).prop_map(|(end, n)| Action::Send(end, n)),
        6 => (0..8_usize, size).prop_map(|(end, n)| Action::Receive(end, n)),
        1 => (0..8_usize).prop_map(Action::Shutdown),
        1 => (0..8_usize).prop_map(Action::Close),
        1 => (0..8_usize).prop_map(Action::Abort),
        8 => prop_oneof![0..10_u64, 0..300_u64, 0..5_000_u64].prop_map(Action::Advance),
    ]
}

/// A connection: which host called, from which port.
type Key = (usize, u16);

/// One end of a connection, as the model knows it.
#[derive(Clone, Copy, Debug, Default)]
struct End {
    sent: u64,
    received: u64,
    /// It sends no more, and said so.
    finished: bool,
    /// It is gone without a proper end, or may be: closed with unread data, or reset.
    broken: bool,
}

struct Model {
    world: World,
    hosts: [StationId; 2],
    listeners: [SocketId; 2],
    /// By host and socket: an end somebody holds.
    open: Vec<(usize, SocketId, Key)>,
    /// Both ends of every connection there was, by host.
    ends: BTreeMap<Key, [End; 2]>,
}

impl Model {
    fn new(seed: u64, wire: WireConfig) -> Self {
        let mut world = World::new(seed);
        world.set_bounds(Bounds { stall: Duration::from_secs(7200), ..Bounds::default() });
        let hosts = [world.add_host(), world.add_host()];
        world.cable(hosts[0], hosts[1], wire);
        let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT));
        let listeners =
            hosts.map(|host| world.with_host(host, |now, host| host.listen(now, any, 8).unwrap()));
        Self { world, hosts, listeners, open: Vec::new(), ends: BTreeMap::new() }
    }

    /// What the end on `host` sends.
    fn stream(key: Key, host: usize) -> Pattern {
        Pattern(u64::from(key.1) * 4 + key.0 as u64 * 2 + host as u64)
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Connect(host) => self.connect(host),
            Action::Accept(host) => self.accept(host),
            Action::Send(end, n) => self.send(end, n),
            Action::Receive(end, n) => self.receive(end, n),
            Action::Shutdown(end) => self.shutdown(end),
            Action::Close(end) => self.end(end, false),
            Action::Abort(end) => self.end(end, true),
            Action::Advance(ms) => self.world.run_for(Duration::from_millis(ms)).unwrap(),
        }
    }

    fn connect(&mut self, host: usize) {
        if self.open.len() >= 8 {
            return;
        }
        let remote = SocketAddr::from((self.world.address(self.hosts[1 - host]).ip, PORT));
        let (socket, local) = self.world.with_host(self.hosts[host], |now, host| {
            let socket = host.connect(now, remote).unwrap();
            (socket, host.connections().iter().find(|c| c.socket == socket).map(|c| c.local))
        });
        let key = (host, local.unwrap().port());
        self.open.push((host, socket, key));
        self.ends.insert(key, [End::default(); 2]);
    }

    fn accept(&mut self, host: usize) {
        let listener = self.listeners[host];
        let accepted =
            self.world.with_host(self.hosts[host], |now, host| host.accept(now, listener));
        if let Ok(accepted) = accepted {
            let key = (1 - host, accepted.remote.port());
            assert!(self.ends.contains_key(&key), "nobody called from {}", accepted.remote);
            self.open.push((host, accepted.socket, key));
        }
    }

    /// An end to work with.
    fn pick(&self, at: usize) -> Option<(usize, SocketId, Key)> {
        self.open.get(at % self.open.len().max(1)).copied()
    }

    fn model(&mut self, key: Key, host: usize) -> &mut End {
        &mut self.ends.get_mut(&key).unwrap()[host]
    }

    fn send(&mut self, at: usize, n: usize) {
        let Some((host, socket, key)) = self.pick(at) else { return };
        let End { sent, finished, .. } = *self.model(key, host);
        let data = Self::stream(key, host).bytes(sent, n);
        let taken =
            self.world.with_host(self.hosts[host], |now, host| host.send(now, socket, &data));
        match taken {
            Ok(taken) => {
                assert!(!finished, "sent after the end");
                self.model(key, host).sent += taken as u64;
            }
            Err(Errno::AGAIN) => {}
            Err(Errno::PIPE) => assert!(finished || self.may_be_broken(key, host), "EPIPE"),
            Err(errno) => self.broke(key, host, errno),
        }
    }

    fn receive(&mut self, at: usize, n: usize) {
        let Some((host, socket, key)) = self.pick(at) else { return };
        let mut buffer = vec![0; n];
        let got =
            self.world.with_host(self.hosts[host], |now, host| host.recv(now, socket, &mut buffer));
        let peer = *self.model(key, 1 - host);
        let received = self.model(key, host).received;
        match got {
            Ok(0) => {
                // After an error was told, the rest of a broken connection reads as its end.
                if !self.model(key, host).broken {
                    assert!(peer.finished, "an end that nobody made");
                    assert_eq!(received, peer.sent, "the end came before the last byte");
                }
            }
            Ok(n) => {
                Self::stream(key, 1 - host).check(received, &buffer[..n]).unwrap();
                assert!(received + n as u64 <= peer.sent, "more than was sent");
                self.model(key, host).received += n as u64;
            }
            Err(Errno::AGAIN) => {}
            Err(errno) => self.broke(key, host, errno),
        }
    }

    /// An error other than "later" needs a reason: the peer has broken it.
    fn broke(&mut self, key: Key, host: usize, errno: Errno) {
        assert!(self.may_be_broken(key, host), "{errno:?} and nobody broke it");
        self.model(key, host).broken = true;
    }

    /// This end or the peer's is known to be broken.
    fn may_be_broken(&mut self, key: Key, host: usize) -> bool {
        self.model(key, host).broken || self.model(key, 1 - host).broken
    }

    fn shutdown(&mut self, at: usize) {
        let Some((host, socket, key)) = self.pick(at) else { return };
        let (shut, known) = self.world.with_host(self.hosts[host], |now, host| {
            let shut = host.shutdown(now, socket, Shutdown::Write);
            (shut, host.connections().iter().any(|connection| connection.socket == socket))
        });
        if shut.is_ok() {
            self.model(key, host).finished = true;
            // As on Linux, to shut down what is still connecting is to give it up.
            self.model(key, host).broken |= !known;
        }
    }

    fn end(&mut self, at: usize, abort: bool) {
        let Some((host, socket, key)) = self.pick(at) else { return };
        self.open.retain(|(owner, id, _)| (*owner, *id) != (host, socket));
        self.world.with_host(self.hosts[host], |now, host| {
            if abort {
                host.with_hub(now, |hub, out| hub.abort(socket, out)).unwrap();
            } else {
                host.close(now, socket).unwrap();
            }
        });
        let peer = *self.model(key, 1 - host);
        let all_read = self.model(key, host).received == peer.sent && peer.finished;
        let end = self.model(key, host);
        end.finished |= !abort;
        // With unread data, or data still to come, close is a reset (RFC 9293 3.6.1 SHLD-3).
        end.broken |= abort || !all_read;
    }

    /// Closes everything, and lets it run out.
    fn finish(mut self) {
        while !self.open.is_empty() {
            self.end(0, false);
        }
        for (host, listener) in self.hosts.into_iter().zip(self.listeners) {
            self.world.with_host(host, |now, host| host.close(now, listener).unwrap());
        }
        self.world.run_out().unwrap_or_else(|failure| panic!("{failure}"));
    }
}

/// Everything reads what it can, until nothing moves: what was sent in good order must arrive.
fn read_to_the_end(model: &mut Model) {
    for _ in 0..200 {
        model.act(Action::Accept(0));
        model.act(Action::Accept(1));
        for at in 0..model.open.len() {
            model.act(Action::Receive(at, 100_000));
        }
        model.act(Action::Advance(1_000));
    }
    for &(host, _, key) in &model.open {
        let ends = model.ends[&key];
        let whole = ends.iter().all(|end| !end.broken);
        let both = model.open.iter().filter(|(_, _, other)| *other == key).count() == 2;
        if whole && both {
            assert_eq!(ends[host].received, ends[1 - host].sent, "not all arrived");
        }
    }
}

/// The same cases every time, unless PROPTEST_RNG_SEED or PROPTEST_CASES say otherwise.
fn config() -> ProptestConfig {
    let default = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let rng_seed = match default.rng_seed {
        RngSeed::Random => RngSeed::Fixed(0x5eed),
        RngSeed::Fixed(seed) => RngSeed::Fixed(seed),
    };
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { default.cases } else { 100 };
    ProptestConfig { rng_seed, cases, ..default }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn streams_are_streams_whatever_is_called_when(
        seed in any::<u64>(),
        loss in 0..5_u32,
        delay_ms in 0..50_u64,
        actions in prop::collection::vec(action(), 0..120),
    ) {
        let wire = WireConfig {
            loss: Chance::percent(loss),
            duplicate: Chance::percent(loss),
            reorder: Chance::percent(2 * loss),
            corrupt: Chance::percent(loss),
            ..WireConfig::delayed(Duration::from_millis(delay_ms))
        };
        let mut model = Model::new(seed, wire);
        for action in actions {
            model.act(action);
        }
        read_to_the_end(&mut model);
        model.finish();
    }
}
