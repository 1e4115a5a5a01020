//! `cargo xtask bench`: throughput, round trips, connections and memory, beside the kernel's own
//! stack and others.
//!
//! One table out of one run: every row in every round, so that a busy minute of the machine falls
//! on all; each row a median, a range and a ratio to the kernel over veth, measured by the same
//! load generator (`bench/load.rs`) in namespaces made here. What makes such figures wrong, and
//! what is done about it:
//!
//! - BBR as the machine's default congestion control: CUBIC is set and read back on each socket.
//! - Two ends on one CPU or on two differ tenfold in round trips: both are pinned and told apart.
//! - Others use the machine: told for every row, and their rounds left out where possible.
//! - A TAP drops what its queue of 1000 packets does not hold: segments sent again are told.

use std::fs;
use std::io::IsTerminal;
use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};

use crate::install;
use crate::netns::{namespace, wait};
use outcome::Outcome;
use peer::Standing;
use plan::{Choice, Peer, Row, Setup};

mod build;
pub(crate) mod ceiling;
mod chart;
mod choose;
mod contender;
mod cpu;
pub(crate) mod load;
mod measure;
mod outcome;
mod peer;
mod plan;
mod round;
mod scale;
mod stats;
mod table;
mod targets;

#[cfg(test)]
mod tests;

/// What to measure and how long.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:
  cargo xtask bench --install --also iperf3        as in the README: ten minutes
  cargo xtask bench --quick --peers stackd         our own, and the kernel's, once
  cargo xtask bench --filter bulk --filter inline  bulk rows of stackd inline, and the kernel's
  cargo xtask bench --rounds 9 --json bench.json --svg bench.svg
  cargo xtask bench scale                          memory and time with 100,000 connections
  cargo xtask bench --list --all                   names of all rows")]
pub(crate) struct Args {
    #[command(subcommand)]
    task: Option<Task>,
    /// Measure only rows whose name contains this text (repeatable: all of them), and the
    /// kernel's row beside them
    #[arg(long, value_name = "TEXT")]
    filter: Vec<String>,
    /// Measure only peers whose name contains one of these texts, and the kernel
    #[arg(long, value_name = "TEXT,...", value_delimiter = ',')]
    peers: Vec<String>,
    /// Every row: larger packets, everything without offload, more connections
    #[arg(long)]
    all: bool,
    /// Install Debian packages of peers that are missing, instead of leaving these out
    #[arg(long)]
    install: bool,
    /// Seconds of each measurement
    #[arg(long, value_name = "S", default_value_t = 1.0)]
    seconds: f64,
    /// Rounds over all rows
    #[arg(long, value_name = "N", default_value_t = 3)]
    rounds: usize,
    /// One round of one second
    #[arg(long, conflicts_with_all = ["seconds", "rounds"])]
    quick: bool,
    /// Largest IP packet of the devices, bytes [default: 1500; with --all 9000 and 65520 too]
    #[arg(long, value_name = "BYTES")]
    mtu: Option<u32>,
    /// Give TAPs a queue of this many packets, instead of the 1000 they are made with
    #[arg(long, value_name = "PACKETS")]
    txqueuelen: Option<u32>,
    /// Priority of all measured processes
    #[arg(long, value_name = "N", default_value_t = -16, allow_negative_numbers = true)]
    nice: i32,
    /// Measure a program too: on TAP t0 it is 10.9.0.2 and serves TCP 7, 9, 19 as stackd does;
    /// `{offload}` in its command becomes on or off. Or `iperf3`: the kernel's rows by it
    #[arg(long, value_name = "NAME=COMMAND", value_parser = choose::also)]
    also: Vec<Peer>,
    /// Write everything, single samples included, to a file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write a bar chart to a file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// List the rows and measure none
    #[arg(long)]
    list: bool,
}

/// Measurements of another kind.
#[derive(clap::Subcommand)]
enum Task {
    /// Measure what a connection costs when there are 10, 1,000 and 100,000
    Scale(scale::Args),
}

/// What all measurements of a run share.
struct Common {
    /// This program, which is the load generator too.
    own: PathBuf,
    stackd: PathBuf,
    /// Programs around other stacks.
    built: Vec<(Peer, PathBuf)>,
    /// A line on each peer that is not here.
    missing: Vec<String>,
    /// CPUs to use, by number.
    cpus: Vec<usize>,
    seconds: f64,
    rounds: usize,
    nice: i32,
    txqueuelen: Option<u32>,
    /// The machine in a line.
    machine: String,
}

impl Common {
    /// Seconds before each measurement in which nothing is measured: windows open meanwhile.
    fn warm_up(&self) -> f64 {
        (self.seconds / 4.0).clamp(0.25, 1.0)
    }
}

/// Measures and prints the table; fails when a row could not be measured.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    if let Some(Task::Scale(args)) = &args.task {
        return scale::run(args);
    }
    let peers = choose::peers(&args.peers, &args.also)?;
    let mtus = match (args.mtu, args.all) {
        (Some(mtu), _) => vec![mtu],
        (None, true) => vec![1500, 9000, 65520],
        (None, false) => vec![1500],
    };
    let (all, filters, cpus) = (args.all, args.filter.clone(), cpu::allowed()?.len());
    let mut rows = plan::rows(&peers, &Choice { mtus, all, filters, cpus });
    ensure!(!rows.is_empty(), "no row is named like that; --list lists them, --all has more");
    if args.list {
        rows.iter().for_each(|row| println!("{}", row.name()));
        return Ok(());
    }
    if !rustix::process::geteuid().is_root() {
        bail!("network namespaces need root here: run as root, or with sudo");
    }
    for (program, package) in
        [("ip", "iproute2"), ("setpriv", "util-linux"), ("ethtool", "ethtool")]
    {
        ensure!(install::has(program), "no '{program}' here: apt-get install {package}");
    }
    if args.install {
        install::peers()?;
    }
    let common = common(&args, &mut rows)?;
    wait::listen_for_stop()?;
    namespace::sweep()?;
    let outcomes = run_all(&rows, &common);
    let groups = outcome::groups(&outcomes);
    let checks = targets::checks(&groups);
    print!("{}{}", table::preamble(&common), table::text(&groups));
    print!("{}", targets::text(&checks));
    if let Some(path) = &args.json {
        let json = format!("{:#}\n", table::json(&common, &groups, &checks));
        fs::write(path, json).with_context(|| path.display().to_string())?;
    }
    if let Some(path) = &args.svg {
        let svg = chart::svg(&common.machine, &groups);
        fs::write(path, svg).with_context(|| path.display().to_string())?;
    }
    ensure!(!wait::stopped(), "interrupted");
    let failed: usize = outcomes.iter().map(|outcome| outcome.failures.len()).sum();
    ensure!(failed == 0, "{failed} measurements failed");
    Ok(())
}

fn common(args: &Args, rows: &mut Vec<Row>) -> anyhow::Result<Common> {
    let (rounds, seconds) = if args.quick { (1, 1.0) } else { (args.rounds, args.seconds) };
    ensure!(rounds > 0, "--rounds must be 1 or more");
    ensure!((0.1..=600.0).contains(&seconds), "--seconds must be 0.1 to 600");
    let (stackd, own) = build::ours()?;
    let choose::Available { built, missing } = choose::available(rows);
    Ok(Common {
        own,
        stackd,
        built,
        missing,
        cpus: cpu::allowed()?,
        seconds,
        rounds,
        nice: args.nice,
        txqueuelen: args.txqueuelen,
        machine: machine(),
    })
}

/// All rounds over all rows. A stack stands for its own rows of a round only, so that none
/// disturbs another.
fn run_all(rows: &[Row], common: &Common) -> Vec<Outcome> {
    let mut outcomes: Vec<Outcome> = rows.iter().cloned().map(Outcome::new).collect();
    let bar = match std::io::stderr().is_terminal() {
        true => ProgressBar::new((rows.len() * common.rounds) as u64),
        false => ProgressBar::hidden(),
    };
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {eta} left  {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    for _ in 0..common.rounds {
        for setup in plan::setups(rows) {
            if wait::stopped() {
                break;
            }
            run_setup(&setup, &mut outcomes, common, &bar);
        }
    }
    bar.finish_and_clear();
    outcomes
}

/// One stack through its rows, once.
fn run_setup(setup: &Setup, outcomes: &mut [Outcome], common: &Common, bar: &ProgressBar) {
    let mut standing = Standing::start(setup, common);
    let mut rows = outcomes.iter_mut().filter(|outcome| outcome.row.setup == *setup).peekable();
    while let Some(outcome) = rows.next() {
        bar.set_message(outcome.row.name());
        let sample = match &mut standing {
            Ok(standing) => round::measure(outcome.row.measure, setup, standing, common),
            Err(error) => Err(anyhow::anyhow!("{error:#}")),
        };
        if wait::stopped() {
            return;
        }
        match sample {
            Ok(sample) => outcome.samples.push(sample),
            Err(error) => outcome.failures.push(format!("{error:#}")),
        }
        bar.inc(1);
        if rows.peek().is_none()
            && let Ok(standing) = std::mem::replace(&mut standing, Err(anyhow::anyhow!("stopped")))
            && let Err(error) = standing.stop(setup)
        {
            outcome.failures.push(format!("at its end: {error:#}"));
        }
    }
}

/// The machine in a line: its CPU, its kernel, and how fast it is just now. A virtual machine with
/// busy neighbours is half as fast as without, and nothing else tells.
fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("unknown CPU", |rest| rest.trim_start_matches([' ', '\t', ':']));
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{model}, Linux {}; a system call takes {:.0} ns", release.trim(), system_call_ns())
}

/// What the cheapest system call takes: the best of some tries.
fn system_call_ns() -> f64 {
    const CALLS: u32 = 100_000;
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let start = wait::now();
        for _ in 0..CALLS {
            std::hint::black_box(rustix::process::getppid());
        }
        best = best.min(start.elapsed().as_nanos() as f64 / f64::from(CALLS));
    }
    best
}
