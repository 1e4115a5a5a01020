//! A duel: one list of bytes decides all that happens to a TCP connection, on both ends and on the
//! wire between; and after every step what must hold is checked.
//!
//! ```text
//!   input = 4 bytes of setting, then actions of 4 bytes each (actions.rs)
//!     socket calls on either end        end.rs: Tcp and the least of a hub
//!     frames that arrive, overtake, double, break or vanish        wire.rs
//!     segments of an enemy              enemy.rs
//!     time
//! ```
//!
//! In a *duel* two stacks face each other; the enemy only throws what must do no harm, and in the
//! end, on a wire that is good again, everything written has to arrive. In an *assault* there is
//! one stack, and its peer is the enemy, who keeps to nothing but that its text is one stream.
//!
//! The same runs from a fuzzer (`cargo xtask fuzz`), from proptest and from the corpus kept in
//! `fuzz/corpus` (`sim/tests/duel.rs`). Checked after each step: [`crate::promises`]; that streams
//! are what was written; that a layer that was polled does not want to be polled at once again;
//! that memory is bounded; and at last that nothing is left over.

use core::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use layer::{Duration, Instant};

mod actions;
mod end;
mod enemy;
mod stack;
mod wire;

use actions::{Action, Setting};
use end::End;
use wire::{Packet, Wire};

/// Most actions of one run.
const MOST: usize = 512;
/// What an action takes. Two connections within one tick of the clock of initial numbers begin with
/// the same one (RFC 9293 3.4.1: every 4 microseconds), and nobody can tell them apart on the wire.
const TICK: Duration = Duration::from_micros(5);
/// Polls in one instant after which a layer counts as spinning.
const ROUNDS: usize = 4096;
/// Deadlines in one step of time, likewise.
const DEADLINES: usize = 20_000;
/// Longest that a dead peer holds a connection: all back-offs, twice over, and TIME-WAIT.
const FOR_EVER: Duration = Duration::from_secs(4 * 3600);

/// What a run came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Actions done.
    pub actions: usize,
    /// Segments that the stacks sent.
    pub sent: u64,
    /// Bytes that applications read.
    pub read: u64,
    /// Connections that came to be, counted at each end.
    pub established: u64,
}

/// Runs what `input` says.
///
/// # Errors
///
/// The promise that was broken, after which action, at what time.
pub fn run(input: &[u8]) -> Result<Report, String> {
    let (setting, rest) = Setting::read(input);
    Duel::new(setting).run(rest)
}

/// The actions of an input and what they led to, one a line: for whoever looks at a find.
pub fn explain(input: &[u8]) -> String {
    let (setting, rest) = Setting::read(input);
    let mut duel = Duel::new(setting);
    duel.ends.iter_mut().for_each(End::keep_trace);
    duel.trace = Some(format!("{setting:?}\n"));
    let outcome = catch_unwind(AssertUnwindSafe(|| duel.run(rest)));
    (0..duel.ends.len()).for_each(|at| duel.take_trace(at));
    let end = match outcome {
        Ok(Ok(report)) => format!("{report:?}"),
        Ok(Err(what)) => what,
        Err(_) => "panic".to_owned(),
    };
    format!("{}{end}\n", duel.trace.unwrap_or_default())
}

struct Duel {
    setting: Setting,
    now: Instant,
    ends: Vec<End>,
    /// Towards each end.
    wires: [Wire; 2],
    enemy: enemy::Enemy,
    report: Report,
    /// What happened, if somebody wants to know.
    trace: Option<String>,
}
impl Duel {
    fn new(setting: Setting) -> Self {
        let count = if setting.assault { 1 } else { 2 };
        Self {
            setting,
            now: Instant::from_secs(1000),
            ends: (0..count).map(|side| End::new(side, &setting)).collect(),
            wires: [Wire::default(), Wire::default()],
            enemy: enemy::Enemy::new(&setting),
            report: Report::default(),
            trace: None,
        }
    }

    fn run(&mut self, actions: &[u8]) -> Result<Report, String> {
        let setting = self.setting;
        let told = |duel: &Self, at: usize, what: &str, why: String| {
            format!("{why}\n  at {}, action {at}: {what}\n  setting: {setting:?}", duel.now)
        };
        for (at, action) in Action::read_all(actions).take(MOST).enumerate() {
            self.say(&format!("{at}: {action:?}"));
            self.act(action)
                .and_then(|()| self.advance(TICK))
                .map_err(|why| told(self, at, &format!("{action:?}"), why))?;
            self.report.actions += 1;
        }
        let done = self.report.actions;
        self.say("calm");
        self.calm().map_err(|why| told(self, done, "the calm after it", why))?;
        self.report.read = self.ends.iter().map(|end| end.read).sum();
        self.report.sent = self.ends.iter().map(|end| end.sent).sum();
        self.report.established = self.ends.iter().map(|end| end.established).sum();
        Ok(self.report)
    }

    fn say(&mut self, what: &str) {
        if let Some(trace) = &mut self.trace {
            trace.push_str(what);
            trace.push('\n');
        }
    }

    /// Moves what an end noted to where all is told in order.
    fn take_trace(&mut self, at: usize) {
        let lines = self.ends[at].take_trace();
        for line in lines {
            self.say(&format!("    {} {line}", self.now));
        }
    }

    fn act(&mut self, action: Action) -> Result<(), String> {
        let count = self.ends.len();
        match action {
            Action::Deliver { to, count: most } => {
                for _ in 0..most {
                    let Some(packet) = self.wires[to % count].take(0) else { break };
                    self.arrive(to % count, &packet)?;
                }
                self.settle(to % count)
            }
            Action::Overtake { to, index } => {
                if let Some(packet) = self.wires[to % count].take(index) {
                    self.arrive(to % count, &packet)?;
                }
                self.settle(to % count)
            }
            Action::Lose { to, index, count: most } => {
                for _ in 0..most {
                    self.wires[to % count].take(index);
                }
                Ok(())
            }
            Action::Double { to, index } => {
                self.wires[to % count].double(index);
                Ok(())
            }
            Action::Break { to, index, bit } => {
                self.wires[to % count].corrupt(index, bit);
                Ok(())
            }
            Action::Replay { to, index } => {
                if let Some(packet) = self.wires[to % count].replay(index) {
                    self.arrive(to % count, &packet)?;
                }
                self.settle(to % count)
            }
            Action::Call { on, call } => {
                self.ends[on % count].call(self.now, call)?;
                self.settle(on % count)
            }
            Action::Advance(span) => self.advance(span),
            Action::NextDeadline => {
                let next = self.ends.iter().filter_map(End::poll_at).min();
                let span = next.map_or(Duration::ZERO, |at| at.since(self.now));
                self.advance(span.min(Duration::from_secs(300)))
            }
            Action::Enemy { to, what } => {
                let to = to % count;
                self.enemy.strike(self.now, what, self.setting.assault, &mut self.ends[to]);
                self.settle(to)
            }
        }
    }

    fn arrive(&mut self, to: usize, packet: &Packet) -> Result<(), String> {
        self.ends[to].receive(self.now, packet);
        // With cookies a packet may end a connection and the next one bring it back. What is sent
        // for either has the same numbers, and is told apart by when it is sent.
        if self.setting.cookies { self.settle(to) } else { Ok(()) }
    }

    /// Lets an end do what is to be done now, and takes what it sends.
    fn settle(&mut self, at: usize) -> Result<(), String> {
        for _ in 0..ROUNDS {
            let outcome = self.ends[at].poll(self.now);
            self.take_trace(at);
            let quiet = outcome?;
            for packet in self.ends[at].take_sent() {
                // In an assault there is nobody: what arrives there is only looked at.
                self.wires[1 - at].put(packet);
            }
            if quiet {
                return self.ends[at].weigh();
            }
        }
        Err(format!("end {at} does not come to rest: poll_at {:?}", self.ends[at].poll_at()))
    }

    /// Time passes; both ends are polled at each deadline on the way.
    fn advance(&mut self, span: Duration) -> Result<(), String> {
        let until = self.now + span;
        for _ in 0..DEADLINES {
            let next = self.ends.iter().filter_map(End::poll_at).min();
            let Some(at) = next.filter(|&at| at <= until) else {
                self.now = until;
                return (0..self.ends.len()).try_for_each(|at| self.settle(at));
            };
            self.now = self.now.max(at);
            (0..self.ends.len()).try_for_each(|at| self.settle(at))?;
        }
        Err(format!("more than {DEADLINES} deadlines in {span:?}"))
    }

    /// The wire is good again, the programs read all and end: what was written arrives, and nothing
    /// is left.
    fn calm(&mut self) -> Result<(), String> {
        for end in &mut self.ends {
            end.calm(self.now)?;
        }
        if !self.setting.assault {
            self.talk_to_the_end()?;
            let (left, right) = self.ends.split_at(1);
            left[0].compare(&right[0])?;
            right[0].compare(&left[0])?;
        }
        for end in &mut self.ends {
            end.close(self.now)?;
        }
        self.talk_to_the_end()?;
        self.advance(FOR_EVER)?;
        self.ends.iter().try_for_each(End::nothing_left)
    }

    /// Delivers everything in order, and lets time pass when there is nothing to deliver.
    fn talk_to_the_end(&mut self) -> Result<(), String> {
        let until = self.now + Duration::from_secs(1800);
        while self.now < until {
            let mut moved = false;
            for to in 0..self.ends.len() {
                while let Some(packet) = self.wires[to].take(0) {
                    self.arrive(to, &packet)?;
                    self.ends[to].read_all(self.now);
                    moved = true;
                }
                self.settle(to)?;
            }
            if moved {
                // A wire takes a little time, or a pair of ends could argue for ever in no time.
                self.advance(Duration::from_millis(1))?;
                continue;
            }
            let next = self.ends.iter().filter_map(End::poll_at).min();
            let Some(at) = next else { return Ok(()) };
            self.advance(at.since(self.now).max(Duration::from_millis(1)))?;
        }
        Ok(())
    }
}

/// The address of a side.
fn address(side: usize) -> SocketAddr {
    let last = 1 + u8::try_from(side).unwrap_or(1);
    SocketAddr::from(([10, 9, 0, last], wire::PORT))
}
