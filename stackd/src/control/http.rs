//! HTTP/1.1 (RFC 9112), as much of it as a local client needs: requests with a bounded head and a
//! body of known length, answers of known length or in chunks.
//!
//! Left out: chunked requests, `Expect`, ranges, compression, upgrades.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

use serde_json::Value;

/// Bytes of a request's head, at most.
const HEAD: usize = 8 << 10;

/// Bytes of its body, at most: a route or a setting has fifty.
const BODY: usize = 64 << 10;

/// Header fields, at most.
const FIELDS: usize = 64;

/// Bytes of a chunk before it is sent by itself.
const CHUNK: usize = 32 << 10;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Post,
    Delete,
    Other,
}

/// A request.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) path: String,
    /// Names and values behind the `?`, decoded.
    pub(super) query: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// The connection goes on afterwards.
    pub(super) keep: bool,
}

/// Why there is no request: a status and a sentence.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bad(pub(super) &'static str, pub(super) &'static str);

const TOO_LARGE: Bad = Bad("431 Request Header Fields Too Large", "the head is too long");

impl Request {
    /// What the query says of `name`.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as a JSON object.
    pub(super) fn json(&self) -> Result<Value, String> {
        let value: Value =
            serde_json::from_slice(&self.body).map_err(|error| format!("the body: {error}"))?;
        if value.is_object() { Ok(value) } else { Err("the body is no JSON object".to_owned()) }
    }
}

/// What was read of a client and not used yet.
#[derive(Debug, Default)]
pub(super) struct Inbox(Vec<u8>);

impl Inbox {
    /// The next request; `None` at the end of the connection.
    pub(super) fn next(
        &mut self,
        stream: &mut impl Read,
    ) -> io::Result<Option<Result<Request, Bad>>> {
        loop {
            match parse(&self.0) {
                Ok(Some((request, length))) => {
                    self.0.drain(..length);
                    return Ok(Some(Ok(request)));
                }
                Err(bad) => return Ok(Some(Err(bad))),
                Ok(None) => {
                    let mut piece = [0; 2048];
                    match stream.read(&mut piece)? {
                        0 => return Ok(None),
                        n => self.0.extend_from_slice(&piece[..n]),
                    }
                }
            }
        }
    }
}

/// A whole request and its length; `None` if more must come.
fn parse(bytes: &[u8]) -> Result<Option<(Request, usize)>, Bad> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut parsed = httparse::Request::new(&mut fields);
    let head = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length <= HEAD => length,
        Ok(httparse::Status::Partial) if bytes.len() <= HEAD => return Ok(None),
        Ok(_) | Err(httparse::Error::TooManyHeaders) => return Err(TOO_LARGE),
        Err(_) => return Err(Bad("400 Bad Request", "that is no HTTP/1.1 request")),
    };
    let field = |name: &str| {
        let named = parsed.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name))?;
        core::str::from_utf8(named.value).ok().map(str::trim)
    };
    if field("transfer-encoding").is_some() {
        return Err(Bad("411 Length Required", "a body needs a Content-Length"));
    }
    let body = match field("content-length").map(str::parse) {
        None => 0,
        Some(Ok(n)) if n <= BODY => n,
        Some(Ok(_)) => return Err(Bad("413 Content Too Large", "the body is too long")),
        Some(Err(_)) => return Err(Bad("400 Bad Request", "Content-Length is no number")),
    };
    let length = head + body;
    let Some(body) = bytes.get(head..length) else { return Ok(None) };
    let target = parsed.path.unwrap_or("/");
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let query = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let query = query.map(|(name, value)| (decode(name), decode(value))).collect();
    let method = match parsed.method {
        Some("GET") => Method::Get,
        Some("POST") => Method::Post,
        Some("DELETE") => Method::Delete,
        Some(_) | None => Method::Other,
    };
    // RFC 9112 9.3, HTTP/1.1 connections persist unless said otherwise.
    let closes = field("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    let keep = parsed.version == Some(1) && !closes;
    let path = path.trim_end_matches('/').to_owned();
    Ok(Some((Request { method, path, query, body: body.to_vec(), keep }, length)))
}

/// Undoes `%41` and `+`; what is no such thing stays as it is.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|two| core::str::from_utf8(two).ok());
        match (first, hex.and_then(|two| u8::from_str_radix(two, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = after;
            }
            _plain => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The answer to one request.
pub(super) struct Reply<'a> {
    stream: &'a UnixStream,
    keep: bool,
}

impl<'a> Reply<'a> {
    pub(super) fn new(stream: &'a UnixStream, keep: bool) -> Self {
        Self { stream, keep }
    }

    /// 200 and a JSON value.
    pub(super) fn json(self, value: &Value) -> io::Result<()> {
        self.whole("200 OK", value)
    }

    /// Another status and a sentence.
    pub(super) fn error(self, status: &str, why: &str) -> io::Result<()> {
        self.whole(status, &serde_json::json!({ "error": why }))
    }

    fn whole(mut self, status: &str, value: &Value) -> io::Result<()> {
        let body = format!("{value}\n");
        let length = format!("Content-Length: {}", body.len());
        let head = self.head(status, "application/json", &length);
        self.stream.write_all(&[head.as_bytes(), body.as_bytes()].concat())
    }

    /// 200, and a body that comes as it is written.
    pub(super) fn chunks(mut self, kind: &str) -> io::Result<Chunks<'a>> {
        let head = self.head("200 OK", kind, "Transfer-Encoding: chunked");
        self.stream.write_all(head.as_bytes())?;
        Ok(Chunks { stream: self.stream, waiting: Vec::with_capacity(CHUNK) })
    }

    fn head(&mut self, status: &str, kind: &str, length: &str) -> String {
        let connection = if self.keep { "keep-alive" } else { "close" };
        format!(
            "HTTP/1.1 {status}\r\nServer: stackd\r\nContent-Type: {kind}\r\n{length}\r\n\
             Cache-Control: no-store\r\nConnection: {connection}\r\n\r\n"
        )
    }
}

/// A body in chunks (RFC 9112 7.1); without `end` the client knows that it is not complete.
pub(super) struct Chunks<'a> {
    stream: &'a UnixStream,
    waiting: Vec<u8>,
}

impl Chunks<'_> {
    /// The client has gone.
    pub(super) fn is_left(&self) -> bool {
        let flags = rustix::net::RecvFlags::PEEK | rustix::net::RecvFlags::DONTWAIT;
        match rustix::net::recv(self.stream, &mut [0_u8; 1], flags) {
            Ok((_, n)) => n == 0,
            Err(error) => error != rustix::io::Errno::AGAIN,
        }
    }

    /// The body is complete.
    pub(super) fn end(mut self) -> io::Result<()> {
        self.flush()?;
        self.stream.write_all(b"0\r\n\r\n")
    }
}

impl Write for Chunks<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= CHUNK {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let size = format!("{:x}\r\n", self.waiting.len());
        self.waiting.extend_from_slice(b"\r\n");
        self.stream.write_all(size.as_bytes())?;
        self.stream.write_all(&self.waiting)?;
        self.waiting.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
