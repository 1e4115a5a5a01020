//! `cargo xtask test`: every check there is, cheapest first, so that a mistake is told early.
//!
//! A step is a command that anyone can run alone; the first that fails ends the run and is named
//! with the command that reproduces it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::spec::{Case, Outcome};
use crate::{install, spec, workspace};

#[cfg(test)]
mod tests;

/// Whether to change the machine.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Install missing Debian packages and Rust components first (needs root for apt-get)
    #[arg(long)]
    install: bool,
}

/// A named command, and which of its lines the summary repeats.
struct Step {
    name: &'static str,
    command: &'static str,
    reads: Reads,
}

/// What is taken from the output of a step besides showing it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reads {
    Nothing,
    /// The last line that contains this.
    Line(&'static str),
    /// The results of `cargo test`, which writes no report of its own.
    CargoTest,
}

/// Runs all steps; fails at the first that does.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let Args { install } = args;
    let start = now();
    if install {
        let step = now();
        install::run().context("step 'install' failed")?;
        println!("==> install: done in {}", seconds(step.elapsed()));
    }
    let steps = steps(nextest_is_there(), install);
    let mut summaries = Vec::new();
    for step in &steps {
        println!("==> {}: {}", step.name, step.command);
        let begin = now();
        let (success, summary) = step.run()?;
        let time = seconds(begin.elapsed());
        if !success {
            anyhow::bail!(
                "step '{}' failed after {time}; to run it alone: {}",
                step.name,
                step.command
            );
        }
        println!("==> {}: done in {time}", step.name);
        summaries.extend(summary);
    }
    let time = seconds(start.elapsed());
    println!("==> all {} steps passed in {time}: {}", steps.len(), summaries.join("; "));
    Ok(())
}

/// The steps in order.
fn steps(nextest: bool, install: bool) -> Vec<Step> {
    let step = |name, command| Step { name, command, reads: Reads::Nothing };
    let tests = if nextest {
        let reads = Reads::Line("Summary [");
        Step { name: "tests", command: "cargo nextest run --workspace", reads }
    } else {
        let command = "cargo test --workspace --no-fail-fast --lib --bins --tests --examples";
        Step { name: "tests", command, reads: Reads::CargoTest }
    };
    let netns = if install { "cargo xtask netns-test --install" } else { "cargo xtask netns-test" };
    vec![
        step("fmt", "cargo fmt --all --check"),
        step("clippy", "cargo clippy --workspace --all-targets -- -D warnings"),
        tests,
        step("doc tests", "cargo test --workspace --doc"),
        step("goodput", "cargo xtask sim grid --quick"),
        step("spec", "cargo xtask spec --after-tests"),
        step("tidy", "cargo xtask tidy"),
        Step { name: "netns-test", command: netns, reads: Reads::Line(" passed, ") },
    ]
}

impl Step {
    /// Runs the command, showing its output; whether it succeeded, and its line of the summary.
    fn run(&self) -> anyhow::Result<(bool, Option<String>)> {
        let mut words = self.command.split(' ');
        let program = words.next().unwrap_or_default();
        let mut command = Command::new(program);
        command.args(words).current_dir(workspace::root());
        if self.reads == Reads::Nothing {
            let status = command.status().with_context(|| self.command)?;
            return Ok((status.success(), None));
        }
        // One pipe for both streams keeps their lines in order.
        let (reader, writer) = std::io::pipe()?;
        command.stdout(writer.try_clone()?).stderr(writer);
        let mut child = command.spawn().with_context(|| self.command)?;
        // The command holds the writing ends of the pipe, which would keep it open for ever.
        drop(command);
        let mut lines = Vec::new();
        for line in BufReader::new(reader).split(b'\n') {
            let line = String::from_utf8_lossy(&line?).into_owned();
            println!("{line}");
            lines.push(line);
        }
        let success = child.wait()?.success();
        let summary = match self.reads {
            Reads::Nothing => None,
            Reads::Line(part) => {
                let found = lines.iter().rev().find(|line| line.contains(part));
                found.map(|line| line.trim().to_owned())
            }
            Reads::CargoTest => {
                let cases = cargo_test_cases(&lines);
                let place = spec::junit_place();
                place.parent().map(fs::create_dir_all).transpose()?;
                fs::write(place, spec::write_junit(&cases))?;
                Some(summary(&cases))
            }
        };
        Ok((success, summary))
    }
}

/// Reads the results that `cargo test` prints. A test under `src/` gets its crate from the name
/// of the binary; one under `tests/` is known by its name alone.
fn cargo_test_cases(lines: &[String]) -> Vec<Case> {
    let mut binary = String::new();
    let mut cases = Vec::new();
    for line in lines.iter().map(|line| line.trim()) {
        if let Some(rest) = line.strip_prefix("Running ") {
            let file = rest.rsplit('/').next().unwrap_or_default();
            let name = file.rsplit_once('-').map_or(file, |(name, _)| name);
            let unit =
                rest.starts_with("unittests src/lib") || rest.starts_with("unittests src/main");
            binary = if unit { name.to_owned() } else { String::new() };
        }
        let Some(rest) = line.strip_prefix("test ") else { continue };
        let Some((name, result)) = rest.split_once(" ... ") else { continue };
        let outcome = match result.split([' ', ',']).next() {
            Some("ok") => Outcome::Passed,
            Some("ignored") => Outcome::Skipped,
            Some(_) | None => Outcome::Failed,
        };
        let name = name.trim_end_matches(" - should panic").to_owned();
        cases.push(Case { binary: binary.clone(), name, outcome });
    }
    cases
}

fn summary(cases: &[Case]) -> String {
    let count = |outcome| cases.iter().filter(|case| case.outcome == outcome).count();
    format!(
        "{} tests run: {} passed, {} failed, {} skipped",
        cases.len(),
        count(Outcome::Passed),
        count(Outcome::Failed),
        count(Outcome::Skipped)
    )
}

fn nextest_is_there() -> bool {
    let probe = Command::new("cargo").args(["nextest", "--version"]).output();
    probe.is_ok_and(|output| output.status.success())
}

#[expect(clippy::disallowed_methods, reason = "tells a human how long a step took")]
fn now() -> Instant {
    Instant::now()
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
