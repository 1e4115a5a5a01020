//! Tables that fit the terminal, and colours where they are wanted.

use std::io::{self, IsTerminal, Write};

/// Columns where nobody says otherwise: output that goes into a file or a pipe is not cut.
const ENDLESS: usize = usize::MAX;

/// How a terminal wants things shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Screen {
    pub(super) width: usize,
    pub(super) colours: bool,
}

impl Screen {
    /// Standard output as it is. <https://no-color.org>: NO_COLOR, not empty, means no colours.
    pub(super) fn new() -> Self {
        let is_terminal = io::stdout().is_terminal();
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok().filter(|_| is_terminal);
        let width = size.map_or(ENDLESS, |size| usize::from(size.ws_col));
        // A terminal that does not know its width says 0.
        let width = if width == 0 { ENDLESS } else { width };
        Self { width, colours: is_terminal && !refused }
    }

    /// Bold, for heads.
    pub(super) fn bold(self, text: &str) -> String {
        if self.colours { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// A table: a head and rows. Columns are as wide as their widest cell; the last one gives way.
#[derive(Debug, Default)]
pub(super) struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(head: &[&'static str]) -> Self {
        Self { head: head.to_vec(), rows: Vec::new() }
    }

    pub(super) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Writes it. Numbers stand at the right.
    pub(super) fn write(&self, screen: Screen, out: &mut impl Write) -> io::Result<()> {
        let head: Vec<String> = self.head.iter().map(|name| (*name).to_owned()).collect();
        let widths: Vec<usize> = (0..head.len())
            .map(|column| {
                let cells = self.rows.iter().chain([&head]).filter_map(|row| row.get(column));
                cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
            })
            .collect();
        let numbers: Vec<bool> = (0..head.len())
            .map(|column| self.rows.iter().all(|row| row.get(column).is_some_and(|c| is_number(c))))
            .collect();
        let line = |row: &[String]| -> String {
            let mut text = String::new();
            for ((cell, &width), &number) in row.iter().zip(&widths).zip(&numbers) {
                let cell =
                    if number { format!("{cell:>width$}") } else { format!("{cell:<width$}") };
                text.push_str(&cell);
                text.push_str("  ");
            }
            fit(text.trim_end(), screen.width)
        };
        writeln!(out, "{}", screen.bold(&line(&head)))?;
        self.rows.iter().try_for_each(|row| writeln!(out, "{}", line(row)))
    }
}

fn is_number(cell: &str) -> bool {
    !cell.is_empty()
        && cell.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && cell.bytes().filter(|b| *b == b'.').count() <= 1
}

/// Cut where the terminal ends.
pub(super) fn fit(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.to_owned();
    }
    let kept: String = line.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// Words set into lines no longer than the terminal, each line after a tab.
pub(super) fn wrap(words: &[String], width: usize) -> Vec<String> {
    let (mut lines, mut line) = (Vec::new(), String::new());
    let room = width.saturating_sub(8).max(20);
    for word in words {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > room {
            lines.push(core::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Screen = Screen { width: ENDLESS, colours: false };

    fn written(table: &Table, screen: Screen) -> String {
        let mut out = Vec::new();
        table.write(screen, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn table() -> Table {
        let mut table = Table::new(&["name", "count", "note"]);
        table.row(vec!["a".into(), "5".into(), "x".into()]);
        table.row(vec!["longer".into(), "1234567".into(), String::new()]);
        table
    }

    #[test]
    fn columns_are_as_wide_as_need_be_and_numbers_stand_at_the_right() {
        let expected = "name      count  note\na             5  x\nlonger  1234567\n";
        assert_eq!(written(&table(), PLAIN), expected);
    }

    #[test]
    fn a_table_fits_the_terminal() {
        let narrow = Screen { width: 12, colours: false };
        for line in written(&table(), narrow).lines() {
            assert!(line.chars().count() <= 12, "{line}");
        }
    }

    #[test]
    fn colours_only_where_they_are_wanted() {
        assert!(!written(&table(), PLAIN).contains('\x1b'));
        assert!(written(&table(), Screen { colours: true, ..PLAIN }).contains("\x1b[1m"));
    }

    #[test]
    fn words_are_wrapped() {
        let words: Vec<String> = (0..10).map(|n| format!("word:{n}")).collect();
        let lines = wrap(&words, 40);
        assert!(lines.len() > 1 && lines.iter().all(|line| line.len() <= 32));
        assert_eq!(lines.join(" "), words.join(" "));
        assert_eq!(wrap(&words, ENDLESS).len(), 1);
    }
}
