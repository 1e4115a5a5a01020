//! The direction from the lists to the tests: an id marked done has a test that shows it.

use crate::finding::Finding;
use crate::spec::cite::{Citation, Test, TestName};
use crate::spec::junit::{Case, Outcome};
use crate::spec::list::{Requirement, Standard, Status};

/// What is asked of the tests behind an id that is marked done.
pub(super) enum Demand<'a> {
    /// A tag is enough: there are no results.
    Tagged,
    /// Those that ran passed: the last run may have been of one crate.
    NotFailed(&'a [Case]),
    /// All ran and passed: the last run was of everything.
    Passed(&'a [Case]),
}

/// Findings about ids marked done, and about failing tests of any id.
pub(super) fn done(
    standards: &[Standard],
    citations: &[Citation],
    demand: &Demand<'_>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (standard, requirement) in all(standards) {
        if requirement.status != Status::Done {
            continue;
        }
        let name = format!("RFC {} {}", standard.rfc.number, requirement.id);
        let tags: Vec<_> = tags(citations, standard, requirement).collect();
        if tags.is_empty() {
            let message = format!("{name} is marked done, but no test names it");
            findings.push(Finding::new(&standard.path, requirement.line, message));
        }
        for (citation, test) in tags {
            let fault = match demand {
                Demand::Tagged => None,
                Demand::NotFailed(cases) => fault(test, cases, false),
                Demand::Passed(cases) => fault(test, cases, true),
            };
            let message =
                fault.map(|fault| format!("{name} is marked done, but this test {fault}"));
            findings.extend(message.map(|m| Finding::new(&citation.path, citation.line, m)));
        }
    }
    findings
}

/// Ids with a tagged test that are still marked todo.
pub(super) fn ready(standards: &[Standard], citations: &[Citation]) -> Vec<String> {
    all(standards)
        .filter(|(_, requirement)| requirement.status == Status::Todo)
        .filter(|(standard, requirement)| tags(citations, standard, requirement).next().is_some())
        .map(|(standard, requirement)| format!("RFC {} {}", standard.rfc.number, requirement.id))
        .collect()
}

fn all(standards: &[Standard]) -> impl Iterator<Item = (&Standard, &Requirement)> {
    standards.iter().flat_map(|s| s.requirements.iter().map(move |requirement| (s, requirement)))
}

fn tags<'a>(
    citations: &'a [Citation],
    standard: &Standard,
    requirement: &Requirement,
) -> impl Iterator<Item = (&'a Citation, &'a Test)> {
    let (rfc, id) = (standard.rfc.number, &requirement.id);
    citations
        .iter()
        .filter(move |citation| citation.rfc == rfc && citation.id == *id)
        .filter_map(|citation| citation.test.as_ref().map(|test| (citation, test)))
}

/// What is wrong with the results of a test; `None` if all is well.
fn fault(test: &Test, cases: &[Case], must_run: bool) -> Option<&'static str> {
    let mut outcomes = cases.iter().filter(|case| is_of(test, case)).map(|case| case.outcome);
    let Some(first) = outcomes.next() else {
        return must_run.then_some("did not run");
    };
    let worst = outcomes.fold(first, |worst, next| match (worst, next) {
        (Outcome::Failed, _) | (_, Outcome::Failed) => Outcome::Failed,
        (Outcome::Skipped, _) | (_, Outcome::Skipped) => Outcome::Skipped,
        (Outcome::Passed, Outcome::Passed) => Outcome::Passed,
    });
    match worst {
        Outcome::Passed => None,
        Outcome::Failed => Some("failed"),
        Outcome::Skipped => must_run.then_some("was skipped"),
    }
}

/// Whether a result is that of this test. `cargo test` does not tell the crate of a test under
/// `tests/`; there the name alone decides.
fn is_of(test: &Test, case: &Case) -> bool {
    let package = case.binary.split("::").next().unwrap_or_default();
    // Scripts stand with the protocol they are about, and are played on a whole host by `sim`.
    let played = package == "sim" && matches!(test.name, TestName::Script { .. });
    if !package.is_empty() && package != test.package && !played {
        return false;
    }
    match &test.name {
        TestName::Whole(name) => case.name == *name,
        TestName::End(end) => case.name == *end || case.name.ends_with(&format!("::{end}")),
        TestName::Script { stem } => case.name.split("::").any(|p| p == "scripts" || p == stem),
    }
}
