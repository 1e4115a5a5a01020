//! One connection to a daemon's control socket: requests out, JSON or a stream back.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use serde_json::Value;
use stackd::paths;

/// Longest head of an answer, bytes: a daemon that says more is none.
const HEAD: u64 = 64 << 10;

/// A connection.
pub(crate) struct Client {
    stream: BufReader<UnixStream>,
}

impl Client {
    /// Connects, or says why there is nobody, which path was tried, and how to start a daemon.
    pub(crate) fn connect(path: &Path) -> anyhow::Result<Self> {
        let stream = UnixStream::connect(path).map_err(|error| absent(path, &error))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// GET.
    pub(crate) fn get(&mut self, target: &str) -> anyhow::Result<Value> {
        self.ask("GET", target, None)
    }

    /// A request with or without a body.
    pub(crate) fn ask(
        &mut self,
        method: &str,
        target: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let head = self.send(method, target, body)?;
        let mut bytes = Vec::new();
        match head.length {
            Some(length) => {
                let stream = &mut self.stream;
                stream.take(length).read_to_end(&mut bytes)?;
            }
            None => {
                Chunked::new(&mut self.stream).read_to_end(&mut bytes)?;
            }
        }
        let value: Value = serde_json::from_slice(&bytes).context("the daemon's answer")?;
        match value["error"].as_str() {
            Some(error) if head.status != 200 => bail!("{error}"),
            _fine if head.status == 200 => Ok(value),
            _other => bail!("the daemon says {}", head.status),
        }
    }

    /// GET of something that comes as it happens.
    pub(crate) fn stream(mut self, target: &str) -> anyhow::Result<Stream> {
        let head = self.send("GET", target, None)?;
        if head.status != 200 {
            let mut said = String::new();
            self.stream.take(head.length.unwrap_or(0)).read_to_string(&mut said)?;
            let value: Value = serde_json::from_str(&said).unwrap_or_default();
            bail!("{}", value["error"].as_str().unwrap_or("the daemon refuses"));
        }
        Ok(Chunked::new(self.stream))
    }

    fn send(&mut self, method: &str, target: &str, body: Option<&Value>) -> anyhow::Result<Head> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let length = body.len();
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: stackd\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        self.stream.get_mut().write_all(request.as_bytes()).context("the daemon went away")?;
        Head::read(&mut self.stream)
    }
}

/// A body that comes as it happens.
pub(crate) type Stream = Chunked<BufReader<UnixStream>>;

/// What an answer begins with.
struct Head {
    status: u16,
    /// `None`: in chunks.
    length: Option<u64>,
}

impl Head {
    fn read(stream: &mut impl BufRead) -> anyhow::Result<Self> {
        let mut head = stream.take(HEAD);
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if head.read_line(&mut line)? == 0 {
                bail!("the daemon went away");
            }
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_ascii_lowercase()),
            }
        }
        let status = lines.first().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let field = |name: &str| lines.iter().find_map(|line| line.strip_prefix(name));
        let length = field("content-length:").and_then(|length| length.trim().parse().ok());
        Ok(Self { status: status.ok_or_else(|| anyhow!("that is no daemon of ours"))?, length })
    }
}

/// A chunked body (RFC 9112 7.1) as bytes.
pub(crate) struct Chunked<R> {
    from: R,
    /// Bytes of this chunk that were not read yet.
    left: u64,
    ended: bool,
}

impl<R: BufRead> Chunked<R> {
    fn new(from: R) -> Self {
        Self { from, left: 0, ended: false }
    }

    fn next_chunk(&mut self) -> io::Result<()> {
        let mut size = String::new();
        (&mut self.from).take(32).read_line(&mut size)?;
        self.left = u64::from_str_radix(size.trim_end(), 16)
            .map_err(|_| io::Error::new(io::ErrorKind::UnexpectedEof, "the daemon went away"))?;
        if self.left == 0 {
            self.ended = true;
            self.from.read_exact(&mut [0; 2])?;
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Chunked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ended || buffer.is_empty() {
            return Ok(0);
        }
        if self.left == 0 {
            self.next_chunk()?;
            if self.ended {
                return Ok(0);
            }
        }
        let n = (&mut self.from).take(self.left).read(buffer)?;
        if n == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the daemon went away"));
        }
        self.left -= n as u64;
        if self.left == 0 {
            self.from.read_exact(&mut [0; 2])?;
        }
        Ok(n)
    }
}

fn absent(path: &Path, error: &io::Error) -> anyhow::Error {
    let path = path.display();
    let why = match error.kind() {
        io::ErrorKind::NotFound => format!("no daemon at {path}"),
        io::ErrorKind::ConnectionRefused => format!("the daemon at {path} is dead"),
        io::ErrorKind::PermissionDenied => {
            format!("{path} may not be opened by this user: root and the daemon's group may ask")
        }
        _other => format!("{path}: {error}"),
    };
    let living = paths::living();
    let help = if living.is_empty() {
        "start one with `stackd`, or say where it is with --control PATH".to_owned()
    } else {
        format!("there are others: {}; ask one with --name NAME", living.join(", "))
    };
    anyhow!("{why}\n  help: {help}")
}

/// A path with parameters that have a value.
pub(crate) fn target(path: &str, parameters: &[(&str, Option<String>)]) -> String {
    let given = parameters.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    let pairs: Vec<String> =
        given.map(|(name, value)| format!("{name}={}", quote(value))).collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

/// Quotes what may not stand in a query.
fn quote(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b',' | b'/');
    text.bytes()
        .map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunked_body_is_read_whole_and_what_follows_is_left() {
        let mut text: &[u8] = b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nrest";
        let mut said = String::new();
        Chunked::new(&mut text).read_to_string(&mut said).unwrap();
        assert_eq!((said.as_str(), text), ("hello world", &b"rest"[..]));
    }

    #[test]
    fn a_body_that_breaks_off_is_an_error() {
        for cut in ["", "5\r\nhel", "5\r\nhello\r\n"] {
            let mut text = cut.as_bytes();
            let error = Chunked::new(&mut text).read_to_end(&mut Vec::new()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{cut}");
        }
    }

    #[test]
    fn parameters_without_a_value_are_left_out_and_others_quoted() {
        let some = |text: &str| Some(text.to_owned());
        let parameters = [("a", None), ("b", some("x y")), ("c", some("10.0.0.1"))];
        assert_eq!(target("/v1/ss", &parameters), "/v1/ss?b=x%20y&c=10.0.0.1");
        assert_eq!(target("/v1/ss", &[("a", None)]), "/v1/ss");
    }

    #[test]
    fn who_is_not_there_is_named_by_path_with_a_way_out() {
        let path = Path::new("/nonexistent/x.sock");
        let said = Client::connect(path).err().unwrap().to_string();
        assert!(said.contains("/nonexistent/x.sock") && said.contains("help:"), "{said}");
    }
}
