//! The file of `--config`: TOML with the names of the flags.
//!
//! Several interfaces are tables, each with one device and what belongs to it:
//!
//! ```toml
//! pipeline = "stages"
//! service = ["echo:7", "http:80"]
//!
//! [[interface]]
//! tap = "a0"
//! address = ["10.9.1.2/24", "10.9.1.3/24"]
//! ```

use std::ffi::OsString;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Item, KEYS, Kind, Origin};

/// The one key that is no flag.
const INTERFACE: &str = "interface";

/// Changes that make one word another, at most, for it to be what was meant.
const NEAR: usize = 3;

/// A file being read.
struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

/// What a file says, in its order; a device before what belongs to it.
pub(super) fn items(path: &Path, text: &str) -> Result<Vec<Item>, String> {
    let file = File { path, text };
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        file.wrong(at, error.message())
    })?;
    let mut items = Vec::new();
    let mut interfaces = Vec::new();
    for (key, value) in file.in_order(table.get_ref()) {
        if key.get_ref() == INTERFACE {
            interfaces.extend(file.interfaces(value)?);
        } else {
            items.extend(file.values(key, value, KEYS)?);
        }
    }
    let about_devices = |item: &Item| !matches!(item.kind(), Kind::One | Kind::Many);
    if let (false, Some(item)) = (interfaces.is_empty(), items.iter().find(|i| about_devices(i))) {
        return Err(format!("{}: {} belongs into an [[interface]] here", item.origin, item.key));
    }
    // As on a command line, where what follows a device belongs to it.
    items.sort_by_key(|item| {
        usize::from(about_devices(item)) + usize::from(item.kind() != Kind::Device)
    });
    items.extend(interfaces);
    Ok(items)
}

type Key<'a> = Spanned<std::borrow::Cow<'a, str>>;

impl File<'_> {
    fn line(&self, at: usize) -> usize {
        self.text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
    }

    fn wrong(&self, at: usize, why: &str) -> String {
        format!("{}:{}: {why}", self.path.display(), self.line(at))
    }

    /// Members by their places: the table has them by their names.
    fn in_order<'t, 'i>(
        &self,
        table: &'t DeTable<'i>,
    ) -> Vec<(&'t Key<'i>, &'t Spanned<DeValue<'i>>)> {
        let mut members: Vec<_> = table.iter().collect();
        members.sort_by_key(|(key, _)| key.span().start);
        members
    }

    /// The tables of `[[interface]]`.
    fn interfaces(&self, value: &Spanned<DeValue<'_>>) -> Result<Vec<Item>, String> {
        let wanted = "interfaces are tables: [[interface]]";
        let Some(tables) = value.get_ref().as_array() else {
            return Err(self.wrong(value.span().start, wanted));
        };
        let allowed: Vec<(&'static str, Kind)> = KEYS
            .iter()
            .filter(|(_, kind)| !matches!(kind, Kind::One | Kind::Many))
            .copied()
            .collect();
        let mut all = Vec::new();
        for table in tables.iter() {
            let at = table.span().start;
            let Some(members) = table.get_ref().as_table() else {
                return Err(self.wrong(at, wanted));
            };
            let mut items = Vec::new();
            for (key, value) in self.in_order(members) {
                items.extend(self.values(key, value, &allowed)?);
            }
            items.sort_by_key(|item| item.kind() != Kind::Device);
            let devices = items.iter().filter(|item| item.kind() == Kind::Device).count();
            if devices != 1 {
                let why = "an [[interface]] has one device: tap, tap-fd or device";
                return Err(self.wrong(at, why));
            }
            all.extend(items);
        }
        Ok(all)
    }

    /// The values of one key.
    fn values(
        &self,
        key: &Key<'_>,
        value: &Spanned<DeValue<'_>>,
        allowed: &[(&'static str, Kind)],
    ) -> Result<Vec<Item>, String> {
        let at = key.span().start;
        let Some((key, kind)) = allowed.iter().find(|(name, _)| *name == key.get_ref()) else {
            return Err(self.wrong(at, &unknown(key.get_ref(), allowed)));
        };
        let origin = Origin::Line(self.path.to_owned(), self.line(at));
        let item = |value: &Spanned<DeValue<'_>>| match text(value.get_ref()) {
            Some(value) => Ok(Item { key, value, origin: origin.clone() }),
            None => Err(self.wrong(value.span().start, &format!("{key} is no text and no number"))),
        };
        match (value.get_ref().as_array(), kind) {
            (None, _) => Ok(vec![item(value)?]),
            (Some(list), Kind::Many | Kind::Device | Kind::OfDevice { many: true }) => {
                list.iter().map(item).collect()
            }
            (Some(_), Kind::One | Kind::OfDevice { many: false }) => {
                Err(self.wrong(at, &format!("{key} has one value, no list")))
            }
        }
    }
}

/// A value as a flag has it.
fn text(value: &DeValue<'_>) -> Option<OsString> {
    match value {
        DeValue::String(text) => Some(OsString::from(text.as_ref())),
        DeValue::Integer(number) => Some(OsString::from(number.as_str())),
        DeValue::Boolean(true) => Some(OsString::from("on")),
        DeValue::Boolean(false) => Some(OsString::from("off")),
        DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

/// Names the key that was probably meant.
fn unknown(key: &str, allowed: &[(&'static str, Kind)]) -> String {
    let names = allowed.iter().map(|(name, _)| *name).chain([INTERFACE]);
    let nearest = names.clone().min_by_key(|name| distance(key, name));
    match nearest.filter(|name| distance(key, name) <= NEAR.min(name.len() / 2)) {
        Some(name) => format!("there is no key {key:?}; did you mean {name}?"),
        None => {
            let known: Vec<&str> = names.collect();
            format!("there is no key {key:?}; there are {}", known.join(", "))
        }
    }
}

/// Letters to put in, leave out or exchange to make one word of the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut before = core::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let exchanged = before + usize::from(x != *y);
            before = row[j + 1];
            row[j + 1] = exchanged.min(row[j] + 1).min(before + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(String, String, usize)>, String> {
        let line = |origin: &Origin| match origin {
            Origin::Line(_, line) => *line,
            Origin::Flag | Origin::Variable(_) | Origin::Default => 0,
        };
        let items = items(Path::new("x.toml"), text)?;
        let shown = |item: Item| {
            let value = item.value.to_string_lossy().into_owned();
            (item.key.to_owned(), value, line(&item.origin))
        };
        Ok(items.into_iter().map(shown).collect())
    }

    fn item(key: &str, value: &str, line: usize) -> (String, String, usize) {
        (key.to_owned(), value.to_owned(), line)
    }

    #[test]
    fn values_have_their_lines() {
        let text = "pipeline = \"inline\"\noffload = false\n# a comment\nmtu = 1400\n\
                    service = [\"echo:7\", \"http\"]\n";
        let expected = [
            item("pipeline", "inline", 1),
            item("offload", "off", 2),
            item("service", "echo:7", 5),
            item("service", "http", 5),
            item("mtu", "1400", 4),
        ];
        let mut found = read(text).unwrap();
        let mut expected = expected.to_vec();
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_device_comes_before_what_belongs_to_it() {
        let text = "gateway = \"10.0.0.1\"\n[[interface]]\nmtu = 9000\ntap = \"a\"\n\
                    [[interface]]\naddress = \"10.0.2.2/24\"\ndevice = \"afpacket:b\"\n";
        let expected = [
            item("gateway", "10.0.0.1", 1),
            item("tap", "a", 4),
            item("mtu", "9000", 3),
            item("device", "afpacket:b", 7),
            item("address", "10.0.2.2/24", 6),
        ];
        assert_eq!(read(text).unwrap(), expected);
        let flat = read("address = \"10.0.2.2/24\"\ntap = \"a\"\n").unwrap();
        assert_eq!(flat, [item("tap", "a", 2), item("address", "10.0.2.2/24", 1)]);
    }

    #[test]
    fn what_is_wrong_is_named_by_line_with_a_hint() {
        for (text, parts) in [
            ("\nadress = \"x\"\n", vec!["x.toml:2", "\"adress\"", "did you mean address?"]),
            ("pipline = \"inline\"", vec!["x.toml:1", "pipeline?"]),
            ("host_address = \"none\"", vec!["host-address?"]),
            ("weather = 1", vec!["there are tap, tap-fd"]),
            ("\n\nmtu = [1, 2]", vec!["x.toml:3", "no list"]),
            ("mtu = 1.5", vec!["x.toml:1", "mtu"]),
            ("[[interface]]\nmtu = 1400", vec!["x.toml:1", "one device"]),
            ("[[interface]]\ntap = \"a\"\npipeline = \"inline\"", vec!["x.toml:3", "pipeline"]),
            ("interface = 1", vec!["x.toml:1", "[[interface]]"]),
            ("mtu = 1400\n[[interface]]\ntap = \"a\"", vec!["x.toml:1", "belongs into"]),
            ("mtu = \n", vec!["x.toml:1"]),
            ("mtu = 1\nmtu = 2\n", vec!["x.toml:2"]),
        ] {
            let said = read(text).unwrap_err();
            for part in parts {
                assert!(said.contains(part), "{text:?}: {said}");
            }
        }
    }

    #[test]
    fn distances() {
        for (a, b, far) in [("", "", 0), ("mtu", "mtu", 0), ("mut", "mtu", 2), ("", "abc", 3)] {
            assert_eq!((distance(a, b), distance(b, a)), (far, far));
        }
    }
}
