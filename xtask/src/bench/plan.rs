//! What is measured: rows, each a [`Measure`] of a [`Setup`].
//!
//! A new kind of measurement is a variant of [`Measure`], a new stack one of [`Peer`]; the rest is
//! data.

use serde::Serialize;

use crate::netns::case::Pipeline;

/// A stack under test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// Linux itself at the other end of a veth pair: what the others are compared with.
    Kernel,
    Stackd(Pipeline),
    /// Any program that puts a stack on a TAP.
    Program {
        name: String,
        /// Words of its command line; `{offload}` stands for `on` or `off`.
        command: Vec<String>,
    },
}

impl Peer {
    /// As the table calls it.
    pub(super) fn name(&self) -> String {
        match self {
            Peer::Kernel => "kernel over veth".to_owned(),
            Peer::Stackd(pipeline) => format!("stackd {}", pipeline.name()),
            Peer::Program { name, .. } => name.clone(),
        }
    }
}

/// A stack and how it is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setup {
    pub(super) peer: Peer,
    /// Super-frames and checksums left to the device; of the kernel's, TSO, GSO and GRO.
    pub(super) offload: bool,
    pub(super) mtu: u32,
}

/// What is done to it. "In" is from the kernel to the stack under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Measure {
    BulkIn,
    BulkOut,
    RoundTrip(Placement),
}

/// Where the two ends of a round trip run. To wake an idle CPU of a virtual machine takes ten
/// times as long as to switch processes on a busy one, so the two are different measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Placement {
    /// Both on one CPU.
    Same,
    /// One on each of two CPUs.
    Cross,
}

/// A line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) measure: Measure,
    pub(super) setup: Setup,
}

impl Measure {
    pub(super) const ALL: [Measure; 4] = [
        Measure::BulkIn,
        Measure::BulkOut,
        Measure::RoundTrip(Placement::Same),
        Measure::RoundTrip(Placement::Cross),
    ];

    /// As a filter names it.
    fn slug(self) -> &'static str {
        match self {
            Measure::BulkIn => "bulk-in",
            Measure::BulkOut => "bulk-out",
            Measure::RoundTrip(Placement::Same) => "round-trip-same",
            Measure::RoundTrip(Placement::Cross) => "round-trip-cross",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Measure::BulkIn => "Bulk, kernel -> stack",
            Measure::BulkOut => "Bulk, stack -> kernel",
            Measure::RoundTrip(Placement::Same) => "Round trip of 1 byte, both on one CPU",
            Measure::RoundTrip(Placement::Cross) => "Round trip of 1 byte, across two CPUs",
        }
    }

    /// Unit of the figure that is compared.
    pub(super) fn unit(self) -> &'static str {
        match self {
            Measure::BulkIn | Measure::BulkOut => "Gbit/s",
            Measure::RoundTrip(_) => "us",
        }
    }

    /// What CPU time is counted for.
    pub(super) fn cpu_unit(self) -> &'static str {
        match self {
            Measure::BulkIn | Measure::BulkOut => "s/GB",
            Measure::RoundTrip(_) => "us a round trip",
        }
    }

    /// CPUs it cannot do without.
    fn cpus(self) -> usize {
        match self {
            Measure::BulkIn | Measure::BulkOut | Measure::RoundTrip(Placement::Same) => 1,
            Measure::RoundTrip(Placement::Cross) => 2,
        }
    }
}

impl Row {
    /// As a filter names it: `bulk-in/offload/stackd-inline`.
    pub(super) fn name(&self) -> String {
        let offload = if self.setup.offload { "offload" } else { "plain" };
        let peer = self.setup.peer.name().replace(' ', "-");
        format!("{}/{offload}/{peer}", self.measure.slug())
    }

    /// Heading of the rows that this one is compared with.
    pub(super) fn group(&self) -> String {
        let Setup { peer: _, offload, mtu } = &self.setup;
        let offload = if *offload { "on" } else { "off" };
        format!("{}, MTU {mtu}, offload {offload}", self.measure.title())
    }

    /// Whether the others of its group are compared with this one.
    pub(super) fn is_reference(&self) -> bool {
        self.setup.peer == Peer::Kernel
    }
}

/// The rows, in the table's order. With filters, those whose name contains all of them and the
/// kernel's row of each group that is left, as ratios need it.
pub(super) fn rows(peers: &[Peer], mtu: u32, filters: &[String], cpus: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    for measure in Measure::ALL.into_iter().filter(|measure| measure.cpus() <= cpus) {
        for offload in [true, false] {
            for peer in peers {
                rows.push(Row { measure, setup: Setup { peer: peer.clone(), offload, mtu } });
            }
        }
    }
    let named = |row: &Row| filters.iter().all(|filter| row.name().contains(filter.as_str()));
    let groups: Vec<String> = rows.iter().filter(|row| named(row)).map(Row::group).collect();
    rows.retain(|row| named(row) || (row.is_reference() && groups.contains(&row.group())));
    rows
}

/// The different setups among the rows, in the order they come.
pub(super) fn setups(rows: &[Row]) -> Vec<Setup> {
    let mut setups: Vec<Setup> = Vec::new();
    for row in rows {
        if !setups.contains(&row.setup) {
            setups.push(row.setup.clone());
        }
    }
    setups
}
