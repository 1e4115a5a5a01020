//! `cargo xtask tidy`: the house rules that neither rustc, clippy nor rustfmt checks.
//!
//! A rule is a small function over one parsed file, over one manifest or over all files, and has
//! a test in `tidy/tests.rs` that shows it failing. To add one: write the function in the file of
//! its kind, name it in a table below, add the test. There is no way to except a place from a
//! rule; a rule that is wrong somewhere is changed.

use anyhow::Context;

use crate::finding::{Finding, conclude};
use crate::source::SourceFile;
use crate::{mutants, spec, workspace};

mod calls;
mod layout;
mod manifests;
mod size;
mod unsafety;

#[cfg(test)]
mod tests;

/// Crates that speak a protocol: they know `layer` and nothing of each other.
const PROTOCOL: [&str; 5] = ["link", "arp", "ip", "udp", "tcp"];

/// A rule over one file.
type FileRule = fn(&SourceFile) -> Vec<Finding>;

const FILE_RULES: &[FileRule] = &[
    layout::header,
    layout::width,
    size::file_length,
    size::function_length,
    unsafety::only_in_sys,
    unsafety::safety_comment,
    calls::clock_and_chance,
    calls::world,
    calls::shortcuts,
    calls::left_open,
    calls::ignored_without_reason,
];

/// Nothing to choose: all rules always run.
#[derive(clap::Args)]
pub(crate) struct Args {}

/// Checks every rule; fails when there is a finding.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let Args {} = args;
    let mut findings = Vec::new();
    let mut files = Vec::new();
    for (path, text) in workspace::files("rs")? {
        match SourceFile::parse(&path, &text) {
            Ok(file) => files.push(file),
            Err(finding) => findings.push(finding),
        }
    }
    for file in &files {
        findings.extend(FILE_RULES.iter().flat_map(|rule| rule(file)));
    }
    findings.extend(layout::orphans(&files));
    let manifests = workspace::manifests()?;
    let crates: Vec<&str> = manifests.iter().map(|(name, _)| name.as_str()).collect();
    for (name, text) in &manifests {
        findings.extend(manifests::star(name, &crates, text));
    }
    findings.extend(spec::stale_scoreboard().context("specs")?);
    findings.extend(mutants::stale().context("mutants")?);
    println!("tidy: {} files read", files.len());
    conclude("tidy", findings)
}
