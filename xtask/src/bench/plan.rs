//! What is measured: rows, each a [`Measure`] of a [`Setup`], and which of them by default.
//!
//! A new kind of measurement is a variant of [`Measure`], a new stack one of [`Peer`]; the rest is
//! data.

pub(super) use super::contender::{Peer, Seat};
pub(super) use super::measure::{Measure, Placement, Way};

/// A stack and how it is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setup {
    pub(super) peer: Peer,
    /// Super-frames and checksums left to the device; of the kernel's, TSO, GSO and GRO.
    pub(super) offload: bool,
    pub(super) mtu: u32,
}

/// A line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) measure: Measure,
    pub(super) setup: Setup,
}

/// Which rows are wanted.
#[derive(Clone, Debug, Default)]
pub(super) struct Choice {
    /// Sizes of packets; the first is that of all but bulk rows.
    pub(super) mtus: Vec<u32>,
    /// Every row rather than those that say most.
    pub(super) all: bool,
    /// Texts that a row's name contains, all of them.
    pub(super) filters: Vec<String>,
    /// CPUs there are.
    pub(super) cpus: usize,
}

impl Setup {
    /// Whether it is set up as this peer does best.
    fn is_at_best(&self) -> bool {
        self.offload || !self.peer.has_offload()
    }
}

impl Row {
    /// As a filter names it: `bulk-in/offload/1500/stackd-inline`.
    pub(super) fn name(&self) -> String {
        let Setup { peer, offload, mtu } = &self.setup;
        let offload = if *offload { "offload" } else { "plain" };
        format!("{}/{offload}/{mtu}/{}", self.measure.slug(), peer.slug())
    }

    /// Heading of the rows that this one is compared with.
    pub(super) fn group(&self) -> String {
        let Setup { peer: _, offload, mtu } = &self.setup;
        let title = self.measure.title();
        let offload = match (self.measure.is_bulk(), offload, self.setup.is_at_best()) {
            (true, true, _) => ", offload on",
            (true, false, _) | (false, _, false) => ", offload off",
            (false, _, true) => "",
        };
        match self.measure.is_of_program() {
            true => title,
            false => format!("{title}, MTU {mtu}{offload}"),
        }
    }

    /// Whether the others of its group are compared with this one.
    pub(super) fn is_reference(&self) -> bool {
        self.setup.peer == Peer::Kernel
    }

    /// Whether there is such a row at all.
    fn exists(&self, first_mtu: u32) -> bool {
        let Setup { peer, offload, mtu } = &self.setup;
        let possible = peer.can(self.measure, *mtu) && (peer.has_offload() || !offload);
        let size_matters = self.measure.is_bulk() || *mtu == first_mtu;
        let offload_matters = !self.measure.is_of_program() || self.setup.is_at_best();
        let checks = *peer != Peer::Iperf3 || (*offload && *mtu == first_mtu);
        possible && size_matters && offload_matters && checks
    }

    /// Whether it is among those that say most.
    fn is_usual(&self, first_mtu: u32) -> bool {
        let near_the_limit =
            matches!(self.setup.peer, Peer::Kernel | Peer::Stackd(_) | Peer::Ceiling);
        let at_best = self.setup.is_at_best();
        self.setup.mtu == first_mtu
            && match self.measure {
                Measure::Bulk { streams: 1, .. } => true,
                Measure::Bulk { .. } => self.setup.offload,
                Measure::RoundTrip { size: 1, .. } => at_best,
                Measure::RoundTrip { placement, .. } => {
                    at_best && near_the_limit && placement == Placement::Same
                }
                Measure::Connections { placement, at_once } => {
                    at_best && (placement == Placement::Same || at_once > 1)
                }
                Measure::IdleConnection | Measure::StartUp | Measure::RestMemory => true,
            }
    }
}

/// The rows, in the table's order. With filters, those whose name contains all of them and the
/// kernel's row of each group that is left, as ratios need it.
pub(super) fn rows(peers: &[Peer], choice: &Choice) -> Vec<Row> {
    let first_mtu = choice.mtus.first().copied().unwrap_or(1500);
    let mut rows = Vec::new();
    for measure in Measure::all().into_iter().filter(|measure| measure.cpus() <= choice.cpus) {
        for &mtu in &choice.mtus {
            for offload in [true, false] {
                for peer in peers {
                    rows.push(Row { measure, setup: Setup { peer: peer.clone(), offload, mtu } });
                }
            }
        }
    }
    rows.retain(|row| row.exists(first_mtu) && (choice.all || row.is_usual(first_mtu)));
    let named =
        |row: &Row| choice.filters.iter().all(|filter| row.name().contains(filter.as_str()));
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
