//! What came of a row: samples and failures, and the figures of the table.

use serde::Serialize;

use super::load::Sample;
use super::plan::{Measure, Row};
use super::stats::Spread;

/// A sample is clean if others used less of the machine than this share.
const CLEAN_SHARE: f64 = 0.08;

/// Samples that make a median; with fewer clean ones, the others count too.
const ENOUGH: usize = 3;

/// A row with its samples of all rounds.
pub(super) struct Outcome {
    pub(super) row: Row,
    pub(super) samples: Vec<Sample>,
    /// Why some rounds gave none.
    pub(super) failures: Vec<String>,
}

/// The figures of a row.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Figures {
    /// In the unit of the measurement; of round trips, the median of a round.
    pub(super) value: Spread,
    /// As a ratio to the kernel's own, median to median.
    pub(super) ratio: Option<f64>,
    /// Of round trips, microseconds, median of the rounds.
    pub(super) p99_us: Option<f64>,
    pub(super) p999_us: Option<f64>,
    /// CPU time of the stack: seconds a gigabyte, or microseconds a round trip or connection.
    /// None where it is not counted.
    pub(super) cpu_stack: Option<f64>,
    /// The same of the whole machine, less what others used.
    pub(super) cpu_all: Option<f64>,
    /// CPU time of everybody else, as a share of the machine; median.
    pub(super) foreign_share: f64,
    /// Segments that the kernel's end sent again, in all rounds that count.
    pub(super) retransmitted: u64,
    /// Rounds that count, of those that were taken.
    pub(super) rounds: (usize, usize),
    /// Whether only rounds with little foreign load count.
    pub(super) clean: bool,
}

impl Outcome {
    pub(super) fn new(row: Row) -> Outcome {
        Outcome { row, samples: Vec::new(), failures: Vec::new() }
    }

    /// The figures, without the ratio. None without samples.
    pub(super) fn figures(&self) -> Option<Figures> {
        let clean: Vec<&Sample> =
            self.samples.iter().filter(|s| s.cpu.foreign_share < CLEAN_SHARE).collect();
        let all: Vec<&Sample> = self.samples.iter().collect();
        let is_clean = clean.len() >= ENOUGH.min(all.len());
        let used = if is_clean { &clean } else { &all };
        let measure = self.row.measure;
        let median = |of: &dyn Fn(&Sample) -> Option<f64>| {
            Some(Spread::of(used.iter().filter_map(|s| of(s)))?.median)
        };
        Some(Figures {
            value: Spread::of(used.iter().filter_map(|s| value(measure, s)))?,
            ratio: None,
            p99_us: median(&|s| Some(s.round_trips?.p99_us)),
            p999_us: median(&|s| Some(s.round_trips?.p999_us)),
            cpu_stack: median(&|s| per_unit(measure, s, s.cpu.stack)),
            cpu_all: median(&|s| per_unit(measure, s, s.cpu.stack + s.cpu.load + s.cpu.softirq)),
            foreign_share: median(&|s| Some(s.cpu.foreign_share))?,
            retransmitted: used.iter().map(|s| s.retransmitted).sum(),
            rounds: (used.len(), all.len()),
            clean: is_clean,
        })
    }
}

/// The figure that is compared.
fn value(measure: Measure, sample: &Sample) -> Option<f64> {
    match measure {
        Measure::Bulk { .. } => Some(sample.gigabits()),
        Measure::RoundTrip { .. } => Some(sample.round_trips?.p50_us),
        Measure::Connections { .. } => Some(sample.connections as f64 / sample.seconds),
        Measure::IdleConnection => Some(sample.memory as f64 / sample.connections.max(1) as f64),
        Measure::StartUp => Some(sample.seconds * 1e3),
        Measure::RestMemory => Some(sample.memory as f64 / 1_048_576.0),
    }
}

/// CPU seconds a gigabyte, or microseconds a round trip or connection. None where none was told.
fn per_unit(measure: Measure, sample: &Sample, seconds: f64) -> Option<f64> {
    if sample.cpu.load == 0.0 && sample.cpu.stack == 0.0 {
        return None;
    }
    match measure {
        Measure::Bulk { .. } => Some(seconds * 1e9 / sample.bytes.max(1) as f64),
        Measure::RoundTrip { .. } => Some(seconds * 1e6 / sample.round_trips?.count.max(1) as f64),
        Measure::Connections { .. } => Some(seconds * 1e6 / sample.connections.max(1) as f64),
        Measure::IdleConnection | Measure::StartUp | Measure::RestMemory => None,
    }
}

/// A heading and the rows that are compared under it, each with its figures.
pub(super) struct Group<'a> {
    pub(super) heading: String,
    pub(super) measure: Measure,
    pub(super) rows: Vec<(&'a Outcome, Option<Figures>)>,
}

/// The rows by group, in order, with ratios to the kernel's row.
pub(super) fn groups(outcomes: &[Outcome]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for outcome in outcomes {
        let heading = outcome.row.group();
        let entry = (outcome, outcome.figures());
        match groups.iter_mut().find(|group| group.heading == heading) {
            Some(group) => group.rows.push(entry),
            None => {
                let measure = outcome.row.measure;
                groups.push(Group { heading, measure, rows: vec![entry] });
            }
        }
    }
    for group in &mut groups {
        let reference = group.rows.iter().find(|(outcome, _)| outcome.row.is_reference());
        let reference = reference.and_then(|(_, figures)| Some(figures.as_ref()?.value.median));
        for (_, figures) in &mut group.rows {
            if let Some(figures) = figures {
                figures.ratio = reference.map(|reference| figures.value.median / reference);
            }
        }
    }
    groups
}
