//! [`Stack`]: a host on threads, from its devices to its sockets. How a program starts one.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use stackd::{Interface, Stack};
//!
//! let tap = Interface::tap("stack0").address("10.9.0.2/24".parse()?);
//! let stack = Stack::builder().interface(tap).start()?;
//! let listener = socket::net::TcpListener::bind(stack.sockets(), ([0, 0, 0, 0], 7))?;
//! # Ok(())
//! # }
//! ```

use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use crossbeam_channel::{Receiver, Sender, unbounded};
use layer::boundary::{ConnectionInfo, TcpState};
use layer::{Duration, Instant, Out};
use link::capture::Capture;
use parking_lot::{Mutex, RwLock};
use serde_json::json;
use socket::Hub;
use socket::net::{Carrier, Wakers};

use crate::alarm::Parker;
use crate::builder::{Builder, Opened, StartError};
use crate::clock::Clock;
use crate::config::Pipeline;
use crate::feed::{Feed, frames};
use crate::io::{Failure, Seat};
use crate::orders::{Order, Reply};
use crate::report::Report;
use crate::top::Top;
use crate::topology::{Plan, Topology};

/// How long connections may take to send what they still have, and their FIN, at the end.
const GRACE: Duration = Duration::from_millis(500);

/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// Batches that a lane holds: 512 packets. More would only be more waiting; a stage that is not
/// running is run by whoever delivers to it.
pub(crate) const LANE_CAPACITY: usize = 8;

/// An interface of a running stack.
#[derive(Clone, Debug)]
pub struct InterfaceInfo {
    /// Name of the device.
    pub name: String,
    /// Our Ethernet address.
    pub mac: layer::MacAddr,
    /// Largest IP packet, bytes.
    pub mtu: u32,
    /// Our addresses.
    pub addresses: Vec<ipnet::Ipv4Net>,
    /// The address that this machine's end was given by us.
    pub host_address: Option<ipnet::Ipv4Net>,
    /// The device takes super-frames and unfinished checksums.
    pub offload: bool,
    /// The device goes away with the stack.
    pub created: bool,
}

/// A running host. Dropping it without [`Stack::shutdown`] cuts its connections.
pub struct Stack {
    topology: RwLock<Option<Topology>>,
    entry: Arc<Entry>,
    wakers: Arc<Wakers>,
    sockets: socket::net::Stack,
    failures: Receiver<Failure>,
    interfaces: Vec<InterfaceInfo>,
    pipeline: Pipeline,
    clock: Clock,
    started: Instant,
    capture: Option<Arc<Mutex<Capture>>>,
    feed: Arc<Feed>,
}

/// The way in for applications, closed when the stack ends.
#[derive(Default)]
struct Entry {
    top: OnceLock<Arc<dyn Top>>,
    /// Goes with the topology.
    seat: OnceLock<Weak<Seat>>,
    wakers: Weak<Wakers>,
    ended: AtomicBool,
}

impl Entry {
    fn seat(&self) -> Option<Arc<Seat>> {
        self.seat.get().and_then(Weak::upgrade)
    }
}

impl Carrier for Entry {
    fn with_hub(&self, call: &mut dyn FnMut(Instant, &mut Hub, &mut Out<'_, Hub>)) {
        if let Some(top) = self.top.get().filter(|_| !self.ended.load(Ordering::SeqCst)) {
            top.with_hub(call);
        }
    }

    fn lead(&self, wanted: &dyn Fn() -> bool, limit: Option<Duration>) -> bool {
        let Some(seat) = self.seat().filter(|_| !self.ended.load(Ordering::SeqCst)) else {
            return false;
        };
        let others = || self.wakers.upgrade().is_some_and(|wakers| wakers.sleepers() > 0);
        seat.lead(wanted, limit, &others)
    }

    fn visit(&self) {
        if let Some(seat) = self.seat().filter(|_| !self.ended.load(Ordering::SeqCst)) {
            seat.visit(&|| self.wakers.upgrade().is_some_and(|wakers| wakers.sleepers() > 0));
        }
    }

    fn nudge(&self) {
        if let Some(seat) = self.seat() {
            seat.nudge();
        }
    }
}

impl Stack {
    /// A stack to be described.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Wires what the builder has opened, and starts the threads.
    pub(crate) fn run(opened: Opened) -> Result<Self, StartError> {
        let Opened { config, devices, interfaces, pipeline, lane_capacity, capture } = opened;
        let (clock, wakers, feed) = (Clock::start(), Wakers::new(), Feed::new());
        let devices = frames::tap_all(devices, &feed);
        let told = Arc::clone(&wakers);
        let (failed, failures): (Sender<Failure>, _) = unbounded();
        let plan = Plan {
            pipeline,
            config: &config,
            devices,
            lane_capacity,
            clock,
            news: Box::new(move |ready| told.notify(&ready)),
            failures: failed,
            feed: Arc::clone(&feed),
        };
        let topology = Topology::start(plan).map_err(StartError::Threads)?;
        let entry = Arc::new(Entry { wakers: Arc::downgrade(&wakers), ..Entry::default() });
        // Set once, here.
        let _ = entry.top.set(Arc::clone(topology.top()));
        if let Some(seat) = topology.seat() {
            let _ = entry.seat.set(Arc::downgrade(&seat));
        }
        Ok(Self {
            sockets: socket::net::Stack::new(entry.clone(), Arc::clone(&wakers)),
            topology: RwLock::new(Some(topology)),
            entry,
            wakers,
            failures,
            interfaces,
            pipeline,
            clock,
            started: clock.now(),
            capture,
            feed,
        })
    }

    /// The sockets: give this to `socket::net`'s `bind` and `connect`.
    pub fn sockets(&self) -> &socket::net::Stack {
        &self.sockets
    }

    /// What time it is for the stack.
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// How often a thread that would only have slept did the reader's work (see `io/seat.rs`); for
    /// measurements.
    pub fn led(&self) -> u64 {
        self.entry.seat().map_or(0, |seat| seat.led())
    }

    /// Devices that are gone for good. The stack goes on without them.
    pub fn failures(&self) -> &Receiver<Failure> {
        &self.failures
    }

    /// Its interfaces, in the order of their ids.
    pub fn interfaces(&self) -> &[InterfaceInfo] {
        &self.interfaces
    }

    /// What the stack knows of itself, asked of every stage.
    pub fn report(&self) -> Report {
        self.gather(Topology::report)
    }

    /// As [`Stack::report`], without the connections.
    pub(crate) fn summary(&self) -> Report {
        self.gather(Topology::summary)
    }

    /// Has the layer do it whose business it is; `None` if the stack has ended.
    pub(crate) fn order(&self, order: &Order) -> Option<Reply> {
        self.topology.read().as_ref()?.order(order)
    }

    /// It is ending, or has.
    pub(crate) fn has_ended(&self) -> bool {
        self.entry.ended.load(Ordering::SeqCst)
    }

    /// What layers state and what crosses devices.
    pub(crate) fn feed(&self) -> &Arc<Feed> {
        &self.feed
    }

    fn gather(&self, ask: impl Fn(&Topology) -> Report) -> Report {
        let topology = self.topology.read();
        let mut report = topology.as_ref().map(ask).unwrap_or_default();
        let books = topology.as_ref().map(Topology::books).unwrap_or_default();
        report.uptime_s = self.clock.now().since(self.started).as_secs_f64();
        report.pipeline = self.pipeline.name();
        report.interfaces = self
            .interfaces
            .iter()
            .zip(books)
            .map(|(interface, books)| {
                json!({
                    "name": interface.name,
                    "mac": interface.mac.to_string(),
                    "mtu": interface.mtu,
                    "offload": interface.offload,
                    "up": !books.is_down,
                    "received": books.received,
                    "sent": books.sent,
                })
            })
            .collect();
        report
    }

    /// Ends it: applications are told `ENETDOWN`, connections send what they still have and FIN
    /// (RST where that takes longer than half a second), threads are joined, devices closed. A TAP
    /// that was made for the stack is removed thereby.
    pub fn shutdown(&self) {
        self.entry.ended.store(true, Ordering::SeqCst);
        self.wakers.wake_all();
        let Some(topology) = self.topology.write().take() else { return };
        close_connections(&topology, self.clock);
        topology.stop();
        if let Some(capture) = &self.capture {
            let mut capture = capture.lock();
            let flushed = capture.flush();
            if let Some(error) = capture.take_failure().or(flushed.err()) {
                tracing::error!("the {error}: it is not complete");
            }
        }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.entry.ended.store(true, Ordering::SeqCst);
        self.wakers.wake_all();
    }
}

/// Finishes sending on all connections, waits for that, and closes or resets them.
fn close_connections(topology: &Topology, clock: Clock) {
    let parker = Parker::default();
    let each = |connections: &[ConnectionInfo],
                end: fn(&mut Hub, &ConnectionInfo, &mut Out<'_, Hub>)| {
        topology.top().with_hub(&mut |_, hub, out| {
            connections.iter().for_each(|connection| end(hub, connection, out));
        });
    };
    // Errors below: the connection has ended by itself meanwhile.
    each(&topology.connections(), |hub, connection, out| {
        let _ = hub.shutdown(connection.socket, Shutdown::Write, out);
    });
    let deadline = clock.now() + GRACE;
    let left = loop {
        let connections = topology.connections();
        let done = !connections.iter().any(|connection| owes(connection.state));
        if done || clock.now() >= deadline {
            break connections;
        }
        parker.sleep(clock, Some(clock.now() + LOOK));
    };
    each(&left, |hub, connection, out| {
        let _ = if owes(connection.state) {
            hub.abort(connection.socket, out)
        } else {
            hub.close(connection.socket, out)
        };
    });
}

/// The peer has not acknowledged our FIN yet.
fn owes(state: TcpState) -> bool {
    match state {
        TcpState::SynReceived
        | TcpState::Established
        | TcpState::FinWait1
        | TcpState::CloseWait
        | TcpState::Closing
        | TcpState::LastAck => true,
        TcpState::Closed
        | TcpState::Listen
        | TcpState::SynSent
        | TcpState::FinWait2
        | TcpState::TimeWait => false,
    }
}
