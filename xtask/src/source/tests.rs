//! Table tests of the source reader: what counts as code, as comment, as test.

use super::*;

fn parse(text: &str) -> SourceFile {
    SourceFile::parse("ip/src/lib.rs", text).unwrap()
}

#[test]
fn blank_and_comment_lines_are_no_code() {
    let file =
        parse("//! Head.\n\n/// Doc.\nfn f() {\n    // why\n    g(); // how\n}\n/* a\n b */\n");
    assert_eq!(file.code_lines(1, 9), 3);
}

#[test]
fn a_literal_over_several_lines_is_code_on_each() {
    let file = parse("const A: &str = \"a\n\nb\";\n");
    assert_eq!(file.code_lines(1, 3), 3);
}

#[test]
fn slashes_in_strings_and_docs_are_no_comments() {
    let file = parse("/// see // here\nconst A: &str = \"// no\n// nor this\"; // yes\n// alone\n");
    let found: Vec<_> = file.comments.iter().map(|c| (c.line, c.text.as_str(), c.alone)).collect();
    assert_eq!(found, [(3, "yes", false), (4, "alone", true)]);
}

#[test]
fn functions_know_their_extent_modules_and_tests() {
    let file = parse(
        "fn a() {\n}\nmod m {\n    trait T { fn no_body(&self); }\n    #[test]\n    fn b() {}\n}\n\
         type F = fn(u8);\n",
    );
    let found: Vec<_> = file
        .functions
        .iter()
        .map(|f| (f.name.as_str(), f.modules.join("::"), f.first_line, f.last_line, f.is_test))
        .collect();
    assert_eq!(found, [("a", String::new(), 1, 2, false), ("b", "m".to_owned(), 6, 6, true)]);
}

#[test]
fn test_code_is_told_from_the_rest() {
    let file = parse(
        "fn a() { one(); }\n#[cfg(test)]\nmod t { fn x() { two(); } }\nfn b() { three(); }\n\
         #[cfg(not(test))]\nfn c() { four(); }\n#[test]\nfn d() { five(); }\n",
    );
    let in_test = |name: &str| file.find(name).next().unwrap().in_test;
    assert!(!in_test("one"));
    assert!(in_test("two"));
    assert!(!in_test("three"));
    assert!(!in_test("four"));
    assert!(in_test("five"));
}

#[test]
fn a_sequence_is_found_across_lines_and_in_macros() {
    let file = parse("fn f() { assert!(Instant::\n    now() > x); }\n");
    let lines: Vec<_> = file.find("Instant : : now").map(|t| t.line).collect();
    assert_eq!(lines, [1]);
}

#[test]
fn declared_modules_are_listed() {
    let file = parse("mod a;\n#[cfg(test)]\nmod tests;\n#[path = \"x/y.rs\"]\nmod z;\nmod w {}\n");
    assert_eq!(file.modules, ["a", "tests", "x/y.rs", "z"]);
}

#[test]
fn what_is_no_rust_is_a_finding() {
    let Err(finding) = SourceFile::parse("a.rs", "fn f() {\n  \"open\n") else {
        panic!("accepted")
    };
    assert!(finding.message.contains("cannot be read as Rust"), "{finding}");
}
