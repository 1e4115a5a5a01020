//! `stackd monitor`: what the layers state, as it happens, one line each.

use std::io::{self, BufRead, BufReader, Write};

use anyhow::bail;
use clap::Args;
use serde_json::Value;

use super::{Whom, http, units};

/// What happens, as it happens: states, resends, recoveries, neighbours, ICMP, drops.
#[derive(Args, Debug)]
pub(crate) struct Monitor {
    /// Only these: state, retransmit, cwnd, recovery, neighbour, conflict, address, icmp, drop
    /// [default: all but cwnd]
    #[arg(long, value_name = "EVENTS", value_delimiter = ',')]
    events: Vec<String>,

    /// End after so many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,

    #[command(flatten)]
    whom: Whom,
}

impl Monitor {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let events = Some(self.events.join(",")).filter(|events| !events.is_empty());
        let target = http::target("/v1/monitor", &[("events", events)]);
        let mut lines = BufReader::new(self.whom.connect()?.stream(&target)?);
        let mut left = self.count;
        let mut line = String::new();
        while left != Some(0) {
            line.clear();
            if lines.read_line(&mut line)? == 0 {
                bail!("the daemon ended");
            }
            let event: Value = serde_json::from_str(&line)?;
            if event["event"] == "listening" {
                continue;
            }
            let mut out = io::stdout().lock();
            if self.whom.json {
                out.write_all(line.as_bytes())?;
            } else {
                writeln!(out, "{}", shown(&event))?;
            }
            out.flush()?;
            left = left.map(|left| left - 1);
        }
        Ok(())
    }
}

/// Time of day (UTC), what, and its members.
fn shown(event: &Value) -> String {
    let time = event["time"].as_f64().unwrap_or(0.0);
    let seconds = time as u64 % 86_400;
    let micros = (time.fract() * 1e6) as u64;
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let clock = format!("{hours:02}:{minutes:02}:{:02}.{micros:06}", seconds % 60);
    let text = |name: &str| units::cell(&event[name]);
    let kind = text("event");
    let ends = || format!("{} {}", text("local"), text("remote"));
    let rest = match kind.as_str() {
        "state" => format!("{} {} -> {}", ends(), text("from"), text("to")),
        "retransmit" => {
            format!("{} {} bytes at {}, by {}", ends(), text("bytes"), text("seq"), text("by"))
        }
        "recovery" if event["entered"] == true => format!("{} begins", ends()),
        "recovery" => format!("{} ends", ends()),
        "drop" => format!("{} in {}", text("reason"), text("stage")),
        _other => {
            let members = event.as_object().into_iter().flatten();
            let members = members
                .filter(|(name, _)| !matches!(name.as_str(), "time" | "event" | "stage" | "id"));
            let said: Vec<String> =
                members.map(|(name, value)| format!("{name} {}", units::cell(value))).collect();
            said.join(" ")
        }
    };
    format!("{clock} {kind:<10} {rest}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_a_line() {
        let state = json!({ "event": "state", "time": 86_400.5, "local": "10.9.0.2:80",
            "remote": "10.9.0.1:4000", "from": "SYN-RECV", "to": "ESTAB" });
        let line = "00:00:00.500000 state      10.9.0.2:80 10.9.0.1:4000 SYN-RECV -> ESTAB";
        assert_eq!(shown(&state), line);
        let icmp = json!({ "event": "icmp", "time": 3661.0, "type": 3, "code": 1, "sent": false });
        assert_eq!(shown(&icmp), "01:01:01.000000 icmp       code 1 sent no type 3");
    }
}
