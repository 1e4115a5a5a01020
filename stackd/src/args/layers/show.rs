//! `stackd config --show`: the effective settings, each with where it comes from, as a file that
//! `--config` takes.

use std::ffi::OsString;
use std::io::{self, Write};

use clap::Args;
use serde_json::json;

use super::{Item, KEYS, Kind, Origin};
use crate::args::{DEFAULT_ADDRESS, DEFAULT_TAP};
use crate::services::Service;

/// Settings and where they come from, without starting anything.
#[derive(Args, Debug)]
#[command(arg_required_else_help = true)]
pub(crate) struct Config {
    /// Show the effective ones, each with where it comes from
    #[arg(long, required = true)]
    show: bool,

    /// As a JSON list
    #[arg(long)]
    json: bool,

    /// Flags of the daemon, --config among them
    #[arg(value_name = "FLAGS", trailing_var_arg = true, allow_hyphen_values = true)]
    flags: Vec<OsString>,
}

impl Config {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let words = core::iter::once(OsString::from("stackd")).chain(self.flags);
        let items = crate::args::items(words).unwrap_or_else(|error| error.exit());
        let mut out = io::stdout().lock();
        if self.json {
            let value = |item: &Item| {
                let value = item.value.to_string_lossy();
                json!({ "key": item.key, "value": value, "from": item.origin.to_string() })
            };
            let rows: Vec<_> = with_defaults(items).iter().map(value).collect();
            writeln!(out, "{}", json!(rows))?;
        } else {
            write!(out, "{}", shown(&with_defaults(items)))?;
        }
        Ok(())
    }
}

/// What nobody said.
fn with_defaults(mut items: Vec<Item>) -> Vec<Item> {
    let services: Vec<String> = Service::defaults().iter().map(ToString::to_string).collect();
    let services = services.iter().map(|service| ("service", service.as_str()));
    let single =
        [("acd", "optimistic"), ("name", "stackd"), ("pipeline", "layers"), ("offload", "on")];
    let devices = items.iter().filter(|item| item.kind() == Kind::Device).count();
    let says = |items: &[Item], key: &str| items.iter().any(|item| item.key == key);
    let said: Vec<bool> = KEYS.iter().map(|(key, _)| says(&items, key)).collect();
    let unsaid = |key: &str| KEYS.iter().zip(&said).any(|((name, _), said)| *name == key && !said);
    let default = |key: &'static str, value: &str| Item {
        key,
        value: OsString::from(value),
        origin: Origin::Default,
    };
    let mut more: Vec<Item> = single
        .into_iter()
        .chain(services)
        .filter(|(key, _)| unsaid(key))
        .map(|(key, value)| default(key, value))
        .collect();
    if devices <= 1 && unsaid("address") {
        more.push(default("address", DEFAULT_ADDRESS));
    }
    if devices == 0 {
        // Before what belongs to it.
        items.insert(0, default("tap", DEFAULT_TAP));
    }
    items.extend(more);
    items
}

/// As TOML: first what is about the whole, then each interface.
fn shown(items: &[Item]) -> String {
    let mut text = String::new();
    for (key, kind) in KEYS.iter().filter(|(_, kind)| matches!(kind, Kind::One | Kind::Many)) {
        let values: Vec<&Item> = items.iter().filter(|item| item.key == *key).collect();
        text += &line(&values, *kind == Kind::Many);
    }
    for interface in interfaces(items) {
        text += "\n[[interface]]\n";
        for (key, kind) in KEYS {
            let values: Vec<&Item> =
                interface.iter().copied().filter(|item| item.key == *key).collect();
            text += &line(&values, *kind == Kind::OfDevice { many: true });
        }
    }
    text
}

/// Devices with what belongs to them, as the command line's rules have it.
fn interfaces(items: &[Item]) -> Vec<Vec<&Item>> {
    let mut before = Vec::new();
    let mut all: Vec<Vec<&Item>> = Vec::new();
    for item in items {
        match (item.kind(), all.last_mut()) {
            (Kind::One | Kind::Many, _) => {}
            (Kind::Device, _) => all.push(vec![item]),
            (Kind::OfDevice { .. }, Some(interface)) => interface.push(item),
            (Kind::OfDevice { .. }, None) => before.push(item),
        }
    }
    for (index, interface) in all.iter_mut().enumerate() {
        let own = |key: &str| interface.iter().any(|item| item.key == key);
        let takes = |item: &&&Item| (index == 0 || item.key == "mtu") && !own(item.key);
        let more: Vec<&Item> = before.iter().filter(takes).copied().collect();
        interface.extend(more);
    }
    all
}

/// `key = value  # from where`; nothing where there is no value.
fn line(values: &[&Item], list: bool) -> String {
    let Some(first) = values.first() else { return String::new() };
    let mut shown: Vec<String> = values.iter().map(|item| quoted(item)).collect();
    let value = if list { format!("[{}]", shown.join(", ")) } else { shown.swap_remove(0) };
    format!("{} = {value}  # {}\n", first.key, first.origin)
}

fn quoted(item: &Item) -> String {
    let text = item.value.to_string_lossy();
    if matches!(item.key, "mtu" | "tap-fd") && text.parse::<u32>().is_ok() {
        return text.into_owned();
    }
    toml::Value::from(text.as_ref()).to_string()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn what_is_shown_is_a_file_that_says_the_same() {
        let text = "gateway = \"10.0.1.1\"\nservice = [\"echo:7\", \"http:80\"]\n\
                    [[interface]]\ntap = \"a\"\naddress = [\"10.0.1.2/24\", \"10.0.1.3/24\"]\n\
                    [[interface]]\ntap-fd = 3\naddress = [\"10.0.2.2/24\"]\nmtu = 9000\n";
        let items = super::super::file::items(Path::new("a"), text).unwrap();
        let again = super::super::file::items(Path::new("a"), &shown(&items)).unwrap();
        let bare = |items: &[Item]| -> Vec<(&'static str, OsString)> {
            items.iter().map(|item| (item.key, item.value.clone())).collect()
        };
        assert_eq!(bare(&again), bare(&items));
    }

    #[test]
    fn nothing_said_is_all_defaults() {
        let text = shown(&with_defaults(Vec::new()));
        for line in [
            "pipeline = \"layers\"  # default",
            "service = [\"echo:7\", \"discard:9\", \"source:19\", \"http:80\"]  # default",
            "tap = \"stack0\"  # default",
            "address = [\"10.9.0.2/24\"]  # default",
        ] {
            assert!(text.lines().any(|said| said == line), "{line} is not in:\n{text}");
        }
    }
}
