//! Faults happen as asked, and nothing else does.

use layer::outlet::Driver;

use super::*;

/// Passes numbers through.
struct Pipe;

impl Layer for Pipe {
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

/// Sends 1000 numbers each way, lets everything arrive, and says what did.
fn run(faults: Faults, seed: u64) -> (Vec<u64>, Vec<u64>, ImpairedStats) {
    let mut pipe = Impaired::new(Pipe, faults, seed);
    let mut driver = Driver::new(64);
    let (mut up, mut down) = (Vec::new(), Vec::new());
    for number in 0..1000 {
        let now = Instant::from_millis(number);
        pipe.receive(now, number, &mut driver.out());
        pipe.send(now, number, &mut driver.out());
        pipe.poll(now, &mut driver.out());
        up.extend(driver.up.drain());
        down.extend(driver.down.drain());
    }
    while let Some(at) = pipe.poll_at() {
        pipe.poll(at, &mut driver.out());
        up.extend(driver.up.drain());
        down.extend(driver.down.drain());
    }
    (up, down, pipe.stats())
}

#[test]
fn without_faults_it_is_not_there() {
    let all: Vec<u64> = (0..1000).collect();
    assert_eq!(run(Faults::default(), 1), (all.clone(), all, ImpairedStats::default()));
}

#[test]
fn every_item_is_lost_or_arrives_as_often_as_it_was_copied() {
    let percent = Chance::percent(10);
    let faults = Faults { loss: percent, duplicate: percent, ..Faults::default() };
    let (up, down, stats) = run(faults, 1);
    assert_eq!((up.len() + down.len()) as u64, 2000 - stats.lost + stats.duplicated);
    assert!((150..250).contains(&stats.lost) && (130..250).contains(&stats.duplicated));
    assert!(up.is_sorted() && down.is_sorted(), "nothing was to be late");
}

#[test]
fn late_items_are_overtaken_and_all_arrive() {
    let faults = Faults {
        delay: Duration::from_millis(20),
        reorder: Chance::percent(20),
        late: Duration::from_millis(20),
        ..Faults::default()
    };
    let (mut up, _, stats) = run(faults, 1);
    assert!(!up.is_sorted() && stats.late > 300);
    up.sort_unstable();
    assert_eq!(up, (0..1000).collect::<Vec<_>>());
}

#[test]
fn the_same_seed_does_the_same() {
    let faults = Faults { loss: Chance::percent(30), ..Faults::default() };
    assert_eq!(run(faults, 7), run(faults, 7));
    assert_ne!(run(faults, 7), run(faults, 8));
}
