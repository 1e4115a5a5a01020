//! Stages on real threads: the same toy tower, with several deliverers and owners.

#![expect(clippy::unwrap_used, reason = "helpers of tests count as no test")]

use std::sync::Arc;
use std::thread;

use layer::Duration;
use stackd::alarm::{Alarm, Parker};
use stackd::clock::Clock;
use stackd::lane::{Lane, Ring};
use stackd::runner::{Owner, Runner};
use stackd::stage::{Ends, Stage};

mod toy;

use toy::{Relay, Sink, Source};

const ITEMS: u32 = 200_000;

struct Tower {
    stages: Vec<Arc<Stage<Relay>>>,
    // Kept for their `Drop`: owners stop before the runners they refer to.
    owners: Vec<Owner>,
    runners: Vec<Arc<Runner>>,
    rising: Vec<Arc<Lane<u32>>>,
    sinking: Vec<Arc<Lane<u32>>>,
}

fn tower(capacity: usize, delay: Duration) -> Tower {
    let clock = Clock::start();
    let lanes = || -> Vec<_> { (0..4).map(|_| Arc::new(Lane::new(capacity))).collect() };
    let (rising, sinking) = (lanes(), lanes());
    let (mut stages, mut runners, mut owners) = (Vec::new(), Vec::new(), Vec::new());
    for index in 0..3 {
        let ends = Ends {
            below: Some(Arc::clone(&rising[index])),
            above: Some(Arc::clone(&sinking[index + 1])),
            up: Box::new(Arc::clone(&rising[index + 1])),
            down: Box::new(Arc::clone(&sinking[index])),
        };
        let parker = Arc::new(Parker::default());
        let alarm = Alarm::new(parker.clone());
        let stage = Arc::new(Stage::new("toy", Relay::new(delay), ends, alarm));
        let runner = Runner::new(stage.clone(), clock);
        owners.push(Owner::start(&runner, parker).unwrap());
        runners.push(runner);
        stages.push(stage);
    }
    Tower { stages, owners, runners, rising, sinking }
}

/// Pushes all, as fast as there is room.
fn push_all(lane: &Arc<Lane<u32>>, mut also: impl FnMut()) {
    let mut source = Source::new(lane);
    while source.pushed() < ITEMS || !source.is_empty() {
        source.push(64.min((ITEMS - source.pushed()) as usize));
        also();
        thread::yield_now();
    }
}

fn take_all(lane: &Arc<Lane<u32>>) -> Vec<u32> {
    let mut sink = Sink::new(lane);
    while sink.taken.len() < ITEMS as usize {
        if !sink.take() {
            thread::yield_now();
        }
    }
    sink.taken
}

fn both_ways(capacity: usize, delay: Duration) {
    let tower = tower(capacity, delay);
    let all: Vec<u32> = (0..ITEMS).collect();
    thread::scope(|scope| {
        scope.spawn(|| push_all(&tower.rising[0], || {}));
        scope.spawn(|| push_all(&tower.sinking[3], || {}));
        // An application that enters the middle stage all the time.
        let middle = &tower.stages[1];
        let clock = Clock::start();
        let top = scope.spawn(|| take_all(&tower.rising[3]));
        let bottom = scope.spawn(|| take_all(&tower.sinking[0]));
        while !top.is_finished() || !bottom.is_finished() {
            middle.enter(clock.now(), |_, _, _| ());
            thread::yield_now();
        }
        assert!(top.join().unwrap() == all, "lost or reordered on the way up");
        assert!(bottom.join().unwrap() == all, "lost or reordered on the way down");
    });
}

#[test]
fn nothing_is_lost_with_lanes_of_one_batch() {
    both_ways(1, Duration::ZERO);
}

#[test]
fn nothing_is_lost_with_lanes_of_eight() {
    both_ways(8, Duration::ZERO);
}

#[test]
fn owners_keep_deadlines_that_nobody_else_would() {
    both_ways(2, Duration::from_micros(300));
}

#[test]
fn an_answer_from_an_idle_stage_is_there_at_once() {
    let tower = tower(1, Duration::ZERO);
    let answer = tower.stages[0].ask(|_, now, _| now);
    assert!(answer.recv().is_ok());
    tower.runners[0].ring(None);
    drop(tower.owners);
}
