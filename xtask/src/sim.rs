//! `cargo xtask sim`: seeded worlds of simulated hosts over faulty wires.
//!
//! Only the command line stands here so far.

/// Which worlds to run.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Seed of the first world; the same seed gives the same world to the last packet
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Number of worlds; their seeds count up from --seed
    #[arg(long, default_value_t = 1)]
    pub(crate) runs: u64,
}

/// Runs the worlds; fails with the seed of the first that breaks a promise.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let Args { seed, runs } = args;
    anyhow::bail!("sim is not built yet (seed {seed}, runs {runs})")
}
