//! The README's programs are programs that the tests run: what stands there stands, line for line
//! and in the same order, in an example.
//!
//! The library's runs here; that of tokio in netns-test (`examples/axum`), that of C in
//! `capi/tests/c.rs`.

#![expect(clippy::unwrap_used, reason = "helpers of tests count as no test")]

use std::fs;
use std::path::Path;

#[path = "../examples/two_stacks.rs"]
mod two_stacks;

/// The indented lines of a section of the README.
fn program(heading: &str) -> Vec<String> {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let section = readme.split_once(&format!("\n### {heading}\n")).unwrap().1;
    let section = section.split("\n#").next().unwrap();
    let lines = section.lines().filter_map(|line| line.strip_prefix("    "));
    lines.map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn stands_in(heading: &str, example: &str) {
    let lines = program(heading);
    assert!(lines.len() > 3, "{heading} shows no program");
    let text = fs::read_to_string(root().join(example)).unwrap();
    let mut rest = text.lines().map(|line| line.trim().trim_start_matches("//! ").trim());
    // A C comment's star.
    let same = |line: &str, wanted: &str| line.trim_start_matches("* ").trim() == wanted;
    for wanted in lines.iter().filter(|line| *line != "...") {
        assert!(
            rest.any(|line| same(line, wanted)),
            "{heading}: this is not in {example}, or not behind the line before: {wanted}"
        );
    }
}

#[test]
fn the_library_runs_as_the_readme_has_it() {
    stands_in("A library", "socket/examples/two_stacks.rs");
    two_stacks::main().unwrap();
}

#[test]
fn tokio_stands_in_the_readme_as_it_runs() {
    stands_in("tokio", "socket-tokio/examples/axum.rs");
}

#[test]
fn c_stands_in_the_readme_as_it_runs() {
    stands_in("C", "capi/examples/talk.c");
}
