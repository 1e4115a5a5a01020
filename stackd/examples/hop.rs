//! What a hop between stages costs: a tower of stages that only pass things on, driven by one
//! thread, batch by batch.
//!
//! `cargo run --release -p stackd --example hop`

use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::Arc;

use layer::{Instant, Layer, Out, Outlet};
use stackd::alarm::{Alarm, Parker};
use stackd::clock::Clock;
use stackd::lane::{Lane, Port};
use stackd::runner::{Owner, Runner};
use stackd::stage::{Ends, Stage};

/// Hands on whatever comes.
struct Through;

impl Layer for Through {
    type FromBelow = u64;
    type ToAbove = u64;
    type FromAbove = u64;
    type ToBelow = u64;

    fn receive(&mut self, _: Instant, item: u64, out: &mut Out<'_, Self>) {
        out.up.push(item);
    }

    fn send(&mut self, _: Instant, item: u64, out: &mut Out<'_, Self>) {
        out.down.push(item);
    }

    fn poll(&mut self, _: Instant, _: &mut Out<'_, Self>) {}

    fn poll_at(&self) -> Option<Instant> {
        None
    }
}

const STAGES: u64 = 4;

fn measure(batch: u64, rounds: u64) -> std::io::Result<f64> {
    let clock = Clock::start();
    let lanes = || -> Vec<_> { (0..=STAGES).map(|_| Arc::new(Lane::<u64>::new(8))).collect() };
    let (rising, sinking) = (lanes(), lanes());
    // Owners first: they stop before what they own.
    let (mut owners, mut runners) = (Vec::new(), Vec::new());
    for index in 0..STAGES as usize {
        let parker = Arc::new(Parker::default());
        let ends = Ends {
            below: Some(Arc::clone(&rising[index])),
            above: Some(Arc::clone(&sinking[index + 1])),
            up: Box::new(Arc::clone(&rising[index + 1])),
            down: Box::new(Arc::clone(&sinking[index])),
        };
        let stage = Stage::new("through", Through, ends, Alarm::new(parker.clone()));
        let runner = Runner::new(Arc::new(stage), clock);
        owners.push(Owner::start(&runner, parker)?);
        runners.push(runner);
    }
    let (first, last) = (&rising[0], &rising[STAGES as usize]);
    let (mut outlet, mut taken) = (Outlet::with_capacity(64), VecDeque::new());
    let start = clock.now();
    for _ in 0..rounds {
        (0..batch).for_each(|item| outlet.push(item));
        first.offer(&mut outlet);
        first.notify(None);
        // An owner that has just started may have been running a stage.
        while !last.take(&mut taken) {
            std::thread::yield_now();
        }
        black_box(&taken);
        taken.clear();
        last.relieve(None);
    }
    Ok(clock.now().since(start).as_secs_f64() * 1e9 / (rounds * STAGES) as f64)
}

/// The yardstick: one number through a channel in the same thread, ns.
fn channel() -> f64 {
    const ROUNDS: u64 = 1_000_000;
    let (clock, (send, receive)) = (Clock::start(), crossbeam_channel::bounded(8));
    let start = clock.now();
    for item in 0..ROUNDS {
        // There is room, and then there is an item.
        let _ = black_box(send.try_send(item));
        let _ = black_box(receive.try_recv());
    }
    clock.now().since(start).as_secs_f64() * 1e9 / ROUNDS as f64
}

fn main() -> std::io::Result<()> {
    let yardstick = (0..5).map(|_| channel()).fold(f64::MAX, f64::min);
    println!("a number through a crossbeam channel: {yardstick:.1} ns");
    println!("{STAGES} stages, each run on the spot; best of 5");
    for batch in [1, 8, 64] {
        let mut best = f64::MAX;
        for _ in 0..5 {
            best = best.min(measure(batch, 200_000)?);
        }
        let item = best / batch as f64;
        println!("batches of {batch:2}: {best:6.1} ns a hop, {item:6.2} ns an item and hop");
    }
    Ok(())
}
