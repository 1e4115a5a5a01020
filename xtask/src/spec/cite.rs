//! Citations of requirements: in comments of the code, above tests, in heads of packet scripts.

use crate::finding::Finding;
use crate::source::{Function, SourceFile};
use crate::spec::list::{Requirement, Standard, is_section};

/// A requirement named somewhere.
pub(super) struct Citation {
    pub(super) rfc: u32,
    pub(super) id: String,
    /// The test, where it is one; otherwise a branch that obeys.
    pub(super) test: Option<Test>,
    pub(super) path: String,
    pub(super) line: usize,
}

/// A tagged test, as the runner's results name it.
pub(super) struct Test {
    /// The crate's folder, which is its name.
    pub(super) package: String,
    pub(super) name: TestName,
}

pub(super) enum TestName {
    /// The whole path within the crate, of a test under `src/`.
    Whole(String),
    /// The end of the path, of a test under `tests/`.
    End(String),
    /// A packet script, run by a test called `scripts` or by one named after the file.
    Script { stem: String },
}

/// Citations in a Rust file; whatever cannot be resolved becomes a finding.
pub(super) fn in_source(
    file: &SourceFile,
    standards: &[Standard],
    findings: &mut Vec<Finding>,
) -> Vec<Citation> {
    let mut citations = Vec::new();
    for comment in &file.comments {
        let place = Place { path: &file.path, line: comment.line, standards };
        if let Some(tag) = comment.text.strip_prefix("test: ").filter(|_| comment.alone) {
            let Some(function) = function_below(file, comment.line) else {
                findings.push(place.finding("no `#[test]` function right below this tag"));
                continue;
            };
            let test = || Some(test_in(file, function));
            citations
                .extend(place.tag(tag, findings).map(|(rfc, id)| place.citation(rfc, id, test())));
        } else if comment.text.starts_with("RFC ") {
            let ids = place.branch(&comment.text, findings);
            citations.extend(ids.into_iter().map(|(rfc, id)| place.citation(rfc, id, None)));
        }
    }
    citations
}

/// Tags in the head of a packet script.
pub(super) fn in_script(
    path: &str,
    text: &str,
    standards: &[Standard],
    findings: &mut Vec<Finding>,
) -> Vec<Citation> {
    let mut citations = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let Some(tag) = line.trim().strip_prefix("# test: ") else { continue };
        let place = Place { path, line: index + 1, standards };
        let file = path.rsplit('/').next().unwrap_or(path);
        let stem = file.strip_suffix(".pkt").unwrap_or(file).to_owned();
        let package = path.split('/').next().unwrap_or_default().to_owned();
        let test = Test { package, name: TestName::Script { stem } };
        if let Some((rfc, id)) = place.tag(tag, findings) {
            citations.push(place.citation(rfc, id, Some(test)));
        }
    }
    citations
}

/// Where a citation stands and what it can refer to.
struct Place<'a> {
    path: &'a str,
    line: usize,
    standards: &'a [Standard],
}

impl Place<'_> {
    /// `RFC 9293 MUST-10`, with nothing behind; the section may stand before the id.
    fn tag(&self, tag: &str, findings: &mut Vec<Finding>) -> Option<(u32, String)> {
        let words: Vec<&str> = tag.split_whitespace().collect();
        let (number, ids) = match words.as_slice() {
            ["RFC", number, ids @ ..] if !ids.is_empty() && ids.len() <= 2 => (*number, ids),
            _ => {
                findings.push(self.finding("a tag is `test: RFC NUMBER ID`, one id a line"));
                return None;
            }
        };
        let standard = self.standard(number, findings)?;
        let id = *ids.last()?;
        if standard.requirement(id).is_none() {
            findings.push(self.unknown(standard, id));
            return None;
        }
        Some((standard.rfc.number, id.to_owned()))
    }

    /// `RFC 9293 3.5 MUST-10: ...`; a comment that only begins with a standard's name is prose.
    fn branch(&self, text: &str, findings: &mut Vec<Finding>) -> Vec<(u32, String)> {
        let Some((head, _)) = text.split_once(':') else { return Vec::new() };
        let mut words = head.split_whitespace().skip(1).map(|word| word.trim_end_matches(','));
        let Some(number) = words.next().filter(|number| is_section(number)) else {
            return Vec::new();
        };
        let words: Vec<&str> = words.collect();
        let looks_cited = |word: &&str| is_section(word) || is_numbered(word);
        if words.is_empty() || (words.len() > 1 && !words.iter().all(looks_cited)) {
            return Vec::new();
        }
        let Some(standard) = self.standard(number, findings) else { return Vec::new() };
        let (known, unknown): (Vec<&str>, Vec<&str>) =
            words.into_iter().partition(|word| standard.requirement(word).is_some());
        for word in unknown {
            // Where ids are no sections, a section alone only says where to read.
            if !is_section(word) || (known.is_empty() && standard.has_section_ids()) {
                findings.push(self.unknown(standard, word));
            }
            let requirements = known.iter().filter_map(|id| standard.requirement(id));
            for Requirement { id, section, .. } in requirements {
                let near = section.starts_with(word) || word.starts_with(section.as_str());
                if is_section(section) && !near {
                    findings.push(self.finding(&format!("{id} stands in section {section}")));
                }
            }
        }
        known.into_iter().map(|id| (standard.rfc.number, id.to_owned())).collect()
    }

    fn standard(&self, number: &str, findings: &mut Vec<Finding>) -> Option<&Standard> {
        let found = self.standards.iter().find(|s| s.rfc.number.to_string() == number);
        if found.is_none() {
            findings.push(self.finding(&format!(
                "RFC {number} has no specs/rfc{number}.toml: list the requirement, or write prose \
                 (no colon behind the section)"
            )));
        }
        found
    }

    fn unknown(&self, standard: &Standard, id: &str) -> Finding {
        self.finding(&format!("RFC {} {id} is not in {}", standard.rfc.number, standard.path))
    }

    fn finding(&self, message: &str) -> Finding {
        Finding::new(self.path, self.line, message)
    }

    fn citation(&self, rfc: u32, id: String, test: Option<Test>) -> Citation {
        Citation { rfc, id, test, path: self.path.to_owned(), line: self.line }
    }
}

/// An id of the kind that RFC 9293 gives: `MUST-10`.
fn is_numbered(word: &str) -> bool {
    word.split_once('-').is_some_and(|(level, number)| {
        matches!(level, "MUST" | "SHLD" | "MAY" | "REC") && number.parse::<u32>().is_ok()
    })
}

/// The test right below a tag: only comments and attributes may stand between.
fn function_below(file: &SourceFile, line: usize) -> Option<&Function> {
    let next = file.functions.iter().filter(|f| f.first_line > line);
    let function = next.min_by_key(|f| f.first_line).filter(|f| f.is_test)?;
    let between = file.text.lines().skip(line).take(function.first_line - line - 1);
    let is_attribute =
        |text: &str| text.starts_with("//") || text.starts_with('#') || text.ends_with(']');
    between.map(str::trim).all(is_attribute).then_some(function)
}

/// Names a test as the runner does, from the path of its file and the modules inside it.
fn test_in(file: &SourceFile, function: &Function) -> Test {
    let mut path: Vec<&str> = Vec::new();
    let whole = file.path.split_once("/src/");
    if let Some((_, inside)) = whole {
        let inside = inside.strip_suffix(".rs").unwrap_or(inside);
        let inside = inside.strip_suffix("/mod").unwrap_or(inside);
        if !matches!(inside, "lib" | "main") && !inside.starts_with("bin/") {
            path.extend(inside.split('/'));
        }
    }
    path.extend(function.modules.iter().map(String::as_str));
    path.push(&function.name);
    let path = path.join("::");
    let name = if whole.is_some() { TestName::Whole(path) } else { TestName::End(path) };
    Test { package: file.crate_name().to_owned(), name }
}
