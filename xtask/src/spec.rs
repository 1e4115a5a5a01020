//! `cargo xtask spec`: what the standards require, against what the code and its tests say.
//!
//! `specs/rfcNNNN.toml` lists requirements. Code cites one at the branch that obeys it
//! (`// RFC 9293 3.5 MUST-10: ...`), a test names it one id a line right above `#[test]`
//! (`// test: RFC 9293 MUST-10`), a packet script in its head (`# test: RFC 9293 MUST-10`). This
//! task checks both directions: every id cited exists, and every id marked done has a test that
//! ran and passed. The scoreboard is a function of the TOML files alone, so that it is stable.

use std::fs;

use anyhow::Context;

use crate::finding::{Finding, conclude};
use crate::source::SourceFile;
use crate::workspace;

mod check;
mod cite;
mod junit;
mod list;
mod scoreboard;

#[cfg(test)]
mod tests;

pub(crate) use junit::{Case, Outcome, place as junit_place, write as write_junit};

const SCOREBOARD: &str = "specs/SCOREBOARD.md";

/// How strict to be, and whether to renew the committed scoreboard.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write specs/SCOREBOARD.md instead of comparing with it
    #[arg(long)]
    write: bool,
    /// Demand that the tests behind every id marked done are among those just run
    #[arg(long)]
    after_tests: bool,
}

/// Checks the lists against the code; prints the scoreboard.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let Args { write, after_tests } = args;
    let (standards, mut findings) = list::read(&workspace::files("toml")?);
    let mut citations = Vec::new();
    for (path, text) in workspace::files("rs")? {
        match SourceFile::parse(&path, &text) {
            Ok(file) => citations.extend(cite::in_source(&file, &standards, &mut findings)),
            Err(finding) => findings.push(finding),
        }
    }
    for (path, text) in workspace::files("pkt")? {
        citations.extend(cite::in_script(&path, &text, &standards, &mut findings));
    }
    let results = read_results(after_tests)?;
    let demand = match (&results, after_tests) {
        (None, _) => check::Demand::Tagged,
        (Some(cases), false) => check::Demand::NotFailed(cases),
        (Some(cases), true) => check::Demand::Passed(cases),
    };
    findings.extend(check::done(&standards, &citations, &demand));

    print!("{}", scoreboard::table(&standards));
    let ready = check::ready(&standards, &citations);
    if !ready.is_empty() {
        println!("\ntested but still marked todo: {}", ready.join(", "));
    }
    if write {
        let path = workspace::root().join(SCOREBOARD);
        fs::write(&path, scoreboard::page(&standards))?;
    } else {
        findings.extend(compare_scoreboard(&standards));
    }
    conclude("spec", findings)
}

/// The finding that `specs/SCOREBOARD.md` does not match the lists, if it does not.
pub(crate) fn stale_scoreboard() -> anyhow::Result<Option<Finding>> {
    let (standards, _) = list::read(&workspace::files("toml")?);
    Ok(compare_scoreboard(&standards))
}

fn compare_scoreboard(standards: &[list::Standard]) -> Option<Finding> {
    let written = fs::read_to_string(workspace::root().join(SCOREBOARD)).unwrap_or_default();
    (written != scoreboard::page(standards))
        .then(|| Finding::new(SCOREBOARD, 1, "stale: run `cargo xtask spec --write`"))
}

/// Results of the last run of the tests; without any, says so.
fn read_results(required: bool) -> anyhow::Result<Option<Vec<Case>>> {
    let path = junit_place();
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(junit::parse(&text))),
        Err(error) if required => Err(error).with_context(|| {
            format!("{}: run `cargo nextest run --workspace` first", path.display())
        }),
        Err(_) => {
            println!("no test results in {}: only the tags are checked\n", path.display());
            Ok(None)
        }
    }
}
