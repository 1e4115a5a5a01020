//! `cargo xtask sim`: seeded worlds of simulated hosts over faulty wires, or a storm of hostile
//! frames.
//!
//! Every combination of loss, round trip and reordering is a course; every seed runs a transfer on
//! every course, in virtual time, and the table shows the median goodput. A world that breaks a
//! promise (a wrong byte, a stall, a frame unaccounted for) is printed with its seed and the
//! command that runs it again.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use link::capture::Capture;
use serde_json::json;
use sim::Failure;
use sim::fuzz::Fuzz;
use sim::goodput::{self, Goodput};

use self::course::{Grid, Named};

mod course;
mod grid;
mod table;

/// Which worlds to run.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:
  cargo xtask sim                             the table, five seeds a course
  cargo xtask sim --quick                     a small one, seconds
  cargo xtask sim --loss 2 --rtt 40 --runs 50 --duplicate 1 --corrupt 0.5
  cargo xtask sim --seed 17 --runs 1 --loss 2 --rtt 40 --reorder 0 --capture run.pcapng
  cargo xtask sim grid --quick                what `cargo xtask test` runs; see grid --help
  cargo xtask sim --fuzz 1000000              hostile frames for a whole host")]
pub(crate) struct Args {
    #[command(subcommand)]
    task: Option<Task>,
    /// Seed of the first world; the same seed gives the same world to the last packet
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Seeds to run on each course; they count up from --seed [default: 5]
    #[arg(long)]
    runs: Option<u64>,
    #[command(flatten)]
    grid: Grid,
    /// A small table with one seed a course
    #[arg(long)]
    quick: bool,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
    /// Write all frames of the one world to this pcapng file
    #[arg(long, value_name = "FILE")]
    capture: Option<PathBuf>,
    /// Throw so many hostile frames at a host instead
    #[arg(long, value_name = "FRAMES", num_args = 0..=1, default_missing_value = "1000000")]
    fuzz: Option<u64>,
}

/// Tables with a name.
#[derive(clap::Subcommand)]
enum Task {
    /// Run the grid of loss, round trip and reordering; compare it with sim/goodput.md
    Grid(grid::Args),
}

/// Runs the worlds; fails with the seed of the first that breaks a promise.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let Args { task, seed, runs, grid, quick, json, capture, fuzz } = args;
    if let Some(Task::Grid(args)) = task {
        return grid::run(args);
    }
    if let Some(frames) = fuzz {
        return storm(seed, runs.unwrap_or(1), frames, json);
    }
    let runs = runs.unwrap_or(if quick { 1 } else { 5 });
    let courses = grid.courses(quick)?;
    ensure!(runs > 0, "--runs 0 runs nothing");
    let jobs: Vec<Job<'_>> = courses
        .iter()
        .flat_map(|course| (seed..seed.saturating_add(runs)).map(move |seed| Job { course, seed }))
        .collect();
    let results = match (&capture, &jobs[..]) {
        (None, _) => run_all(&jobs),
        (Some(path), [only]) => vec![only.captured(path)?],
        (Some(_), _) => bail!("--capture wants one world: one seed, loss, rtt and reorder"),
    };
    let failed = tell_failures(&jobs, &results);
    if json {
        println!("{:#}", report(&jobs, &results));
    } else {
        print!("{}", table::table(&courses, runs, &results));
    }
    match failed {
        0 => Ok(()),
        failed => bail!("{failed} of {} worlds broke a promise", jobs.len()),
    }
}

/// One world.
struct Job<'a> {
    course: &'a Named,
    seed: u64,
}

impl Job<'_> {
    /// Runs it, with every frame on the wire written to `path`.
    fn captured(&self, path: &Path) -> anyhow::Result<Run> {
        let capture = Capture::create(path, &["wire"])
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(goodput::run(&self.course.course, self.seed, Some(capture)))
    }
}

/// What came of a world.
type Run = Result<Goodput, Failure>;

/// Runs the worlds on all CPUs; results in the order of the jobs.
fn run_all(jobs: &[Job<'_>]) -> Vec<Run> {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} worlds, {eta} left");
    let bar = ProgressBar::new(jobs.len() as u64)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some((index, job)) = {
            let index = next.fetch_add(1, Ordering::Relaxed);
            jobs.get(index).map(|job| (index, job))
        } {
            let result = goodput::run(&job.course.course, job.seed, None);
            bar.inc(1);
            if let Ok(mut results) = results.lock() {
                results.push((index, result));
            }
        }
    };
    let workers = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(work);
        }
    });
    bar.finish_and_clear();
    let mut results = results.into_inner().unwrap_or_default();
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Prints what was broken, the first three in full. How many there are.
fn tell_failures(jobs: &[Job<'_>], results: &[Run]) -> usize {
    let broken = jobs.iter().zip(results).filter_map(|(job, run)| Some((job, run.as_ref().err()?)));
    let mut count = 0;
    for (job, failure) in broken {
        count += 1;
        if count <= 3 {
            eprintln!("{failure}");
        }
        let (seed, flags) = (job.seed, &job.course.flags);
        eprintln!("again: cargo xtask sim {flags} --seed {seed}\n");
    }
    count
}

fn report(jobs: &[Job<'_>], results: &[Run]) -> serde_json::Value {
    let world = |(job, result): (&Job<'_>, &Run)| {
        let what = match result {
            Ok(Goodput { bps, stall, sender, outcome }) => json!({
                "goodput_bps": bps,
                "longest_stall_seconds": stall.length.as_secs_f64(),
                "stall_allowed_seconds": stall.allowed.as_secs_f64(),
                "retransmits": sender.retransmits,
                "timeouts": sender.timeouts,
                "undone": sender.undone,
                "virtual_seconds": outcome.took.as_secs_f64(),
                "frames": outcome.wires.put,
                "lost": outcome.wires.lost,
                "trace": format!("{:016x}", outcome.trace),
            }),
            Err(failure) => json!({ "failure": failure.to_string() }),
        };
        json!({ "seed": job.seed, "course": job.course.to_json(), "result": what })
    };
    jobs.iter().zip(results).map(world).collect()
}

/// Hostile frames for whole hosts, one a seed.
fn storm(seed: u64, runs: u64, frames: u64, json: bool) -> anyhow::Result<()> {
    for seed in seed..seed.saturating_add(runs) {
        // A panic in the host leaves this line as the last one.
        eprintln!("{frames} hostile frames, again: cargo xtask sim --fuzz {frames} --seed {seed}");
        let report = Fuzz::new(seed).run(frames).map_err(anyhow::Error::msg)?;
        let drops: Vec<_> =
            report.drops.iter().map(|(reason, count)| (reason.name(), count)).collect();
        if json {
            let drops: serde_json::Map<_, _> =
                drops.iter().map(|(name, count)| ((*name).to_owned(), json!(count))).collect();
            println!(
                "{:#}",
                json!({
                    "seed": seed, "frames": report.frames, "sent": report.sent,
                    "connections": report.connections, "read": report.read,
                    "most_held_bytes": report.most_held, "drops": drops,
                })
            );
            continue;
        }
        println!(
            "seed {seed}: survived {} frames; sent {}, accepted {} connections, held at most {} \
             bytes; dropped for {} reasons:",
            report.frames,
            report.sent,
            report.connections,
            report.most_held,
            drops.len()
        );
        for (name, count) in drops {
            println!("{count:>10}  {name}");
        }
    }
    Ok(())
}
