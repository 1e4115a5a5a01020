//! Checks the laws L1 to L7 of [`layer::Layer`] on any layer, with lists of random calls.
//!
//! A layer crate says how its layer is built, what may come from below and from above, and how
//! much it may hold; [`check`] does the rest:
//!
//! ```
//! use laws::{BoxedStrategy, Limits, Strategy, Subject, check, strategy};
//! use layer::{Accounted, Instant, Layer, Out, PacketBuf};
//!
//! /// Passes everything on.
//! struct Wire;
//!
//! impl Layer for Wire {
//!     type FromBelow = PacketBuf;
//!     type ToAbove = PacketBuf;
//!     type FromAbove = PacketBuf;
//!     type ToBelow = PacketBuf;
//!     fn receive(&mut self, _: Instant, item: PacketBuf, out: &mut Out<'_, Self>) {
//!         out.up.push(item);
//!     }
//!     fn send(&mut self, _: Instant, item: PacketBuf, out: &mut Out<'_, Self>) {
//!         out.down.push(item);
//!     }
//!     fn poll(&mut self, _: Instant, _: &mut Out<'_, Self>) {}
//!     fn poll_at(&self) -> Option<Instant> {
//!         None
//!     }
//! }
//!
//! impl Accounted for Wire {
//!     fn held_items(&self) -> usize {
//!         0
//!     }
//! }
//!
//! struct Wires;
//!
//! impl Subject for Wires {
//!     type L = Wire;
//!     fn build(&self) -> Wire {
//!         Wire
//!     }
//!     fn below(&self) -> BoxedStrategy<PacketBuf> {
//!         strategy::packet(64)
//!     }
//!     fn above(&self) -> BoxedStrategy<PacketBuf> {
//!         strategy::packet(64)
//!     }
//!     fn limits(&self) -> Limits {
//!         Limits { held_items: 0, held_bytes: 0, outputs: 1, exact: true, ..Limits::default() }
//!     }
//! }
//!
//! check(&Wires, 32);
//! ```
//!
//! Runs are deterministic: a fixed seed unless `PROPTEST_RNG_SEED` says otherwise, no persistence
//! files; `PROPTEST_CASES` overrides the number of cases. A failure names the law, prints the
//! shrunk list of calls, and the seed.
//!
//! What is left out: whether the layer does the right thing. The laws say only that it behaves as
//! a layer; what its RFC wants is for table tests and scripts.

mod action;
mod run;
pub mod strategy;

use core::fmt::Debug;

use layer::{Accounted, Layer};
pub use proptest;
pub use proptest::strategy::{BoxedStrategy, Just, Strategy};
use proptest::test_runner::{Config, RngSeed, TestError, TestRunner};

pub use crate::action::{Action, Trial};
pub use crate::run::idle_poll_touches_nothing;

/// The seed of every run, unless `PROPTEST_RNG_SEED` names another.
pub const SEED: u64 = 0x001a_7e57_0f5e_ed00;

/// What a layer may hold and put out, for law L5; and how strictly L6 counts.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Items held at most ([`Accounted::held_items`]).
    pub held_items: usize,
    /// Bytes held at most ([`Accounted::held_bytes`]).
    pub held_bytes: usize,
    /// Items put out by one call at most, both ways together.
    pub outputs: usize,
    /// Calls of `poll` that a layer may need, with room in both outlets, to be done with what is
    /// due: 1, or more for a stack of layers whose rounds may run out.
    pub polls: usize,
    /// L6 as an equation: the layer makes no items of its own and splits none.
    pub exact: bool,
}

impl Default for Limits {
    /// Loose limits for a layer that states none: what an outlet with its slack could take.
    fn default() -> Self {
        Self { held_items: 4096, held_bytes: 64 << 20, outputs: 256, polls: 1, exact: false }
    }
}

/// A layer under test: how to build it, and what its neighbours may do to it.
pub trait Subject {
    /// The layer.
    type L: Layer<
            FromBelow: Clone + Debug,
            FromAbove: Clone + Debug,
            ToAbove: Clone + Debug + PartialEq,
            ToBelow: Clone + Debug + PartialEq,
        > + Accounted
        + 'static;

    /// A fresh one; every call builds the same.
    fn build(&self) -> Self::L;

    /// What may come from below: valid, nearly valid and arbitrary.
    fn below(&self) -> BoxedStrategy<<Self::L as Layer>::FromBelow>;

    /// What may come from above.
    fn above(&self) -> BoxedStrategy<<Self::L as Layer>::FromAbove>;

    /// Its limits.
    fn limits(&self) -> Limits {
        Limits::default()
    }

    /// How a peer below might answer something the layer put down, so that runs get past a first
    /// exchange. `choice` is random: use it to choose between answers, or to spoil one.
    fn answer_below(
        &self,
        item: &<Self::L as Layer>::ToBelow,
        choice: u32,
    ) -> Option<<Self::L as Layer>::FromBelow> {
        let _ = (item, choice);
        None
    }

    /// How a user above might react to something the layer put up.
    fn answer_above(
        &self,
        item: &<Self::L as Layer>::ToAbove,
        choice: u32,
    ) -> Option<<Self::L as Layer>::FromAbove> {
        let _ = (item, choice);
        None
    }

    /// A count, growing only, of the entries (connections, neighbours, fragments) that `poll` has
    /// looked at, for layers that expose it: L7 wants it still while nothing is due.
    fn work(&self, layer: &Self::L) -> Option<u64> {
        let _ = layer;
        None
    }
}

/// A proptest configuration that every model test can use: deterministic, no files written.
///
/// `cases` is the number of cases unless `PROPTEST_CASES` is set.
pub fn config(cases: u32) -> Config {
    let mut config = Config { failure_persistence: None, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases;
    }
    if let RngSeed::Random = config.rng_seed {
        config.rng_seed = RngSeed::Fixed(SEED);
    }
    config
}

/// Checks the laws on `cases` random lists of calls.
///
/// # Panics
///
/// If a law is broken; the message names it, with the calls that break it and the seed.
pub fn check<S: Subject>(subject: &S, cases: u32) {
    if let Err(broken) = try_check(subject, cases) {
        panic!("{broken}");
    }
}

/// As [`check`], but says what is wrong instead of panicking.
///
/// # Errors
///
/// The law that is broken, how, by which calls, and the seed.
pub fn try_check<S: Subject>(subject: &S, cases: u32) -> Result<(), String> {
    let config = config(cases);
    let seed = config.rng_seed;
    let mut runner = TestRunner::new(config);
    let trials = action::trials(subject.below(), subject.above());
    match runner.run(&trials, |trial| run::obey(subject, &trial)) {
        Ok(()) => Ok(()),
        Err(TestError::Abort(reason)) => Err(format!("no verdict: {reason}")),
        Err(TestError::Fail(reason, trial)) => {
            // What a law says starts with its name; anything else is the layer's own panic.
            let message = reason.message();
            let law = if message.starts_with("law ") { "" } else { "law L4 (no panic): " };
            Err(format!("{law}{message}\n{trial}PROPTEST_RNG_SEED={seed}"))
        }
    }
}
