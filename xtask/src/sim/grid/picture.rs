//! `sim/goodput.svg`: goodput over loss, a line for each round trip and share of late frames.

use std::fmt::Write;
use std::fs;

use anyhow::Context;

use super::super::Run;
use super::super::course::Named;
use super::super::table;
use crate::workspace;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 190.0;
const TOP: f64 = 36.0;
const BOTTOM: f64 = 48.0;

/// The powers of ten on the axis of goodput, Mbit/s: 0.01 to 10,000.
const DECADES: (i32, i32) = (-2, 4);

/// One colour a round trip, one dash a share of late frames.
const COLOURS: [&str; 4] = ["#2f6fd0", "#3a9d5d", "#c58b2a", "#b0413e"];
const DASHES: [&str; 3] = ["", "7 4", "2 3"];

/// Writes the picture of the whole grid.
pub(super) fn write(courses: &[Named], seeds: u64, results: &[Run]) -> anyhow::Result<()> {
    let place = workspace::root().join("sim/goodput.svg");
    let runs = results.chunks(usize::try_from(seeds).unwrap_or(usize::MAX));
    let cells: Vec<(&Named, f64)> = courses
        .iter()
        .zip(runs)
        .filter_map(|(course, runs)| Some((course, table::median_bps(runs)? / 1e6)))
        .collect();
    fs::write(&place, svg(&cells)).with_context(|| format!("cannot write {}", place.display()))
}

fn svg(cells: &[(&Named, f64)]) -> String {
    let mut rows: Vec<&str> = cells.iter().map(|(course, _)| &*course.row).collect();
    rows.dedup();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
         viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    let title = "Goodput of 4 MB in simulation, Mbit/s, median of the seeds";
    label(&mut svg, LEFT, 20.0, "font-weight=\"bold\"", title);
    axes(&mut svg, &rows);
    for (rtt, colour) in distinct(cells, |course| course.rtt_ms).into_iter().zip(COLOURS) {
        for (late, dash) in distinct(cells, |course| course.reorder).into_iter().zip(DASHES) {
            let line = cells.iter().filter(|(c, _)| (c.rtt_ms, c.reorder) == (rtt, late));
            let points: Vec<String> = line
                .filter_map(|(course, mbit)| {
                    let row = rows.iter().position(|row| *row == course.row)?;
                    Some(format!("{:.1},{:.1}", x(row, rows.len()), y(*mbit)))
                })
                .collect();
            // Writing to a string cannot fail.
            let _ = writeln!(
                svg,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.8\" \
                 stroke-dasharray=\"{dash}\"/>",
                points.join(" ")
            );
        }
    }
    legend(&mut svg, cells);
    svg += "</svg>\n";
    svg
}

/// The values of one axis of the grid, in their order.
fn distinct(cells: &[(&Named, f64)], of: fn(&Named) -> f64) -> Vec<f64> {
    let mut values: Vec<f64> = cells.iter().map(|(course, _)| of(course)).collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    values
}

fn x(row: usize, rows: usize) -> f64 {
    LEFT + 20.0 + (WIDTH - LEFT - RIGHT - 40.0) * row as f64 / (rows.max(2) - 1) as f64
}

fn y(mbit: f64) -> f64 {
    let (low, high) = (f64::from(DECADES.0), f64::from(DECADES.1));
    let share = (mbit.max(1e-9).log10().clamp(low, high) - low) / (high - low);
    HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share
}

fn axes(svg: &mut String, rows: &[&str]) {
    let right = WIDTH - RIGHT;
    for decade in DECADES.0..=DECADES.1 {
        let mbit = 10_f64.powi(decade);
        let y = y(mbit);
        // Writing to a string cannot fail.
        let _ = writeln!(svg, "<path d=\"M{LEFT} {y:.1}H{right}\" stroke=\"#ddd\"/>");
        label(svg, LEFT - 6.0, y + 4.0, "text-anchor=\"end\"", &mbit.to_string());
    }
    for (index, row) in rows.iter().enumerate() {
        let at = x(index, rows.len());
        label(svg, at, HEIGHT - BOTTOM + 20.0, "text-anchor=\"middle\"", row);
    }
}

fn legend(svg: &mut String, cells: &[(&Named, f64)]) {
    let from = WIDTH - RIGHT + 20.0;
    let mut at = TOP + 20.0;
    let mut entry = |colour: &str, dash: &str, text: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(
            svg,
            "<path d=\"M{from} {at:.1}h34\" stroke=\"{colour}\" stroke-width=\"2\" \
             stroke-dasharray=\"{dash}\"/>"
        );
        label(svg, from + 42.0, at + 4.0, "", text);
        at += 20.0;
    };
    for (rtt, colour) in distinct(cells, |course| course.rtt_ms).into_iter().zip(COLOURS) {
        entry(colour, "", &format!("RTT {rtt} ms"));
    }
    for (late, dash) in distinct(cells, |course| course.reorder).into_iter().zip(DASHES) {
        entry("#444", dash, &format!("{late} % late"));
    }
}

fn label(svg: &mut String, x: f64, y: f64, attributes: &str, text: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" {attributes}>{text}</text>");
}

#[cfg(test)]
mod tests {
    use super::super::FULL;
    use super::*;

    #[test]
    fn more_is_higher_and_every_line_has_a_point_for_every_loss() {
        assert!(y(100.0) < y(1.0) && y(0.0) <= HEIGHT - BOTTOM && y(1e9) >= TOP);
        let courses = FULL.courses();
        let cells: Vec<_> = courses.iter().map(|course| (course, 1.0)).collect();
        let svg = svg(&cells);
        let lines: Vec<_> = svg.lines().filter(|line| line.contains("<polyline")).collect();
        assert_eq!(lines.len(), 12);
        assert!(lines.iter().all(|line| line.matches(',').count() == 7), "{}", lines[0]);
    }
}
