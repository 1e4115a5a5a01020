//! The top of a stack: how an application's call enters, and how news reach applications.

use std::sync::{Arc, Weak};

use layer::{Instant, Layer, Out, Outlet, Stacked};
use parking_lot::Mutex;
use socket::{Hub, Ready};

use crate::clock::Clock;
use crate::lane::{Port, Ring};
use crate::stage::Stage;

/// A call into the hub with its ways out.
pub type HubCall<'a> = &'a mut dyn FnMut(Instant, &mut Hub, &mut Out<'_, Hub>);

/// The stage that has the hub, whatever else is in it.
pub trait Top: Send + Sync {
    /// Calls into the hub; what came of it has left the stage when this returns.
    fn with_hub(&self, call: HubCall<'_>);
}

/// A layer with the hub at its top.
pub(crate) trait HasHub: Layer {
    /// Calls into it and lets what came out settle.
    fn with_hub(&mut self, now: Instant, out: &mut Out<'_, Self>, call: HubCall<'_>);
}

impl HasHub for Hub {
    fn with_hub(&mut self, now: Instant, out: &mut Out<'_, Self>, call: HubCall<'_>) {
        call(now, self, out);
    }
}

impl<A, B> HasHub for Stacked<A, B>
where
    A: Layer,
    B: HasHub + Layer<FromBelow = A::ToAbove, ToBelow = A::FromAbove>,
{
    fn with_hub(&mut self, now: Instant, out: &mut Out<'_, Self>, call: HubCall<'_>) {
        self.with_upper(now, out, |upper, out| upper.with_hub(now, out, call));
    }
}

/// A top stage with the clock that its callers do not have.
pub(crate) struct Entrance<L: Layer> {
    pub(crate) stage: Arc<Stage<L>>,
    pub(crate) clock: Clock,
}

impl<L> Top for Entrance<L>
where
    L: HasHub + Send,
    L::FromBelow: Send,
    L::ToAbove: Send,
    L::FromAbove: Send,
    L::ToBelow: Send,
{
    fn with_hub(&self, call: HubCall<'_>) {
        self.stage.enter(self.clock.now(), |layer, now, out| layer.with_hub(now, out, call));
    }
}

/// Where news for applications go: whoever waits is woken after the stage's lock is released.
pub(crate) struct News {
    waiting: Mutex<Vec<Ready>>,
    /// An emptied list, to be filled next.
    spare: Mutex<Vec<Ready>>,
    tell: Box<dyn Fn(Ready) + Send + Sync>,
}

impl News {
    pub(crate) fn new(tell: Box<dyn Fn(Ready) + Send + Sync>) -> Self {
        Self { waiting: Mutex::default(), spare: Mutex::default(), tell }
    }
}

impl Port<Ready> for News {
    /// Takes all: at most one item a socket waits, and each is taken at once.
    fn offer(&self, outlet: &mut Outlet<Ready>) -> bool {
        if outlet.is_empty() {
            return false;
        }
        let mut waiting = self.waiting.lock();
        while let Some(item) = outlet.pop() {
            waiting.push(item);
        }
        true
    }

    fn notify(&self, _: Option<Instant>) {
        let mut news = core::mem::take(&mut *self.spare.lock());
        core::mem::swap(&mut news, &mut *self.waiting.lock());
        news.drain(..).for_each(&self.tell);
        *self.spare.lock() = news;
    }

    fn bind(&self, _: Weak<dyn Ring>) {}
}
