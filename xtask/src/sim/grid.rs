//! `cargo xtask sim grid`: the standing table of goodput over loss, round trip and reordering.
//!
//! In each cell every transfer must arrive whole and must not stall (`sim/src/stall.rs`), and
//! reordering alone may cost a tenth at most. The goodput itself is written down in
//! `sim/goodput.md` and compared: worlds are deterministic, so any other number is a change of
//! ours that somebody must have meant.

use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use layer::Duration;
use sim::goodput::Course;
use sim::{Burst, Chance};

use super::course::{Named, chance};
use super::{Job, Run, report, run_all, table, tell_failures};

mod picture;
mod snapshot;

/// Which part of the grid.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  cargo xtask sim grid --quick                a subset, one seed: part of `cargo xtask test`
  cargo xtask sim grid --quick --write        the goodput has changed, and you know why
  cargo xtask sim grid --full --write         the same for the whole grid and its picture (minutes)
  cargo xtask sim grid --cell 2:100:20        one cell: loss 2 %, RTT 100 ms, 20 % late
  cargo xtask sim grid --cell bursts:20:0 --seed 3 --capture run.pcapng

A transfer is 4 MB in one direction over wires that lose in both. Its goodput is what had arrived
after 60 virtual seconds if it takes longer; it is finished and compared to the last byte anyway.
'bursts' lose as much as 1 % does, but about five frames in a row.")]
pub(crate) struct Args {
    /// The subset that the tests run, with one seed
    #[arg(long, group = "part")]
    quick: bool,
    /// Everything, the median of five seeds
    #[arg(long, group = "part")]
    full: bool,
    /// One cell: LOSS:RTT:LATE in percent, ms, percent; LOSS may be 'bursts'
    #[arg(long, group = "part", value_name = "LOSS:RTT:LATE")]
    cell: Option<String>,
    /// Seed of the first world
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Renew the table in sim/goodput.md instead of comparing with it
    #[arg(long, conflicts_with = "cell")]
    write: bool,
    /// Print JSON, one entry a world, instead of a table
    #[arg(long)]
    json: bool,
    /// Write all frames of the cell's one world to this pcapng file
    #[arg(long, value_name = "FILE", requires = "cell")]
    capture: Option<PathBuf>,
}

/// What a cell loses.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Loss {
    /// Each frame on its own, percent.
    Each(f64),
    /// In a row.
    Bursts,
}

/// As much as 1 %: a burst begins at one frame in 500 and lasts for five on average.
const BURST: Burst =
    Burst { begin: Chance::per_mille(2), end: Chance::percent(20), loss: Chance::ALWAYS };

const BYTES: u64 = 4_000_000;
const LIMIT: Duration = Duration::from_secs(60);

/// The least that reordering without loss must leave of the goodput.
const LEAST_UNDER_REORDERING: f64 = 0.9;

/// A part of the grid, by the name of its table in the snapshot.
struct Part {
    name: &'static str,
    losses: &'static [Loss],
    rtts_ms: &'static [f64],
    lates: &'static [f64],
    seeds: u64,
}

const QUICK: Part = Part {
    name: "quick",
    losses: &[Loss::Each(0.0), Loss::Each(1.0), Loss::Each(10.0), Loss::Bursts],
    rtts_ms: &[20.0, 300.0],
    lates: &[0.0, 2.0, 20.0],
    seeds: 1,
};

const FULL: Part = Part {
    name: "full",
    losses: &[
        Loss::Each(0.0),
        Loss::Each(0.1),
        Loss::Each(1.0),
        Loss::Each(2.0),
        Loss::Each(5.0),
        Loss::Each(10.0),
        Loss::Bursts,
    ],
    rtts_ms: &[2.0, 20.0, 100.0, 300.0],
    lates: &[0.0, 2.0, 20.0],
    seeds: 5,
};

impl Part {
    /// All cells; losses vary slowest.
    fn courses(&self) -> Vec<Named> {
        let Self { losses, rtts_ms, lates, .. } = *self;
        let cells = losses.iter().flat_map(move |&loss| {
            rtts_ms.iter().flat_map(move |&rtt| lates.iter().map(move |&late| (loss, rtt, late)))
        });
        cells.map(|(loss, rtt, late)| cell(loss, rtt, late)).collect()
    }
}

fn cell(loss: Loss, rtt_ms: f64, reorder: f64) -> Named {
    let percent = |percent: f64| Chance::per_million((percent * 10_000.0).round() as u32);
    let rtt = Duration::from_nanos((rtt_ms * 1e6) as u64);
    let base =
        Course { bytes: BYTES, limit: Some(LIMIT), reorder: percent(reorder), ..Course::new(rtt) };
    let (course, loss, row, name) = match loss {
        Loss::Each(loss) => {
            let course = Course { loss: percent(loss), ..base };
            (course, loss, format!("loss {loss} %"), loss.to_string())
        }
        Loss::Bursts => {
            let course = Course { burst: Some(BURST), ..base };
            (course, 0.0, "bursts".to_owned(), "bursts".to_owned())
        }
    };
    let flags = format!("grid --cell {name}:{rtt_ms}:{reorder}");
    Named { course, loss, rtt_ms, reorder, row, flags }
}

/// Reads LOSS:RTT:LATE.
fn parse_cell(text: &str) -> anyhow::Result<Named> {
    let parts: Vec<&str> = text.split(':').collect();
    let [loss, rtt, late] = parts[..] else {
        bail!("--cell {text}: wants LOSS:RTT:LATE, as in 1:100:2")
    };
    let number = |text: &str| {
        text.parse::<f64>().with_context(|| format!("--cell: '{text}' is not a number"))
    };
    let loss = if loss == "bursts" { Loss::Bursts } else { Loss::Each(number(loss)?) };
    let (rtt, late) = (number(rtt)?, number(late)?);
    ensure!((0.0..=60_000.0).contains(&rtt), "--cell: RTT {rtt}: from 0 to a minute, in ms");
    chance("--cell: LATE", late)?;
    if let Loss::Each(loss) = loss {
        chance("--cell: LOSS", loss)?;
        ensure!(loss < 100.0, "--cell: LOSS {loss}: nothing would ever arrive");
    }
    Ok(cell(loss, rtt, late))
}

/// Runs the worlds, checks the rules, compares with the snapshot or renews it.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let Args { quick, full, cell, seed, write, json, capture } = args;
    if let Some(cell) = cell {
        let course = parse_cell(&cell)?;
        return one(&Job { course: &course, seed }, capture, json);
    }
    let part = match (quick, full) {
        (true, _) => QUICK,
        (_, true) => FULL,
        (false, false) => bail!("say --quick, --full or --cell; `sim grid --help` has examples"),
    };
    let courses = part.courses();
    let seeds = seed..seed.saturating_add(part.seeds);
    let jobs: Vec<Job<'_>> = courses
        .iter()
        .flat_map(|course| seeds.clone().map(move |seed| Job { course, seed }))
        .collect();
    let results = run_all(&jobs);
    let broken = tell_failures(&jobs, &results);
    let text = table::table(&courses, part.seeds, &results);
    if json {
        println!("{:#}", report(&jobs, &results));
    } else {
        print!("{text}\n{}", longest_stall(&jobs, &results));
    }
    ensure!(broken == 0, "{broken} of {} worlds broke a promise", jobs.len());
    let slow = slow_under_reordering(&courses, part.seeds, &results);
    if seed != 1 {
        return verdict(&slow);
    }
    if write {
        snapshot::write(part.name, &text)?;
        if full {
            picture::write(&courses, part.seeds, &results)?;
        }
    } else {
        snapshot::compare(part.name, &text)?;
    }
    verdict(&slow)
}

/// One world, in words or as JSON.
fn one(job: &Job<'_>, capture: Option<PathBuf>, json: bool) -> anyhow::Result<()> {
    let result = match capture {
        Some(path) => job.captured(&path)?,
        None => sim::goodput::run(&job.course.course, job.seed, None),
    };
    if json {
        let results = [result];
        println!("{:#}", report(std::slice::from_ref(job), &results));
        return Ok(());
    }
    let goodput = result.map_err(anyhow::Error::msg)?;
    println!(
        "{:.3} Mbit/s; done after {:.3} s; {} resends, {} timeouts, {} reductions taken back;\n\
         longest standstill {:.3} s of {:.3} s that the back-off excuses; {:?}",
        goodput.bps as f64 / 1e6,
        goodput.outcome.took.as_secs_f64(),
        goodput.sender.retransmits,
        goodput.sender.timeouts,
        goodput.sender.undone,
        goodput.stall.length.as_secs_f64(),
        goodput.stall.allowed.as_secs_f64(),
        goodput.outcome.wires
    );
    Ok(())
}

/// The standstill that came nearest to what is allowed.
fn longest_stall(jobs: &[Job<'_>], results: &[Run]) -> String {
    let runs = jobs.iter().zip(results).filter_map(|(job, run)| Some((job, run.as_ref().ok()?)));
    let longest = runs.max_by_key(|(_, goodput)| goodput.stall.length);
    longest.map_or(String::new(), |(job, goodput)| {
        format!(
            "longest standstill {:.2} s, of {:.2} s that the back-off excuses: cargo xtask sim {} \
             --seed {}\n",
            goodput.stall.length.as_secs_f64(),
            goodput.stall.allowed.as_secs_f64(),
            job.course.flags,
            job.seed
        )
    })
}

/// The cells in which reordering alone costs too much.
fn slow_under_reordering(courses: &[Named], seeds: u64, results: &[Run]) -> Vec<String> {
    let runs = results.chunks(usize::try_from(seeds).unwrap_or(usize::MAX));
    let cells: Vec<(&Named, f64)> = courses
        .iter()
        .zip(runs)
        .filter(|(course, _)| course.loss == 0.0 && course.course.burst.is_none())
        .filter_map(|(course, runs)| Some((course, table::median_bps(runs)?)))
        .collect();
    let in_order = |rtt_ms: f64| {
        cells.iter().find(|(course, _)| (course.rtt_ms, course.reorder) == (rtt_ms, 0.0))
    };
    let ratio = |&(course, bps): &(&Named, f64)| {
        let (_, without) = in_order(course.rtt_ms)?;
        let ratio = bps / without;
        (ratio < LEAST_UNDER_REORDERING).then(|| {
            let Named { rtt_ms, reorder, .. } = course;
            let percent = ratio * 100.0;
            format!("RTT {rtt_ms} ms, {reorder} % late: {percent:.0} % of the goodput in order")
        })
    };
    cells.iter().filter_map(ratio).collect()
}

fn verdict(slow: &[String]) -> anyhow::Result<()> {
    ensure!(
        slow.is_empty(),
        "reordering without loss costs more than a tenth:\n  {}",
        slow.join("\n  ")
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_names_itself() {
        for text in ["0.1:2:0", "10:300:20", "bursts:20:2"] {
            let named = parse_cell(text).unwrap();
            assert_eq!(named.flags, format!("grid --cell {text}"));
        }
        for text in ["", "1:2", "1:2:3:4", "x:2:0", "100:2:0", "1:2:101", "1:-2:0"] {
            assert!(parse_cell(text).is_err(), "{text}");
        }
    }

    #[test]
    fn quick_is_a_part_of_full() {
        let full = FULL.courses();
        assert_eq!(full.len(), 7 * 4 * 3);
        for cell in QUICK.courses() {
            assert!(full.iter().any(|other| other.course == cell.course), "{}", cell.flags);
        }
    }

    #[test]
    fn reordering_that_costs_more_than_a_tenth_is_told() {
        let courses = QUICK.courses();
        let one = sim::goodput::run(&Course { bytes: 1000, ..courses[0].course }, 1, None);
        let one = one.unwrap();
        let mut results: Vec<Run> =
            courses.iter().map(|_| Ok(sim::goodput::Goodput { bps: 1000, ..one })).collect();
        assert!(slow_under_reordering(&courses, 1, &results).is_empty());
        results[1] = Ok(sim::goodput::Goodput { bps: 899, ..one });
        results[2] = Ok(sim::goodput::Goodput { bps: 900, ..one });
        let slow = slow_under_reordering(&courses, 1, &results);
        assert_eq!(slow, ["RTT 20 ms, 2 % late: 90 % of the goodput in order"]);
    }
}
