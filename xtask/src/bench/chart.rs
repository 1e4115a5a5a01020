//! The table as a bar chart: an SVG file written by hand, one group of bars a heading.
//!
//! A bar is the median, the thin line on it the range of the rounds. Bars of a group share a
//! scale; groups do not.

use std::fmt::Write;

use super::outcome::{Figures, Group};
use super::plan::{Measure, Peer};
use super::table::number;

const WIDTH: f64 = 860.0;
/// Where bars begin, and how long the longest is.
const LEFT: f64 = 170.0;
const LONGEST: f64 = 480.0;
const BAR: f64 = 16.0;
const STEP: f64 = 22.0;
const HEADING: f64 = 44.0;
const MARGIN: f64 = 16.0;

const KERNEL: &str = "#8a8f98";
const CEILING: &str = "#b9bec6";
const OURS: &str = "#2f6fd0";
const OTHER: &str = "#c58b2a";

/// The whole chart.
pub(super) fn svg(machine: &str, groups: &[Group<'_>]) -> String {
    let lines: usize = groups.iter().map(|group| group.rows.len()).sum();
    let height = 2.0 * MARGIN + 20.0 + HEADING * groups.len() as f64 + STEP * lines as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    let mut y = MARGIN + 12.0;
    label(&mut svg, MARGIN, y, "fill=\"#666\"", machine);
    y += 8.0;
    for group in groups {
        y += HEADING;
        let heading = format!("{} ({})", group.heading, better(group.measure));
        label(&mut svg, MARGIN, y - 12.0, "font-weight=\"bold\"", &heading);
        let highest = group.rows.iter().filter_map(|(_, figures)| Some(figures.as_ref()?.value));
        let highest = highest.map(|value| value.highest).fold(0.0, f64::max);
        for (outcome, figures) in &group.rows {
            let peer = &outcome.row.setup.peer;
            label(&mut svg, MARGIN, y + 12.0, "", &peer.name());
            match figures {
                Some(figures) => bar(&mut svg, y, colour(peer), figures, highest),
                None => label(&mut svg, LEFT, y + 12.0, "fill=\"#b00\"", "failed"),
            }
            y += STEP;
        }
    }
    svg += "</svg>\n";
    svg
}

fn better(measure: Measure) -> String {
    let better = if measure.more_is_better() { "more" } else { "less" };
    format!("{}, {better} is better", measure.unit())
}

fn colour(peer: &Peer) -> &'static str {
    match peer {
        Peer::Kernel | Peer::Iperf3 => KERNEL,
        Peer::Ceiling => CEILING,
        Peer::Stackd(_) => OURS,
        Peer::Smoltcp { .. } | Peer::Ipstack | Peer::Lwip | Peer::Pasta | Peer::Slirp => OTHER,
        Peer::Program { .. } => OTHER,
    }
}

/// A bar at `y`, its range, and its figures as text behind it.
fn bar(svg: &mut String, y: f64, colour: &str, figures: &Figures, highest: f64) {
    let scale = |value: f64| if highest > 0.0 { value / highest * LONGEST } else { 0.0 };
    let value = figures.value;
    let (low, high) = (LEFT + scale(value.lowest), LEFT + scale(value.highest));
    let middle = y + BAR / 2.0;
    // Writing to a string cannot fail.
    let _ = writeln!(
        svg,
        "<rect x=\"{LEFT}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{BAR}\" fill=\"{colour}\"/>\n\
         <path d=\"M{low:.1} {middle:.1}H{high:.1}\" stroke=\"#222\" stroke-width=\"1.5\"/>",
        scale(value.median)
    );
    let mut text = number(value.median);
    if let Some(ratio) = figures.ratio {
        text += &format!("  (x {ratio:.2})");
    }
    label(svg, high + 6.0, y + 12.0, "", &text);
}

fn label(svg: &mut String, x: f64, y: f64, attributes: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    // Writing to a string cannot fail.
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" {attributes}>{text}</text>");
}
