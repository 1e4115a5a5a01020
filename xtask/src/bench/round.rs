//! One measurement: places the two ends on CPUs, runs the load generator, reads what it found.

use std::time::Duration;

use anyhow::Context;

use super::load::Sample;
use super::peer::{DISCARD, ECHO, SOURCE, Standing};
use super::plan::{Measure, Placement};
use super::{Common, cpu};
use crate::netns::wait;

/// Bytes a call of bulk measurements.
const BULK: usize = 262_144;
/// Bytes of a ping.
const PING: usize = 1;

/// Time for what the last measurement left under way.
const CALM: Duration = Duration::from_millis(50);

/// Takes one measurement.
pub(super) fn measure(
    measure: Measure,
    standing: &mut Standing,
    common: &Common,
) -> anyhow::Result<Sample> {
    wait::pause(CALM)?;
    let (command, port, size) = match measure {
        Measure::BulkIn => ("send", DISCARD, BULK),
        Measure::BulkOut => ("receive", SOURCE, BULK),
        Measure::RoundTrip(_) => ("ping", ECHO, PING),
    };
    // The last CPUs: the first one has the most interrupts of other devices.
    let mut last = common.cpus.iter().rev().copied();
    let (stack, load) = match measure {
        Measure::BulkIn | Measure::BulkOut => (common.cpus.clone(), None),
        Measure::RoundTrip(placement) => {
            let stack = last.next().context("no CPU")?;
            let load = match placement {
                Placement::Same => stack,
                Placement::Cross => last.next().context("only one CPU")?,
            };
            (vec![stack], Some(load))
        }
    };
    cpu::pin_process(standing.pid(), &stack)?;
    let to = Standing::service(port)?;
    let mut words: Vec<String> = vec![command.to_owned(), to.to_string()];
    let (seconds, warm_up) = (common.seconds, common.warm_up());
    words.extend(["--seconds".to_owned(), seconds.to_string()]);
    words.extend(["--warm-up".to_owned(), warm_up.to_string()]);
    words.extend(["--size".to_owned(), size.to_string()]);
    words.extend(["--stack".to_owned(), standing.pid().to_string()]);
    if let Some(cpu) = load {
        words.extend(["--cpu".to_owned(), cpu.to_string()]);
    }
    // The load generator gives up by itself when nothing moves; this ends what it cannot.
    let limit = Duration::from_secs_f64(seconds + warm_up + 15.0);
    let said = standing.load(&words, common, limit)?;
    serde_json::from_str(&said).with_context(|| format!("the load generator said: {said}"))
}
