//! `cargo xtask netns-test`: stackd against the Linux stack and real programs, in network
//! namespaces made for the purpose.
//!
//! Only the command line stands here so far.

/// What to run; without a filter every case of the default pipeline.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run only the cases whose name contains this text
    pub(crate) filter: Option<String>,
    /// Run every pipeline against every case, and the large sizes
    #[arg(long)]
    pub(crate) full: bool,
    /// Install missing Debian packages instead of skipping the cases that need them
    #[arg(long)]
    pub(crate) install: bool,
}

/// Runs the cases; fails when one of them fails.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let Args { filter, full, install } = args;
    anyhow::bail!("netns-test is not built yet ({filter:?}, full {full}, install {install})")
}
