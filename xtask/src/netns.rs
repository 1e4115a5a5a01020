//! `cargo xtask netns-test`: stackd against the Linux stack and real programs, in network
//! namespaces made for the purpose.
//!
//! A case is a small function in `cases/` that gets a [`lab::Lab`]: a namespace of its own, in
//! which it starts stackd and runs commands. Cases run side by side, print a line each, and leave
//! nothing behind, whatever ends the run. Programs that need speed or odd behaviour of a peer are
//! commands of this program itself (`helper/`), the impairing bridge among them.

use std::sync::Arc;
use std::{env, thread};

use anyhow::{bail, ensure};

use crate::install;
use case::Pipeline;
use lab::{Peer, Settings};

mod build;
pub(crate) mod case;
mod cases;
pub(crate) mod helper;
pub(crate) mod lab;
pub(crate) mod namespace;
pub(crate) mod process;
mod programs;
mod report;
mod run;
pub(crate) mod wait;

#[cfg(test)]
mod tests;

/// What to run; without a filter every case on the default pipeline, the core ones on the others.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run only the cases whose name contains this text; a whole name means that case alone
    filter: Option<String>,
    /// Run every case on every pipeline, and the large sizes
    #[arg(long)]
    full: bool,
    /// Install missing Debian packages instead of skipping the cases that need them
    #[arg(long)]
    install: bool,
    /// Run on this pipeline only (repeatable), all cases
    #[arg(long = "pipeline", value_name = "PIPELINE")]
    pipelines: Vec<Pipeline>,
    /// Cases at a time; the default is the number of CPUs
    #[arg(long)]
    jobs: Option<usize>,
    /// List the chosen cases and run none
    #[arg(long)]
    list: bool,
    /// Print a report as JSON to stdout, and the lines to stderr
    #[arg(long)]
    json: bool,
    /// Leave a failed case's namespace and stackd running until Ctrl-C
    #[arg(long)]
    keep: bool,
    /// Who answers: stackd, or Linux itself to see whether a case asks too much
    #[arg(long, value_enum, default_value_t = Peer::Stackd)]
    peer: Peer,
}

/// Runs the cases; fails when one of them fails.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let Args { filter, full, install, pipelines, jobs, list, json, keep, peer } = args;
    let turns = run::choose(cases::all(), filter.as_deref(), &pipelines, full);
    ensure!(!turns.is_empty(), "no case is named like that; --list lists them");
    if list {
        for (case, pipeline) in turns {
            println!("{} [{}]", case.name, pipeline.name());
        }
        return Ok(());
    }
    if !rustix::process::geteuid().is_root() {
        bail!("network namespaces need root here: run as root, or with sudo");
    }
    if install {
        install::run()?;
    }
    for program in ["ip", "setpriv"] {
        ensure!(install::has(program), "no '{program}' here: apt-get install iproute2 util-linux");
    }
    let start = wait::now();
    let (stackd, examples) = match peer {
        Peer::Stackd => build::build()?,
        Peer::Kernel => Default::default(),
    };
    wait::listen_for_stop()?;
    namespace::sweep()?;
    let helper = env::current_exe()?;
    let settings = Arc::new(Settings { peer, stackd, examples, helper, full });
    let jobs = jobs.unwrap_or_else(|| thread::available_parallelism().map_or(1, Into::into));
    let report = run::run_all(&settings, &turns, jobs, keep, json);
    let good = report.close(start.elapsed());
    ensure!(!wait::stopped(), "interrupted");
    ensure!(good, "netns-test failed");
    Ok(())
}
