//! Rules about calls and macros that do not belong where they stand.

use crate::finding::Finding;
use crate::source::SourceFile;
use crate::tidy::PROTOCOL;

/// Ways to the clock or to chance, as token sequences.
const CLOCK_AND_CHANCE: &[&str] = &[
    "Instant : : now",
    "SystemTime : : now",
    "UNIX_EPOCH",
    "thread : : sleep",
    "getrandom",
    "rand : :",
    "fastrand : :",
    "thread_rng",
    "OsRng",
    "RandomState",
    "DefaultHasher",
];

/// Ways to threads, terminals and logs.
const WORLD: &[&str] = &[
    "thread : : spawn",
    "thread : : Builder",
    "thread : : scope",
    "println !",
    "eprintln !",
    "print !",
    "eprint !",
    "tracing : :",
    "log : :",
];

/// Code that must give the same outputs for the same calls. Examples and benches drive it from
/// outside and may look at the clock.
fn is_deterministic(file: &SourceFile) -> bool {
    let name = file.crate_name();
    let inside = PROTOCOL.contains(&name) || matches!(name, "layer" | "sim");
    !file.is_example() && (inside || file.path.starts_with("socket/src/hub"))
}

fn is_protocol(file: &SourceFile) -> bool {
    PROTOCOL.contains(&file.crate_name()) && !file.is_example()
}

/// Time and keys are arguments: no clock, no chance in layer, the protocol crates, sim and
/// socket::hub, tests included.
pub(super) fn clock_and_chance(file: &SourceFile) -> Vec<Finding> {
    if !is_deterministic(file) {
        return Vec::new();
    }
    each(file, CLOCK_AND_CHANCE, |_| true, "breaks determinism: `now` and keys are arguments")
}

/// A protocol crate starts no thread, prints and logs nothing; its tests may print a seed.
pub(super) fn world(file: &SourceFile) -> Vec<Finding> {
    if !is_protocol(file) {
        return Vec::new();
    }
    let why = "a layer has no threads, prints and logs nothing: use `out.note` or `out.drop`";
    each(file, WORLD, |in_test| !in_test, why)
}

/// Nothing a packet can influence may panic.
pub(super) fn shortcuts(file: &SourceFile) -> Vec<Finding> {
    if !is_protocol(file) {
        return Vec::new();
    }
    let why = "may panic on what a packet says: drop and count, or `let ... else`";
    each(file, &[". unwrap (", ". expect ("], |in_test| !in_test, why)
}

/// Nothing is left open in committed code.
pub(super) fn left_open(file: &SourceFile) -> Vec<Finding> {
    each(file, &["todo !", "unimplemented !", "dbg !"], |_| true, "is left from writing")
}

/// A test that does not run says why: `#[ignore = "..."]`.
pub(super) fn ignored_without_reason(file: &SourceFile) -> Vec<Finding> {
    each(file, &["# [ ignore ]"], |_| true, "gives no reason: `#[ignore = \"...\"]`")
}

/// A finding for each place of each sequence in code where `applies(in_test)`.
fn each(
    file: &SourceFile,
    sequences: &[&str],
    applies: fn(bool) -> bool,
    why: &str,
) -> Vec<Finding> {
    sequences
        .iter()
        .flat_map(|sequence| file.find(sequence).map(move |token| (sequence, token)))
        .filter(|(_, token)| applies(token.in_test))
        .map(|(sequence, token)| {
            let name = sequence.replace(' ', "");
            Finding::new(&file.path, token.line, format!("`{name}` {why}"))
        })
        .collect()
}
