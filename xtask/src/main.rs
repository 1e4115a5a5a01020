//! The project's chores: `cargo xtask TASK`, one file a task.
//!
//! This file only reads the command line and dispatches. A task is a module with an `Args` that
//! clap derives and a `run(Args) -> anyhow::Result<()>`; what several tasks need stands beside
//! them (`workspace.rs`, `source.rs`, `finding.rs`, `install.rs`).

use std::process::ExitCode;

use clap::Parser;

mod bench;
mod finding;
mod fuzz;
mod install;
mod mutants;
mod netns;
mod sim;
mod source;
mod spec;
mod test;
mod tidy;
mod workspace;

/// The chores of this project. `cargo xtask test` is the one to know: it runs all checks.
#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    after_help = "Examples:
  cargo xtask test --install     on a fresh machine: install what is missing, then check all
  cargo xtask test               what must be green before a commit
  cargo xtask tidy               only the house rules (seconds)
  cargo xtask spec --write       renew specs/SCOREBOARD.md after editing specs/*.toml
  cargo xtask netns-test ping    only the cases against the Linux stack named like 'ping'
  cargo xtask bench --quick      a first look at the speed, beside the kernel's (a minute)
  cargo xtask fuzz --seconds 60  is there an input that breaks a promise? (a minute a target)
  cargo xtask mutants            do the tests notice faults? (a quarter of an hour)
  cargo xtask sim --seed 7       one simulated world again, the same to the last packet"
)]
enum Task {
    /// Run every check, cheapest first: fmt, clippy, tests, doc tests, spec, tidy, netns-test
    Test(test::Args),
    /// Check the house rules: dependencies, sizes, unsafe, clocks, headers
    Tidy(tidy::Args),
    /// Compare specs/*.toml with the citations and tests in the code; print the scoreboard
    Spec(spec::Args),
    /// Let the Linux stack and real programs talk to stackd in network namespaces
    NetnsTest(netns::Args),
    /// Measure throughput, round trips, connections and memory beside the kernel and other stacks
    Bench(bench::Args),
    /// Run seeded worlds of simulated hosts over faulty wires
    Sim(sim::Args),
    /// Put faults in, one at a time, and see that the tests notice
    Mutants(mutants::Args),
    /// Look for inputs that break a promise of TCP
    Fuzz(fuzz::Args),
    /// Be one end of a measurement of bench
    #[command(hide = true)]
    BenchLoad(bench::load::Args),
    /// Be the ceiling that bench compares with
    #[command(hide = true)]
    BenchCeiling(bench::ceiling::Args),
    /// Run one of the programs that the cases of netns-test use
    #[command(hide = true)]
    Helper(netns::helper::Args),
}

fn main() -> ExitCode {
    let outcome = match Task::parse() {
        Task::Test(args) => test::run(args),
        Task::Tidy(args) => tidy::run(args),
        Task::Spec(args) => spec::run(args),
        Task::NetnsTest(args) => netns::run(args),
        Task::Bench(args) => bench::run(args),
        Task::Sim(args) => sim::run(args),
        Task::Mutants(args) => mutants::run(args),
        Task::Fuzz(args) => fuzz::run(args),
        Task::BenchLoad(args) => bench::load::run(args),
        Task::BenchCeiling(args) => bench::ceiling::run(args),
        Task::Helper(args) => netns::helper::run(args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
