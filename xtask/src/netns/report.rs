//! What came of the cases: a line a case while they run, a closing line, and JSON for programs.

use std::time::Duration;

use serde_json::{Value, json};

use super::case::{Case, Pipeline};

/// What came of a case.
pub(super) enum Verdict {
    Passed,
    /// What went wrong, with the commands and their output.
    Failed(String),
    /// Why it was not run.
    Skipped(String),
}

/// All verdicts so far.
#[derive(Default)]
pub(super) struct Report {
    entries: Vec<Value>,
    passed: usize,
    failed: usize,
    skipped: usize,
    /// Lines go to stderr, as stdout is for the JSON.
    json: bool,
}

impl Report {
    pub(super) fn new(json: bool) -> Report {
        Report { json, ..Report::default() }
    }

    /// Takes in a verdict and tells it.
    pub(super) fn add(&mut self, case: &Case, on: Pipeline, verdict: Verdict, time: Duration) {
        let pipeline = on.name();
        let (name, seconds) = (case.name, time.as_secs_f64());
        let (mark, detail) = match verdict {
            Verdict::Passed => ("ok", String::new()),
            Verdict::Failed(detail) => ("FAILED", detail),
            Verdict::Skipped(reason) => ("skipped", reason),
        };
        let mut line = format!("{mark:<7} {name} [{pipeline}]  {seconds:.2}s");
        match mark {
            "ok" => self.passed += 1,
            "FAILED" => {
                self.failed += 1;
                line += &format!("\n{}", detail.trim_end());
                line += &format!("\nagain: cargo xtask netns-test {name} --pipeline {pipeline}\n");
            }
            _ => {
                self.skipped += 1;
                line += &format!("  ({detail})");
            }
        }
        self.say(&line);
        self.entries.push(json!({
            "case": name, "pipeline": pipeline, "verdict": mark.to_lowercase(),
            "seconds": seconds, "detail": detail,
        }));
    }

    /// Prints the closing line, and the JSON if wanted. Whether nothing failed.
    pub(super) fn close(&self, time: Duration) -> bool {
        let Report { entries, passed, failed, skipped, json } = self;
        let seconds = time.as_secs_f64();
        self.say(&format!("{passed} passed, {failed} failed, {skipped} skipped in {seconds:.0} s"));
        if *json {
            let whole = json!({
                "passed": passed, "failed": failed, "skipped": skipped,
                "seconds": seconds, "cases": entries,
            });
            println!("{whole:#}");
        }
        *failed == 0
    }

    fn say(&self, line: &str) {
        if self.json { eprintln!("{line}") } else { println!("{line}") }
    }
}
