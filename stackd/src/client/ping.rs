//! `stackd ping`: asks a host from the stack whether it is there.

use core::net::IpAddr;
use std::io::{self, BufRead, BufReader, Write};

use anyhow::bail;
use clap::Args;
use serde_json::Value;

use super::{Whom, http, units};

/// Asks a host, from the stack, whether it is there (ICMP echo).
///
/// The exit code is 0 if at least one answer came.
#[derive(Args, Debug)]
pub(crate) struct Ping {
    /// Whom to ask
    #[arg(value_name = "ADDRESS")]
    address: IpAddr,

    /// How often [default: until it is ended]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,

    /// Seconds between two questions
    #[arg(short, long, value_name = "SECONDS", default_value = "1")]
    interval: f64,

    /// Bytes behind the ICMP header
    #[arg(short, long, value_name = "BYTES", default_value = "56")]
    size: u16,

    #[command(flatten)]
    whom: Whom,
}

/// What came of the questions so far.
#[derive(Debug, Default)]
struct Tally {
    asked: u64,
    answered: u64,
    /// Of the round trips, us.
    least: f64,
    most: f64,
    sum: f64,
}

impl Ping {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let interval = (self.interval * 1000.0).round();
        let target = http::target(
            "/v1/ping",
            &[
                ("address", Some(self.address.to_string())),
                ("count", self.count.map(|count| count.to_string())),
                ("interval_ms", Some(interval.to_string())),
                ("size", Some(self.size.to_string())),
            ],
        );
        let mut lines = BufReader::new(self.whom.connect()?.stream(&target)?);
        let mut tally = Tally::default();
        if !self.whom.json {
            writeln!(io::stdout(), "PING {} {} bytes of data.", self.address, self.size)?;
        }
        let mut line = String::new();
        while lines.read_line(&mut line)? > 0 {
            let event: Value = serde_json::from_str(&line)?;
            let mut out = io::stdout().lock();
            if self.whom.json {
                out.write_all(line.as_bytes())?;
            } else {
                writeln!(out, "{}", shown(&event, self.address))?;
            }
            out.flush()?;
            tally.add(&event);
            line.clear();
        }
        if !self.whom.json {
            writeln!(
                io::stdout(),
                "\n--- {} ping statistics ---\n{}",
                self.address,
                tally.shown()
            )?;
        }
        if tally.answered == 0 {
            bail!("{} did not answer", self.address);
        }
        Ok(())
    }
}

fn shown(event: &Value, address: IpAddr) -> String {
    let text = |name: &str| units::cell(&event[name]);
    match event["event"].as_str() {
        Some("reply") => format!(
            "{} bytes from {}: icmp_seq={} ttl={} time={} ms",
            event["bytes"].as_u64().unwrap_or(0) + 8,
            text("address"),
            text("seq"),
            text("ttl"),
            three(event["rtt_us"].as_f64().unwrap_or(0.0) / 1000.0)
        ),
        Some("failed") => {
            let reporter = event["reporter"].as_str().map(|from| format!("From {from} "));
            format!("{}icmp_seq={} {}", reporter.unwrap_or_default(), text("seq"), text("why"))
        }
        _timeout => format!("no answer from {address}: icmp_seq={}", text("seq")),
    }
}

/// Three digits behind a point below 10 ms, as `ping` has them.
fn three(ms: f64) -> String {
    match ms {
        ms if ms < 10.0 => format!("{ms:.3}"),
        ms if ms < 100.0 => format!("{ms:.2}"),
        ms => format!("{ms:.1}"),
    }
}

impl Tally {
    fn add(&mut self, event: &Value) {
        self.asked += 1;
        if event["event"] != "reply" {
            return;
        }
        let rtt = event["rtt_us"].as_f64().unwrap_or(0.0);
        self.least = if self.answered == 0 { rtt } else { self.least.min(rtt) };
        self.most = self.most.max(rtt);
        self.sum += rtt;
        self.answered += 1;
    }

    fn shown(&self) -> String {
        let lost = (self.asked - self.answered) * 100 / self.asked.max(1);
        let counts = format!(
            "{} packets transmitted, {} received, {lost}% packet loss",
            self.asked, self.answered
        );
        if self.answered == 0 {
            return counts;
        }
        let mean = self.sum / self.answered as f64;
        let ms = |us: f64| format!("{:.3}", us / 1000.0);
        format!("{counts}\nrtt min/avg/max = {}/{}/{} ms", ms(self.least), ms(mean), ms(self.most))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reply(seq: u16, rtt_us: f64) -> Value {
        json!({ "event": "reply", "seq": seq, "address": "10.9.0.1", "bytes": 56, "ttl": 64,
            "rtt_us": rtt_us })
    }

    #[test]
    fn lines_are_those_of_ping() {
        let address = "10.9.0.1".parse().unwrap();
        let line = "64 bytes from 10.9.0.1: icmp_seq=2 ttl=64 time=0.264 ms";
        assert_eq!(shown(&reply(2, 264.4), address), line);
        let failed = json!({ "event": "failed", "seq": 1, "why": "Destination Host Unreachable" });
        assert_eq!(shown(&failed, address), "icmp_seq=1 Destination Host Unreachable");
    }

    #[test]
    fn the_tally_is_that_of_ping() {
        let mut tally = Tally::default();
        for event in [reply(1, 100.0), reply(2, 300.0), json!({ "event": "timeout", "seq": 3 })] {
            tally.add(&event);
        }
        let expected = "3 packets transmitted, 2 received, 33% packet loss\n\
                        rtt min/avg/max = 0.100/0.200/0.300 ms";
        assert_eq!(tally.shown(), expected);
    }
}
