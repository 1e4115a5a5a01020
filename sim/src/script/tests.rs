//! Scripts that come true, and above all scripts that must not.

use super::*;

const HANDSHAKE: &str = "
0.000 listen 80
0.100 < S 0:0(0) win 65535 <mss 1460,nop,wscale 7>
0.100 > S. 0:0(0) ack 1 <mss 1460,wscale 7>
0.200 < . 1:1(0) ack 1
0.200 accept
";

fn play(rest: &str) -> Result<Vec<String>, ScriptError> {
    Script::parse("test", &format!("{HANDSHAKE}{rest}"))?.play()
}

/// The message of a script that must fail.
fn failure(rest: &str) -> String {
    play(rest).unwrap_err().to_string()
}

#[test]
fn a_conversation_comes_true_and_its_trace_is_a_script() {
    let trace = play(
        "0.3 write 1000
         0.3 > P. 1:1001(1000) ack 1
         +0.01 < P. 1:101(100) ack 1001
         * > . 1001:1001(0) ack 101
         +0 read 100
         1.0 shutdown
         1.0 > F. 1001:1001(0) ack 101
         1.1 < F. 101:101(0) ack 1002
         1.1 > . 1002:1002(0) ack 102
         +0 read 0
         +0 state TIME-WAIT
         62 state CLOSED",
    )
    .unwrap_or_else(|error| panic!("{error}"));
    assert!(trace.contains(&"0.300000 write 1000".to_owned()), "{trace:?}");
    let again = Script::parse("trace", &trace.join("\n")).unwrap_or_else(|error| panic!("{error}"));
    again.play().unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn what_differs_is_named_with_both_segments_and_the_trace() {
    let message = failure("0.3 write 1000\n0.3 > P. 1:1002(1001) ack 1\n");
    assert!(message.starts_with("test:8: the length differs"), "{message}");
    assert!(message.contains("expected: > P. 1:1002(1001) ack 1"), "{message}");
    assert!(message.contains("got:      > P. 1:1001(1000) ack 1 win "), "{message}");
    assert!(message.contains("0.100000 < S 0:0(0) win 65535 <mss 1460,nop,wscale 7>"), "{message}");
    for (line, what) in [
        (". 1:1001(1000) ack 1", "flags"),
        ("P. 2:1002(1000) ack 1", "sequence number"),
        ("P. 1:1001(1000) ack 2", "acknowledgement"),
        ("P. 1:1001(1000) ack 1 win 0", "window"),
        ("P. 1:1001(1000) ack 1 <mss 1460>", "options"),
        ("P. 1:1001(1000) ack 1 urg 5", "urgent"),
    ] {
        let message = failure(&format!("0.3 write 1000\n0.3 > {line}\n"));
        assert!(message.contains(&format!("the {what}")), "{line}: {message}");
    }
}

#[test]
fn silence_noise_and_the_wrong_moment_are_failures() {
    assert!(failure("0.3 > . 1:1(0) ack 1\n").contains("nothing was sent"));
    assert!(failure("0.3 write 10\n0.4 read 1\n").contains("sent, but not expected here"));
    assert!(failure("0.3 write 10\n").contains("(end of the script)"));
    assert!(failure("0.3 write 10\n0.305 > P. 1:11(10) ack 1\n").contains("it came at 0.300000"));
    assert!(failure("0.3 quiet\n0.2 quiet\n").contains("a time before"));
}

#[test]
fn calls_that_answer_otherwise_are_failures() {
    assert!(failure("0.3 read 1\n").contains("EAGAIN"));
    assert!(play("0.3 read EAGAIN\n").is_ok());
    assert!(failure("0.3 write 1 EPIPE\n").contains("1 bytes were taken"));
    assert!(
        failure("0.3 < P. 1:11(10) ack 1\n* > . 1:1(0) ack 11\n+0 read 11\n")
            .contains("10 bytes were read")
    );
    assert!(failure("0.3 accept\n").contains("EAGAIN"));
    assert!(failure("0.3 state CLOSED\n").contains("the state is ESTABLISHED"));
}

#[test]
fn what_is_no_script_is_refused_with_its_line() {
    for (text, what) in [
        ("0.3", "time, action"),
        ("x quiet", "no time in seconds"),
        ("0.3 dance", "no such call"),
        ("0.3 < X 0:0(0)", "no such flag"),
        ("0.3 < . 0:0(0)", "belong together"),
        ("0.3 < S 0:5(4)", "do not end at"),
        ("0.3 < S 0:0(0) <mss big>", "no such TCP option"),
        ("0.3 < S 0:0(0) <mss 1", "options end with"),
        ("* quiet", "only for what the host sends"),
        ("set mtu 576", "settings come first"),
    ] {
        let error = play(text).unwrap_err();
        assert!(error.what.contains(what), "{text}: {error}");
        assert_eq!(error.line, 7);
    }
}
