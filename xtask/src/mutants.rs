//! `cargo xtask mutants`: do the tests notice? Faults that somebody might make, one at a time, and
//! the tests that must turn red for each.
//!
//! A mutant is a file in `mutants/` (`file.rs`): what is wrong with it, which tests it must turn
//! red, and the text to replace. It names its place by that text, which must stand exactly once in
//! its file, and not by line, so that it survives changes around it; `cargo xtask tidy` tells of
//! those that do not. The run works in a copy of the tree under `target/mutants`.

use std::time::Duration;

use anyhow::{bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::finding::Finding;
use crate::netns::wait;
use crate::workspace;
use file::Mutant;
use tree::{Tree, Verdict};

mod file;
mod tree;

/// Which faults.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  cargo xtask mutants                    all of them (a quarter of an hour)
  cargo xtask mutants --only paws        those whose name contains this
  cargo xtask mutants --list             name, fault and tests of each

A mutant is killed when each test that it names fails, survives when one passes. Without mutants
all of these tests must pass. To add one, copy a file in mutants/ and change it; text between the
angle brackets is replaced as it stands, indentation included. `cargo xtask tidy` tells when the
text is no longer found once: put in what stands there now.")]
pub(crate) struct Args {
    /// Only mutants whose name contains this (repeatable)
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// List the mutants and run none
    #[arg(long)]
    list: bool,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
    /// Seconds after which a test counts as hanging, which is red too
    #[arg(long, value_name = "S", default_value_t = 120)]
    patience: u64,
}

/// Runs the mutants; fails when one survives or cannot be tried.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let Args { only, list, json, patience } = args;
    let mut mutants = Vec::new();
    for mutant in file::read_all()? {
        let mutant = mutant.map_err(|finding| anyhow::anyhow!("{finding}"))?;
        if only.is_empty() || only.iter().any(|part| mutant.name.contains(part)) {
            mutants.push(mutant);
        }
    }
    ensure!(!mutants.is_empty(), "no mutant is named like that; --list lists them");
    if list {
        for Mutant { name, fault, kills, .. } in &mutants {
            println!("{name}: {fault}");
            kills.iter().for_each(|test| println!("    {test}"));
        }
        return Ok(());
    }
    let tree = Tree::new(Duration::from_secs(patience))?;
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}, {eta} left");
    let bar = ProgressBar::new(mutants.len() as u64 + 1)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message("all tests without mutants");
    tree.all_green(&mutants)?;
    bar.inc(1);
    let mut results = Vec::new();
    for mutant in &mutants {
        bar.set_message(mutant.name.clone());
        let start = wait::now();
        let verdict = tree.attempt(mutant)?;
        bar.suspend(|| {
            if !json {
                println!("{:<9} {:<34} {:>6.1?}", verdict.word(), mutant.name, start.elapsed());
            }
            if !matches!(verdict, Verdict::Killed) {
                eprintln!("{}", verdict.told(mutant));
            }
        });
        bar.inc(1);
        results.push((mutant, verdict));
    }
    bar.finish_and_clear();
    let alive = results.iter().filter(|(_, verdict)| !matches!(verdict, Verdict::Killed)).count();
    if json {
        let one = |(mutant, verdict): &(&Mutant, Verdict)| {
            let Mutant { name, fault, .. } = mutant;
            json!({ "name": name, "fault": fault, "verdict": verdict.word() })
        };
        println!("{:#}", results.iter().map(one).collect::<serde_json::Value>());
    } else {
        println!("{} of {} mutants killed", results.len() - alive, results.len());
    }
    if alive > 0 {
        bail!("{alive} mutants survived or could not be tried");
    }
    Ok(())
}

/// Mutants that can no longer be applied, or name tests that are not there.
pub(crate) fn stale() -> anyhow::Result<Vec<Finding>> {
    let files = workspace::files("rs")?;
    let mut findings = Vec::new();
    for mutant in file::read_all()? {
        match mutant {
            Ok(mutant) => findings.extend(mutant.check(&files)),
            Err(finding) => findings.push(finding),
        }
    }
    Ok(findings)
}
