//! [`Fork`]: two layers side by side on one neighbour below, e.g. TCP and UDP on IP.

use crate::outlet::ROOM;
use crate::time::earliest;
use crate::timed::Timed;
use crate::{Accounted, Counted, Instant, Layer, Out, Outlet, Outs};

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The first.
    A,
    /// The second.
    B,
}

/// An item from below that knows which side it is for.
pub trait Sided {
    /// For which side.
    fn side(&self) -> Side;
}

/// An item of one side or the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Either<A, B> {
    /// Of the first side.
    A(A),
    /// Of the second side.
    B(B),
}

/// `A` beside `B`. From below, items find their side by [`Sided`]; upward they are tagged.
#[derive(Debug)]
pub struct Fork<A, B>
where
    A: Layer,
    B: Layer<FromBelow = A::FromBelow, ToBelow = A::ToBelow>,
{
    a: Timed<A>,
    b: Timed<B>,
    a_up: Outlet<A::ToAbove>,
    b_up: Outlet<B::ToAbove>,
}

impl<A, B> Fork<A, B>
where
    A: Layer,
    B: Layer<FromBelow = A::FromBelow, ToBelow = A::ToBelow>,
{
    /// Puts the two side by side.
    pub fn new(a: A, b: B) -> Self {
        let (a, b) = (Timed::new(a), Timed::new(b));
        Self { a, b, a_up: Outlet::with_capacity(ROOM), b_up: Outlet::with_capacity(ROOM) }
    }

    /// The first side.
    pub fn a(&self) -> &A {
        self.a.get()
    }

    /// The second side.
    pub fn b(&self) -> &B {
        self.b.get()
    }

    /// The first side, for control.
    pub fn a_mut(&mut self) -> &mut A {
        self.a.get_mut()
    }

    /// The second side, for control.
    pub fn b_mut(&mut self) -> &mut B {
        self.b.get_mut()
    }

    fn with_a(&mut self, out: &mut Out<'_, Self>, call: impl FnOnce(&mut A, &mut Out<'_, A>))
    where
        A::FromBelow: Sided,
    {
        self.a_up.set_capacity(out.up.room());
        let mut inner = Outs { up: &mut self.a_up, down: out.down, ledger: out.ledger };
        self.a.call(|a| call(a, &mut inner));
        while let Some(item) = self.a_up.pop() {
            out.up.push(Either::A(item));
        }
    }

    fn with_b(&mut self, out: &mut Out<'_, Self>, call: impl FnOnce(&mut B, &mut Out<'_, B>))
    where
        A::FromBelow: Sided,
    {
        self.b_up.set_capacity(out.up.room());
        let mut inner = Outs { up: &mut self.b_up, down: out.down, ledger: out.ledger };
        self.b.call(|b| call(b, &mut inner));
        while let Some(item) = self.b_up.pop() {
            out.up.push(Either::B(item));
        }
    }
}

impl<A, B> Layer for Fork<A, B>
where
    A: Layer,
    A::FromBelow: Sided,
    B: Layer<FromBelow = A::FromBelow, ToBelow = A::ToBelow>,
{
    type FromBelow = A::FromBelow;
    type ToAbove = Either<A::ToAbove, B::ToAbove>;
    type FromAbove = Either<A::FromAbove, B::FromAbove>;
    type ToBelow = A::ToBelow;

    fn receive(&mut self, now: Instant, item: Self::FromBelow, out: &mut Out<'_, Self>) {
        match item.side() {
            Side::A => self.with_a(out, |a, out| a.receive(now, item, out)),
            Side::B => self.with_b(out, |b, out| b.receive(now, item, out)),
        }
    }

    fn send(&mut self, now: Instant, item: Self::FromAbove, out: &mut Out<'_, Self>) {
        match item {
            Either::A(item) => self.with_a(out, |a, out| a.send(now, item, out)),
            Either::B(item) => self.with_b(out, |b, out| b.send(now, item, out)),
        }
    }

    fn poll(&mut self, now: Instant, out: &mut Out<'_, Self>) {
        // Law L3: who is not due would put out nothing.
        if self.a.is_due(now) {
            self.with_a(out, |a, out| a.poll(now, out));
        }
        if self.b.is_due(now) {
            self.with_b(out, |b, out| b.poll(now, out));
        }
    }

    fn poll_at(&self) -> Option<Instant> {
        earliest(self.a.poll_at(), self.b.poll_at())
    }
}

impl<A, B> Accounted for Fork<A, B>
where
    A: Layer + Accounted,
    B: Layer<FromBelow = A::FromBelow, ToBelow = A::ToBelow> + Accounted,
{
    fn held_items(&self) -> usize {
        self.a().held_items() + self.b().held_items()
    }

    fn held_bytes(&self) -> usize {
        self.a().held_bytes() + self.b().held_bytes()
    }
}

impl<A, B> Counted for Fork<A, B>
where
    A: Layer + Counted,
    B: Layer<FromBelow = A::FromBelow, ToBelow = A::ToBelow> + Counted,
{
    fn counters(&self, each: &mut dyn FnMut(&'static str, u64)) {
        self.a().counters(each);
        self.b().counters(each);
    }
}
