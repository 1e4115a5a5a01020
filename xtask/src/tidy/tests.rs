//! Each rule shown failing, and shown content with what it should let pass.

use super::*;

/// No line is complained about.
const NONE: [usize; 0] = [];

/// Lines that the rule complains about in `text` at `path`.
fn lines(rule: FileRule, path: &str, text: &str) -> Vec<usize> {
    let file = SourceFile::parse(path, text).unwrap();
    rule(&file).iter().map(|finding| finding.line).collect()
}

#[test]
fn header() {
    assert_eq!(lines(layout::header, "ip/src/a.rs", "// no\nfn f() {}\n"), [1]);
    assert_eq!(lines(layout::header, "ip/src/a.rs", "//! Yes.\n"), NONE);
}

#[test]
fn width() {
    let fits = format!("//! {}\n", "x".repeat(96));
    let wide = format!("{fits}//! {}\n", "é".repeat(97));
    assert_eq!(lines(layout::width, "ip/src/a.rs", &fits), NONE);
    assert_eq!(lines(layout::width, "ip/src/a.rs", &wide), [2]);
}

#[test]
fn orphans() {
    let parse = |(path, text): (&str, &str)| SourceFile::parse(path, text).unwrap();
    let files = [
        ("ip/src/lib.rs", "mod a; mod b; #[path = \"odd/name.rs\"] mod d;"),
        ("ip/src/a.rs", "#[cfg(test)] mod tests;"),
        ("ip/src/a/tests.rs", ""),
        ("ip/src/a/forgotten.rs", ""),
        ("ip/src/b/mod.rs", "mod c;"),
        ("ip/src/b/c.rs", ""),
        ("ip/src/odd/name.rs", ""),
        ("ip/tests/laws.rs", ""),
        ("stackd/src/bin/x.rs", ""),
    ]
    .map(parse);
    let found: Vec<_> = layout::orphans(&files).into_iter().map(|f| f.path).collect();
    assert_eq!(found, ["ip/src/a/forgotten.rs"]);
}

#[test]
fn file_length() {
    let code = "const A: u8 = 1;\n// free\n\n";
    let (fits, long) = (code.repeat(400), code.repeat(401));
    assert_eq!(lines(size::file_length, "ip/src/a.rs", &fits), NONE);
    assert_eq!(lines(size::file_length, "ip/src/a.rs", &long), [1]);
    for path in ["ip/src/a/tests.rs", "ip/tests/laws.rs", "ip/src/tests/a.rs"] {
        assert_eq!(lines(size::file_length, path, &long), NONE);
        assert_eq!(lines(size::file_length, path, &code.repeat(801)), [1]);
    }
}

#[test]
fn function_length() {
    let function = |body: usize| format!("\nfn f() {{\n{}}}\n", "g();\n// free\n".repeat(body));
    assert_eq!(lines(size::function_length, "ip/src/a.rs", &function(68)), NONE);
    assert_eq!(lines(size::function_length, "ip/src/a.rs", &function(69)), [2]);
}

#[test]
fn unsafe_only_in_sys() {
    let text = "fn f() {\n    unsafe { g() }\n}\n";
    assert_eq!(lines(unsafety::only_in_sys, "link/src/tap.rs", text), [2]);
    assert_eq!(lines(unsafety::only_in_sys, "link/src/tap/sys.rs", text), NONE);
    let words = "// unsafe\n#![deny(unsafe_code)]\nconst A: &str = \"unsafe\";\n";
    assert_eq!(lines(unsafety::only_in_sys, "link/src/tap.rs", words), NONE);
}

#[test]
fn unsafe_has_its_reason() {
    let rule = unsafety::safety_comment;
    let bare = "fn f() {\n    a();\n    unsafe { g() }\n}\n";
    assert_eq!(lines(rule, "link/src/sys.rs", bare), [3]);
    let reasoned =
        "fn f() {\n    // SAFETY: g is\n    // harmless.\n    let x =\n        unsafe { g() };\n}";
    assert_eq!(lines(rule, "link/src/sys.rs", reasoned), NONE);
    let elsewhere = "fn f() {\n    // SAFETY: for a.\n    a();\n    unsafe { g() }\n}\n";
    assert_eq!(lines(rule, "link/src/sys.rs", elsewhere), [4]);
    assert_eq!(lines(rule, "link/src/sys.rs", "\nunsafe impl Send for X {}\n"), [2]);
}

#[test]
fn clock_and_chance() {
    let rule = calls::clock_and_chance;
    let calls =
        "fn f() {\n    Instant::now();\n    std::thread::sleep(d);\n    rand::random();\n}\n";
    for path in ["layer/src/a.rs", "tcp/tests/a.rs", "sim/src/a.rs", "socket/src/hub/a.rs"] {
        assert_eq!(lines(rule, path, calls), [2, 3, 4], "{path}");
    }
    for path in ["stackd/src/clock.rs", "socket/src/blocking.rs", "arp/examples/a.rs"] {
        assert_eq!(lines(rule, path, calls), NONE, "{path}");
    }
    assert_eq!(lines(rule, "ip/src/a.rs", "// Instant::now()\nfn f(now: Instant) {}\n"), NONE);
}

#[test]
fn world() {
    let text = "fn f() {\n    println!(\"x\");\n    thread::spawn(g);\n}\n\
                #[test]\nfn t() { println!() }\n";
    assert_eq!(lines(calls::world, "arp/src/a.rs", text), [3, 2]);
    assert_eq!(lines(calls::world, "stackd/src/a.rs", text), NONE);
    assert_eq!(lines(calls::world, "arp/examples/a.rs", text), NONE);
}

#[test]
fn shortcuts() {
    let text = "fn f() {\n    a.unwrap();\n    assert!(b.expect(\"x\"));\n    c.unwrap_or(0);\n}\n\
                #[cfg(test)]\nmod t { fn g() { a.unwrap(); } }\n";
    assert_eq!(lines(calls::shortcuts, "udp/src/a.rs", text), [2, 3]);
    assert_eq!(lines(calls::shortcuts, "udp/tests/a.rs", text), NONE);
    assert_eq!(lines(calls::shortcuts, "stackd/src/a.rs", text), NONE);
}

#[test]
fn left_open() {
    let text = "fn f() {\n    todo!()\n}\nfn g() {\n    dbg!(x);\n    unimplemented!();\n}\n";
    assert_eq!(lines(calls::left_open, "xtask/src/a.rs", text), [2, 6, 5]);
}

#[test]
fn ignored_without_reason() {
    let rule = calls::ignored_without_reason;
    assert_eq!(lines(rule, "ip/src/a.rs", "#[test]\n#[ignore]\nfn f() {}\n"), [2]);
    assert_eq!(lines(rule, "ip/src/a.rs", "#[test]\n#[ignore = \"slow\"]\nfn f() {}\n"), NONE);
}

#[test]
fn star() {
    let found = |name: &str, text: &str| -> Vec<usize> {
        let crates = ["layer", "laws", "arp", "ip", "link", "stackd"];
        let mut findings = manifests::star(name, &crates, text);
        findings.sort();
        findings.iter().map(|f| f.line).collect()
    };
    let chain = "[dependencies]\nlayer.workspace = true\narp.workspace = true\n";
    assert_eq!(found("ip", chain), [3]);
    assert_eq!(found("layer", chain), [2, 3]);
    assert_eq!(found("stackd", chain), NONE);
    let renamed = "[dependencies]\nneighbour = { package = \"arp\", path = \"../arp\" }\n";
    assert_eq!(found("ip", renamed), [2]);
    let target = "[target.'cfg(unix)'.build-dependencies]\nlink = { path = \"../link\" }\n";
    assert_eq!(found("ip", target), [2]);
    let tests = "[dev-dependencies]\nlaws.workspace = true\narp.workspace = true\n";
    assert_eq!(found("ip", tests), NONE);
}
