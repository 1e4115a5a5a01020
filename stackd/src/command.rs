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
    /// Sockets, in the words of iproute2's `ss`
    Ss(client::ss::Ss),
    /// Counters under Linux's names, and drops by reason
    Nstat(client::nstat::Nstat),
    /// Our addresses
    Addr(client::net::Addr),
    /// Interfaces and what crossed them
    Link(client::net::Link),
    /// Routes: show, add, del
    Route(client::net::Route),
    /// Neighbours: show, add, del
    Neigh(client::net::Neigh),
    /// Asks a host, from the stack, whether it is there
    Ping(client::ping::Ping),
    /// TCP's settings under Linux's names: show, change
    Sysctl(client::sysctl::Sysctl),
    /// What happens, as it happens
    Monitor(client::monitor::Monitor),
    /// Frames as pcapng, each with a comment
    Capture(client::capture::Capture),
    /// Connections, layers and drops, once a second
    Top(client::top::Top),
    /// A daemon's settings and where they come from
    Config(crate::args::layers::Config),
}

impl Command {
    /// Does it: 0 is done, 1 is that it could not be done. (2, a command line that makes no sense,
    /// has been said by then.)
    pub(crate) fn run(self) -> ExitCode {
        let outcome = match self {
            Self::Ls(ls) => ls.run(),
            Self::Run(_) => Err(anyhow::anyhow!("a program is not run this way")),
            Self::Ss(ss) => ss.run(),
            Self::Nstat(nstat) => nstat.run(),
            Self::Addr(addr) => addr.run(),
            Self::Link(link) => link.run(),
            Self::Route(route) => route.run(),
            Self::Neigh(neigh) => neigh.run(),
            Self::Ping(ping) => ping.run(),
            Self::Sysctl(sysctl) => sysctl.run(),
            Self::Monitor(monitor) => monitor.run(),
            Self::Capture(capture) => capture.run(),
            Self::Top(top) => top.run(),
            Self::Config(config) => config.run(),
        };
        match outcome {
            Ok(()) => ExitCode::SUCCESS,
            // Whoever read the answer has enough of it, as `head` has.
            Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error:#}");
                ExitCode::FAILURE
            }
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
