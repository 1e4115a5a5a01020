//! The stack's page about itself, over HTTP/1.1 (RFC 9112): `/`, `/json`, and `/bytes/N`, the first
//! N bytes of the source's pattern.
//!
//! Left out: request bodies (a request with one is the last of its connection), pipelining beyond
//! what is already read, compression, ranges.

mod page;

use std::io::{self, Read, Write};
use std::net::Shutdown;

use layer::Duration;
use socket::net::TcpStream;
use stackd::Stack;

use super::source;

/// Bytes of a request's head, at most.
const HEAD: usize = 8 << 10;

/// Header fields, at most.
const FIELDS: usize = 64;

/// How long a client may be idle.
const IDLE: Duration = Duration::from_secs(30);

/// What a client asked for.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    /// Bytes of the head.
    length: usize,
    target: Target,
    /// The answer's body is wanted: GET, not HEAD.
    body: bool,
    /// The connection goes on afterwards.
    keep: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Target {
    Page,
    Json,
    Bytes(u64),
    Unknown,
    WrongMethod,
}

/// Why there is no request.
#[derive(Debug, PartialEq, Eq)]
enum Failure {
    /// More must come.
    Partial,
    Bad,
    TooLarge,
}

/// Answers requests until the client is done.
pub(super) fn serve(stack: &Stack, mut stream: TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(IDLE))?;
    let mut head = Vec::with_capacity(HEAD);
    loop {
        let request = match parse(&head) {
            Ok(request) => request,
            Err(Failure::Partial) => {
                let mut chunk = [0; 1024];
                match stream.read(&mut chunk)? {
                    0 => return Ok(()),
                    n => head.extend_from_slice(&chunk[..n]),
                }
                continue;
            }
            Err(Failure::Bad) => {
                refuse(&mut stream, "400 Bad Request")?;
                return part(&mut stream);
            }
            Err(Failure::TooLarge) => {
                refuse(&mut stream, "431 Request Header Fields Too Large")?;
                return part(&mut stream);
            }
        };
        head.drain(..request.length);
        answer(stack, &mut stream, &request)?;
        if !request.keep {
            return part(&mut stream);
        }
    }
}

/// Ends a connection whose client may still be sending: with unread bytes a close is a reset,
/// which could overtake the answer.
fn part(stream: &mut TcpStream) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    let mut rest = [0; 4096];
    for _ in 0..64 {
        // A timeout, a reset or the end: it is over either way.
        if !matches!(stream.read(&mut rest), Ok(1..)) {
            break;
        }
    }
    Ok(())
}

/// An answer that ends the connection.
fn refuse(stream: &mut TcpStream, status: &str) -> io::Result<()> {
    let body = format!("{status}\n");
    write_head(stream, status, "text/plain", body.len() as u64, "", false)?;
    stream.write_all(body.as_bytes())
}

fn answer(stack: &Stack, stream: &mut TcpStream, request: &Request) -> io::Result<()> {
    let keep = request.keep;
    let (status, kind, body) = match request.target {
        Target::Bytes(n) => {
            write_head(stream, "200 OK", "application/octet-stream", n, "", keep)?;
            return if request.body { source::first(stream, n) } else { Ok(()) };
        }
        Target::Page => ("200 OK", "text/html; charset=utf-8", page::html(&stack.report())),
        Target::Json => ("200 OK", "application/json", format!("{}\n", stack.report().to_json())),
        Target::Unknown => {
            ("404 Not Found", "text/plain", "there are /, /json and /bytes/N\n".to_owned())
        }
        Target::WrongMethod => {
            ("405 Method Not Allowed", "text/plain", "GET and HEAD only\n".to_owned())
        }
    };
    // RFC 9110 15.5.6, say what is allowed.
    let more = match request.target {
        Target::WrongMethod => "Allow: GET, HEAD\r\n",
        Target::Page | Target::Json | Target::Bytes(_) | Target::Unknown => "",
    };
    write_head(stream, status, kind, body.len() as u64, more, keep)?;
    if request.body { stream.write_all(body.as_bytes()) } else { Ok(()) }
}

fn write_head(
    stream: &mut TcpStream,
    status: &str,
    kind: &str,
    length: u64,
    more: &str,
    keep: bool,
) -> io::Result<()> {
    let connection = if keep { "keep-alive" } else { "close" };
    let head = format!(
        "HTTP/1.1 {status}\r\nServer: stackd\r\nContent-Type: {kind}\r\n\
         Content-Length: {length}\r\nCache-Control: no-store\r\n{more}\
         Connection: {connection}\r\n\r\n"
    );
    stream.write_all(head.as_bytes())
}

fn parse(head: &[u8]) -> Result<Request, Failure> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut parsed = httparse::Request::new(&mut fields);
    let length = match parsed.parse(head) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if head.len() >= HEAD => return Err(Failure::TooLarge),
        Ok(httparse::Status::Partial) => return Err(Failure::Partial),
        Err(httparse::Error::TooManyHeaders) => return Err(Failure::TooLarge),
        Err(_) => return Err(Failure::Bad),
    };
    let (Some(method), Some(path), Some(version)) = (parsed.method, parsed.path, parsed.version)
    else {
        return Err(Failure::Bad);
    };
    let field = |name: &str| {
        parsed.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name)).map(|f| f.value)
    };
    // RFC 9112 6.3, without these there is no body.
    let has_body = field("transfer-encoding").is_some()
        || field("content-length").is_some_and(|value| value != b"0");
    let says = |word: &str| {
        let value = field("connection").unwrap_or_default();
        value.split(|&b| b == b',').any(|v| v.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
    };
    // RFC 9112 9.3, HTTP/1.1 connections persist unless said otherwise.
    let persists = if version == 1 { !says("close") } else { says("keep-alive") };
    let (target, body) = match method {
        "GET" => (target(path), true),
        "HEAD" => (target(path), false),
        _ => (Target::WrongMethod, true),
    };
    Ok(Request { length, target, body, keep: persists && !has_body })
}

fn target(path: &str) -> Target {
    let path = path.split('?').next().unwrap_or_default();
    match path {
        "/" | "/index.html" => Target::Page,
        "/json" => Target::Json,
        _ => match path.strip_prefix("/bytes/").map(str::parse) {
            Some(Ok(n)) => Target::Bytes(n),
            Some(Err(_)) | None => Target::Unknown,
        },
    }
}

#[cfg(test)]
mod tests;
