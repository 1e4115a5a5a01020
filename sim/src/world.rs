//! [`World`]: stations on wires in virtual time, from one seed.
//!
//! The world jumps from event to event: the next frame that arrives, the next deadline of a
//! station. Nothing else decides what happens, so a seed tells the whole story to the last bit.
//!
//! What is checked on the way and at the end:
//!
//! * streams: every application compares each byte it receives with what it must be;
//! * conservation: every frame put on a wire is delivered, dropped by the wire for a reason, or in
//!   flight; and each host's link has counted exactly the frames that were moved;
//! * liveness: no stall longer than a bound, and an end within a bounded time and number of steps;
//! * rest: when all is said, no host holds a connection or a packet.

use core::fmt;

use ipnet::IpNet;
use layer::boundary::Frame;
use layer::{Duration, Instant, InterfaceId, PacketBuf};
use link::capture::{Capture, Direction};
use socket::{Host, HostConfig, InterfaceConfig};

use crate::application::Application;
use crate::frame::Address;
use crate::rng::Rng;
use crate::segment::{Arrival, Middle, Segment};
use crate::station::{Computer, Station};
use crate::wire::{WireConfig, WireStats};

/// A station of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StationId(usize);

/// A link of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentId(usize);

/// What a run may take.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Events.
    pub steps: u64,
    /// Virtual time.
    pub time: Duration,
    /// Virtual time without any progress of any program.
    pub stall: Duration,
}

impl Default for Bounds {
    /// Enough for some megabytes at the worst: a lost FIN may wait for two minutes of back-off.
    fn default() -> Self {
        Self {
            steps: 10_000_000,
            time: Duration::from_secs(24 * 3600),
            stall: Duration::from_secs(600),
        }
    }
}

/// What a run came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Virtual time until all programs were done.
    pub took: Duration,
    /// Events.
    pub steps: u64,
    /// All wires together.
    pub wires: WireStats,
    /// A hash of every frame, its sender and its time: the same seed gives the same.
    pub trace: u64,
}

/// A promise was broken. Shows the seed, what happened and where everybody was.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The world's.
    pub seed: u64,
    /// Virtual time.
    pub at: Instant,
    /// What was broken.
    pub what: String,
    /// State of all stations and wires.
    pub state: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, at, what, state } = self;
        writeln!(f, "seed {seed}, at {at}: {what}")?;
        f.write_str(state)
    }
}

impl core::error::Error for Failure {}

enum Inhabitant {
    Computer(Box<Computer>),
    Other(Box<dyn Station>),
}

struct Resident {
    station: Inhabitant,
    /// Frames that the world handed to it and took from it.
    received: u64,
    sent: u64,
    /// Something has come for it since it last settled.
    touched: bool,
}

impl Resident {
    fn station(&self) -> &dyn Station {
        match &self.station {
            Inhabitant::Computer(computer) => &**computer,
            Inhabitant::Other(station) => &**station,
        }
    }

    fn station_mut(&mut self) -> &mut dyn Station {
        match &mut self.station {
            Inhabitant::Computer(computer) => &mut **computer,
            Inhabitant::Other(station) => &mut **station,
        }
    }
}

/// Stations, wires, a clock and a seed.
pub struct World {
    seed: u64,
    now: Instant,
    bounds: Bounds,
    residents: Vec<Resident>,
    segments: Vec<Segment>,
    wires: u64,
    steps: u64,
    trace: u64,
    progress: (u64, Instant),
    capture: Option<Capture>,
}

/// When worlds begin: not at the clock's origin, where an unset time would look right.
const BEGINNING: Instant = Instant::from_secs(1000);

/// Frames that a link delivers before the stations act on them, as a device's reader does. Without
/// a limit, the answers to a whole window at once would overflow a host's outlet.
const BATCH: usize = 64;

impl World {
    /// An empty world.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            now: BEGINNING,
            bounds: Bounds::default(),
            residents: Vec::new(),
            segments: Vec::new(),
            wires: 0,
            steps: 0,
            trace: 0,
            progress: (0, BEGINNING),
            capture: None,
        }
    }

    /// Sets what a run may take.
    pub fn set_bounds(&mut self, bounds: Bounds) {
        self.bounds = bounds;
    }

    /// Writes every frame that is put on a wire into `capture`, as its only interface.
    pub fn set_capture(&mut self, capture: Capture) {
        self.capture = Some(capture);
    }

    /// The time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Adds a host with the defaults: [`Address::numbered`] by its order, 10.0.0.n/24.
    pub fn add_host(&mut self) -> StationId {
        let config = self.host_config();
        self.add_host_with(&config)
    }

    /// The configuration of the next host, to be changed.
    pub fn host_config(&self) -> HostConfig {
        let number = self.residents.len() + 1;
        let Address { mac, ip } = Address::numbered(u8::try_from(number).unwrap_or(u8::MAX));
        let net = IpNet::new_assert(ip.into(), 24);
        let mut key = [0; 16];
        Rng::derive(self.seed, "host", number as u64).fill(&mut key);
        HostConfig::new(key).interface(InterfaceConfig::new(mac, vec![net]))
    }

    /// Adds a host.
    pub fn add_host_with(&mut self, config: &HostConfig) -> StationId {
        let computer = Computer::new(Host::new(config));
        self.add(Inhabitant::Computer(Box::new(computer)))
    }

    /// Adds a station that is no host.
    pub fn add_station(&mut self, station: impl Station + 'static) -> StationId {
        self.add(Inhabitant::Other(Box::new(station)))
    }

    fn add(&mut self, station: Inhabitant) -> StationId {
        self.residents.push(Resident { station, received: 0, sent: 0, touched: true });
        StationId(self.residents.len() - 1)
    }

    /// Adds a link.
    pub fn add_segment(&mut self, middle: Middle) -> SegmentId {
        self.segments.push(Segment::new(middle));
        SegmentId(self.segments.len() - 1)
    }

    /// Plugs an interface of a station into a link; `config` is its wire towards the others.
    pub fn attach(
        &mut self,
        segment: SegmentId,
        station: StationId,
        interface: InterfaceId,
        config: WireConfig,
    ) {
        let rng = Rng::derive(self.seed, "wire", self.wires);
        self.wires += 1;
        self.segments[segment.0].attach(station.0, interface, config, rng);
    }

    /// Two stations on a cable, the same faults in both directions.
    pub fn cable(&mut self, a: StationId, b: StationId, config: WireConfig) -> SegmentId {
        let segment = self.add_segment(Middle::Hub);
        self.attach(segment, a, InterfaceId(0), config);
        self.attach(segment, b, InterfaceId(0), config);
        segment
    }

    /// Changes the wires of a link from now on.
    pub fn set_wires(&mut self, segment: SegmentId, config: WireConfig) {
        self.segments[segment.0].set_wires(config);
    }

    /// Starts a program on a host.
    ///
    /// # Panics
    ///
    /// If the station is no host.
    pub fn run_on(&mut self, host: StationId, application: impl Application + 'static) {
        self.computer(host).run(application);
    }

    /// A host's address on the link of [`World::add_host`].
    pub fn address(&self, host: StationId) -> Address {
        Address::numbered(u8::try_from(host.0 + 1).unwrap_or(u8::MAX))
    }

    /// A host, to look at and for control.
    ///
    /// # Panics
    ///
    /// If the station is no host.
    pub fn computer(&mut self, host: StationId) -> &mut Computer {
        match &mut self.residents[host.0].station {
            Inhabitant::Computer(computer) => computer,
            Inhabitant::Other(_) => panic!("station {} is no host", host.0),
        }
    }

    /// A host, to look at.
    ///
    /// # Panics
    ///
    /// If the station is no host.
    pub fn host(&self, host: StationId) -> &Host {
        match &self.residents[host.0].station {
            Inhabitant::Computer(computer) => computer.host(),
            Inhabitant::Other(_) => panic!("station {} is no host", host.0),
        }
    }

    /// Calls into a host from outside, between two events.
    ///
    /// # Panics
    ///
    /// If the station is no host.
    pub fn with_host<R>(
        &mut self,
        host: StationId,
        call: impl FnOnce(Instant, &mut Host) -> R,
    ) -> R {
        self.residents[host.0].touched = true;
        let now = self.now;
        call(now, self.computer(host).host_mut())
    }

    /// Runs until all programs are done.
    ///
    /// # Errors
    ///
    /// A promise was broken.
    pub fn run(&mut self) -> Result<Outcome, Failure> {
        self.run_watching(|_| Ok(()))
    }

    /// As [`World::run`]; `watch` looks at the world after every event and says what is wrong.
    ///
    /// # Errors
    ///
    /// A promise was broken, or `watch` was not content.
    pub fn run_watching(
        &mut self,
        watch: impl FnMut(&Self) -> Result<(), String>,
    ) -> Result<Outcome, Failure> {
        let start = self.now;
        let done = |world: &Self| world.residents.iter().all(|r| r.station().is_done());
        self.run_until(done, watch)?;
        let wires = self.stats();
        let (steps, trace) = (self.steps, self.trace);
        Ok(Outcome { took: self.now.since(start), steps, wires, trace })
    }

    /// After [`World::run`]: lets connections and frames run out, and audits the books.
    ///
    /// # Errors
    ///
    /// Something is left over, or the books disagree.
    pub fn run_out(&mut self) -> Result<(), Failure> {
        self.progress.1 = self.now;
        let quiet = |world: &Self| {
            world.segments.iter().all(|segment| segment.next_at().is_none())
                && world.residents.iter().all(|resident| resident.station().is_at_rest())
        };
        self.run_until(quiet, |_| Ok(()))?;
        self.audit().map_err(|what| self.failure(what))
    }

    /// Runs until then, whatever happens.
    ///
    /// # Errors
    ///
    /// A promise was broken.
    pub fn run_for(&mut self, span: Duration) -> Result<(), Failure> {
        let end = self.now + span;
        while self.next_at().is_some_and(|at| at <= end) {
            self.step().map_err(|what| self.failure(what))?;
        }
        self.now = end;
        Ok(())
    }

    fn run_until(
        &mut self,
        done: impl Fn(&Self) -> bool,
        mut watch: impl FnMut(&Self) -> Result<(), String>,
    ) -> Result<(), Failure> {
        let start = self.now;
        while !done(self) {
            self.step().and_then(|()| watch(self)).map_err(|what| self.failure(what))?;
            let Bounds { steps, time, stall } = self.bounds;
            let broken = if self.steps > steps {
                format!("no end after {steps} steps")
            } else if self.now.since(start) > time {
                format!("no end after {time:?}")
            } else if self.now.since(self.progress.1) > stall {
                format!("nothing moved for {stall:?}")
            } else {
                continue;
            };
            return Err(self.failure(broken));
        }
        Ok(())
    }

    fn next_at(&self) -> Option<Instant> {
        let arrivals = self.segments.iter().filter_map(Segment::next_at);
        let deadlines = self.residents.iter().filter_map(|resident| {
            if resident.touched { Some(self.now) } else { resident.station().next_at() }
        });
        arrivals.chain(deadlines).min()
    }

    /// One event: everything that is due at the next time at which something is.
    fn step(&mut self) -> Result<(), String> {
        let next = self.next_at().ok_or("nothing is pending, and not all is done")?;
        self.now = self.now.max(next);
        self.steps += 1;
        self.deliver();
        for index in 0..self.residents.len() {
            let resident = &mut self.residents[index];
            let due = resident.station().next_at().is_some_and(|at| at <= self.now);
            if due || core::mem::take(&mut resident.touched) {
                self.settle(index).map_err(|what| format!("station {index}: {what}"))?;
            }
        }
        let moved: u64 = self.residents.iter().map(|r| r.station().progress()).sum();
        if moved != self.progress.0 {
            self.progress = (moved, self.now);
        }
        Ok(())
    }

    fn deliver(&mut self) {
        let Self { residents, segments, now, .. } = self;
        for segment in segments {
            let mut deliver = |arrival: Arrival| {
                let resident = &mut residents[arrival.station];
                resident.received += 1;
                resident.touched = true;
                resident.station_mut().receive(*now, arrival.interface, arrival.packet);
            };
            // What is left of a larger crowd has its turn in the next step, at the same time.
            let mut batch = 0..BATCH;
            while batch.next().is_some() && segment.deliver(*now, &mut deliver) {}
        }
    }

    fn settle(&mut self, index: usize) -> Result<(), String> {
        let mut frames = Vec::new();
        let resident = &mut self.residents[index];
        let settled = resident.station_mut().settle(self.now, &mut frames);
        resident.sent += frames.len() as u64;
        for frame in frames {
            self.put(index, frame);
        }
        settled
    }

    fn put(&mut self, station: usize, frame: Frame) {
        let Self { now, trace, capture, segments, .. } = self;
        let now = *now;
        let Frame { interface, packet } = frame;
        let wire = segments.iter_mut().find_map(|s| s.wire_mut(station, interface));
        // An interface without a cable: what it sends is nobody's business.
        let Some(wire) = wire else { return };
        wire.put(now, packet, |bytes| {
            *trace = hash(*trace, now, station, bytes);
            if let Some(capture) = capture {
                let (piece, side) = (PacketBuf::copy_from(bytes), InterfaceId(0));
                let recorded = capture.record(now.as_nanos(), side, Direction::Out, &piece, None);
                // A full disk must not change the story.
                drop(recorded);
            }
        });
    }

    /// All wires together.
    pub fn stats(&self) -> WireStats {
        self.segments.iter().fold(WireStats::default(), |sum, s| sum.plus(s.stats()))
    }

    fn audit(&self) -> Result<(), String> {
        for wire in self.segments.iter().flat_map(Segment::wires) {
            let stats = wire.stats();
            if stats.in_flight_by_counts() != wire.in_flight() as u64 || stats.uncuttable > 0 {
                return Err(format!("{} frames in flight, but {stats:?}", wire.in_flight()));
            }
        }
        for (index, resident) in self.residents.iter().enumerate() {
            let books = resident.station().audit(resident.received, resident.sent);
            books.map_err(|what| format!("station {index}: {what}"))?;
        }
        Ok(())
    }

    fn failure(&self, what: String) -> Failure {
        let mut state = String::new();
        for (index, resident) in self.residents.iter().enumerate() {
            state += &format!("  station {index}:\n{}\n", resident.station().describe());
        }
        for wire in self.segments.iter().flat_map(Segment::wires) {
            state += &format!("  wire: {} in flight, {:?}\n", wire.in_flight(), wire.stats());
        }
        Failure { seed: self.seed, at: self.now, what, state }
    }
}

/// FNV-1a over the bytes, mixed with time and sender.
fn hash(trace: u64, now: Instant, station: usize, bytes: &[u8]) -> u64 {
    let mut sum = trace ^ crate::rng::mix(now.as_nanos() ^ station as u64);
    for byte in bytes {
        sum = (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    sum
}
