//! Requests well formed, cut short, too long, and wrong.

use super::*;

fn whole(text: &str) -> Request {
    let (request, length) = parse(text.as_bytes()).unwrap().unwrap();
    assert_eq!(length, text.len());
    request
}

#[test]
fn a_request_is_method_path_query_and_body() {
    let request = whole(
        "POST /v1/sysctl/?a=1&name=net%2eipv4+x&flag HTTP/1.1\r\nHost: x\r\n\
         Content-Length: 8\r\n\r\n{\"b\": 2}",
    );
    assert_eq!((request.method, request.path.as_str()), (Method::Post, "/v1/sysctl"));
    assert_eq!(request.value("name"), Some("net.ipv4 x"));
    assert_eq!((request.value("flag"), request.value("none")), (Some(""), None));
    assert_eq!(request.json().unwrap()["b"], 2);
    assert!(request.keep);
}

#[test]
fn when_the_connection_goes_on() {
    assert!(whole("GET / HTTP/1.1\r\n\r\n").keep);
    assert!(!whole("GET / HTTP/1.1\r\nConnection: close\r\n\r\n").keep);
    assert!(!whole("GET / HTTP/1.0\r\n\r\n").keep);
}

#[test]
fn every_cut_waits_for_more() {
    let text = "POST /v1/route HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody";
    for cut in 0..text.len() {
        assert!(parse(&text.as_bytes()[..cut]).unwrap().is_none(), "{cut}");
    }
}

#[test]
fn what_is_too_long_or_wrong_is_refused_by_status() {
    let long = format!("GET /{} HTTP/1.1\r\n", "x".repeat(HEAD));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(FIELDS + 1));
    for (text, status) in [
        (long.as_str(), "431"),
        (&many, "431"),
        ("POST / HTTP/1.1\r\nContent-Length: 9999999\r\n\r\n", "413"),
        ("POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", "400"),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "411"),
        ("\x16\x03\x01\x02", "400"),
    ] {
        let Bad(said, _) = parse(text.as_bytes()).unwrap_err();
        assert!(said.starts_with(status), "{said}");
    }
}

#[test]
fn two_requests_at_once_are_answered_one_after_the_other() {
    let mut both: &[u8] = b"GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n";
    let mut inbox = Inbox::default();
    for path in ["/a", "/b"] {
        assert_eq!(inbox.next(&mut both).unwrap().unwrap().unwrap().path, path);
    }
    assert!(inbox.next(&mut both).unwrap().is_none());
}

#[test]
fn odd_escapes_stay() {
    assert_eq!(decode("%4a%zz%1"), "J%zz%1");
    assert_eq!(decode("%ff"), "\u{fffd}");
}

#[test]
fn a_chunked_body_says_its_sizes_and_ends() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let mut chunks = Reply::new(&ours, false).chunks("text/plain").unwrap();
    chunks.write_all(b"hello").unwrap();
    chunks.flush().unwrap();
    chunks.write_all(&[b'x'; 16]).unwrap();
    assert!(!chunks.is_left());
    chunks.end().unwrap();
    drop(ours);
    let mut said = String::new();
    theirs.read_to_string(&mut said).unwrap();
    let body = said.split_once("\r\n\r\n").unwrap().1;
    assert_eq!(body, format!("5\r\nhello\r\n10\r\n{}\r\n0\r\n\r\n", "x".repeat(16)));
}

#[test]
fn who_has_gone_is_noticed() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let chunks = Reply::new(&ours, false).chunks("text/plain").unwrap();
    drop(theirs);
    assert!(chunks.is_left());
}
