//! What was aimed at, and whether it was reached: the list at the end of a report.
//!
//! Each figure is a ratio of medians of the same run, so that it holds on another machine; only
//! memory is absolute.

use std::fmt::Write;

use serde::Serialize;

use super::outcome::{Figures, Group};
use super::plan::{Measure, Peer, Placement, Way};
use super::table::number;
use crate::netns::case::Pipeline;

/// A figure beside what was aimed at.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Check {
    pub(super) figure: String,
    /// None if a row that it needs was not measured.
    pub(super) measured: Option<f64>,
    pub(super) target: Option<f64>,
    pub(super) reach: Option<f64>,
    pub(super) verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Verdict {
    NotMeasured,
    Missed,
    Met,
    Reached,
    /// Only something to reach for was named, and it was not reached.
    Beyond,
}

/// Which way a figure is good.
#[derive(Clone, Copy)]
enum Better {
    More,
    Less,
}

impl Better {
    fn is_met(self, value: f64, aim: f64) -> bool {
        match self {
            Better::More => value >= aim,
            Better::Less => value <= aim,
        }
    }
}

const INLINE: Peer = Peer::Stackd(Pipeline::Inline);
/// The topology that users get.
const DEFAULT: Peer = Peer::Stackd(Pipeline::Layers);
const SMOLTCP: Peer = Peer::Smoltcp { buffer: 1024 };

const WAYS: [(Way, &str); 2] = [(Way::In, "kernel -> stack"), (Way::Out, "stack -> kernel")];

/// All figures, from what was measured.
pub(super) fn checks(groups: &[Group<'_>]) -> Vec<Check> {
    let found = Found { groups };
    let mut checks = Checks(Vec::new());
    bulk(&found, &mut checks);
    short(&found, &mut checks);
    memory(&found, &mut checks);
    checks.0
}

fn bulk(found: &Found<'_, '_>, checks: &mut Checks) {
    let one = |way| Measure::Bulk { way, streams: 1 };
    for ((way, text), target, reach) in [(WAYS[0], 0.70, 0.86), (WAYS[1], 0.75, 0.93)] {
        let measured = found.ratio(one(way), (&INLINE, true), (&Peer::Kernel, true));
        checks.more(format!("bulk {text}, offload, inline : kernel"), measured, target, reach);
    }
    for (way, text) in WAYS {
        let inline = found.ratio(one(way), (&INLINE, true), (&Peer::Kernel, true));
        let measured = found.ratio(one(way), (&DEFAULT, true), (&Peer::Kernel, true));
        let figure = format!("bulk {text}, offload, default topology : kernel");
        checks.add(figure, measured, Some(0.60), inline, Better::More);
    }
    for (way, text) in WAYS {
        let measured = found.ratio(one(way), (&INLINE, false), (&SMOLTCP, false));
        checks.more(format!("bulk {text}, no offload : smoltcp 1 MiB"), measured, 1.1, 1.3);
    }
    for (way, text) in WAYS {
        let ours = found.cpu(one(way), &INLINE, true);
        let measured = quotient(ours, found.cpu(one(way), &Peer::Ceiling, true));
        checks.less(format!("CPU s/GB of the stack, {text} : ceiling"), measured, 1.5, 1.1);
    }
    for (way, text) in WAYS {
        let others = found.others(one(way));
        let best = others.iter().map(|figures| figures.value.median).reduce(f64::max);
        let measured = quotient(found.value(one(way), &INLINE, true), best);
        checks.more(format!("bulk {text} : best peer"), measured, 1.0, 2.0);
        let best = others.iter().filter_map(|figures| figures.cpu_all).reduce(f64::min);
        let measured =
            quotient(best, found.figures(one(way), &INLINE, true).and_then(|f| f.cpu_all));
        checks.more(format!("GB per CPU s of the machine, {text} : best peer"), measured, 1.0, 2.0);
    }
    for (way, text) in WAYS {
        let measured = found.ratio(one(way), (&Peer::Iperf3, true), (&Peer::Kernel, true));
        let agrees = measured.map(|ratio| (ratio - 1.0).abs());
        if agrees.is_some() {
            let figure = format!("kernel to kernel, {text}: iperf3 differs from us by");
            checks.add(figure, agrees, Some(0.15), None, Better::Less);
        }
    }
}

fn short(found: &Found<'_, '_>, checks: &mut Checks) {
    let trip = |placement| Measure::RoundTrip { placement, size: 1 };
    let (same, cross) = (trip(Placement::Same), trip(Placement::Cross));
    let kernel = (&Peer::Kernel, true);
    let measured = found.ratio(same, (&INLINE, true), kernel);
    checks.less("round trip p50 on one CPU, inline : kernel", measured, 0.95, 0.80);
    let measured = found.ratio(cross, (&DEFAULT, true), kernel);
    checks.less("round trip p50 across two CPUs, default : kernel", measured, 1.25, 1.05);
    let churn = |placement, at_once| Measure::Connections { placement, at_once };
    let one = churn(Placement::Same, 1);
    let measured = found.ratio(one, (&INLINE, true), kernel);
    checks.more("connections a second on one CPU, inline : kernel", measured, 1.15, 1.45);
    let measured = found.ratio(churn(Placement::Same, 16), (&INLINE, true), kernel);
    checks.more("the same, 16 at a time", measured, 1.2, 1.75);
    let measured = found.ratio(churn(Placement::Free, 16), (&INLINE, true), kernel);
    checks.more("the same, 16 at a time, on any CPUs", measured, 1.2, 1.75);
    for (peer, target, reach) in [(SMOLTCP, Some(1.0), None), (Peer::Lwip, None, Some(1.0))] {
        let name = peer.name();
        let measured = found.ratio(same, (&INLINE, true), (&peer, false));
        let figure = format!("round trip p50 on one CPU : {name}");
        checks.add(figure, measured, target, reach, Better::Less);
        let measured = found.ratio(one, (&INLINE, true), (&peer, false));
        let figure = format!("connections a second on one CPU : {name}");
        checks.add(figure, measured, target, reach, Better::More);
        let measured = found.ratio(Measure::IdleConnection, (&INLINE, true), (&peer, false));
        let figure = format!("memory per idle connection : {name}");
        checks.add(figure, measured, target, reach, Better::Less);
    }
}

fn memory(found: &Found<'_, '_>, checks: &mut Checks) {
    let measured = found.value(Measure::IdleConnection, &DEFAULT, true);
    checks.less("bytes per idle connection, default topology", measured, 1024.0, 512.0);
    let measured = found.value(Measure::RestMemory, &DEFAULT, true);
    checks.less("MiB of an idle stackd, default topology", measured, 8.0, 4.0);
}

struct Checks(Vec<Check>);

impl Checks {
    fn more(&mut self, figure: impl Into<String>, value: Option<f64>, target: f64, reach: f64) {
        self.add(figure.into(), value, Some(target), Some(reach), Better::More);
    }

    fn less(&mut self, figure: impl Into<String>, value: Option<f64>, target: f64, reach: f64) {
        self.add(figure.into(), value, Some(target), Some(reach), Better::Less);
    }

    fn add(
        &mut self,
        figure: String,
        measured: Option<f64>,
        target: Option<f64>,
        reach: Option<f64>,
        better: Better,
    ) {
        let is_met = |aim: Option<f64>| aim.zip(measured).map(|(a, m)| better.is_met(m, a));
        let verdict = match (measured, is_met(target), is_met(reach)) {
            (None, ..) => Verdict::NotMeasured,
            (_, Some(false), _) => Verdict::Missed,
            (_, Some(true) | None, Some(true)) => Verdict::Reached,
            (_, Some(true), _) => Verdict::Met,
            (_, None, _) => Verdict::Beyond,
        };
        self.0.push(Check { figure, measured, target, reach, verdict });
    }
}

/// The rows, to be asked for by what they are.
struct Found<'a, 'b> {
    groups: &'a [Group<'b>],
}

impl Found<'_, '_> {
    /// Figures of a row at MTU 1500.
    fn figures(&self, measure: Measure, peer: &Peer, offload: bool) -> Option<&Figures> {
        let mut rows = self.groups.iter().flat_map(|group| &group.rows);
        let is_it = |row: &super::plan::Row| {
            let setup = &row.setup;
            (row.measure, setup.mtu, setup.offload) == (measure, 1500, offload)
                && setup.peer == *peer
        };
        rows.find(|(outcome, _)| is_it(&outcome.row))?.1.as_ref()
    }

    fn value(&self, measure: Measure, peer: &Peer, offload: bool) -> Option<f64> {
        Some(self.figures(measure, peer, offload)?.value.median)
    }

    fn cpu(&self, measure: Measure, peer: &Peer, offload: bool) -> Option<f64> {
        self.figures(measure, peer, offload)?.cpu_stack
    }

    /// One row's median to another's.
    fn ratio(&self, measure: Measure, of: (&Peer, bool), to: (&Peer, bool)) -> Option<f64> {
        quotient(self.value(measure, of.0, of.1), self.value(measure, to.0, to.1))
    }

    /// Other stacks in user space.
    fn others(&self, measure: Measure) -> Vec<&Figures> {
        Peer::known()
            .iter()
            .filter(|peer| !matches!(peer, Peer::Kernel | Peer::Stackd(_) | Peer::Ceiling))
            .filter_map(|peer| self.figures(measure, peer, false))
            .collect()
    }
}

fn quotient(value: Option<f64>, to: Option<f64>) -> Option<f64> {
    let (value, to) = (value?, to?);
    (to > 0.0).then(|| value / to)
}

/// The list as text.
pub(super) fn text(checks: &[Check]) -> String {
    let mut text = format!(
        "\nTargets (ratios of medians, MTU 1500)\n  {:<58} {:>8} {:>7} {:>7}\n",
        "", "measured", "target", "reach"
    );
    let cell = |value: &Option<f64>| value.map_or_else(|| "-".to_owned(), number);
    for Check { figure, measured, target, reach, verdict } in checks {
        let verdict = match verdict {
            Verdict::NotMeasured => "not measured",
            Verdict::Missed => "MISSED",
            Verdict::Met => "met",
            Verdict::Reached => "reached",
            Verdict::Beyond => "not reached",
        };
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "  {figure:<58} {:>8} {:>7} {:>7}  {verdict}",
            cell(measured),
            cell(target),
            cell(reach)
        );
    }
    text
}
