//! Ports at the lower end: one outlet towards several devices, and the ends that have no lane.

use std::sync::{Arc, Weak};

use layer::boundary::{BATCH, Frame};
use layer::{Instant, Interfaced, Layer, Outlet};
use parking_lot::Mutex;

use crate::clock::Clock;
use crate::lane::{Lane, Port, Ring};
use crate::stage::Stage;

/// Sorts frames by their interface into the lanes of the devices.
pub struct ByInterface {
    lanes: Vec<Arc<Lane<Frame>>>,
    /// Frames on their way from the outlet into a lane; each holds what its lane had no room for.
    sorted: Mutex<Vec<Outlet<Frame>>>,
}

impl ByInterface {
    /// Towards these devices, in the order of their interface ids.
    pub fn new(lanes: Vec<Arc<Lane<Frame>>>) -> Self {
        let sorted = lanes.iter().map(|_| Outlet::with_capacity(BATCH)).collect();
        Self { lanes, sorted: Mutex::new(sorted) }
    }
}

impl Port<Frame> for ByInterface {
    fn offer(&self, outlet: &mut Outlet<Frame>) -> bool {
        if let [only] = &*self.lanes {
            return only.offer(outlet);
        }
        let mut moved = false;
        let mut sorted = self.sorted.lock();
        loop {
            while let Some(frame) = outlet.pop() {
                // A frame for no device cannot be: link made it for one of its interfaces.
                let Some(target) = sorted.get_mut(frame.interface().index()) else { continue };
                if target.room() == 0 {
                    outlet.unpop(frame);
                    break;
                }
                target.push(frame);
            }
            let mut progress = false;
            for (lane, waiting) in self.lanes.iter().zip(sorted.iter_mut()) {
                progress |= lane.offer(waiting);
            }
            moved |= progress;
            if !progress || outlet.is_empty() {
                return moved;
            }
        }
    }

    fn notify(&self, now: Option<Instant>) {
        for lane in &self.lanes {
            lane.notify(now);
        }
    }

    fn bind(&self, producer: Weak<dyn Ring>) {
        for lane in &self.lanes {
            lane.bind(producer.clone());
        }
    }
}

/// Where nothing ever goes: the lower end of a driver without devices, say. Takes all.
pub struct Nowhere;

impl<T> Port<T> for Nowhere {
    fn offer(&self, outlet: &mut Outlet<T>) -> bool {
        outlet.drain().for_each(drop);
        false
    }

    fn notify(&self, _: Option<Instant>) {}

    fn bind(&self, _: Weak<dyn Ring>) {}
}

/// Frames go straight into a stage, in the thread that brings them: the pipeline without lanes.
pub struct Direct<L: Layer> {
    stage: Arc<Stage<L>>,
    clock: Clock,
}

impl<L: Layer> Direct<L> {
    /// Into this stage.
    pub fn new(stage: Arc<Stage<L>>, clock: Clock) -> Self {
        Self { stage, clock }
    }
}

impl<L> Port<Frame> for Direct<L>
where
    L: Layer<FromBelow = Frame> + Send,
    L::ToAbove: Send,
    L::FromAbove: Send,
    L::ToBelow: Send,
{
    /// Not under any lock here: a reader has none.
    fn offer(&self, outlet: &mut Outlet<Frame>) -> bool {
        let before = outlet.len();
        let mut left = before;
        while left > 0 {
            self.stage.enter(self.clock.now(), |layer, now, out| {
                while out.up.room() > 0
                    && let Some(frame) = outlet.pop()
                {
                    self.stage.hand_up(layer, now, frame, out);
                }
            });
            // Leaving the stage makes room above; nobody would tell us of it.
            if outlet.len() == left {
                break;
            }
            left = outlet.len();
        }
        outlet.len() < before
    }

    fn notify(&self, _: Option<Instant>) {}

    fn bind(&self, _: Weak<dyn Ring>) {}
}
