//! `Impaired` is a layer like the one it wraps: the laws hold for it too.

use laws::{BoxedStrategy, Limits, Strategy, Subject, check};
use layer::{Accounted, Duration, Instant, Layer, Out};
use proptest::prelude::any;
use sim::impaired::Faults;
use sim::{Chance, Impaired};

/// Passes numbers through.
struct Pipe;

impl Layer for Pipe {
    type FromBelow = u8;
    type ToAbove = u8;
    type FromAbove = u8;
    type ToBelow = u8;
    fn receive(&mut self, _: Instant, item: u8, out: &mut Out<'_, Self>) {
        out.up.push(item);
    }
    fn send(&mut self, _: Instant, item: u8, out: &mut Out<'_, Self>) {
        out.down.push(item);
    }
    fn poll(&mut self, _: Instant, _: &mut Out<'_, Self>) {}
    fn poll_at(&self) -> Option<Instant> {
        None
    }
}

impl Accounted for Pipe {
    fn held_items(&self) -> usize {
        0
    }
}

struct Faulty(Faults);

impl Subject for Faulty {
    type L = Impaired<Pipe>;
    fn build(&self) -> Impaired<Pipe> {
        Impaired::new(Pipe, self.0, 1)
    }
    fn below(&self) -> BoxedStrategy<u8> {
        any::<u8>().boxed()
    }
    fn above(&self) -> BoxedStrategy<u8> {
        any::<u8>().boxed()
    }
    fn limits(&self) -> Limits {
        // Without copies nothing is made: every item is delivered, held or lost.
        Limits { exact: self.0.duplicate == Chance::NEVER, ..Limits::default() }
    }
}

#[test]
fn a_faulty_neighbour_keeps_the_laws() {
    let late = Faults {
        loss: Chance::percent(20),
        delay: Duration::from_millis(30),
        reorder: Chance::percent(30),
        late: Duration::from_millis(30),
        ..Faults::default()
    };
    check(&Faulty(late), 128);
    check(&Faulty(Faults { duplicate: Chance::percent(20), ..late }), 128);
}
