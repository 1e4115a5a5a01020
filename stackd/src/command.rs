//! The words after `stackd` that ask something of a daemon instead of starting one.

use std::process::ExitCode;

use clap::Subcommand;

use crate::args::run::RunArguments;
use crate::client;

/// A subcommand.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Run a program on the stack
    Run(Box<RunArguments>),
    /// Names of the daemons that run here
    Ls(client::ls::Ls),
}

impl Command {
    /// Does it: 0 is done, 1 is that it could not be done. (2, a command line that makes no sense,
    /// has been said by then.)
    pub(crate) fn run(self) -> ExitCode {
        let outcome = match self {
            Self::Ls(ls) => ls.run(),
            Self::Run(_) => Err(anyhow::anyhow!("a program is not run this way")),
        };
        match outcome {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error:#}");
                ExitCode::FAILURE
            }
        }
    }
}
