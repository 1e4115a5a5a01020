//! Rules about size. Counted are lines of code: blank lines and comments are free.

use crate::finding::Finding;
use crate::source::SourceFile;

const FILE_LINES: usize = 400;
const TEST_FILE_LINES: usize = 800;
const FUNCTION_LINES: usize = 70;

/// A file has at most 400 lines of code, a test file 800.
pub(super) fn file_length(file: &SourceFile) -> Vec<Finding> {
    let limit = if file.is_test_file() { TEST_FILE_LINES } else { FILE_LINES };
    let lines = file.code_lines(1, file.text.lines().count());
    if lines <= limit {
        return Vec::new();
    }
    let message = format!("{lines} lines of code, {limit} at most: split the struct, files follow");
    vec![Finding::new(&file.path, 1, message)]
}

/// A function has at most 70 lines of code, its signature included.
pub(super) fn function_length(file: &SourceFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    for function in &file.functions {
        let lines = file.code_lines(function.first_line, function.last_line);
        if lines > FUNCTION_LINES {
            let name = &function.name;
            let message = format!("fn {name} has {lines} lines of code, {FUNCTION_LINES} at most");
            findings.push(Finding::new(&file.path, function.first_line, message));
        }
    }
    findings
}
