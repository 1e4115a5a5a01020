//! The lists of requirements, `specs/rfcNNNN.toml`, and the checks on the lists themselves.

use serde::Deserialize;

use crate::finding::Finding;

/// One standard with its requirements in the order of its file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Standard {
    pub(super) rfc: Rfc,
    #[serde(rename = "requirement")]
    pub(super) requirements: Vec<Requirement>,
    /// Path of the file, for findings.
    #[serde(skip)]
    pub(super) path: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rfc {
    pub(super) number: u32,
    pub(super) title: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Requirement {
    /// The RFC's own id, else a section number, else a short word.
    pub(super) id: String,
    /// Section the requirement stands in; `-` where the RFC has none.
    pub(super) section: String,
    pub(super) level: Level,
    pub(super) status: Status,
    /// Why it is excepted; on any other status a remark.
    pub(super) reason: Option<String>,
    /// The requirement in our own words.
    pub(super) text: String,
    /// Line of the id in the file, for findings.
    #[serde(skip)]
    pub(super) line: usize,
}

/// How strongly the RFC asks.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Level {
    Must,
    Shld,
    May,
    Rec,
    /// Not in the RFC; we ask it of ourselves.
    Own,
}

/// How far we are.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    /// A tagged test passes. A MAY answered no, with a test that pins it, is done.
    Done,
    Todo,
    /// Refused on purpose, with a reason.
    Except,
}

impl Standard {
    pub(super) fn requirement(&self, id: &str) -> Option<&Requirement> {
        self.requirements.iter().find(|requirement| requirement.id == id)
    }

    /// Whether section numbers serve as ids here, so that a wrong one is a mistake.
    pub(super) fn has_section_ids(&self) -> bool {
        self.requirements.iter().any(|requirement| is_section(&requirement.id))
    }
}

/// Whether a word looks like a section number.
pub(super) fn is_section(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit())
}

/// Reads the standards among these (path, text) pairs, with what is wrong in them.
pub(super) fn read(files: &[(String, String)]) -> (Vec<Standard>, Vec<Finding>) {
    let mut standards = Vec::new();
    let mut findings = Vec::new();
    for (path, text) in files.iter().filter(|(path, _)| path.starts_with("specs/")) {
        match toml::from_str::<Standard>(text) {
            Ok(mut standard) => {
                standard.path.clone_from(path);
                for requirement in &mut standard.requirements {
                    let id = format!("id = \"{}\"", requirement.id);
                    requirement.line = text.lines().position(|line| line == id).unwrap_or(0) + 1;
                }
                findings.extend(faults(&standard));
                standards.push(standard);
            }
            Err(error) => {
                let start = error.span().map_or(0, |span| span.start);
                let line = text[..start].lines().count().max(1);
                findings.push(Finding::new(path, line, error.message()));
            }
        }
    }
    standards.sort_by_key(|standard| standard.rfc.number);
    (standards, findings)
}

/// What is wrong in a list apart from its syntax.
fn faults(standard: &Standard) -> Vec<Finding> {
    let mut findings = Vec::new();
    let expected = format!("specs/rfc{}.toml", standard.rfc.number);
    if standard.path != expected {
        findings.push(Finding::new(&standard.path, 1, format!("should be named {expected}")));
    }
    for (index, requirement) in standard.requirements.iter().enumerate() {
        let Requirement { id, section: _, level: _, status, reason, text, line } = requirement;
        let mut fault = |message: String| {
            findings.push(Finding::new(&standard.path, *line, message));
        };
        if standard.requirements[..index].iter().any(|earlier| earlier.id == *id) {
            fault(format!("id {id} stands here twice"));
        }
        if id.is_empty() || id.contains(|c: char| c.is_whitespace() || ":,".contains(c)) {
            fault(format!("id {id:?} cannot be cited: one word without comma or colon"));
        }
        let reasoned = reason.as_ref().is_some_and(|reason| !reason.trim().is_empty());
        if *status == Status::Except && !reasoned {
            fault(format!("{id} is excepted without a reason"));
        }
        if text.trim().is_empty() || text.contains('\n') {
            fault(format!("{id}: the text is one line in our own words"));
        }
    }
    findings
}
