//! Numbers as people read them, in the manner of `ss`.

use serde_json::Value;

/// A rate: `115840000` is `116Mbps`, with three digits.
pub(super) fn rate(bits: u64) -> String {
    const STEPS: [(u64, &str); 3] = [(1_000_000_000, "Gbps"), (1_000_000, "Mbps"), (1_000, "kbps")];
    match STEPS.iter().find(|(step, _)| bits >= *step) {
        Some((step, unit)) => format!("{}{unit}", digits(bits as f64 / *step as f64)),
        None => format!("{bits}bps"),
    }
}

/// Milliseconds of microseconds, without zeros behind the point that say nothing.
pub(super) fn millis(micros: u64) -> String {
    let text = format!("{}.{:03}", micros / 1000, micros % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A span as `ss` shows timers: `200ms`, `1.5sec`, `2min30sec`.
pub(super) fn span(millis: u64) -> String {
    match (millis / 60_000, millis % 60_000) {
        (0, ms) if ms < 1000 => format!("{ms}ms"),
        (0, ms) => format!("{}sec", self::millis(ms)),
        (minutes, ms) => format!("{minutes}min{}sec", ms / 1000),
    }
}

/// Three digits.
fn digits(number: f64) -> String {
    match number {
        n if n >= 100.0 => format!("{n:.0}"),
        n if n >= 10.0 => format!("{n:.1}"),
        n => format!("{n:.2}"),
    }
}

/// Text of a JSON value as it stands in a cell; nothing for null.
pub(super) fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_three_digits() {
        for (bits, shown) in [
            (0, "0bps"),
            (999, "999bps"),
            (1_000, "1.00kbps"),
            (115_840_000, "116Mbps"),
            (11_584_000, "11.6Mbps"),
            (34_400_000_000, "34.4Gbps"),
        ] {
            assert_eq!(rate(bits), shown);
        }
    }

    #[test]
    fn times_are_short() {
        for (micros, shown) in [(0, "0"), (40_000, "40"), (201_500, "201.5"), (64, "0.064")] {
            assert_eq!(millis(micros), shown);
        }
        for (ms, shown) in
            [(200, "200ms"), (1_500, "1.5sec"), (59_999, "59.999sec"), (150_000, "2min30sec")]
        {
            assert_eq!(span(ms), shown);
        }
    }
}
