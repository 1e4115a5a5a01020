//! Rules about the look and place of files: header, width, and that a file is compiled at all.

use crate::finding::Finding;
use crate::source::SourceFile;

/// Columns of a line at most; rustfmt leaves strings and comments to us.
const WIDTH: usize = 100;

/// A file opens with `//!`: what it does, what is at home here, what it leaves out.
pub(super) fn header(file: &SourceFile) -> Vec<Finding> {
    if file.text.starts_with("//!") {
        return Vec::new();
    }
    vec![Finding::new(
        &file.path,
        1,
        "the file has no header: it opens with `//!` and what it does",
    )]
}

/// No line is wider than 100 columns.
pub(super) fn width(file: &SourceFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        let columns = line.chars().count();
        if columns > WIDTH {
            let message = format!("{columns} columns, {WIDTH} at most");
            findings.push(Finding::new(&file.path, index + 1, message));
        }
    }
    findings
}

/// Every file under `src/` is named by a `mod` of the file above it. One that is not is never
/// compiled, and the tests in it never run.
pub(super) fn orphans(files: &[SourceFile]) -> Vec<Finding> {
    let declares = |parent: &str, name: &str| {
        files.iter().any(|file| file.path == parent && file.modules.iter().any(|m| m == name))
    };
    let path_attribute = |path: &str| {
        let mut values = files.iter().flat_map(|file| &file.modules).filter(|m| m.contains('.'));
        values.any(|value| path.ends_with(&format!("/{value}")))
    };
    let mut findings = Vec::new();
    for file in files {
        let Some((_, inside)) = file.path.split_once("/src/") else { continue };
        if matches!(inside, "lib.rs" | "main.rs") || inside.starts_with("bin/") {
            continue;
        }
        let path = file.path.strip_suffix("/mod.rs").unwrap_or(&file.path);
        let path = path.strip_suffix(".rs").unwrap_or(path);
        let Some((folder, name)) = path.rsplit_once('/') else { continue };
        let parents = [
            format!("{folder}.rs"),
            format!("{folder}/mod.rs"),
            format!("{folder}/lib.rs"),
            format!("{folder}/main.rs"),
        ];
        let named = parents.iter().any(|parent| declares(parent, name));
        if !named && !path_attribute(&file.path) {
            let message = format!("no file says `mod {name};`: this one is never compiled");
            findings.push(Finding::new(&file.path, 1, message));
        }
    }
    findings
}
