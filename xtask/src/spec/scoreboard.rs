//! The scoreboard: a table of done, todo and except for each standard and level, which reads the
//! same in a terminal and as Markdown.

use std::fmt::Write;

use crate::spec::list::{Level, Requirement, Standard, Status};

const LEVELS: [(&str, &[Level]); 4] = [
    ("MUST", &[Level::Must]),
    ("SHOULD", &[Level::Shld, Level::Rec]),
    ("MAY", &[Level::May]),
    ("own", &[Level::Own]),
];

/// The table alone, as the terminal shows it.
pub(super) fn table(standards: &[Standard]) -> String {
    let mut rows = vec![header()];
    for standard in standards {
        let name = format!("RFC {}", standard.rfc.number);
        let requirements: Vec<_> = standard.requirements.iter().collect();
        rows.push(row(&name, &standard.rfc.title, &requirements));
    }
    let every: Vec<_> = standards.iter().flat_map(|standard| &standard.requirements).collect();
    rows.push(row("all", "", &every));

    let columns = rows[0].len();
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    let rule = widths.iter().map(|width| "-".repeat(*width)).collect();
    rows.insert(1, rule);
    let mut text = String::new();
    for row in rows {
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(text, "| {cell:width$} ");
        }
        text.push_str("|\n");
    }
    text
}

/// The whole of `specs/SCOREBOARD.md`.
pub(super) fn page(standards: &[Standard]) -> String {
    let mut text = "# Scoreboard\n\n\
        Written by `cargo xtask spec --write` from `specs/*.toml`. A cell says done / todo / \
        except. Done means\nthat a test tagged with the id ran and passed; a MAY answered no, \
        with a test that pins it, is done.\n\n"
        .to_owned();
    text.push_str(&table(standards));
    text.push_str("\n## Excepted on purpose\n\n");
    for standard in standards {
        for Requirement { id, status, reason, .. } in &standard.requirements {
            if *status == Status::Except {
                let reason = reason.as_deref().unwrap_or_default();
                let _ = writeln!(text, "- RFC {} {id}: {reason}", standard.rfc.number);
            }
        }
    }
    text
}

fn header() -> Vec<String> {
    let levels = LEVELS.iter().map(|(name, _)| (*name).to_owned());
    ["standard".to_owned(), "title".to_owned()].into_iter().chain(levels).collect()
}

fn row(name: &str, title: &str, requirements: &[&Requirement]) -> Vec<String> {
    let cells = LEVELS.iter().map(|(_, levels)| {
        let count = |status| {
            let counted = |r: &&&Requirement| levels.contains(&r.level) && r.status == status;
            requirements.iter().filter(counted).count()
        };
        let counts = [Status::Done, Status::Todo, Status::Except].map(count);
        match counts {
            [0, 0, 0] => String::new(),
            [done, todo, except] => format!("{done} / {todo} / {except}"),
        }
    });
    [name.to_owned(), title.to_owned()].into_iter().chain(cells).collect()
}
