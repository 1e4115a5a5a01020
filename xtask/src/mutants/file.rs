//! The form of a mutant's file, and whether it still fits the tree.
//!
//! ```text
//! Nothing is ever older than what was taken: PAWS lets everything pass.
//! Kills: tcp lib recv::paws::tests::older_stamps_are_old
//! Kills: tcp receiving an_old_timestamp_is_acknowledged_and_dropped_but_not_on_a_reset
//! File: tcp/src/recv/paws.rs
//! <<<<
//!         Seq(value).before(Seq(self.recent))
//! ====
//!         Seq(value).after(Seq(self.recent))
//! >>>>
//! ```
//!
//! A test is a package, `lib` or the name of a file under `tests/`, and the name of a test there.
//! There may be several replacements, each with its `File:`.

use std::fmt;
use std::fs;

use anyhow::Context;

use crate::finding::Finding;
use crate::workspace;

/// A fault and who must notice it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mutant {
    /// The file's name without its extension.
    pub(super) name: String,
    pub(super) fault: String,
    pub(super) kills: Vec<Test>,
    pub(super) changes: Vec<Change>,
}

/// A test by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Test {
    pub(super) package: String,
    /// `lib`, or the file under `tests/`.
    pub(super) target: String,
    pub(super) name: String,
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { package, target, name } = self;
        write!(f, "{package} {target} {name}")
    }
}

/// One replacement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) file: String,
    old: String,
    new: String,
}

/// All mutants, by name; what cannot be read is a finding.
pub(super) fn read_all() -> anyhow::Result<Vec<Result<Mutant, Finding>>> {
    let folder = workspace::root().join("mutants");
    let mut paths = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            paths.push(path);
        }
    }
    paths.sort();
    let read = |path: &std::path::PathBuf| {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let place = format!("mutants/{name}.txt");
        Ok(parse(&name, &text).map_err(|(line, what)| Finding::new(&place, line, what)))
    };
    paths.iter().map(read).collect()
}

/// A line from 1 and what is wrong with it.
type Wrong = (usize, String);

fn parse(name: &str, text: &str) -> Result<Mutant, Wrong> {
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    let (_, fault) = lines.next().ok_or((1, "empty".to_owned()))?;
    let (mut kills, mut changes, mut file) = (Vec::new(), Vec::new(), None);
    while let Some((number, line)) = lines.next() {
        if let Some(test) = line.strip_prefix("Kills: ") {
            let [package, target, name] = test.split(' ').collect::<Vec<_>>()[..] else {
                return Err((number, "wants PACKAGE TARGET NAME".to_owned()));
            };
            let [package, target, name] = [package, target, name].map(str::to_owned);
            kills.push(Test { package, target, name });
        } else if let Some(path) = line.strip_prefix("File: ") {
            file = Some(path.to_owned());
        } else if line == "<<<<" {
            let file = file.clone().ok_or((number, "no `File: ` before".to_owned()))?;
            let mut until = |end: &str| {
                let mut part = String::new();
                for (_, line) in lines.by_ref() {
                    if line == end {
                        return Ok(part);
                    }
                    part += line;
                    part.push('\n');
                }
                Err((number, format!("no `{end}` behind")))
            };
            let (old, new) = (until("====")?, until(">>>>")?);
            changes.push(Change { file, old, new });
        } else if !line.is_empty() {
            return Err((number, "neither `Kills: `, `File: ` nor `<<<<`".to_owned()));
        }
    }
    if fault.is_empty() || kills.is_empty() || changes.is_empty() {
        return Err((1, "wants a sentence, a `Kills: ` and a `File: ` with `<<<<`".to_owned()));
    }
    Ok(Mutant { name: name.to_owned(), fault: fault.to_owned(), kills, changes })
}

impl Mutant {
    /// What of it no longer fits these files.
    pub(super) fn check(&self, files: &[(String, String)]) -> Vec<Finding> {
        let place = format!("mutants/{}.txt", self.name);
        let mut findings = Vec::new();
        for change in &self.changes {
            let text = files.iter().find(|(path, _)| *path == change.file);
            if let Err(why) = change.apply(text.map_or("", |(_, text)| text)) {
                findings.push(Finding::new(&place, 1, why));
            }
        }
        for test in &self.kills {
            if !test.exists(files) {
                findings.push(Finding::new(&place, 1, format!("there is no test '{test}'")));
            }
        }
        findings
    }
}

impl Change {
    /// The file's text with the fault in it; or why it does not fit.
    pub(super) fn apply(&self, text: &str) -> Result<String, String> {
        let Self { file, old, new } = self;
        if old == new {
            return Err("replaces a text by itself".to_owned());
        }
        match text.matches(old.as_str()).count() {
            1 => Ok(text.replacen(old, new, 1)),
            count => Err(format!(
                "its old text stands {count} times in {file}, not once: put in what stands there \
                 now, with enough around it"
            )),
        }
    }
}

impl Test {
    /// A function of this name stands in the crate's source or in the test's file.
    fn exists(&self, files: &[(String, String)]) -> bool {
        let Self { package, target, name } = self;
        let function = name.rsplit("::").next().unwrap_or(name);
        let inside = match &target[..] {
            "lib" => format!("{package}/src/"),
            file => format!("{package}/tests/{file}"),
        };
        let needle = format!("fn {function}(");
        let mut within = files.iter().filter(|(path, _)| path.starts_with(&inside));
        within.any(|(_, text)| text.contains(&needle))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "A fault.\nKills: tcp lib a::b\n\nFile: x.rs\n<<<<\n  old\n====\n  new\n>>>>\n";

    #[test]
    fn a_file_says_fault_tests_and_replacement() {
        let mutant = parse("name", TEXT).unwrap();
        assert_eq!(mutant.fault, "A fault.");
        assert_eq!(mutant.kills[0].to_string(), "tcp lib a::b");
        assert_eq!(mutant.changes[0].apply("1\n  old\n2\n"), Ok("1\n  new\n2\n".to_owned()));
    }

    #[test]
    fn what_is_missing_or_odd_is_told_with_its_line() {
        let line = |text: &str| parse("name", text).unwrap_err().0;
        assert_eq!(line(""), 1);
        assert_eq!(line("A fault.\n"), 1);
        assert_eq!(line(&TEXT.replace("tcp lib a::b", "a::b")), 2);
        assert_eq!(line(&TEXT.replace("File: x.rs\n", "")), 4);
        assert_eq!(line(&TEXT.replace(">>>>", "")), 5);
        assert_eq!(line(&TEXT.replace("Kills", "kills")), 2);
    }

    #[test]
    fn text_that_is_gone_or_stands_twice_does_not_fit() {
        let change = parse("name", TEXT).unwrap().changes.remove(0);
        assert!(change.apply("nothing").unwrap_err().contains("0 times"));
        assert!(change.apply("  old\n  old\n").unwrap_err().contains("2 times"));
    }
}
