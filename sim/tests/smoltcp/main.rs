//! smoltcp 0.14 in the same process as client and as server, over wires with every fault: an
//! implementation that shares no line with ours judges what we send, and we what it sends.
//!
//! Both streams are compared byte by byte at both ends; time is virtual and a seed tells all.
//!
//! No world stands still, so no fault had to be told apart. What makes some of them slow is
//! smoltcp's own: it keeps four out-of-order ranges (`ASSEMBLER_MAX_SEGMENT_COUNT`; the rest is
//! thrown away and sent again), reports one SACK block and uses none, and waits a second at least
//! before it resends (`RTTE_MIN_RTO`).

mod peer;

use std::net::SocketAddr;

use layer::boundary::SocketId;
use layer::{Duration, Instant};
use peer::{Peer, Role};
use sim::application::Application;
use sim::application::talk::{Plan, Script};
use sim::application::tcp::{Caller, Listener};
use sim::frame::Address;
use sim::{Burst, Chance, Outcome, WireConfig, World};
use socket::{Errno, Host};

const PORT: u16 = 7;

/// Each fault alone, and all together.
fn wires() -> Vec<(&'static str, WireConfig)> {
    let clean = WireConfig::delayed(Duration::from_millis(5));
    let burst =
        Burst { begin: Chance::per_mille(5), end: Chance::percent(30), loss: Chance::ALWAYS };
    let all = WireConfig {
        loss: Chance::percent(2),
        reorder: Chance::percent(5),
        duplicate: Chance::percent(2),
        corrupt: Chance::percent(1),
        ..clean
    };
    vec![
        ("clean", clean),
        ("loss", WireConfig { loss: Chance::percent(3), ..clean }),
        ("bursts", WireConfig { burst: Some(burst), ..clean }),
        ("reordering", WireConfig { reorder: Chance::percent(10), ..clean }),
        ("duplicates", WireConfig { duplicate: Chance::percent(10), ..clean }),
        ("corruption", WireConfig { corrupt: Chance::percent(3), ..clean }),
        // Everything late by up to half a round trip more.
        ("jitter", WireConfig { reorder: Chance::ALWAYS, ..clean }),
        ("all", all),
    ]
}

/// Who opens the connection.
#[derive(Clone, Copy, Debug)]
enum Opener {
    Smoltcp,
    Ours,
}

/// A conversation with smoltcp; `ours` and `theirs` are the parts in it.
fn conversation(
    seed: u64,
    wire: WireConfig,
    opener: Opener,
    ours: Script,
    theirs: Script,
) -> Outcome {
    let mut world = World::new(seed);
    let host = world.add_host();
    let start = world.now() + Duration::from_millis(1100);
    let address = Address::numbered(2);
    let role = match opener {
        Opener::Ours => {
            let remote = SocketAddr::from((address.ip, PORT));
            world.run_on(host, Caller::new(remote, start, ours));
            Role::Listens(PORT)
        }
        Opener::Smoltcp => {
            world.run_on(host, Listener::new(PORT, ours, 1));
            Role::Calls(world.address(host), PORT, start)
        }
    };
    let peer = world.add_station(Peer::new(address, role, theirs));
    world.cable(host, peer, wire);
    let outcome = world.run().unwrap_or_else(|failure| panic!("{opener:?} opened: {failure}"));
    world.run_out().unwrap_or_else(|failure| panic!("{opener:?} opened: {failure}"));
    outcome
}

/// Runs `with` for every wire, opener and some seeds.
fn everywhere(with: impl Fn(u64, WireConfig, Opener)) {
    for (name, wire) in wires() {
        for opener in [Opener::Smoltcp, Opener::Ours] {
            for seed in 1..=3 {
                eprintln!("wire '{name}', {opener:?} opens, seed {seed}");
                with(seed, wire, opener);
            }
        }
    }
}

#[test]
fn bulk_to_smoltcp() {
    everywhere(|seed, wire, opener| {
        let ours = Script::calling(1, Plan::Send { bytes: 300_000 }).expecting(0);
        let theirs = Script::answering(1, Plan::Send { bytes: 0 }).expecting(300_000);
        conversation(seed, wire, opener, ours, theirs);
    });
}

#[test]
fn bulk_from_smoltcp() {
    everywhere(|seed, wire, opener| {
        let ours = Script::calling(1, Plan::Send { bytes: 0 }).expecting(300_000);
        let theirs = Script::answering(1, Plan::Send { bytes: 300_000 }).expecting(0);
        conversation(seed, wire, opener, ours, theirs);
    });
}

#[test]
fn bulk_both_ways_at_once() {
    everywhere(|seed, wire, opener| {
        let plan = Plan::Send { bytes: 150_000 };
        let ours = Script::calling(1, plan).expecting(150_000);
        let theirs = Script::answering(1, plan).expecting(150_000);
        conversation(seed, wire, opener, ours, theirs);
    });
}

#[test]
fn echo_by_smoltcp_and_by_us() {
    everywhere(|seed, wire, opener| {
        let asks = Script::calling(1, Plan::Send { bytes: 60_000 }).echoed().expecting(60_000);
        let echoes = Script::answering(1, Plan::Echo).expecting(60_000);
        conversation(seed, wire, opener, asks, echoes);
        conversation(seed, wire, opener, echoes, asks);
    });
}

#[test]
fn small_questions_and_answers() {
    everywhere(|seed, wire, opener| {
        let ask = Plan::Ask { request: 100, response: 3000, rounds: 20 };
        let answer = Plan::Answer { request: 100, response: 3000 };
        let asks = Script::calling(1, ask).expecting(60_000);
        let answers = Script::answering(1, answer).expecting(2000);
        conversation(seed, wire, opener, asks, answers);
        conversation(seed, wire, opener, answers, asks);
    });
}

/// Who has finished still receives.
#[test]
fn half_close_either_way() {
    everywhere(|seed, wire, opener| {
        let first = Script::calling(1, Plan::Send { bytes: 10_000 }).expecting(50_000);
        let then = Script::answering(1, Plan::SendAfterPeer { bytes: 50_000 }).expecting(10_000);
        conversation(seed, wire, opener, first, then);
        conversation(seed, wire, opener, then, first);
    });
}

/// Accepts a connection that ends in a reset.
struct Aborted {
    script: Script,
    /// Closes with so much unread, which is a reset (RFC 9293 3.10.4); else waits for the peer's.
    aborts_at: Option<u32>,
    listener: Option<SocketId>,
    socket: Option<SocketId>,
    sent: u64,
    over: bool,
}

impl Aborted {
    fn new(script: Script, aborts_at: Option<u32>) -> Self {
        Self { script, aborts_at, listener: None, socket: None, sent: 0, over: false }
    }

    /// True if this ends the connection.
    fn turn(&mut self, now: Instant, host: &mut Host, socket: SocketId) -> Result<bool, String> {
        if let Some(unread) = self.aborts_at {
            return Ok(host.connections().iter().any(|own| own.receive_queue >= unread));
        }
        let mut chunk = [0; 1000];
        self.script.sends.fill(self.sent, &mut chunk);
        match host.send(now, socket, &chunk) {
            Ok(n) => self.sent += n as u64,
            Err(Errno::AGAIN) => {}
            Err(Errno::CONNRESET | Errno::PIPE) => return Ok(true),
            Err(errno) => return Err(format!("send answered {errno:?}")),
        }
        Ok(false)
    }
}

impl Application for Aborted {
    fn act(&mut self, now: Instant, host: &mut Host) -> Result<bool, String> {
        let Some(listener) = self.listener else {
            let any = SocketAddr::from(([0, 0, 0, 0], PORT));
            self.listener = Some(host.listen(now, any, 1).map_err(|errno| format!("{errno:?}"))?);
            return Ok(true);
        };
        let Some(socket) = self.socket else {
            self.socket = host.accept(now, listener).ok().map(|accepted| accepted.socket);
            return Ok(self.socket.is_some());
        };
        if self.over {
            return Ok(false);
        }
        let before = self.sent;
        self.over = self.turn(now, host, socket)?;
        if self.over {
            for socket in [socket, listener] {
                host.close(now, socket).map_err(|errno| format!("close: {errno:?}"))?;
            }
        }
        Ok(self.over || self.sent > before)
    }

    fn wake_at(&self) -> Option<Instant> {
        self.listener.is_none().then_some(Instant::ZERO)
    }

    fn is_done(&self) -> bool {
        self.over
    }

    fn progress(&self) -> u64 {
        self.sent + u64::from(self.over)
    }

    fn describe(&self) -> String {
        format!("sent {}, over: {}", self.sent, self.over)
    }
}

/// A reset may be lost; what the other one sends then is answered with another reset.
#[test]
fn an_abort_by_either_is_a_reset_for_the_other() {
    for (name, wire) in wires() {
        for (seed, by_smoltcp) in (1..=3).flat_map(|seed| [(seed, true), (seed, false)]) {
            eprintln!("wire '{name}', seed {seed}, by smoltcp: {by_smoltcp}");
            let mut world = World::new(seed);
            let host = world.add_host();
            let start = world.now() + Duration::from_millis(1100);
            let bytes = 1 << 40;
            let ours = Script::answering(1, Plan::Send { bytes });
            let aborts_at = (!by_smoltcp).then_some(20_000);
            world.run_on(host, Aborted::new(ours, aborts_at));
            let role = Role::Calls(world.address(host), PORT, start);
            let theirs = Script::calling(1, Plan::Send { bytes });
            let peer = Peer::new(Address::numbered(2), role, theirs);
            let peer = if by_smoltcp { peer.aborting_at(20_000) } else { peer.expecting_reset() };
            let peer = world.add_station(peer);
            world.cable(host, peer, wire);
            world.run().unwrap_or_else(|failure| panic!("{failure}"));
        }
    }
}

/// The same seed tells the same story, smoltcp included.
#[test]
fn a_world_with_smoltcp_is_deterministic() {
    let (_, wire) = wires().pop().expect("there are wires");
    let run = |seed| {
        let ours = Script::calling(1, Plan::Send { bytes: 50_000 }).expecting(0);
        let theirs = Script::answering(1, Plan::Send { bytes: 0 }).expecting(50_000);
        conversation(seed, wire, Opener::Ours, ours, theirs)
    };
    assert_eq!(run(9), run(9));
    assert_ne!(run(9).trace, run(10).trace);
}
