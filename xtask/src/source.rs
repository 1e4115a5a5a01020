//! A Rust source file as the checks want to see it: a flat row of tokens with places, functions
//! with their extent, and the comments, which no token carries.
//!
//! Working on tokens instead of a syntax tree keeps macro bodies in view (`assert!(x.unwrap())`)
//! and strings and comments out of it. What is left out: macros are not expanded and names are
//! not resolved; where that matters, clippy's `disallowed-methods` is the judge.

use proc_macro2::{Delimiter, LineColumn, TokenStream, TokenTree};

use crate::finding::Finding;

#[cfg(test)]
mod tests;

/// One identifier, punctuation character, literal or bracket.
pub(crate) struct Token {
    pub(crate) text: String,
    /// Line from 1.
    pub(crate) line: usize,
    /// Stands in a test file, under `#[cfg(test)]` or in a `#[test]` function.
    pub(crate) in_test: bool,
}

/// A function with a body, from the line of `fn` to that of the closing brace.
pub(crate) struct Function {
    pub(crate) name: String,
    /// Modules opened inside this file around the function.
    pub(crate) modules: Vec<String>,
    pub(crate) first_line: usize,
    pub(crate) last_line: usize,
    /// Carries `#[test]` or an attribute that ends in it.
    pub(crate) is_test: bool,
}

/// An ordinary `//` comment; doc comments are not among them.
pub(crate) struct Comment {
    pub(crate) line: usize,
    /// What follows the slashes, trimmed.
    pub(crate) text: String,
    /// Nothing but blanks stands before it on its line.
    pub(crate) alone: bool,
}

/// A parsed file.
pub(crate) struct SourceFile {
    /// Path relative to the workspace root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) tokens: Vec<Token>,
    pub(crate) functions: Vec<Function>,
    pub(crate) comments: Vec<Comment>,
    /// Names of `mod name;` declarations, and string values of `#[path]` attributes.
    pub(crate) modules: Vec<String>,
    /// For each line, whether code stands on it (neither blank nor only comment).
    is_code: Vec<bool>,
    /// Extents of literals and doc comments, in which `//` begins no comment.
    opaque: Vec<(LineColumn, LineColumn)>,
}

impl SourceFile {
    /// Reads `text`; a finding if it is no Rust.
    pub(crate) fn parse(path: &str, text: &str) -> Result<Self, Finding> {
        let stream: TokenStream = text.parse().map_err(|error: proc_macro2::LexError| {
            let line = error.span().start().line;
            Finding::new(path, line, format!("cannot be read as Rust: {error}"))
        })?;
        let mut file = Self {
            path: path.to_owned(),
            text: text.to_owned(),
            tokens: Vec::new(),
            functions: Vec::new(),
            comments: Vec::new(),
            modules: Vec::new(),
            is_code: vec![false; text.lines().count() + 2],
            opaque: Vec::new(),
        };
        let in_test = file.is_test_file();
        Walk { file: &mut file, modules: Vec::new() }.level(stream, in_test);
        file.comments = file.find_comments();
        Ok(file)
    }

    /// The folder below the workspace root, which is the name of the crate.
    pub(crate) fn crate_name(&self) -> &str {
        self.path.split('/').next().unwrap_or_default()
    }

    /// Under `tests/`, named `tests.rs`, or in a folder named `tests`.
    pub(crate) fn is_test_file(&self) -> bool {
        self.path.split('/').any(|part| part == "tests" || part == "tests.rs")
    }

    /// Under `examples/` or `benches/`.
    pub(crate) fn is_example(&self) -> bool {
        self.path.split('/').any(|part| part == "examples" || part == "benches")
    }

    /// Lines with code from `first` to `last`, both included.
    pub(crate) fn code_lines(&self, first: usize, last: usize) -> usize {
        (first..=last).filter(|&line| self.is_code.get(line).copied().unwrap_or(false)).count()
    }

    /// First tokens of every place where this sequence stands, e.g. `"Instant : : now"`.
    pub(crate) fn find(&self, sequence: &str) -> impl Iterator<Item = &Token> {
        let sequence: Vec<String> = sequence.split(' ').map(str::to_owned).collect();
        self.tokens
            .windows(sequence.len())
            .filter(move |window| window.iter().zip(&sequence).all(|(t, s)| t.text == *s))
            .filter_map(|window| window.first())
    }

    fn find_comments(&self) -> Vec<Comment> {
        let mut comments = Vec::new();
        for (index, text) in self.text.lines().enumerate() {
            let line = index + 1;
            let start = text.match_indices("//").find(|(byte, _)| {
                let column = text[..*byte].chars().count();
                !self.is_opaque(LineColumn { line, column })
            });
            if let Some((byte, _)) = start {
                comments.push(Comment {
                    line,
                    text: text[byte + 2..].trim().to_owned(),
                    alone: text[..byte].trim().is_empty(),
                });
            }
        }
        comments
    }

    fn is_opaque(&self, place: LineColumn) -> bool {
        self.opaque.iter().any(|(start, end)| *start <= place && place < *end)
    }

    /// Whether the character at this place begins a comment; doc comments reach the token stream
    /// as `#[doc]` attributes that have the comment's own place.
    fn is_comment_at(&self, place: LineColumn) -> bool {
        let line = self.text.lines().nth(place.line.saturating_sub(1)).unwrap_or_default();
        line.chars().nth(place.column) == Some('/')
    }
}

/// One pass over the token trees, which fills the file's tables.
struct Walk<'a> {
    file: &'a mut SourceFile,
    modules: Vec<String>,
}

/// What the attributes and keywords just passed say about the braces to come.
#[derive(Default)]
struct Pending {
    test_only: bool,
    test_attribute: bool,
    module: Option<String>,
}

impl Walk<'_> {
    /// Takes in the trees between two brackets (or of the whole file).
    fn level(&mut self, stream: TokenStream, in_test: bool) {
        let trees: Vec<TokenTree> = stream.into_iter().collect();
        let mut pending = Pending::default();
        let mut index = 0;
        while let Some(tree) = trees.get(index) {
            let rest = &trees[index + 1..];
            index += 1;
            match tree {
                TokenTree::Punct(punct) if punct.as_char() == '#' => {
                    let start = punct.span().start();
                    if self.file.is_comment_at(start) {
                        self.file.opaque.push((start, punct.span().end()));
                        index += doc_length(rest);
                        continue;
                    }
                    self.attribute(rest, &mut pending);
                }
                TokenTree::Punct(punct) if punct.as_char() == ';' => pending = Pending::default(),
                TokenTree::Ident(ident) if ident == "mod" => {
                    if let Some(TokenTree::Ident(name)) = rest.first() {
                        match rest.get(1) {
                            Some(TokenTree::Group(_)) => pending.module = Some(name.to_string()),
                            Some(_) | None => self.file.modules.push(name.to_string()),
                        }
                    }
                }
                TokenTree::Ident(ident) if ident == "fn" => {
                    self.function(ident.span().start().line, rest, &pending);
                }
                TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => {}
                TokenTree::Group(group) => {
                    let braces = group.delimiter() == Delimiter::Brace;
                    let name = if braces { pending.module.take() } else { None };
                    let depth = self.modules.len();
                    self.modules.extend(name);
                    self.group(group, in_test || pending.test_only);
                    self.modules.truncate(depth);
                    if braces {
                        pending = Pending::default();
                    }
                    continue;
                }
            }
            self.leaf(tree, in_test || pending.test_only);
        }
    }

    fn leaf(&mut self, tree: &TokenTree, in_test: bool) {
        let (start, end) = (tree.span().start(), tree.span().end());
        if matches!(tree, TokenTree::Literal(_)) {
            self.file.opaque.push((start, end));
        }
        self.push(tree.to_string(), start.line, end.line, in_test);
    }

    fn group(&mut self, group: &proc_macro2::Group, in_test: bool) {
        let (open, close) = match group.delimiter() {
            Delimiter::Parenthesis => ("(", ")"),
            Delimiter::Brace => ("{", "}"),
            Delimiter::Bracket => ("[", "]"),
            Delimiter::None => ("", ""),
        };
        let first = group.span_open().start().line;
        let last = group.span_close().start().line;
        self.push(open.to_owned(), first, first, in_test);
        self.level(group.stream(), in_test);
        self.push(close.to_owned(), last, last, in_test);
    }

    fn push(&mut self, text: String, first: usize, last: usize, in_test: bool) {
        for line in first..=last {
            if let Some(flag) = self.file.is_code.get_mut(line) {
                *flag = true;
            }
        }
        self.file.tokens.push(Token { text, line: first, in_test });
    }

    /// Notes what `#[...]` says about the item to come.
    fn attribute(&mut self, rest: &[TokenTree], pending: &mut Pending) {
        let Some(TokenTree::Group(group)) = rest.first() else { return };
        let words: Vec<String> = flatten(group.stream());
        let has = |word: &str| words.iter().any(|w| w == word);
        if words.first().is_some_and(|w| w == "cfg") && has("test") && !has("not") {
            pending.test_only = true;
        }
        // `#[test]` or `#[other::test]`: the word stands last and in no parentheses.
        let last = group.stream().into_iter().last();
        if last.is_some_and(|tree| matches!(tree, TokenTree::Ident(word) if word == "test")) {
            pending.test_only = true;
            pending.test_attribute = true;
        }
        if words.first().is_some_and(|w| w == "path") {
            let value = words.last().map(|w| w.trim_matches('"').to_owned());
            self.file.modules.extend(value);
        }
    }

    /// Notes a function if a name and a body follow; `fn(u8)` is a type and has neither.
    fn function(&mut self, first_line: usize, rest: &[TokenTree], pending: &Pending) {
        let Some(TokenTree::Ident(name)) = rest.first() else { return };
        for tree in rest {
            match tree {
                TokenTree::Punct(punct) if punct.as_char() == ';' => return,
                TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                    self.file.functions.push(Function {
                        name: name.to_string(),
                        modules: self.modules.clone(),
                        first_line,
                        last_line: group.span_close().start().line,
                        is_test: pending.test_attribute,
                    });
                    return;
                }
                TokenTree::Group(_)
                | TokenTree::Ident(_)
                | TokenTree::Punct(_)
                | TokenTree::Literal(_) => {}
            }
        }
    }
}

/// Number of trees that follow the `#` of a doc comment: `[...]` or `![...]`.
fn doc_length(rest: &[TokenTree]) -> usize {
    match rest.first() {
        Some(TokenTree::Punct(_)) => 2,
        Some(TokenTree::Group(_) | TokenTree::Ident(_) | TokenTree::Literal(_)) => 1,
        None => 0,
    }
}

fn flatten(stream: TokenStream) -> Vec<String> {
    stream
        .into_iter()
        .flat_map(|tree| match tree {
            TokenTree::Group(group) => flatten(group.stream()),
            TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => {
                vec![tree.to_string()]
            }
        })
        .collect()
}
