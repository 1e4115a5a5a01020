//! The courses that the command line asks for: every combination of loss, round trip, reordering.

use anyhow::{bail, ensure};
use layer::Duration;
use serde_json::{Value, json};
use sim::Chance;
use sim::goodput::Course;

/// What the wires do. Lists give one course for each combination.
#[derive(clap::Args)]
pub(super) struct Grid {
    /// Losses, percent of frames [default: 0,0.1,0.5,2,5]
    #[arg(long, value_delimiter = ',', value_name = "PERCENT,..")]
    loss: Vec<f64>,
    /// Round trips, ms [default: 1,10,40,100]
    #[arg(long, value_delimiter = ',', value_name = "MS,..")]
    rtt: Vec<f64>,
    /// Frames late by up to half a round trip, percent [default: 0,2]
    #[arg(long, value_delimiter = ',', value_name = "PERCENT,..")]
    reorder: Vec<f64>,
    /// Frames that arrive twice, percent
    #[arg(long, default_value_t = 0.0, value_name = "PERCENT")]
    duplicate: f64,
    /// Frames with a flipped bit, percent
    #[arg(long, default_value_t = 0.0, value_name = "PERCENT")]
    corrupt: f64,
    /// Rate of the wires, Mbit/s; without, sending takes no time
    #[arg(long, value_name = "MBIT")]
    rate: Option<f64>,
    /// Frames that may wait for a wire with a rate
    #[arg(long, default_value_t = 1000, value_name = "FRAMES")]
    queue: usize,
    /// Bytes of each transfer
    #[arg(long, default_value_t = 1_000_000)]
    bytes: u64,
}

/// A course, with its numbers as the command line says them.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub(super) course: Course,
    pub(super) loss: f64,
    pub(super) rtt_ms: f64,
    pub(super) reorder: f64,
    /// How its row begins.
    pub(super) row: String,
    /// What asks for this course alone, after `cargo xtask sim`.
    pub(super) flags: String,
}

impl Grid {
    /// All combinations; losses vary slowest.
    pub(super) fn courses(&self, quick: bool) -> anyhow::Result<Vec<Named>> {
        let or = |given: &[f64], full: &[f64], few: &[f64]| -> Vec<f64> {
            let default = if quick { few } else { full };
            if given.is_empty() { default.to_vec() } else { given.to_vec() }
        };
        let losses = or(&self.loss, &[0.0, 0.1, 0.5, 2.0, 5.0], &[0.0, 2.0]);
        let rtts = or(&self.rtt, &[1.0, 10.0, 40.0, 100.0], &[1.0, 40.0]);
        let reorders = or(&self.reorder, &[0.0, 2.0], &[0.0, 2.0]);
        let mut courses = Vec::new();
        for &loss in &losses {
            for &rtt_ms in &rtts {
                for &reorder in &reorders {
                    courses.push(self.course(loss, rtt_ms, reorder)?);
                }
            }
        }
        Ok(courses)
    }

    fn course(&self, loss: f64, rtt_ms: f64, reorder: f64) -> anyhow::Result<Named> {
        let Self { duplicate, corrupt, rate, queue, bytes, .. } = *self;
        ensure!((0.0..=3_600_000.0).contains(&rtt_ms), "--rtt {rtt_ms}: from 0 to an hour, in ms");
        ensure!(loss < 100.0, "--loss {loss}: nothing would ever arrive");
        ensure!(bytes > 0 && queue > 0, "--bytes and --queue are at least 1");
        let rate = match rate {
            None => None,
            Some(mbit) if (0.001..=1e6).contains(&mbit) => Some(((mbit * 1e6) as u64, queue)),
            Some(mbit) => bail!("--rate {mbit}: from 0.001 to 1000000 Mbit/s"),
        };
        let course = Course {
            bytes,
            rtt: Duration::from_nanos((rtt_ms * 1e6) as u64),
            loss: chance("--loss", loss)?,
            reorder: chance("--reorder", reorder)?,
            burst: None,
            duplicate: chance("--duplicate", duplicate)?,
            corrupt: chance("--corrupt", corrupt)?,
            rate,
            limit: None,
        };
        let mut rest = format!("--bytes {bytes}");
        for (flag, percent) in [("--duplicate", duplicate), ("--corrupt", corrupt)] {
            if percent > 0.0 {
                rest += &format!(" {flag} {percent}");
            }
        }
        if let Some(mbit) = self.rate {
            rest += &format!(" --rate {mbit} --queue {queue}");
        }
        let flags = format!("--runs 1 --loss {loss} --rtt {rtt_ms} --reorder {reorder} {rest}");
        Ok(Named { course, loss, rtt_ms, reorder, row: format!("loss {loss} %"), flags })
    }
}

impl Named {
    /// For programs.
    pub(super) fn to_json(&self) -> Value {
        let Self { course, loss, rtt_ms, reorder, row: _, flags: _ } = self;
        let percent = |chance: Chance| f64::from(chance.parts()) / 10_000.0;
        json!({
            "loss_percent": loss, "bursts": course.burst.is_some(),
            "rtt_ms": rtt_ms, "reorder_percent": reorder,
            "bytes": course.bytes, "duplicate_percent": percent(course.duplicate),
            "corrupt_percent": percent(course.corrupt),
            "rate_bps": course.rate.map(|(bps, _)| bps),
        })
    }
}

pub(super) fn chance(flag: &str, percent: f64) -> anyhow::Result<Chance> {
    ensure!((0.0..=100.0).contains(&percent), "{flag} {percent}: from 0 to 100 percent");
    Ok(Chance::per_million((percent * 10_000.0).round() as u32))
}
