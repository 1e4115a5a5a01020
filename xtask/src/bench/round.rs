//! One measurement: places the two ends on CPUs, runs the load generator, reads what it found.

use std::time::Duration;

use anyhow::Context;

use super::load::Sample;
use super::peer::{self, DISCARD, ECHO, SHORT_ECHO, SOURCE, Standing};
use super::plan::{Measure, Peer, Placement, Seat, Setup, Way};
use super::{Common, cpu};
use crate::netns::wait;

/// Bytes a call of bulk measurements.
const BULK: u32 = 262_144;

/// Idle connections; and those of a stack that looks at all of them for each packet, or that needs
/// an open file for each.
const IDLE: u32 = 10_000;
const IDLE_OF_SOME: u32 = 500;

/// Time for what the last measurement left under way.
const CALM: Duration = Duration::from_millis(50);

/// What the load generator is to do.
struct Task {
    command: &'static str,
    port: u16,
    size: u32,
    at_once: u32,
    placement: Placement,
}

fn task(measure: Measure, peer: &Peer) -> Option<Task> {
    let placement = Placement::Free;
    // The kernel's own services have one for what is short; the others have one for all.
    let short = if *peer == Peer::Kernel || peer.seat() == Seat::Relay { SHORT_ECHO } else { ECHO };
    Some(match measure {
        Measure::Bulk { way: Way::In, streams } => {
            Task { command: "send", port: DISCARD, size: BULK, at_once: streams, placement }
        }
        Measure::Bulk { way: Way::Out, streams } => {
            Task { command: "receive", port: SOURCE, size: BULK, at_once: streams, placement }
        }
        Measure::RoundTrip { placement, size } => {
            Task { command: "ping", port: ECHO, size, at_once: 1, placement }
        }
        Measure::Connections { placement, at_once } => {
            Task { command: "churn", port: short, size: 1, at_once, placement }
        }
        Measure::IdleConnection => {
            let few =
                matches!(peer, Peer::Smoltcp { .. } | Peer::Ipstack) || peer.seat() == Seat::Relay;
            let at_once = if few { IDLE_OF_SOME } else { IDLE };
            Task { command: "idle", port: short, size: 1, at_once, placement }
        }
        Measure::StartUp | Measure::RestMemory => return None,
    })
}

/// Takes one measurement.
pub(super) fn measure(
    measure: Measure,
    setup: &Setup,
    standing: &mut Standing,
    common: &Common,
) -> anyhow::Result<Sample> {
    wait::pause(CALM)?;
    let Some(task) = task(measure, &setup.peer) else { return peer::start_up(setup, common) };
    if setup.peer == Peer::Iperf3 {
        return iperf(measure, standing, common);
    }
    // The last CPUs: the first one has the most interrupts of other devices.
    let mut last = common.cpus.iter().rev().copied();
    let (stack, load) = match task.placement {
        Placement::Free => (common.cpus.clone(), None),
        Placement::Same | Placement::Cross => {
            let stack = last.next().context("no CPU")?;
            let load = match task.placement {
                Placement::Cross => last.next().context("only one CPU")?,
                Placement::Same | Placement::Free => stack,
            };
            (vec![stack], Some(load))
        }
    };
    let pids = standing.pids();
    for pid in &pids {
        cpu::pin_process(*pid, &stack)?;
    }
    let Task { command, port, size, at_once, placement: _ } = task;
    let (to, seconds, warm_up) = (Standing::service(port)?, common.seconds, common.warm_up());
    let mut words = format!(
        "{command} {to} --seconds {seconds} --warm-up {warm_up} --size {size} --at-once {at_once}"
    );
    for pid in &pids {
        words += &format!(" --stack {pid}");
    }
    if let Some(cpu) = load {
        words += &format!(" --cpu {cpu}");
    }
    for address in standing.sources() {
        words += &format!(" --from {address}");
    }
    run(&words, standing, common)
}

fn iperf(measure: Measure, standing: &mut Standing, common: &Common) -> anyhow::Result<Sample> {
    let (seconds, warm_up) = (common.seconds, common.warm_up());
    let to = Standing::service(0)?.ip();
    let mut words = format!("iperf {to} --seconds {seconds} --warm-up {warm_up} --size {BULK}");
    if matches!(measure, Measure::Bulk { way: Way::Out, .. }) {
        words += " --reverse";
    }
    run(&words, standing, common)
}

fn run(words: &str, standing: &mut Standing, common: &Common) -> anyhow::Result<Sample> {
    let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
    // The load generator gives up by itself when nothing moves; this ends what it cannot.
    let limit = Duration::from_secs_f64(common.seconds + common.warm_up() + 20.0);
    let said = standing.load(&words, common, limit)?;
    serde_json::from_str(&said).with_context(|| format!("the load generator said: {said}"))
}
