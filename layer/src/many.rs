//! [`Many`]: several links under one IP, each with its own instance of the layer.

use crate::time::earliest;
use crate::timed::Timed;
use crate::{Accounted, Counted, Instant, InterfaceId, Layer, Out, Reason};

/// An item that says to which interface it belongs.
pub trait Interfaced {
    /// Which interface.
    fn interface(&self) -> InterfaceId;
}

/// An item that may have come in as a frame with a number, see [`crate::PacketBuf::serial`].
pub trait Numbered {
    /// The frame's number; 0 if it has none.
    fn serial(&self) -> u32;
}

/// One `L` per interface, found by [`InterfaceId`] as an index.
#[derive(Debug)]
pub struct Many<L> {
    links: Vec<Timed<L>>,
}

impl<L: Layer> Many<L> {
    /// The layers of all interfaces, in the order of their ids.
    pub fn new(links: Vec<L>) -> Self {
        Self { links: links.into_iter().map(Timed::new).collect() }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &L> {
        self.links.iter().map(Timed::get)
    }

    /// All of them, for control.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut L> {
        self.links.iter_mut().map(Timed::get_mut)
    }
}

impl<L> Layer for Many<L>
where
    L: Layer,
    L::FromBelow: Interfaced,
    L::FromAbove: Interfaced,
{
    type FromBelow = L::FromBelow;
    type ToAbove = L::ToAbove;
    type FromAbove = L::FromAbove;
    type ToBelow = L::ToBelow;

    fn receive(&mut self, now: Instant, item: Self::FromBelow, out: &mut Out<'_, Self>) {
        match self.links.get_mut(item.interface().index()) {
            Some(link) => link.call(|link| link.receive(now, item, out)),
            None => out.drop(Reason::LinkDeviceDown, item),
        }
    }

    fn send(&mut self, now: Instant, item: Self::FromAbove, out: &mut Out<'_, Self>) {
        match self.links.get_mut(item.interface().index()) {
            Some(link) => link.call(|link| link.send(now, item, out)),
            None => out.drop(Reason::LinkDeviceDown, item),
        }
    }

    fn poll(&mut self, now: Instant, out: &mut Out<'_, Self>) {
        // Law L3: who is not due would put out nothing.
        for link in self.links.iter_mut().filter(|link| link.is_due(now)) {
            link.call(|link| link.poll(now, out));
        }
    }

    fn poll_at(&self) -> Option<Instant> {
        self.links.iter().fold(None, |at, link| earliest(at, link.poll_at()))
    }
}

impl<L: Layer + Accounted> Accounted for Many<L> {
    fn held_items(&self) -> usize {
        self.iter().map(Accounted::held_items).sum()
    }

    fn held_bytes(&self) -> usize {
        self.iter().map(Accounted::held_bytes).sum()
    }
}

impl<L: Layer + Counted> Counted for Many<L> {
    /// Sums over the interfaces: every instance reports the same names in the same order.
    fn counters(&self, each: &mut dyn FnMut(&'static str, u64)) {
        let mut sums: Vec<(&'static str, u64)> = Vec::new();
        for link in self.iter() {
            let mut at = 0;
            link.counters(&mut |name, value| {
                match sums.get_mut(at) {
                    Some((_, sum)) => *sum += value,
                    None => sums.push((name, value)),
                }
                at += 1;
            });
        }
        for (name, value) in sums {
            each(name, value);
        }
    }
}
