//! Rules about `unsafe`: only in files named `sys.rs`, and never without its reason.

use crate::finding::Finding;
use crate::source::SourceFile;

fn is_sys(file: &SourceFile) -> bool {
    file.path.ends_with("/sys.rs")
}

/// `unsafe` stands only in files named `sys.rs`, which are short and read twice.
pub(super) fn only_in_sys(file: &SourceFile) -> Vec<Finding> {
    if is_sys(file) {
        return Vec::new();
    }
    file.find("unsafe")
        .map(|token| Finding::new(&file.path, token.line, "`unsafe` outside a file named sys.rs"))
        .collect()
}

/// An unsafe block or impl has a `// SAFETY:` comment just before its statement.
pub(super) fn safety_comment(file: &SourceFile) -> Vec<Finding> {
    if !is_sys(file) {
        return Vec::new();
    }
    file.find("unsafe {")
        .chain(file.find("unsafe impl"))
        .filter(|token| !has_safety_comment(file, token.line))
        .map(|token| Finding::new(&file.path, token.line, "no `// SAFETY:` comment just before"))
        .collect()
}

/// Looks upward from the line of the `unsafe`: past the earlier lines of the same statement, then
/// through the comment that stands there.
fn has_safety_comment(file: &SourceFile, line: usize) -> bool {
    let lines: Vec<&str> = file.text.lines().collect();
    for text in lines[..line - 1].iter().rev() {
        let text = text.trim();
        if let Some(comment) = text.strip_prefix("//") {
            if comment.trim_start().starts_with("SAFETY:") {
                return true;
            }
        } else if text.is_empty() || text.ends_with([';', '{', '}', ',']) {
            return false;
        }
    }
    false
}
