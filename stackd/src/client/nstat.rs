//! `stackd nstat`: counters under Linux's names, and drops by reason.

use std::io::{self, Write};

use clap::Args;
use serde_json::{Map, Value};

use super::{Whom, http};

/// Counters since the start, under the names of Linux's `nstat`; drops by reason.
#[derive(Args, Debug)]
pub(crate) struct Nstat {
    /// Absolute values (they always are; for those used to -a)
    #[arg(short, long)]
    absolute: bool,

    /// Those that are zero, too
    #[arg(short, long)]
    zeros: bool,

    /// Only names that contain this, case does not matter
    #[arg(value_name = "NAME")]
    names: Vec<String>,

    #[command(flatten)]
    whom: Whom,
}

impl Nstat {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let zeros = self.zeros.then(|| "1".to_owned());
        let answer = self.whom.connect()?.get(&http::target("/v1/nstat", &[("zeros", zeros)]))?;
        let mut out = io::stdout().lock();
        if self.whom.json {
            writeln!(out, "{answer}")?;
        } else {
            write!(out, "{}", shown(&answer, &self.names))?;
        }
        Ok(())
    }
}

/// One line a counter, as `nstat` has them; the reasons of drops follow.
fn shown(answer: &Value, names: &[String]) -> String {
    let fits = |name: &str| {
        let name = name.to_ascii_lowercase();
        names.is_empty() || names.iter().any(|part| name.contains(&part.to_ascii_lowercase()))
    };
    let list = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let lines = |map: Map<String, Value>| -> Vec<String> {
        let kept = map.iter().filter(|(name, _)| fits(name));
        kept.map(|(name, count)| format!("{name:<32}{count:<18} 0.0\n")).collect()
    };
    let counters = lines(list(&answer["counters"]));
    let drops = lines(list(&answer["drops"]));
    let head = if drops.is_empty() { "" } else { "#drops\n" };
    format!("#stackd\n{}{head}{}", counters.concat(), drops.concat())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer() -> Value {
        json!({ "counters": { "TcpInSegs": 5, "IpInReceives": 7 }, "drops": { "tcp.paws": 1 } })
    }

    #[test]
    fn a_line_a_counter_and_then_the_drops() {
        let text = shown(&answer(), &[]);
        let words: Vec<Vec<&str>> =
            text.lines().map(|line| line.split_whitespace().take(2).collect()).collect();
        assert!(words.contains(&vec!["TcpInSegs", "5"]), "{text}");
        assert_eq!(words[3..], [vec!["#drops"], vec!["tcp.paws", "1"]]);
    }

    #[test]
    fn names_choose() {
        let text = shown(&answer(), &["tcpin".to_owned()]);
        assert_eq!(text.lines().count(), 2, "{text}");
    }
}
