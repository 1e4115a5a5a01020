//! Hidden commands of this program that cases run inside their namespaces: clients and servers on
//! the kernel's sockets that check every byte, and the impairing bridge.
//!
//! They are processes, not threads of the runner, because a process is in one network namespace,
//! and because some cases kill them.

use std::net::SocketAddr;

pub(super) mod content;
mod frames;
pub(super) mod impair;
mod serve;
mod sys;
mod traffic;

/// A hidden command and its arguments.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Send bytes to an echo service and read them back, both at once
    Echo(traffic::Echo),
    /// Read from the data source, or a page of the HTTP service
    Fetch(traffic::Fetch),
    /// Send bytes to a service that reads all and answers nothing
    Send(traffic::Send),
    /// Have many connections open at once, all echoing
    Many(traffic::Many),
    /// Connect, echo a few bytes and close, again and again
    Churn(traffic::Churn),
    /// Let the other side close first, and close a little later
    LateClose { to: SocketAddr },
    /// Echo a line for each line of stdin over one connection
    Hold { to: SocketAddr },
    /// Expect a refused TCP connection
    RefusedTcp { to: SocketAddr },
    /// Expect a UDP datagram to come back as a refusal
    RefusedUdp { to: SocketAddr },
    /// Serve what stackd serves, on the kernel's stack
    Serve(serve::Serve),
    /// Put faults between the kernel's TAP and a stack's file descriptor
    Impair(impair::Impair),
}

/// Runs one hidden command.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Echo(command) => command.run(),
        Command::Fetch(command) => command.run(),
        Command::Send(command) => command.run(),
        Command::Many(command) => command.run(),
        Command::Churn(command) => command.run(),
        Command::LateClose { to } => traffic::late_close(to),
        Command::Hold { to } => traffic::hold(to),
        Command::RefusedTcp { to } => traffic::refused_tcp(to),
        Command::RefusedUdp { to } => traffic::refused_udp(to),
        Command::Serve(command) => command.run(),
        Command::Impair(command) => command.run(),
    }
}
