//! The spec checks on lists, sources and results given in memory.

use super::*;
use check::Demand;

const LIST: &str = r#"
[rfc]
number = 9293
title = "TCP"

[[requirement]]
id = "MUST-10"
section = "3.5"
level = "MUST"
status = "done"
text = "Simultaneous open works."

[[requirement]]
id = "MAY-1"
section = "3.6.1"
level = "MAY"
status = "todo"
text = "Half-duplex close."
"#;

const SECTIONS: &str = r#"
[rfc]
number = 1122
title = "Hosts"

[[requirement]]
id = "3.2.2.6"
section = "3.2.2.6"
level = "MUST"
status = "todo"
text = "Echo."
"#;

fn standards() -> Vec<list::Standard> {
    let files = [("specs/rfc9293.toml", LIST), ("specs/rfc1122.toml", SECTIONS)];
    let (standards, findings) = list::read(&files.map(|(p, t)| (p.to_owned(), t.to_owned())));
    assert_eq!(findings, []);
    standards
}

/// Citations as (id, is a test), and messages.
fn cited(path: &str, text: &str) -> (Vec<(String, bool)>, Vec<String>) {
    let mut findings = Vec::new();
    let file = SourceFile::parse(path, text).unwrap();
    let citations = cite::in_source(&file, &standards(), &mut findings);
    let citations = citations.into_iter().map(|c| (c.id, c.test.is_some())).collect();
    (citations, findings.into_iter().map(|f| f.message).collect())
}

fn check(source: &str, demand: &Demand<'_>) -> Vec<String> {
    let mut findings = Vec::new();
    let file = SourceFile::parse("tcp/src/conn/tests.rs", source).unwrap();
    let citations = cite::in_source(&file, &standards(), &mut findings);
    findings.extend(check::done(&standards(), &citations, demand));
    findings.into_iter().map(|f| f.to_string()).collect()
}

fn case(binary: &str, name: &str, outcome: Outcome) -> Case {
    Case { binary: binary.to_owned(), name: name.to_owned(), outcome }
}

const TAGGED: &str = "// test: RFC 9293 MUST-10\n#[test]\nfn both_open() {}\n";

#[test]
fn a_list_with_faults_is_told_where() {
    let faulty = LIST
        .replace("\"MAY-1\"", "\"MUST-10\"")
        .replace("status = \"todo\"", "status = \"except\"")
        .replace("Half-duplex close.", "");
    let (_, findings) = list::read(&[("specs/rfc1.toml".to_owned(), faulty)]);
    let messages: Vec<_> = findings.iter().map(ToString::to_string).collect();
    assert_eq!(messages.len(), 4, "{messages:?}");
    assert!(messages[0].contains("should be named specs/rfc9293.toml"));
    assert!(messages[1].contains("twice"));
    assert!(messages[2].contains("without a reason"));
    assert!(messages[3].contains("one line"));
    let unknown = LIST.replace("status = \"todo\"", "status = \"maybe\"");
    let (_, findings) = list::read(&[("specs/rfc9293.toml".to_owned(), unknown)]);
    assert_eq!((findings.len(), findings[0].line), (1, 17), "{findings:?}");
}

#[test]
fn citations_are_read() {
    let text = "fn f() {\n    // RFC 9293 3.5 MUST-10: both sides open.\n\
                \x20   g(); // RFC 1122 3.2.2.6: echo.\n}\n";
    let (ids, messages) = cited("tcp/src/a.rs", text);
    assert_eq!(ids, [("MUST-10".to_owned(), false), ("3.2.2.6".to_owned(), false)]);
    assert!(messages.is_empty(), "{messages:?}");
}

#[test]
fn several_ids_may_share_a_sentence() {
    let (ids, _) = cited("tcp/src/a.rs", "// RFC 9293 3.5 MUST-10, MAY-1: both.\n");
    assert_eq!(ids.len(), 2);
}

#[test]
fn unknown_ids_are_findings() {
    for text in [
        "// RFC 9293 3.5 MUST-99: no such id.\n",
        "// RFC 9293 MUST-99: nor this.\n",
        "// RFC 1122 3.2.2.7: sections are ids here.\n",
        "// RFC 7777 1: no list.\n",
        "// RFC 9293 3.6 MUST-10: stands in 3.5.\n",
        "// test: RFC 9293 MUST-99\n#[test]\nfn f() {}\n",
        "// test: RFC 9293 3.5\n#[test]\nfn f() {}\n",
        "// test: RFC 9293 MUST-10 both sides open\n#[test]\nfn f() {}\n",
        "// test: RFC 9293 MUST-10\nfn f() {}\n",
        "// test: RFC 9293 MUST-10\n\n#[test]\nfn f() {}\n",
    ] {
        let (_, messages) = cited("tcp/src/a.rs", text);
        assert_eq!(messages.len(), 1, "{text}: {messages:?}");
    }
}

#[test]
fn prose_is_no_citation() {
    for text in [
        "// RFC 9293 says so\n",
        "// RFC 9293 3.10.7.4: an anchor where sections are no ids.\n",
        "// RFC 1122 and others: see there.\n",
        "// See RFC 7777 1: prose.\n",
        "const A: &str = \"\n// RFC 9293 MUST-99: in a string\n\";\n",
    ] {
        let (ids, messages) = cited("tcp/src/a.rs", text);
        assert_eq!((ids, messages), (vec![], vec![]), "{text}");
    }
}

#[test]
fn done_needs_a_tag() {
    let messages = check("fn f() {}", &Demand::Tagged);
    assert_eq!(
        messages,
        ["specs/rfc9293.toml:7: RFC 9293 MUST-10 is marked done, but no test names it"]
    );
    assert!(check(TAGGED, &Demand::Tagged).is_empty());
}

#[test]
fn done_needs_a_pass() {
    let name = "conn::tests::both_open";
    let passed = [case("tcp", name, Outcome::Passed)];
    assert!(check(TAGGED, &Demand::Passed(&passed)).is_empty());
    let failed = [case("tcp", name, Outcome::Failed)];
    let skipped = [case("tcp", name, Outcome::Skipped)];
    let elsewhere = [case("udp", name, Outcome::Passed), case("tcp", "both_open", Outcome::Passed)];
    for (cases, word) in
        [(&failed[..], "failed"), (&skipped[..], "was skipped"), (&elsewhere[..], "did not run")]
    {
        let messages = check(TAGGED, &Demand::Passed(cases));
        assert_eq!(messages.len(), 1);
        assert!(messages[0].starts_with("tcp/src/conn/tests.rs:1: "), "{messages:?}");
        assert!(messages[0].ends_with(word), "{messages:?}");
    }
    assert_eq!(check(TAGGED, &Demand::NotFailed(&failed)).len(), 1);
    assert!(check(TAGGED, &Demand::NotFailed(&elsewhere)).is_empty());
}

#[test]
fn tests_outside_src_are_found_by_the_end_of_their_name() {
    let file = SourceFile::parse("tcp/tests/open.rs", TAGGED).unwrap();
    let citations = cite::in_source(&file, &standards(), &mut Vec::new());
    let passed = |binary, name| {
        let cases = [case(binary, name, Outcome::Passed)];
        check::done(&standards(), &citations, &Demand::Passed(&cases)).is_empty()
    };
    assert!(passed("tcp::open", "both_open"));
    assert!(passed("tcp::open", "inner::both_open"));
    assert!(passed("", "both_open"));
    assert!(!passed("tcp::open", "not_both_open"));
    assert!(!passed("udp::open", "both_open"));
}

#[test]
fn packet_scripts_count_through_the_test_that_runs_them() {
    let text = "# test: RFC 9293 MUST-10\n+0 > S 0:0(0)\n";
    let mut findings = Vec::new();
    let path = "tcp/tests/scripts/open/both.pkt";
    let citations = cite::in_script(path, text, &standards(), &mut findings);
    assert_eq!(findings, []);
    let faults = |name, outcome| {
        let cases = [case("tcp::scripts", name, outcome)];
        check::done(&standards(), &citations, &Demand::Passed(&cases)).len()
    };
    assert_eq!(faults("scripts", Outcome::Passed), 0);
    assert_eq!(faults("open::both", Outcome::Passed), 0);
    assert_eq!(faults("scripts", Outcome::Failed), 1);
    assert_eq!(faults("laws", Outcome::Passed), 1);
}

#[test]
fn ready_ids_are_told() {
    let source = TAGGED.replace("MUST-10", "MAY-1");
    let file = SourceFile::parse("tcp/src/a.rs", &source).unwrap();
    let citations = cite::in_source(&file, &standards(), &mut Vec::new());
    assert_eq!(check::ready(&standards(), &citations), ["RFC 9293 MAY-1"]);
}

#[test]
fn junit_as_nextest_writes_it() {
    let text = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="nextest-run" tests="3" failures="1">
    <testsuite name="arp" tests="3">
        <testcase name="cache::tests::good" classname="arp" time="0.004">
        </testcase>
        <testcase name="bad" classname="arp::laws" time="0.1">
            <failure message="&lt;testcase" type="test failure">panicked</failure>
        </testcase>
        <testcase name="short" classname="arp"/>
    </testsuite>
</testsuites>"#;
    let cases = junit::parse(text);
    assert_eq!(
        cases,
        [
            case("arp", "cache::tests::good", Outcome::Passed),
            case("arp::laws", "bad", Outcome::Failed),
            case("arp", "short", Outcome::Passed),
        ]
    );
    assert_eq!(junit::parse(&write_junit(&cases)), cases);
}

#[test]
fn the_scoreboard_counts_by_level() {
    let text = scoreboard::table(&standards());
    let rows: Vec<_> = text.lines().collect();
    assert_eq!(rows[2], "| RFC 1122 | Hosts | 0 / 1 / 0 |        |           |     |");
    assert_eq!(rows[3], "| RFC 9293 | TCP   | 1 / 0 / 0 |        | 0 / 1 / 0 |     |");
    assert_eq!(rows[4], "| all      |       | 1 / 1 / 0 |        | 0 / 1 / 0 |     |");
}
