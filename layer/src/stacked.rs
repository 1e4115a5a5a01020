//! [`Stacked`]: two layers, one on the other, as one layer that runs to completion.

use crate::outlet::ROOM;
use crate::time::earliest;
use crate::timed::Timed;
use crate::{Accounted, Counted, Instant, Layer, Out, Outlet, Outs};

/// `Upper` on `Lower`, joined at a boundary that both must agree on: mis-wiring does not compile.
///
/// ```text
///          out.up ^        | send
///               +-------------+
///               |    Upper    |
///               +-------------+
///      rising ^        | sinking        <- moved across until quiet, at most ROUNDS a call
///               +-------------+
///               |    Lower    |
///               +-------------+
///        receive ^        | out.down
/// ```
#[derive(Debug)]
pub struct Stacked<Lower, Upper>
where
    Lower: Layer,
    Upper: Layer<FromBelow = Lower::ToAbove, ToBelow = Lower::FromAbove>,
{
    lower: Timed<Lower>,
    upper: Timed<Upper>,
    rising: Outlet<Lower::ToAbove>,
    sinking: Outlet<Lower::FromAbove>,
    /// The last time we were told, for the answer "at once".
    now: Instant,
}

impl<Lower, Upper> Stacked<Lower, Upper>
where
    Lower: Layer,
    Upper: Layer<FromBelow = Lower::ToAbove, ToBelow = Lower::FromAbove>,
{
    /// Crossings of the inner boundary in one call: enough for every exchange that ends by itself
    /// (a handshake over loopback takes 6), few enough that a loop cannot hold up the driver.
    pub const ROUNDS: usize = 16;

    /// Puts `upper` on `lower`.
    pub fn new(lower: Lower, upper: Upper) -> Self {
        Self {
            lower: Timed::new(lower),
            upper: Timed::new(upper),
            rising: Outlet::with_capacity(ROOM),
            sinking: Outlet::with_capacity(ROOM),
            now: Instant::ZERO,
        }
    }

    /// The lower layer.
    pub fn lower(&self) -> &Lower {
        self.lower.get()
    }

    /// The upper layer.
    pub fn upper(&self) -> &Upper {
        self.upper.get()
    }

    /// The lower layer, for control.
    pub fn lower_mut(&mut self) -> &mut Lower {
        self.lower.get_mut()
    }

    /// The upper layer, for control that puts nothing out.
    pub fn upper_mut(&mut self) -> &mut Upper {
        self.upper.get_mut()
    }

    /// Calls into the upper layer with its outlets, then lets what came out settle. How an
    /// application's call enters at the top.
    pub fn with_upper<R>(
        &mut self,
        now: Instant,
        out: &mut Out<'_, Self>,
        call: impl FnOnce(&mut Upper, &mut Out<'_, Upper>) -> R,
    ) -> R {
        self.now = now;
        self.sinking.set_capacity(ROOM.min(out.down.room()));
        let mut inner = Outs { up: out.up, down: &mut self.sinking, ledger: out.ledger };
        let result = self.upper.call(|upper| call(upper, &mut inner));
        self.settle(now, out);
        result
    }

    /// Calls into the lower layer with its outlets, then lets what came out settle.
    pub fn with_lower<R>(
        &mut self,
        now: Instant,
        out: &mut Out<'_, Self>,
        call: impl FnOnce(&mut Lower, &mut Out<'_, Lower>) -> R,
    ) -> R {
        self.now = now;
        let mut inner = Outs { up: &mut self.rising, down: out.down, ledger: out.ledger };
        let result = self.lower.call(|lower| call(lower, &mut inner));
        self.settle(now, out);
        result
    }

    /// Moves items across the inner boundary until both sides are quiet or rounds run out.
    fn settle(&mut self, now: Instant, out: &mut Out<'_, Self>) {
        let Self { lower, upper, rising, sinking, .. } = self;
        for _ in 0..Self::ROUNDS {
            if rising.is_empty() && sinking.is_empty() {
                return;
            }
            if !rising.is_empty() {
                upper.call(|upper| {
                    for _ in 0..rising.len() {
                        let Some(item) = rising.pop() else { break };
                        sinking.set_capacity(ROOM.min(out.down.room()));
                        let (up, ledger) = (&mut *out.up, &mut *out.ledger);
                        upper.receive(now, item, &mut Outs { up, down: sinking, ledger });
                    }
                });
            }
            if !sinking.is_empty() {
                lower.call(|lower| {
                    for _ in 0..sinking.len() {
                        let Some(item) = sinking.pop() else { break };
                        let (down, ledger) = (&mut *out.down, &mut *out.ledger);
                        lower.send(now, item, &mut Outs { up: rising, down, ledger });
                    }
                });
            }
        }
    }
}

impl<Lower, Upper> Layer for Stacked<Lower, Upper>
where
    Lower: Layer,
    Upper: Layer<FromBelow = Lower::ToAbove, ToBelow = Lower::FromAbove>,
{
    type FromBelow = Lower::FromBelow;
    type ToAbove = Upper::ToAbove;
    type FromAbove = Upper::FromAbove;
    type ToBelow = Lower::ToBelow;

    fn receive(&mut self, now: Instant, item: Self::FromBelow, out: &mut Out<'_, Self>) {
        self.with_lower(now, out, |lower, out| lower.receive(now, item, out));
    }

    fn send(&mut self, now: Instant, item: Self::FromAbove, out: &mut Out<'_, Self>) {
        self.with_upper(now, out, |upper, out| upper.send(now, item, out));
    }

    fn poll(&mut self, now: Instant, out: &mut Out<'_, Self>) {
        self.now = now;
        for _ in 0..Self::ROUNDS {
            // Law L3: who is not due would put out nothing.
            if self.lower.is_due(now) {
                self.with_lower(now, out, |lower, out| lower.poll(now, out));
            }
            if self.upper.is_due(now) {
                self.with_upper(now, out, |upper, out| upper.poll(now, out));
            }
            self.settle(now, out);
            // What the upper layer sent down may have given the lower one something to do at once.
            // Where an outlet is full, more rounds would not help.
            let quiet = self.poll_at().is_none_or(|at| at > now);
            if quiet || out.down.room() == 0 || out.up.room() == 0 {
                return;
            }
        }
    }

    fn poll_at(&self) -> Option<Instant> {
        if self.rising.is_empty() && self.sinking.is_empty() {
            earliest(self.lower.poll_at(), self.upper.poll_at())
        } else {
            Some(self.now)
        }
    }
}

impl<Lower, Upper> Accounted for Stacked<Lower, Upper>
where
    Lower: Layer + Accounted,
    Upper: Layer<FromBelow = Lower::ToAbove, ToBelow = Lower::FromAbove> + Accounted,
{
    fn held_items(&self) -> usize {
        self.lower().held_items()
            + self.upper().held_items()
            + self.rising.len()
            + self.sinking.len()
    }

    fn held_bytes(&self) -> usize {
        self.lower().held_bytes() + self.upper().held_bytes()
    }
}

impl<Lower, Upper> Counted for Stacked<Lower, Upper>
where
    Lower: Layer + Counted,
    Upper: Layer<FromBelow = Lower::ToAbove, ToBelow = Lower::FromAbove> + Counted,
{
    fn counters(&self, each: &mut dyn FnMut(&'static str, u64)) {
        self.lower().counters(each);
        self.upper().counters(each);
    }
}

#[cfg(test)]
mod tests;
