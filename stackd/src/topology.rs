//! Where the threads are, as data: which layers make a stage, and what runs it.
//!
//! ```text
//!   layers    io | link | arp | ip | transports+hub          a thread each, lanes between
//!   stages    io | link+arp+ip | transports+hub
//!   inline    io+link+arp+ip+transports+hub                  one thread, no lanes
//! ```
//!
//! The layers are the same in all three, and nothing outside this file knows the difference. A
//! stage's thread sleeps unless it is needed: an idle stage is run by whoever delivers to it.

mod works;

use std::io;
use std::sync::Arc;

use crossbeam_channel::Sender;
use layer::Stacked;
use layer::boundary::ConnectionInfo;
use link::Device;
use parking_lot::Mutex;
use socket::Ready;
use socket::assembly::{HostConfig, Parts, parts};

use crate::clock::Clock;
use crate::config::Pipeline;
use crate::feed::Feed;
use crate::io::{Books, Failure, Reader, Seat};
use crate::lane::{Lane, Ring};
use crate::orders::{Order, PAGE, Reply};
use crate::report::Report;
use crate::runner::{Owner, Runner};
use crate::stage::Ends;
use crate::top::{News, Top};
use works::{Boundary, Works};

/// What a topology is built from.
pub(crate) struct Plan<'a> {
    pub(crate) pipeline: Pipeline,
    pub(crate) config: &'a HostConfig,
    /// In the order of their interface ids.
    pub(crate) devices: Vec<Device>,
    /// Batches that a lane holds.
    pub(crate) lane_capacity: usize,
    pub(crate) clock: Clock,
    /// Who is told what the sockets have to tell.
    pub(crate) news: Box<dyn Fn(Ready) + Send + Sync>,
    /// Who is told when a device is gone.
    pub(crate) failures: Sender<Failure>,
    /// What hears of what the layers state.
    pub(crate) feed: Arc<Feed>,
}

/// Asks one stage about itself; `None` if it does not answer.
type Probe = Box<dyn Fn() -> Option<Report> + Send + Sync>;

/// Has one stage do something; `None` if none of its layers knows what that is.
type Errand = Box<dyn Fn(&Order) -> Option<Reply> + Send + Sync>;

/// A running stack: threads, stages, devices. Dropped, it stops in the order of its fields.
pub(crate) struct Topology {
    readers: Vec<Reader>,
    owners: Vec<Owner>,
    runners: Vec<Arc<Runner>>,
    /// What the lowest stage rings when it has room again; lanes hold only weak references.
    _bell: Arc<dyn Ring>,
    probes: Vec<Probe>,
    /// From above downward.
    errands: Vec<Errand>,
    top: Arc<dyn Top>,
    /// By interface.
    books: Vec<Arc<Mutex<Books>>>,
}

impl Topology {
    /// Wires and starts everything.
    pub(crate) fn start(plan: Plan<'_>) -> io::Result<Self> {
        let Plan { pipeline, config, devices, lane_capacity, clock, news, failures, feed } = plan;
        let one_thread = pipeline == Pipeline::Inline;
        let mut works = Works::new(clock, devices, one_thread, failures, feed)?;
        let down = works.writers(lane_capacity);
        let news = Box::new(News::new(news));
        let frames = Arc::new(Lane::new(lane_capacity));
        let Parts { link, arp, ip, transports } = parts(config);
        match pipeline {
            Pipeline::Layers => {
                let link_arp = Boundary::new(lane_capacity);
                let arp_ip = Boundary::new(lane_capacity);
                let ip_transports = Boundary::new(lane_capacity);
                works.stage("link", link, link_arp.above_devices(&frames, down));
                works.stage("arp", arp, link_arp.under(&arp_ip));
                works.stage("ip", ip, arp_ip.under(&ip_transports));
                let ends = ip_transports.under_top(news);
                let top = works.stage("transports", transports, ends);
                works.finish(top, &frames)
            }
            Pipeline::Stages => {
                let boundary = Boundary::new(lane_capacity);
                let lower = Stacked::new(Stacked::new(link, arp), ip);
                works.stage("link+arp+ip", lower, boundary.above_devices(&frames, down));
                let top = works.stage("transports", transports, boundary.under_top(news));
                works.finish(top, &frames)
            }
            Pipeline::Inline => {
                let upper = Stacked::new(ip, transports);
                let whole = Stacked::new(Stacked::new(link, arp), upper);
                works.finish_inline(whole, Ends { below: None, above: None, up: news, down })
            }
        }
    }

    /// The way in for applications.
    pub(crate) fn top(&self) -> &Arc<dyn Top> {
        &self.top
    }

    /// Where an application's thread may do the reader's work, if there is one reader.
    pub(crate) fn seat(&self) -> Option<Arc<Seat>> {
        match &self.readers[..] {
            [reader] => Some(Arc::clone(reader.seat())),
            _ => None,
        }
    }

    /// Asks every stage and every device, and for all connections.
    pub(crate) fn report(&self) -> Report {
        Report { connections: self.connections(), ..self.summary() }
    }

    /// Has the layer do it whose business it is. `None`: nobody's, or it did not answer in time.
    pub(crate) fn order(&self, order: &Order) -> Option<Reply> {
        self.errands.iter().find_map(|errand| errand(order))
    }

    /// All TCP connections, page by page: packets pass between two of them.
    pub(crate) fn connections(&self) -> Vec<ConnectionInfo> {
        let (mut all, mut next) = (Vec::new(), Some(0));
        while let Some(from) = next {
            let order = Order::Connections { from, most: PAGE };
            let Some(Reply::Connections(page, after)) = self.order(&order) else { break };
            all.extend(page);
            next = after;
        }
        all
    }

    /// As [`Topology::report`], without the connections.
    pub(crate) fn summary(&self) -> Report {
        let mut report = Report::default();
        for probe in &self.probes {
            if let Some(part) = probe() {
                report.absorb(part);
            }
        }
        for books in &self.books {
            report.absorb_drops(&books.lock().ledger);
        }
        report.settle();
        report
    }

    /// What is counted about each device, by interface.
    pub(crate) fn books(&self) -> Vec<Books> {
        self.books.iter().map(|books| books.lock().clone()).collect()
    }

    /// Stops the threads, then runs the stages until what was under way is out.
    pub(crate) fn stop(mut self) {
        self.readers.clear();
        self.owners.clear();
        // A turn of every stage for every stage there is carries anything from one end to the
        // other; `tend` takes over what an owner was about to carry on.
        for _ in 0..self.runners.len() {
            for runner in &self.runners {
                runner.attend();
                runner.ring(None);
            }
        }
    }
}
