//! `sim/goodput.md`: the tables as they were, one a part of the grid, each in a fenced block that
//! is named after its part.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, bail};

use crate::workspace;

const HEAD: &str = "\
# Goodput in simulation

Transfers of 4 MB between two simulated hosts, over wires that lose, delay and reorder in both
directions, in virtual time; unless a wire loses or reorders, it carries everything at once, so the
windows decide. Late frames take up to half a round trip longer than the others. `bursts` lose as
much as 1 % does, about five frames in a row. Every transfer arrived whole and none stood still for
longer than twice its last back-off.

Written by `cargo xtask sim grid --quick --write` and `--full --write`; the first is compared by
`cargo xtask test`. A number that changes is not wrong, but somebody must have meant it.

![goodput over loss](goodput.svg)
";

fn place() -> PathBuf {
    workspace::root().join("sim/goodput.md")
}

/// Puts this table in place of the part's old one.
pub(super) fn write(part: &str, table: &str) -> anyhow::Result<()> {
    let place = place();
    let old = fs::read_to_string(&place).unwrap_or_default();
    fs::write(&place, renewed(&old, part, table))
        .with_context(|| format!("cannot write {}", place.display()))
}

/// Fails with the rows that differ.
pub(super) fn compare(part: &str, table: &str) -> anyhow::Result<()> {
    let old = fs::read_to_string(place()).unwrap_or_default();
    let rows = differing(block(&old, part), table);
    if rows.is_empty() {
        return Ok(());
    }
    bail!(
        "sim/goodput.md says otherwise (-), now it is (+):\n{rows}if that is meant, renew it: \
         cargo xtask sim grid --{part} --write"
    )
}

/// The whole file with one table new; the order of the parts is always the same.
fn renewed(old: &str, part: &str, table: &str) -> String {
    let mut text = HEAD.to_owned();
    for (name, title) in [("full", "The grid"), ("quick", "The part that the tests run")] {
        let block = if name == part { table } else { block(old, name) };
        if !block.is_empty() {
            text += &format!("\n## {title}\n\n```text {name}\n{block}```\n");
        }
    }
    text
}

/// The table of this part; empty if there is none yet.
fn block<'a>(text: &'a str, part: &str) -> &'a str {
    let fence = format!("```text {part}\n");
    let Some((_, rest)) = text.split_once(&fence) else { return "" };
    rest.split_once("```").map_or("", |(block, _)| block)
}

/// Old and new of every row that is not the same.
fn differing(old: &str, new: &str) -> String {
    let longest = old.lines().count().max(new.lines().count());
    let lines = |text: &str, index| text.lines().nth(index).unwrap_or_default().to_owned();
    let mut rows = String::new();
    for (old, new) in (0..longest).map(|index| (lines(old, index), lines(new, index))) {
        if old != new {
            rows += &format!("- {old}\n+ {new}\n");
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_is_renewed_without_the_other() {
        let first = renewed("", "quick", "a 1\nb 2\n");
        assert_eq!(block(&first, "quick"), "a 1\nb 2\n");
        assert_eq!(block(&first, "full"), "");
        let second = renewed(&first, "full", "c 3\n");
        assert_eq!((block(&second, "quick"), block(&second, "full")), ("a 1\nb 2\n", "c 3\n"));
        let third = renewed(&second, "quick", "a 9\n");
        assert_eq!((block(&third, "quick"), block(&third, "full")), ("a 9\n", "c 3\n"));
    }

    #[test]
    fn only_rows_that_differ_are_shown() {
        assert_eq!(differing("a 1\nb 2\n", "a 1\nb 2\n"), "");
        assert_eq!(differing("a 1\nb 2\n", "a 1\nb 3\n"), "- b 2\n+ b 3\n");
        assert_eq!(differing("", "a 1\n"), "- \n+ a 1\n");
    }
}
