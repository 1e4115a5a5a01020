//! Requests, well and badly made.

use super::*;

fn parsed(text: &str) -> Result<(Target, bool, bool), Failure> {
    let request = parse(text.as_bytes())?;
    assert_eq!(request.length, text.len());
    Ok((request.target, request.body, request.keep))
}

#[test]
fn targets() {
    let get = |path: &str| parsed(&format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")).unwrap().0;
    assert_eq!(get("/"), Target::Page);
    assert_eq!(get("/?x=1"), Target::Page);
    assert_eq!(get("/json"), Target::Json);
    assert_eq!(get("/bytes/0"), Target::Bytes(0));
    assert_eq!(get("/bytes/209715200"), Target::Bytes(209_715_200));
    for path in ["/bytes/", "/bytes/-1", "/bytes/99999999999999999999", "/etc/passwd", "/json/"] {
        assert_eq!(get(path), Target::Unknown, "{path}");
    }
}

#[test]
fn methods() {
    assert_eq!(parsed("HEAD / HTTP/1.1\r\n\r\n"), Ok((Target::Page, false, true)));
    assert_eq!(parsed("DELETE / HTTP/1.1\r\n\r\n"), Ok((Target::WrongMethod, true, true)));
    let post = "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n";
    assert_eq!(parsed(post), Ok((Target::WrongMethod, true, false)));
}

#[test]
fn when_the_connection_goes_on() {
    let keep = |version: &str, field: &str| {
        parsed(&format!("GET / HTTP/{version}\r\n{field}\r\n")).unwrap().2
    };
    assert!(keep("1.1", ""));
    assert!(!keep("1.1", "Connection: close\r\n"));
    assert!(!keep("1.1", "connection: foo, Close\r\n"));
    assert!(!keep("1.0", ""));
    assert!(keep("1.0", "Connection: keep-alive\r\n"));
    assert!(!keep("1.1", "Transfer-Encoding: chunked\r\n"));
    assert!(keep("1.1", "Content-Length: 0\r\n"));
}

#[test]
fn what_is_no_request() {
    assert_eq!(parse(b""), Err(Failure::Partial));
    assert_eq!(parse(b"GET / HTTP/1.1\r\nHost"), Err(Failure::Partial));
    assert_eq!(parse(b"\0\0\0"), Err(Failure::Bad));
    assert_eq!(parse(b"GET / SMTP/1.1\r\n\r\n"), Err(Failure::Bad));
    assert_eq!(parse(b"GET / HTTP/2.0\r\n\r\n"), Err(Failure::Bad));
    let long = format!("GET /{} HTTP/1.1\r\n", "x".repeat(HEAD));
    assert_eq!(parse(long.as_bytes()), Err(Failure::TooLarge));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(FIELDS + 1));
    assert_eq!(parse(many.as_bytes()), Err(Failure::TooLarge));
}
