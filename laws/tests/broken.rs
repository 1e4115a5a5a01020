//! The kit on layers that break one law each: every one must be caught, by its own law's name.

use core::cell::Cell;
use core::time::Duration;

use laws::{BoxedStrategy, Limits, Strategy, Subject, check, strategy, try_check};
use layer::{Accounted, Instant, Layer, Note, Out, PacketBuf, Reason};

/// Which law the layer breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// L1: puts out something that depends on an address in memory.
    Capricious,
    /// L1: notes differ between instances.
    TellsTales,
    /// L2: leaves its deadline in the past.
    LateDeadline,
    /// L3: acts before its deadline.
    Hasty,
    /// L4: trusts the first byte as an index.
    Trusting,
    /// L5: holds without limit.
    Hoarder,
    /// L5: multiplies what it gets.
    Amplifier,
    /// L6: loses a packet without counting it.
    Leaky,
    /// L6: loses what it holds in `poll`.
    Forgetful,
    /// L7: looks at every entry in every poll.
    Scanner,
}

/// Holds packets from above for a second, then sends them; passes packets from below on.
struct Delay {
    fault: Fault,
    /// In order of their time, so the first is due first.
    held: Vec<(Instant, PacketBuf)>,
    /// Entries looked at by `poll`.
    looked_at: u64,
    /// Differs between instances.
    instance: u64,
}

impl Delay {
    const HELD: usize = 8;

    fn first_due(&self) -> Option<Instant> {
        self.held.first().map(|(at, _)| *at)
    }
}

impl Layer for Delay {
    type FromBelow = PacketBuf;
    type ToAbove = PacketBuf;
    type FromAbove = PacketBuf;
    type ToBelow = PacketBuf;

    fn receive(&mut self, _: Instant, mut item: PacketBuf, out: &mut Out<'_, Self>) {
        let first = item.head().first().copied().map(usize::from);
        match self.fault {
            Fault::Leaky if first == Some(7) => return,
            Fault::Trusting => drop(item.head()[first.unwrap_or(0)..].to_vec()),
            Fault::Capricious => item.prepend(1)[0] = u8::from(self.instance & 1 == 1),
            Fault::Amplifier => (0..20).for_each(|_| out.up.push(item.clone())),
            Fault::TellsTales => {
                let sent = self.instance & 1 == 1;
                let peer = core::net::IpAddr::from([10, 9, 0, 1]);
                out.note(|| Note::Icmp { kind: 0, code: 0, peer, sent });
            }
            Fault::None
            | Fault::LateDeadline
            | Fault::Hasty
            | Fault::Hoarder
            | Fault::Leaky
            | Fault::Forgetful
            | Fault::Scanner => {}
        }
        out.up.push(item);
    }

    fn send(&mut self, now: Instant, item: PacketBuf, out: &mut Out<'_, Self>) {
        if self.held.len() >= Self::HELD && self.fault != Fault::Hoarder {
            out.drop(Reason::OutletFull, item);
        } else {
            self.held.push((now + Duration::from_secs(1), item));
        }
    }

    fn poll(&mut self, now: Instant, out: &mut Out<'_, Self>) {
        if self.fault == Fault::Scanner {
            self.looked_at += self.held.iter().map(|_| 1).sum::<u64>();
        }
        let early = if self.fault == Fault::Hasty { 1 } else { 0 };
        while out.down.room() > 0
            && self.first_due().is_some_and(|at| at <= now + Duration::from_millis(early))
        {
            self.looked_at += 1;
            let (_, item) = self.held.remove(0);
            if self.fault != Fault::Forgetful {
                out.down.push(item);
            }
        }
    }

    fn poll_at(&self) -> Option<Instant> {
        let at = self.first_due()?;
        Some(if self.fault == Fault::LateDeadline { at - Duration::from_secs(1) } else { at })
    }
}

impl Accounted for Delay {
    fn held_items(&self) -> usize {
        self.held.len()
    }

    fn held_bytes(&self) -> usize {
        self.held.iter().map(|(_, packet)| packet.held_bytes()).sum()
    }
}

struct Delays {
    fault: Fault,
    built: Cell<u64>,
    limits: Limits,
}

impl Delays {
    fn with(fault: Fault) -> Self {
        let limits =
            Limits { held_items: 8, held_bytes: 8 * 1024, outputs: 8, ..Limits::default() };
        Self { fault, built: Cell::new(0), limits }
    }
}

impl Subject for Delays {
    type L = Delay;

    fn build(&self) -> Delay {
        self.built.set(self.built.get() + 1);
        Delay { fault: self.fault, held: Vec::new(), looked_at: 0, instance: self.built.get() }
    }

    fn below(&self) -> BoxedStrategy<PacketBuf> {
        strategy::packet(32)
    }

    fn above(&self) -> BoxedStrategy<PacketBuf> {
        strategy::packet(32)
    }

    fn limits(&self) -> Limits {
        self.limits
    }

    fn work(&self, layer: &Delay) -> Option<u64> {
        Some(layer.looked_at)
    }
}

#[test]
fn a_lawful_layer_passes() {
    check(&Delays::with(Fault::None), 256);
}

#[test]
fn a_lawful_layer_that_makes_nothing_of_its_own_passes_exactly() {
    let mut delays = Delays::with(Fault::None);
    delays.limits.exact = true;
    check(&delays, 256);
}

#[test]
fn each_broken_law_is_named() {
    for (fault, law) in [
        (Fault::Capricious, "law L1"),
        (Fault::TellsTales, "law L1"),
        (Fault::LateDeadline, "law L2"),
        (Fault::Hasty, "law L3"),
        (Fault::Trusting, "law L4"),
        (Fault::Hoarder, "law L5"),
        (Fault::Amplifier, "law L5"),
        (Fault::Leaky, "law L6"),
        (Fault::Forgetful, "law L6"),
        (Fault::Scanner, "law L7"),
    ] {
        let broken = try_check(&Delays::with(fault), 512).expect_err("a broken layer passed");
        assert!(broken.starts_with(law), "{fault:?} is to break {law}, but: {broken}");
        assert!(broken.contains("PROPTEST_RNG_SEED="), "{broken}");
    }
}

/// What is not held, put out, dropped or consumed twice is caught only by counting exactly.
#[test]
fn the_exact_mode_catches_a_copy() {
    let mut delays = Delays::with(Fault::Amplifier);
    delays.limits.outputs = 64;
    check(&delays, 64);
    delays.limits.exact = true;
    let broken = try_check(&delays, 64).expect_err("copies passed");
    assert!(broken.starts_with("law L6"), "{broken}");
}

#[test]
fn a_byte_limit_is_held() {
    let mut delays = Delays::with(Fault::None);
    delays.limits.held_bytes = 100;
    let broken = try_check(&delays, 64).expect_err("too many bytes passed");
    assert!(broken.starts_with("law L5"), "{broken}");
}

#[test]
fn the_same_seed_finds_the_same() {
    let run = || try_check(&Delays::with(Fault::Leaky), 512);
    assert_eq!(run(), run());
}

#[test]
fn a_full_layer_polls_for_nothing_only_if_it_scans() {
    let mut driver = layer::outlet::Driver::new(64);
    let mut fill = |fault| {
        let mut layer = Delays::with(fault).build();
        for _ in 0..8 {
            layer.send(Instant::ZERO, PacketBuf::new(), &mut driver.out());
        }
        layer
    };
    let mut lawful = fill(Fault::None);
    laws::idle_poll_touches_nothing(&mut lawful, Instant::ZERO, |layer| layer.looked_at);
    let mut scanner = fill(Fault::Scanner);
    let caught = std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| {
        laws::idle_poll_touches_nothing(&mut scanner, Instant::ZERO, |layer| layer.looked_at);
    }));
    assert!(caught.is_err());
}

/// Every kind of fault shows up, and packets are stored in every way.
#[test]
fn strategies_vary() {
    use laws::proptest::strategy::ValueTree;
    use laws::proptest::test_runner::TestRunner;
    let mut runner = TestRunner::new(laws::config(1));
    let valid: Vec<u8> = (0..40).collect();
    let strategy = strategy::mutated(laws::Just(valid.clone()).boxed());
    let mut sample = |n: usize| -> Vec<Vec<u8>> {
        (0..n).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
    };
    let samples = sample(500);
    assert!(samples.iter().any(|bytes| bytes.len() < valid.len()), "truncated");
    assert!(samples.iter().any(|bytes| bytes.len() > valid.len()), "extended");
    let flipped = |bytes: &Vec<u8>| {
        bytes.len() == valid.len()
            && bytes.iter().zip(&valid).map(|(a, b)| (a ^ b).count_ones()).sum::<u32>() == 1
    };
    assert!(samples.iter().any(flipped), "one bit turned");

    let stored = strategy::stored(laws::Just(valid.clone()).boxed());
    let packets: Vec<_> =
        (0..200).map(|_| stored.new_tree(&mut runner).unwrap().current()).collect();
    assert!(packets.iter().all(|packet| packet.to_vec() == valid));
    assert!(packets.iter().any(|packet| packet.chunks().count() == 1), "in one piece");
    assert!(packets.iter().any(|packet| packet.chunks().count() == 3), "in three pieces");
}
