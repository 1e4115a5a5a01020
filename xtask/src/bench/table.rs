//! The table as text and as JSON.

use std::fmt::Write;

use serde_json::{Value, json};

use super::Common;
use super::outcome::{Figures, Group, Outcome};
use super::plan::Measure;
use super::targets::Check;

/// What the figures are, above the table.
pub(super) fn preamble(common: &Common) -> String {
    let Common { seconds, rounds, cpus, nice, machine, txqueuelen, .. } = common;
    let queue = match txqueuelen {
        Some(packets) => format!("txqueuelen of TAPs {packets}"),
        None => "txqueuelen of TAPs as made".to_owned(),
    };
    let missing: String =
        common.missing.iter().map(|line| format!("Left out: {line}.\n")).collect();
    format!(
        "{machine}\n\
         {rounds} rounds over all rows, {seconds} s each after {} s of warm-up; {} CPUs; all \
         processes at nice {nice}; {queue}; CUBIC on each kernel socket.\n\
         Median [lowest - highest] of the rounds; ratio to the kernel's median; CPU time of the \
         stack and of the whole machine less everybody else.\n\
         Resent: segments that the kernel's end sent again. Foreign: CPU time of everybody else.\n\
         *: rounds with 8 % or more of it count too, for want of better ones.\n{missing}",
        common.warm_up(),
        cpus.len()
    )
}

/// The whole table as text.
pub(super) fn text(groups: &[Group<'_>]) -> String {
    let mut table = String::new();
    for group in groups {
        let Group { heading, measure, rows } = group;
        let unit = measure.unit();
        let cpu = measure.cpu_unit().map(|unit| format!("; CPU time in {unit}"));
        let (p99, p999) = match measure {
            Measure::RoundTrip { .. } => ("p99", "p99.9"),
            _ => ("", ""),
        };
        let (stack, all, foreign) = match cpu {
            Some(_) => ("stack", "all", "foreign"),
            None => ("", "", ""),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(
            table,
            "\n{heading}{}\n  {:<18} {unit:>8} {:<17} {:>5} {p99:>7} {p999:>7} {stack:>7} \
             {all:>7} {foreign:>8}",
            cpu.unwrap_or_default(),
            "",
            "",
            "ratio"
        );
        for (outcome, figures) in rows {
            table += &line(outcome, figures.as_ref());
        }
    }
    table
}

/// A row as a line, or lines if rounds failed.
fn line(outcome: &Outcome, figures: Option<&Figures>) -> String {
    let name = outcome.row.setup.peer.name();
    let mut line = format!("  {name:<18} ");
    match figures {
        Some(figures) => line += cells(figures).trim_end(),
        None => line += "       -",
    }
    line.push('\n');
    let failed = outcome.failures.len();
    if let Some(first) = outcome.failures.first() {
        let first = first.lines().next().unwrap_or_default();
        let rounds = if failed == 1 { "round" } else { "rounds" };
        line += &format!("    {failed} {rounds} failed: {first}\n");
    }
    line
}

fn cells(figures: &Figures) -> String {
    let Figures { value, ratio, p99_us, p999_us, cpu_stack, cpu_all, foreign_share, .. } = figures;
    let star = if figures.clean { " " } else { "*" };
    let range = format!("[{} - {}]", number(value.lowest), number(value.highest));
    let ratio = ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
    let cell = |value: &Option<f64>| value.map_or_else(String::new, number);
    // Where CPU time is not counted, that of others is not known either.
    let foreign = cpu_stack.map(|_| format!("{:.0} %", foreign_share * 100.0)).unwrap_or_default();
    let again = match figures.retransmitted {
        0 => String::new(),
        count => format!("  {count} resent"),
    };
    format!(
        "{:>8} {range:<17} {ratio:>5} {:>7} {:>7} {:>7} {:>7} {foreign:>8}{star}{again}",
        number(value.median),
        cell(p99_us),
        cell(p999_us),
        cell(cpu_stack),
        cell(cpu_all)
    )
}

/// Three digits that count.
pub(super) fn number(value: f64) -> String {
    match value {
        v if v >= 99.95 => format!("{v:.0}"),
        v if v >= 9.995 => format!("{v:.1}"),
        v if v >= 0.9995 => format!("{v:.2}"),
        v => format!("{v:.3}"),
    }
}

/// Everything as JSON, single samples included.
pub(super) fn json(common: &Common, groups: &[Group<'_>], checks: &[Check]) -> Value {
    let rows: Vec<Value> = groups
        .iter()
        .flat_map(|group| {
            group.rows.iter().map(move |(outcome, figures)| (group, outcome, figures))
        })
        .map(|(group, outcome, figures)| {
            let Outcome { row, samples, failures } = outcome;
            json!({
                "name": row.name(),
                "measure": row.measure,
                "group": group.heading,
                "peer": row.setup.peer.name(),
                "offload": row.setup.offload,
                "mtu": row.setup.mtu,
                "unit": row.measure.unit(),
                "cpu_unit": row.measure.cpu_unit(),
                "figures": figures,
                "samples": samples,
                "failures": failures,
            })
        })
        .collect();
    json!({
        "machine": common.machine,
        "cpus": common.cpus.len(),
        "seconds": common.seconds,
        "warm_up": common.warm_up(),
        "rounds": common.rounds,
        "nice": common.nice,
        "txqueuelen": common.txqueuelen,
        "congestion_control": "cubic",
        "not_available": common.missing,
        "rows": rows,
        "checks": checks,
    })
}
