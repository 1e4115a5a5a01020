//! `stackd ls`.

use std::io::{self, Write};

use clap::Args;

/// Names of the daemons that run here.
#[derive(Args, Debug)]
pub(crate) struct Ls {
    /// As a JSON list
    #[arg(long)]
    json: bool,
}

impl Ls {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let names = stackd::paths::living();
        let mut out = io::stdout().lock();
        if self.json {
            writeln!(out, "{}", serde_json::json!(names))?;
        } else {
            names.iter().try_for_each(|name| writeln!(out, "{name}"))?;
        }
        Ok(())
    }
}
