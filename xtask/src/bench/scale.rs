//! `cargo xtask bench scale`: what a connection costs when there are many.
//!
//! Two hosts in this process hold 10, 1,000 and 100,000 idle connections. Memory is what the
//! allocator was asked for, both ends and all layers up to the socket, divided by the ends. Times
//! are medians of rounds over all sizes in turn, so that a busy moment of the machine falls on all.
//! A cost that grows with the number of connections, by more than what the CPU's caches explain,
//! is a fault.

use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::json;

use super::stats::Spread;
use crate::netns::wait;
use crate::workspace;
use pair::Pair;

mod pair;
mod sys;

/// How many connections, how often.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  cargo xtask bench scale                          10, 1,000 and 100,000 connections
  cargo xtask bench scale --connections 50000 --json

Columns: bytes held per end of an idle connection, all layers and the socket; ns for a segment
that wakes an idle connection and is dropped, from the frame on; ns for the next one to the same
connection; ns for a retransmission timer that expires, its segment included; ns for a poll of a
host that has nothing to do. Built in release.")]
pub(crate) struct Args {
    /// Numbers of connections
    #[arg(long, value_name = "N,..", value_delimiter = ',')]
    #[arg(default_values_t = [10, 1_000, 100_000])]
    connections: Vec<usize>,
    /// Rounds over all sizes
    #[arg(long, value_name = "N", default_value_t = 21)]
    rounds: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Segments, timers and polls of one round.
const SEGMENTS: usize = 1000;
const TIMERS: usize = 10;
const POLLS: usize = 1000;

/// One size, and what was measured of it, ns.
struct Size {
    connections: usize,
    bytes: f64,
    pair: Pair,
    wake: Vec<f64>,
    segment: Vec<f64>,
    timer: Vec<f64>,
    poll: Vec<f64>,
}

/// Measures and prints; in release, whatever this program was built in.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    if cfg!(debug_assertions) {
        return in_release(args);
    }
    ensure!(args.rounds > 0, "--rounds 0 measures nothing");
    let mut sizes = Vec::new();
    for &connections in &args.connections {
        ensure!((1..=100_000).contains(&connections), "--connections: from 1 to 100000");
        sizes.push(Size::new(connections)?);
    }
    for _ in 0..args.rounds {
        for size in &mut sizes {
            size.round()?;
        }
    }
    if args.json {
        let sizes: Option<Vec<_>> = sizes.iter().map(Size::to_json).collect();
        println!("{:#}", json!(sizes.context("no rounds")?));
    } else {
        print!("{}", table(&sizes));
    }
    Ok(())
}

/// The same by a program that is built as users build theirs.
fn in_release(args: &Args) -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let connections: Vec<String> = args.connections.iter().map(usize::to_string).collect();
    let mut command = Command::new(cargo);
    command.args(["run", "--quiet", "--release", "--package", "xtask", "--", "bench", "scale"]);
    command.args(["--connections", &connections.join(",")]);
    command.args(["--rounds", &args.rounds.to_string()]);
    command.args(args.json.then_some("--json"));
    let status = command.current_dir(workspace::root()).status().context("cannot run cargo")?;
    ensure!(status.success(), "the measurement failed");
    Ok(())
}

impl Size {
    fn new(connections: usize) -> anyhow::Result<Self> {
        let mut pair = Pair::new()?;
        let before = sys::in_use();
        pair.open(connections)?;
        let bytes = sys::in_use().saturating_sub(before) as f64 / (2 * connections) as f64;
        let (wake, segment) = (Vec::new(), Vec::new());
        let (timer, poll) = (Vec::new(), Vec::new());
        Ok(Self { connections, bytes, pair, wake, segment, timer, poll })
    }

    fn round(&mut self) -> anyhow::Result<()> {
        // As many at a time as there are connections: the first time each is idle.
        let batch = SEGMENTS.min(self.connections);
        let (mut waking, mut awake) = (0.0, 0.0);
        for _ in 0..SEGMENTS / batch {
            let (frames, again) = self.pair.strays(batch);
            waking += per(batch, || self.pair.receive(frames));
            awake += per(batch, || self.pair.receive(again));
            self.pair.fall_idle();
        }
        self.wake.push(waking / (SEGMENTS / batch) as f64);
        self.segment.push(awake / (SEGMENTS / batch) as f64);
        self.poll.push(per(POLLS, || self.pair.poll_idle(POLLS)));
        self.pair.arm(TIMERS)?;
        self.timer.push(per(TIMERS, || self.pair.expire()));
        self.pair.settle();
        Ok(())
    }

    fn spreads(&self) -> Option<[Spread; 4]> {
        let of = |values: &[f64]| Spread::of(values.iter().copied());
        Some([of(&self.wake)?, of(&self.segment)?, of(&self.timer)?, of(&self.poll)?])
    }

    fn to_json(&self) -> Option<serde_json::Value> {
        let [wake, segment, timer, poll] = self.spreads()?;
        Some(json!({
            "connections": self.connections, "bytes_per_connection": self.bytes,
            "wake_ns": wake, "segment_ns": segment, "timer_ns": timer, "poll_ns": poll,
        }))
    }
}

/// Nanoseconds for each of `count` things that `what` does.
fn per(count: usize, what: impl FnOnce()) -> f64 {
    let start = wait::now();
    what();
    start.elapsed().as_nanos() as f64 / count as f64
}

fn table(sizes: &[Size]) -> String {
    let mut text = format!(
        "{:>12} {:>10} {:>18} {:>18} {:>18} {:>18}\n",
        "connections", "bytes each", "ns a wake", "ns a segment", "ns a timer", "ns a poll"
    );
    for size in sizes {
        let Some(spreads) = size.spreads() else { continue };
        text += &format!("{:>12} {:>10.0}", size.connections, size.bytes);
        for Spread { median, lowest, .. } in spreads {
            text += &format!(" {:>18}", format!("{median:.0} (least {lowest:.0})"));
        }
        text.push('\n');
    }
    text
}
