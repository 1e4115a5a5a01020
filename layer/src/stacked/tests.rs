//! `Stacked`, `Fork`, `Many` and `Traced` on small layers whose behaviour is plain to see.

use super::*;
use crate::outlet::Driver;
use crate::{Crossing, Either, Fork, InterfaceId, Interfaced, Many, Side, Sided, Traced};

/// Adds `step` on the way up, takes it off on the way down; echoes every tenth back down.
struct Step {
    step: u32,
    held: Option<u32>,
}

impl Layer for Step {
    type FromBelow = u32;
    type ToAbove = u32;
    type FromAbove = u32;
    type ToBelow = u32;

    fn receive(&mut self, _: Instant, item: u32, out: &mut Out<'_, Self>) {
        if item.is_multiple_of(10) {
            out.down.push(item + 1);
        } else {
            out.up.push(item + self.step);
        }
    }

    fn send(&mut self, _: Instant, item: u32, _: &mut Out<'_, Self>) {
        self.held = Some(item - self.step);
    }

    fn poll(&mut self, _: Instant, out: &mut Out<'_, Self>) {
        if out.down.room() > 0
            && let Some(item) = self.held.take()
        {
            out.down.push(item);
        }
    }

    fn poll_at(&self) -> Option<Instant> {
        self.held.map(|_| Instant::ZERO)
    }
}

impl Sided for u32 {
    fn side(&self) -> Side {
        if *self < 100 { Side::A } else { Side::B }
    }
}

impl Interfaced for u32 {
    fn interface(&self) -> InterfaceId {
        InterfaceId(u16::from(*self >= 100))
    }
}

fn step(step: u32) -> Step {
    Step { step, held: None }
}

fn ups<Up, Down>(driver: &mut Driver<Up, Down>) -> Vec<Up> {
    driver.up.drain().collect()
}

#[test]
fn items_cross_both_ways_and_polls_reach_what_was_held() {
    let mut stack = Stacked::new(step(1), Stacked::new(step(2), step(4)));
    let mut driver = Driver::new(8);
    stack.receive(Instant::ZERO, 1, &mut driver.out());
    assert_eq!(ups(&mut driver), [8]);
    stack.send(Instant::ZERO, 50, &mut driver.out());
    assert_eq!(stack.poll_at(), Some(Instant::ZERO));
    stack.poll(Instant::ZERO, &mut driver.out());
    assert_eq!(driver.down.pop(), Some(43), "one poll settles all three layers");
    assert_eq!(stack.poll_at(), None);
}

#[test]
fn an_answer_of_the_upper_layer_goes_down() {
    let mut stack = Stacked::new(step(1), step(0));
    let mut driver = Driver::new(8);
    stack.receive(Instant::ZERO, 9, &mut driver.out());
    stack.poll(Instant::ZERO, &mut driver.out());
    assert_eq!((driver.up.pop(), driver.down.pop()), (None, Some(10)));
}

#[test]
fn a_full_outlet_below_is_seen_from_above() {
    let mut stack = Stacked::new(step(1), step(2));
    let mut driver = Driver::new(1);
    driver.down.push(0);
    stack.send(Instant::ZERO, 20, &mut driver.out());
    stack.poll(Instant::ZERO, &mut driver.out());
    assert_eq!(driver.down.len(), 1, "nothing was pushed past the capacity");
    driver.down.pop();
    stack.poll(Instant::ZERO, &mut driver.out());
    assert_eq!(driver.down.pop(), Some(17));
}

#[test]
fn the_hard_limit_drops_and_counts() {
    let mut outlet = Outlet::with_capacity(1);
    for n in 0..1000 {
        outlet.push(n);
    }
    assert_eq!(outlet.len() as u64 + outlet.overflowed(), 1000);
    assert!(outlet.len() < 300);
    assert_eq!(outlet.room(), 0);
}

#[test]
fn fork_routes_by_side() {
    let mut fork = Fork::new(step(1), step(2));
    let mut driver = Driver::new(8);
    fork.receive(Instant::ZERO, 1, &mut driver.out());
    fork.receive(Instant::ZERO, 101, &mut driver.out());
    assert_eq!(ups(&mut driver), [Either::A(2), Either::B(103)]);
    fork.send(Instant::ZERO, Either::B(50), &mut driver.out());
    fork.poll(Instant::ZERO, &mut driver.out());
    assert_eq!(driver.down.pop(), Some(48));
}

#[test]
fn many_routes_by_interface_and_drops_for_a_missing_one() {
    let mut many = Many::new(vec![step(1)]);
    let mut driver = Driver::new(8);
    many.receive(Instant::ZERO, 1, &mut driver.out());
    many.receive(Instant::ZERO, 101, &mut driver.out());
    assert_eq!(ups(&mut driver), [2]);
    assert_eq!(driver.ledger.drops(crate::Reason::LinkDeviceDown), 1);
}

#[test]
fn traced_shows_what_crosses() {
    let mut seen = Vec::new();
    let mut driver = Driver::new(8);
    let mut traced = Traced::new(step(1), |_, crossing, item: &dyn core::fmt::Debug| {
        seen.push((crossing, format!("{item:?}")));
    });
    traced.receive(Instant::ZERO, 3, &mut driver.out());
    assert_eq!(seen, [(Crossing::Receive, "3".to_owned()), (Crossing::Up, "4".to_owned())]);
}
