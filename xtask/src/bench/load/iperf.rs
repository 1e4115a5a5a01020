//! The same transfer by iperf3: whether our load generator finds what others find.

use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use serde_json::Value;

use super::{CONGESTION, Sample};

/// A transfer to or from an iperf3 server.
#[derive(clap::Args)]
pub(super) struct Iperf {
    /// Where `iperf3 -s` runs
    to: Ipv4Addr,
    /// Measured time, seconds
    #[arg(long)]
    seconds: f64,
    /// Time before it, seconds
    #[arg(long)]
    warm_up: f64,
    /// Bytes a call
    #[arg(long)]
    size: usize,
    /// From the server to here
    #[arg(long)]
    reverse: bool,
}

impl Iperf {
    pub(super) fn run(&self) -> anyhow::Result<Sample> {
        // It takes whole seconds only.
        let (seconds, warm_up) = (self.seconds.ceil().max(1.0), self.warm_up.ceil().max(1.0));
        let mut command = Command::new("iperf3");
        command.args(["--client", &self.to.to_string(), "--json"]);
        command.args(["--time", &seconds.to_string(), "--omit", &warm_up.to_string()]);
        command.args(["--length", &self.size.to_string(), "--congestion", CONGESTION]);
        if self.reverse {
            command.arg("--reverse");
        }
        let output = command.stderr(Stdio::inherit()).output().context("cannot run iperf3")?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "iperf3: {}", problem(&said));
        found(&said).with_context(|| format!("iperf3 said: {said}"))
    }
}

/// What came of it, in the JSON that iperf3 prints.
pub(in crate::bench) fn found(said: &str) -> Option<Sample> {
    let report: Value = serde_json::from_str(said).ok()?;
    let end = &report["end"];
    let received = &end["sum_received"];
    Some(Sample {
        bytes: received["bytes"].as_u64()?,
        seconds: received["seconds"].as_f64()?,
        retransmitted: end["sum_sent"]["retransmits"].as_u64().unwrap_or(0),
        ..Sample::default()
    })
}

fn problem(said: &str) -> String {
    let report: Value = serde_json::from_str(said).unwrap_or_default();
    report["error"].as_str().unwrap_or("it failed").to_owned()
}
