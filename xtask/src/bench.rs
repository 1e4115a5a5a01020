//! `cargo xtask bench`: bulk throughput and round trips beside the kernel's own stack.
//!
//! Only the command line stands here so far.

/// What to measure.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Measure only the rows whose name contains this text
    pub(crate) filter: Option<String>,
}

/// Measures and prints the table.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let Args { filter } = args;
    anyhow::bail!("bench is not built yet ({filter:?})")
}
