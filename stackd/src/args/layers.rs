//! Where a setting comes from: a flag, else a `STACKD_*` variable, else the file of `--config`.
//!
//! All three have the same names: `--host-address`, `STACKD_HOST_ADDRESS`, `host-address = "..."`.
//! They are laid over each other key by key and become one command line, so that every rule about
//! flags holds for all of them. What is said of interfaces needs more care:
//!
//! * whoever names a device leaves out all that lower layers say of interfaces, about others;
//! * what is said without a device is about the first one (`mtu`: about all), and takes the place
//!   of what lower layers say of that.

mod file;
mod show;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::ArgMatches;
use clap::parser::ValueSource;

pub(crate) use show::Config;

/// What kind of setting a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// One value.
    One,
    /// A list, taken as a whole.
    Many,
    /// Names a device; what follows belongs to it.
    Device,
    /// About a device: one value, or a list.
    OfDevice { many: bool },
}

/// Every key, in the order of `--help`.
const KEYS: &[(&str, Kind)] = &[
    ("tap", Kind::Device),
    ("tap-fd", Kind::Device),
    ("device", Kind::Device),
    ("address", Kind::OfDevice { many: true }),
    ("host-address", Kind::OfDevice { many: false }),
    ("mac", Kind::OfDevice { many: false }),
    ("mtu", Kind::OfDevice { many: false }),
    ("gateway", Kind::One),
    ("acd", Kind::One),
    ("service", Kind::Many),
    ("name", Kind::One),
    ("control", Kind::One),
    ("pipeline", Kind::One),
    ("offload", Kind::One),
    ("capture", Kind::One),
];

/// Who said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Flag,
    Variable(String),
    Line(PathBuf, usize),
    Default,
}

impl core::fmt::Display for Origin {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Variable(name) => f.write_str(name),
            Self::Line(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// One value of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    key: &'static str,
    value: OsString,
    origin: Origin,
}

impl Item {
    fn kind(&self) -> Kind {
        KEYS.iter().find(|(key, _)| *key == self.key).map_or(Kind::One, |(_, kind)| *kind)
    }

    /// As a flag.
    fn word(&self) -> OsString {
        let mut word = OsString::from(format!("--{}=", self.key));
        word.push(&self.value);
        word
    }
}

/// The process's environment, or what a test says it is.
pub(super) type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// Everything that was said, by whom it was said last, in the order of a command line.
pub(super) fn effective(
    matches: &ArgMatches,
    environment: Environment<'_>,
) -> Result<Vec<Item>, String> {
    let flags = flags(matches);
    let variables = variables(environment);
    let by_flag = matches.get_one::<PathBuf>("config").cloned();
    let by_variable = || environment("STACKD_CONFIG").filter(|path| !path.is_empty());
    let path = by_flag.or_else(|| by_variable().map(PathBuf::from));
    let file = path.map(|path| read(&path)).transpose()?.unwrap_or_default();
    for item in variables.iter().chain(&file) {
        check(item)?;
    }
    Ok(over(over(flags, variables), file))
}

/// The same as one command line.
pub(super) fn words(items: &[Item]) -> Vec<OsString> {
    core::iter::once(OsString::from("stackd")).chain(items.iter().map(Item::word)).collect()
}

fn read(path: &Path) -> Result<Vec<Item>, String> {
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    file::items(path, &text)
}

/// A value that makes no sense is said to by where it stands, not only by its flag.
fn check(item: &Item) -> Result<(), String> {
    let words = [OsString::from("stackd"), item.word()];
    match super::parser().try_get_matches_from(words) {
        Ok(_) => Ok(()),
        Err(error) => {
            let said = error.to_string();
            let first = said.lines().next().unwrap_or_default();
            let why = first.strip_prefix("error: ").unwrap_or(first);
            Err(format!("{}: {why}", item.origin))
        }
    }
}

/// What stands on the command line, in its order.
fn flags(matches: &ArgMatches) -> Vec<Item> {
    let mut placed: Vec<(usize, Item)> = Vec::new();
    for (key, _) in KEYS {
        let id = key.replace('-', "_");
        if matches.value_source(&id) != Some(ValueSource::CommandLine) {
            continue;
        }
        let places = matches.indices_of(&id).into_iter().flatten();
        let values = matches.get_raw(&id).into_iter().flatten();
        let item = |value: &OsStr| Item { key, value: value.to_owned(), origin: Origin::Flag };
        placed.extend(places.zip(values.map(item)));
    }
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, item)| item).collect()
}

/// What the environment says; lists are parted by commas.
fn variables(environment: Environment<'_>) -> Vec<Item> {
    let mut items = Vec::new();
    for (key, kind) in KEYS {
        let name = format!("STACKD_{}", key.replace('-', "_").to_ascii_uppercase());
        let Some(value) = environment(&name).filter(|value| !value.is_empty()) else { continue };
        let origin = Origin::Variable(name);
        let list = match kind {
            Kind::Many | Kind::Device | Kind::OfDevice { many: true } => value.to_str(),
            Kind::One | Kind::OfDevice { many: false } => None,
        };
        match list {
            Some(list) => items.extend(list.split(',').map(|part| {
                let value = OsString::from(part.trim());
                Item { key, value, origin: origin.clone() }
            })),
            None => items.push(Item { key, value, origin }),
        }
    }
    items
}

/// Lays `upper` over `lower`.
fn over(mut upper: Vec<Item>, lower: Vec<Item>) -> Vec<Item> {
    let says = |key: &str| upper.iter().any(|item| item.key == key);
    let names_device = upper.iter().any(|item| item.kind() == Kind::Device);
    let mut devices = 0;
    let kept: Vec<Item> = lower
        .into_iter()
        .filter(|item| match item.kind() {
            Kind::One | Kind::Many => !says(item.key),
            Kind::Device => {
                devices += 1;
                !names_device
            }
            Kind::OfDevice { .. } if names_device => false,
            Kind::OfDevice { .. } => !says(item.key) || (devices > 1 && item.key != "mtu"),
        })
        .collect();
    upper.extend(kept);
    upper
}

#[cfg(test)]
mod tests;
