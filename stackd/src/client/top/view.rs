//! A model on a screen of any size: what does not fit is left out from the right and from below.

use std::collections::VecDeque;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Borders, Cell, Paragraph, Row, Table};

use super::model::{self, Model};
use crate::client::units;

/// Eighths of a line.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Values that a line of bars shows.
const SPARK: usize = 8;

/// Lines that layers and drops share.
const LOWER: u16 = 10;

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, model: &Model) {
    let areas =
        Layout::vertical([Constraint::Length(1), Constraint::Min(4), Constraint::Length(LOWER)])
            .split(frame.area());
    let [head, upper, lower] = areas[..] else { return };
    let style = Style::new().add_modifier(Modifier::BOLD);
    frame.render_widget(Paragraph::new(Line::styled(model.headline(), style)), head);
    connections(frame, upper, model);
    let halves = Layout::horizontal([Constraint::Percentage(50), Constraint::Percentage(50)]);
    let halves = halves.split(lower);
    let [left, right] = halves[..] else { return };
    layers(frame, left, model);
    drops(frame, right, model);
}

fn block(title: &str) -> Block<'_> {
    Block::new().borders(Borders::TOP).title(title)
}

fn head(names: &[&'static str]) -> Row<'static> {
    let cells: Vec<Cell<'static>> = names.iter().map(|name| Cell::from(*name)).collect();
    Row::new(cells).style(Style::new().add_modifier(Modifier::DIM))
}

fn connections(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let rows = model.rows();
    let title = format!(" Connections ({}) ", rows.len());
    let lines = rows.iter().take(usize::from(area.height)).map(|row| {
        let text = |name: &str| units::cell(&row.socket[name]);
        let rtt = row.socket["rtt_us"].as_u64().map(units::millis).unwrap_or_default();
        Row::new(vec![
            text("local"),
            text("remote"),
            text("state"),
            units::rate(row.rate()),
            spark(&sum(&row.trail)),
            text("cwnd"),
            spark(&row.trail.cwnd),
            rtt,
            text("retrans_total"),
            text("limiting"),
        ])
    });
    let widths = [21, 21, 10, 8, 8, 5, 8, 7, 7, 16].map(Constraint::Length);
    let names =
        ["Local", "Remote", "State", "Rate", "", "cwnd", "", "rtt, ms", "retrans", "limited by"];
    let table = Table::new(lines, widths).header(head(&names)).block(block(&title));
    frame.render_widget(table, area);
}

fn layers(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let lines = model.layers.iter().map(|layer| {
        let model::Layer { name, up, down, total } = layer;
        Row::new(vec![name.clone(), up.to_string(), down.to_string(), total.to_string()])
    });
    let widths = [18, 10, 10, 14].map(Constraint::Length);
    let table = Table::new(lines, widths)
        .header(head(&["", "up/s", "down/s", "in all"]))
        .block(block(" Layers, packets "));
    frame.render_widget(table, area);
}

fn drops(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let lines = model.drops.iter().map(|(name, total, rate)| {
        Row::new(vec![name.clone(), rate.to_string(), total.to_string()])
    });
    let widths = [26, 10, 14].map(Constraint::Length);
    let table = Table::new(lines, widths)
        .header(head(&["", "/s", "in all"]))
        .block(block(" Drops by reason "));
    frame.render_widget(table, area);
}

fn sum(trail: &model::Trail) -> VecDeque<u64> {
    trail.out.iter().zip(&trail.into).map(|(out, into)| out + into).collect()
}

/// The latest values as bars; the highest of them fills the line.
fn spark(values: &VecDeque<u64>) -> String {
    let from = values.len().saturating_sub(SPARK);
    let most = values.iter().skip(from).copied().max().unwrap_or(0);
    if most == 0 {
        return String::new();
    }
    let bar = |value: u64| {
        let eighth = (value as f64 / most as f64 * 7.0).round() as usize;
        BARS.get(eighth).copied().unwrap_or('█')
    };
    values.iter().skip(from).map(|value| bar(*value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_high_as_their_values() {
        assert_eq!(spark(&[0, 5, 10].into()), "▁▅█");
        assert_eq!(spark(&VecDeque::new()), "");
        assert_eq!(spark(&[0, 0].into()), "");
        assert_eq!(spark(&(0..100).collect()).chars().count(), SPARK);
    }
}
