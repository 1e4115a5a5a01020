//! The list of steps, and the reading of what `cargo test` prints.

use super::*;

#[test]
fn install_is_passed_on() {
    let last = |install| steps(true, install).pop().unwrap().command;
    assert_eq!(last(false), "cargo xtask netns-test");
    assert_eq!(last(true), "cargo xtask netns-test --install");
}

#[test]
fn cheap_steps_come_first_and_spec_after_the_tests() {
    let names: Vec<_> = steps(false, false).iter().map(|step| step.name).collect();
    assert_eq!(
        names,
        ["fmt", "clippy", "tests", "doc tests", "goodput", "spec", "tidy", "netns-test"]
    );
}

#[test]
fn results_of_cargo_test_are_read() {
    let output = "     Running unittests src/lib.rs (target/debug/deps/arp-0123abcd)

running 3 tests
test cache::tests::good ... ok
test cache::tests::slow ... ignored, takes hours
test cache::tests::panics - should panic ... ok
     Running tests/laws.rs (target/debug/deps/laws-4567cdef)
test bad ... FAILED
test result: FAILED. 0 passed; 1 failed; 0 ignored";
    let lines: Vec<String> = output.lines().map(str::to_owned).collect();
    let cases = cargo_test_cases(&lines);
    let case = |binary: &str, name: &str, outcome| Case {
        binary: binary.to_owned(),
        name: name.to_owned(),
        outcome,
    };
    assert_eq!(
        cases,
        [
            case("arp", "cache::tests::good", Outcome::Passed),
            case("arp", "cache::tests::slow", Outcome::Skipped),
            case("arp", "cache::tests::panics", Outcome::Passed),
            case("", "bad", Outcome::Failed),
        ]
    );
    assert_eq!(summary(&cases), "4 tests run: 2 passed, 1 failed, 1 skipped");
}

#[test]
fn a_failing_step_is_told_and_its_line_kept() {
    let step = |command, reads| Step { name: "x", command, reads };
    assert_eq!(step("false", Reads::Nothing).run().unwrap(), (false, None));
    let (success, line) = step("echo 3 passed, 0 failed", Reads::Line(" passed, ")).run().unwrap();
    assert_eq!((success, line.as_deref()), (true, Some("3 passed, 0 failed")));
}
