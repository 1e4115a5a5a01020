//! All cases, a file a subject. A case to add is a function and a line in the table of its file.

use std::time::Duration;

use super::case::{Case, Lane, Skip};
use super::lab::{HOST, Lab, STACK};
use super::process::{Process, tail};
use super::wait;

mod arp;
mod cli;
mod client;
mod control;
mod device;
mod examples;
mod impaired;
mod kernel;
mod multi;
mod path;
mod ping;
mod rootless;
mod run;
mod tcp;
mod udp;
mod urgent;

/// Every case in the order of the stack, from below.
pub(super) fn all() -> impl Iterator<Item = &'static Case> {
    let groups = [
        impaired::CASES,
        arp::CASES,
        ping::CASES,
        udp::CASES,
        tcp::CASES,
        kernel::CASES,
        urgent::CASES,
        client::CASES,
        multi::CASES,
        path::CASES,
        rootless::CASES,
        run::CASES,
        device::CASES,
        cli::CASES,
        control::CASES,
        examples::CASES,
    ];
    groups.into_iter().flatten()
}

/// Ends the hang of something that takes a moment.
const MOMENT: Duration = Duration::from_secs(15);

/// Pings `count` times; all must be answered, each once.
fn ping(lab: &Lab, flags: &str, count: u32) -> anyhow::Result<()> {
    let output = lab.run(&format!("ping -n -q -i 0.1 -W 5 -c {count} {flags} {STACK}"))?;
    if !output.stdout.contains(&format!(" {count} received, 0% packet loss")) {
        anyhow::bail!("{}", output.told("lost or doubled echoes"));
    }
    output.ok().map(drop)
}

/// A tcpdump that has begun to listen.
fn listen(lab: &Lab, interface: &str, filter: &str) -> anyhow::Result<Process> {
    let line = format!("tcpdump -l -n -e --immediate-mode -i {interface} {filter}");
    let words: Vec<&str> = line.split_whitespace().collect();
    let mut process = lab.spawn(&words)?;
    process.wait_for("listening on", MOMENT)?;
    Ok(process)
}
