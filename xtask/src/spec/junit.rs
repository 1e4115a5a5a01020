//! Results of a test run as JUnit XML: what cargo-nextest writes (`.config/nextest.toml`), and
//! what `xtask test` writes itself when it has to run `cargo test`.
//!
//! Left out: everything but the names of cases and whether they passed; this reads no other XML.

use std::fmt::Write;

/// Where nextest puts its report, whatever folder cargo builds into.
const PLACE: &str = "target/nextest/default/junit.xml";

/// One test that ran.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Case {
    /// Crate and binary, `arp` or `arp::laws`; empty where the runner did not say.
    pub(crate) binary: String,
    /// Path of the test within its binary.
    pub(crate) name: String,
    pub(crate) outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    Failed,
    Skipped,
}

/// Reads the cases of a report.
pub(super) fn parse(text: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    for chunk in text.split("<testcase ").skip(1) {
        let Some((head, body)) = chunk.split_once('>') else { continue };
        // A head that ends in a slash has no body: what follows belongs to the next case.
        let body = if head.ends_with('/') { "" } else { body };
        let body = body.split("</testcase>").next().unwrap_or_default();
        let outcome = if body.contains("<failure") || body.contains("<error") {
            Outcome::Failed
        } else if body.contains("<skipped") {
            Outcome::Skipped
        } else {
            Outcome::Passed
        };
        let name = attribute(head, "name");
        cases.push(Case { binary: attribute(head, "classname"), name, outcome });
    }
    cases
}

/// Writes the same form that [`parse`] reads.
pub(crate) fn write(cases: &[Case]) -> String {
    let mut text = "<testsuites name=\"cargo-test\"><testsuite>\n".to_owned();
    for Case { binary, name, outcome } in cases {
        let body = match outcome {
            Outcome::Passed => "",
            Outcome::Failed => "<failure/>",
            Outcome::Skipped => "<skipped/>",
        };
        let _ =
            writeln!(text, "<testcase name=\"{name}\" classname=\"{binary}\">{body}</testcase>");
    }
    text + "</testsuite></testsuites>\n"
}

fn attribute(head: &str, name: &str) -> String {
    let head = format!(" {head}");
    let value = head.split_once(&format!(" {name}=\"")).and_then(|(_, rest)| rest.split_once('"'));
    value.map(|(value, _)| value.to_owned()).unwrap_or_default()
}

/// File with the results of the last run.
pub(crate) fn place() -> std::path::PathBuf {
    crate::workspace::root().join(PLACE)
}
