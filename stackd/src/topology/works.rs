//! Putting a topology together: lanes, stages with their runners and owners, devices with their
//! readers and writers.

use std::io;
use std::sync::Arc;

use crossbeam_channel::Sender;
use layer::boundary::Frame;
use layer::{Duration, Instant, InterfaceId, Layer, Numbered};
use link::{Device, Receiver, Transmitter};
use parking_lot::Mutex;
use socket::Ready;

use crate::alarm::{Alarm, Parker};
use crate::clock::Clock;
use crate::feed::{Feed, Noting};
use crate::io::{
    Books, ByInterface, Direct, EventFd, Failure, Reader, ReaderConfig, ReadingHalf, Writer,
};
use crate::lane::{Lane, Port, Ring};
use crate::orders::Order;
use crate::report::{Inspect, Report};
use crate::runner::{Owner, Runner};
use crate::stage::{Ends, Stage};
use crate::top::{Entrance, HasHub, News, Top};
use crate::topology::{Errand, Probe, Topology};

/// How long a stage may take to answer a question about itself.
const PATIENCE: Duration = Duration::from_secs(2);

/// Both directions of one boundary.
pub(super) struct Boundary<Up, Down> {
    up: Arc<Lane<Up>>,
    down: Arc<Lane<Down>>,
}

impl<Up: Send + 'static, Down: Send + 'static> Boundary<Up, Down> {
    pub(super) fn new(capacity: usize) -> Self {
        Self { up: Arc::new(Lane::new(capacity)), down: Arc::new(Lane::new(capacity)) }
    }

    /// The ends of the lowest stage, between the devices and this boundary.
    pub(super) fn above_devices<L>(
        &self,
        frames: &Arc<Lane<Frame>>,
        down: Box<dyn Port<Frame>>,
    ) -> Ends<L>
    where
        L: Layer<FromBelow = Frame, ToBelow = Frame, ToAbove = Up, FromAbove = Down>,
    {
        let (below, above) = (Some(Arc::clone(frames)), Some(Arc::clone(&self.down)));
        Ends { below, above, up: Box::new(Arc::clone(&self.up)), down }
    }

    /// The ends of a stage on this boundary and under another.
    pub(super) fn under<L, U: Send + 'static, D: Send + 'static>(
        &self,
        above: &Boundary<U, D>,
    ) -> Ends<L>
    where
        L: Layer<FromBelow = Up, ToBelow = Down, ToAbove = U, FromAbove = D>,
    {
        let (up, down) = (Box::new(Arc::clone(&above.up)), Box::new(Arc::clone(&self.down)));
        let (below, above) = (Some(Arc::clone(&self.up)), Some(Arc::clone(&above.down)));
        Ends { below, above, up, down }
    }

    /// The ends of the top stage on this boundary: calls enter it, nothing comes down a lane.
    pub(super) fn under_top<L>(&self, news: Box<News>) -> Ends<L>
    where
        L: Layer<FromBelow = Up, ToBelow = Down, ToAbove = Ready>,
    {
        let below = Some(Arc::clone(&self.up));
        Ends { below, above: None, up: news, down: Box::new(Arc::clone(&self.down)) }
    }
}

/// Rings all readers.
struct Everybody(Vec<Arc<EventFd>>);

impl Ring for Everybody {
    fn ring(&self, now: Option<Instant>) {
        self.0.iter().for_each(|event| event.ring(now));
    }
}

/// A topology in the making.
pub(super) struct Works {
    clock: Clock,
    receivers: Vec<Box<dyn Receiver>>,
    /// With the names of their devices.
    transmitters: Vec<(String, Box<dyn Transmitter>)>,
    books: Vec<Arc<Mutex<Books>>>,
    /// One a reader thread: one a device, or one in all.
    events: Vec<Arc<EventFd>>,
    failures: Sender<Failure>,
    bell: Arc<dyn Ring>,
    writers: Vec<Arc<Runner>>,
    runners: Vec<Arc<Runner>>,
    /// Stages that get a thread of their own, and how it sleeps.
    owned: Vec<(Arc<Runner>, Arc<Parker>)>,
    probes: Vec<Probe>,
    errands: Vec<Errand>,
    feed: Arc<Feed>,
}

impl Works {
    pub(super) fn new(
        clock: Clock,
        devices: Vec<Device>,
        one_thread: bool,
        failures: Sender<Failure>,
        feed: Arc<Feed>,
    ) -> io::Result<Self> {
        let threads = if one_thread { 1 } else { devices.len() };
        let events = (0..threads).map(|_| EventFd::new().map(Arc::new));
        let events: Vec<Arc<EventFd>> = events.collect::<io::Result<_>>()?;
        let books = devices.iter().map(|_| Arc::default()).collect();
        let (receivers, transmitters) = devices
            .into_iter()
            .map(|device| (device.receiver, (device.name, device.transmitter)))
            .unzip();
        Ok(Self {
            clock,
            receivers,
            transmitters,
            books,
            bell: Arc::new(Everybody(events.clone())),
            events,
            failures,
            writers: Vec::new(),
            runners: Vec::new(),
            owned: Vec::new(),
            probes: Vec::new(),
            errands: Vec::new(),
            feed,
        })
    }

    /// The event of the thread that reads this device.
    fn event(&self, device: usize) -> Arc<EventFd> {
        Arc::clone(&self.events[device.min(self.events.len() - 1)])
    }

    /// Makes the writers of all devices, and the port that leads to them.
    pub(super) fn writers(&mut self, capacity: usize) -> Box<dyn Port<Frame>> {
        let mut lanes = Vec::new();
        let transmitters = core::mem::take(&mut self.transmitters).into_iter().enumerate();
        for (index, (name, transmitter)) in transmitters {
            let lane = Arc::new(Lane::new(capacity));
            let (books, alarm) = (Arc::clone(&self.books[index]), Alarm::new(self.event(index)));
            let writer = Writer::new(name, transmitter, Arc::clone(&lane), books, alarm);
            self.writers.push(Runner::new(Arc::new(writer), self.clock));
            lanes.push(lane);
        }
        Box::new(ByInterface::new(lanes))
    }

    /// A stage with a thread of its own.
    pub(super) fn stage<L>(&mut self, name: &'static str, layer: L, ends: Ends<L>) -> Arc<Stage<L>>
    where
        L: Inspect + Send + 'static,
        L::FromBelow: Numbered + Send,
        L::ToAbove: Send,
        L::FromAbove: Send,
        L::ToBelow: Send,
    {
        let parker = Arc::new(Parker::default());
        let stage = Arc::new(Stage::new(name, layer, ends, Alarm::new(parker.clone())));
        let runner = self.run(&stage);
        self.owned.push((runner, parker));
        stage
    }

    /// Makes a stage run by itself, and ready to be asked about itself.
    fn run<L>(&mut self, stage: &Arc<Stage<L>>) -> Arc<Runner>
    where
        L: Inspect + Send + 'static,
        L::FromBelow: Numbered + Send,
        L::ToAbove: Send,
        L::FromAbove: Send,
        L::ToBelow: Send,
    {
        stage.watch(self.feed.clone());
        stage.number(Numbered::serial);
        let noting: Arc<dyn Noting> = stage.clone();
        self.feed.add(&noting);
        let runner = Runner::new(stage.clone(), self.clock);
        self.runners.push(Arc::clone(&runner));
        let asked = Arc::clone(stage);
        self.probes.push(Box::new(move || {
            let question = asked.ask(|layer, now, out| {
                let mut part = Report::default();
                layer.inspect(now, &mut part);
                part.absorb_drops(out.ledger);
                part
            });
            question.recv_timeout(PATIENCE).ok()
        }));
        let asked = Arc::clone(stage);
        // Before those below it: most questions are about connections.
        let errand = Box::new(move |order: &Order| {
            let order = order.clone();
            let question = asked.ask(move |layer, now, out| layer.obey(now, &order, out));
            question.recv_timeout(PATIENCE).ok().flatten()
        });
        self.errands.insert(0, errand);
        runner
    }

    /// The last step where stages have threads: a reader for each device feeds the lane.
    pub(super) fn finish<L>(
        mut self,
        top: Arc<Stage<L>>,
        frames: &Arc<Lane<Frame>>,
    ) -> io::Result<Topology>
    where
        L: HasHub + Send + 'static,
        L::FromBelow: Send,
        L::ToAbove: Send,
        L::FromAbove: Send,
        L::ToBelow: Send,
    {
        frames.bind(Arc::downgrade(&self.bell));
        let mut readers = Vec::new();
        let halves = core::mem::take(&mut self.receivers).into_iter().enumerate();
        for (index, receiver) in halves {
            let devices = vec![self.half(index, receiver)];
            let owned = vec![Arc::clone(&self.writers[index])];
            let target = Box::new(Arc::clone(frames));
            readers.push(self.reader(index, devices, target, owned)?);
        }
        let clock = self.clock;
        self.topology(Arc::new(Entrance { stage: top, clock }), readers)
    }

    /// The last step where there is one thread: it owns the only stage and reads all devices.
    pub(super) fn finish_inline<L>(mut self, layer: L, ends: Ends<L>) -> io::Result<Topology>
    where
        L: HasHub + Inspect + Layer<FromBelow = Frame> + Send + 'static,
        L::ToAbove: Send,
        L::FromAbove: Send,
        L::ToBelow: Send,
    {
        let stage =
            Arc::new(Stage::new("link+arp+ip+transports", layer, ends, Alarm::new(self.event(0))));
        let mut owned = vec![self.run(&stage)];
        owned.extend(self.writers.iter().cloned());
        let halves = core::mem::take(&mut self.receivers).into_iter().enumerate();
        let devices = halves.map(|(index, receiver)| self.half(index, receiver)).collect();
        let clock = self.clock;
        let target = Box::new(Direct::new(Arc::clone(&stage), clock));
        let readers = vec![self.reader(0, devices, target, owned)?];
        self.topology(Arc::new(Entrance { stage, clock }), readers)
    }

    fn half(&self, index: usize, receiver: Box<dyn Receiver>) -> ReadingHalf {
        let interface = InterfaceId(u16::try_from(index).unwrap_or(u16::MAX));
        ReadingHalf { interface, receiver, books: Arc::clone(&self.books[index]) }
    }

    fn reader(
        &self,
        index: usize,
        devices: Vec<ReadingHalf>,
        target: Box<dyn Port<Frame>>,
        owned: Vec<Arc<Runner>>,
    ) -> io::Result<Reader> {
        Reader::start(ReaderConfig {
            name: format!("io{index}"),
            devices,
            target,
            owned,
            event: self.event(index),
            failures: self.failures.clone(),
            clock: self.clock,
        })
    }

    /// Starts the owners' threads: everything is wired now.
    fn topology(self, top: Arc<dyn Top>, readers: Vec<Reader>) -> io::Result<Topology> {
        let start = |(runner, parker): (Arc<Runner>, _)| Owner::start(&runner, parker);
        let owners = self.owned.into_iter().map(start).collect::<io::Result<_>>()?;
        let mut runners = self.runners;
        runners.extend(self.writers);
        let (bell, probes, errands, books) = (self.bell, self.probes, self.errands, self.books);
        Ok(Topology { readers, owners, runners, _bell: bell, probes, errands, top, books })
    }
}
