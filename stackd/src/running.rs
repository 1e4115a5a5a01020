//! `stackd run`: a program on a stack inside this process, or on a daemon's.

use core::net::Ipv4Addr;

use anyhow::Context;
use run::program::Signals;
use run::{Exchange, Program};

use crate::args::run::{Run, Which};
use crate::rootless;

/// Runs it; returns its exit code.
pub(crate) fn run(args: Run) -> anyhow::Result<u8> {
    let Run { which, dns, host, program } = args;
    let (program, arguments) = program.split_first().context("there is no program")?;
    match which {
        Which::Usual | Which::Inline => {}
        Which::Daemon(name) => anyhow::bail!("daemon {name} does not serve programs"),
    }
    if let Some(tap) = host.rootless_tap() {
        rootless::enter(&tap)?;
    }
    // From here on there may be threads.
    let signals = Signals::block().context("cannot catch signals")?;
    let stack = host.builder().start()?;
    let first = stack.interfaces().first().and_then(|interface| interface.addresses.first());
    let address = first.map_or(Ipv4Addr::UNSPECIFIED, ipnet::Ipv4Net::addr);
    let exchange = Exchange::new(stack.sockets().clone(), dns)?;
    let running = Program::start(program, arguments, address, signals)?;
    let outcome = running.supervise(exchange);
    stack.shutdown();
    Ok(outcome?.code())
}
