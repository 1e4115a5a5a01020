//! What a check has to say: a place and a sentence, printed as `file:line: sentence` so that an
//! editor can jump there.

use std::fmt;

/// One complaint about one place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// Path relative to the workspace root.
    pub(crate) path: String,
    /// Line from 1; 1 where the whole file is meant.
    pub(crate) line: usize,
    /// What is wrong and, where it is not plain, what to do instead.
    pub(crate) message: String,
}

impl Finding {
    pub(crate) fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// Prints the findings in file order; an error if there are any.
pub(crate) fn conclude(task: &str, mut findings: Vec<Finding>) -> anyhow::Result<()> {
    findings.sort();
    findings.dedup();
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => Ok(()),
        1 => anyhow::bail!("{task}: 1 finding"),
        n => anyhow::bail!("{task}: {n} findings"),
    }
}
