//! Clients on the kernel's sockets that check every byte of what comes back.

use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail, ensure};

use super::content::{Check, Content};
use crate::netns::wait::{now, pause};

const CHUNK: usize = 65_536;

/// Ends the hang of a connection that makes no progress at all.
const SILENCE: Duration = Duration::from_secs(100);

/// Send bytes to an echo service and read them back, both at once.
#[derive(clap::Args)]
pub(super) struct Echo {
    to: SocketAddr,
    #[arg(long)]
    bytes: u64,
    #[command(flatten)]
    pause: Pause,
}

/// Read from a service that sends on its own.
#[derive(clap::Args)]
pub(super) struct Fetch {
    to: SocketAddr,
    /// Close after this many bytes
    #[arg(long)]
    bytes: u64,
    /// Ask the HTTP service for the page /bytes/N instead of only connecting
    #[arg(long)]
    http: bool,
    #[command(flatten)]
    pause: Pause,
}

/// A reader that stops for a while, which closes the window.
#[derive(Clone, Copy, clap::Args)]
pub(super) struct Pause {
    /// Stop reading after this many bytes
    #[arg(long, default_value_t = 0)]
    pause_after: u64,
    /// Stop for this long
    #[arg(long, default_value_t = 0)]
    pause_ms: u64,
}

/// Send bytes to a service that reads all and answers nothing.
#[derive(clap::Args)]
pub(super) struct Send {
    to: SocketAddr,
    #[arg(long)]
    bytes: u64,
}

/// Have many connections open at once, all echoing.
#[derive(clap::Args)]
pub(super) struct Many {
    to: SocketAddr,
    #[arg(long)]
    count: u64,
    /// Bytes each
    #[arg(long)]
    bytes: u64,
}

/// Connect, echo a few bytes and close, again and again.
#[derive(clap::Args)]
pub(super) struct Churn {
    to: SocketAddr,
    #[arg(long)]
    count: u64,
}

impl Echo {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let start = now();
        let stream = connect(self.to)?;
        let hash = echo(&stream, self.bytes, 1, self.pause)?;
        told("echoed", self.bytes, &hash, start.elapsed());
        Ok(())
    }
}

/// Sends noise on one thread and compares what comes back on another. The sending side is shut
/// as soon as all is sent, so the end has to come back too.
fn echo(stream: &TcpStream, bytes: u64, seed: u64, pause: Pause) -> anyhow::Result<String> {
    let content = Content::Noise(seed << 40);
    thread::scope(|scope| {
        let sender = scope.spawn(|| {
            send(stream, bytes, content)?;
            stream.shutdown(Shutdown::Write).context("shutdown")
        });
        let check = receive(stream, Check::new(content), u64::MAX, pause);
        if check.is_err() {
            // Frees the sender from a peer that reads no more; the error is what counts.
            let _ = stream.shutdown(Shutdown::Both);
        }
        let sent = sender.join().map_err(|_| anyhow::anyhow!("the sender panicked"))?;
        let check = check?;
        sent?;
        check.close(bytes)
    })
}

impl Fetch {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let start = now();
        let mut stream = connect(self.to)?;
        if self.http {
            let (address, bytes) = (self.to.ip(), self.bytes);
            let request = format!(
                "GET /bytes/{bytes} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
            );
            stream.write_all(request.as_bytes())?;
            skip_head(&mut stream)?;
        }
        println!("started");
        // The page ends by itself; the data source never does.
        let most = if self.http { u64::MAX } else { self.bytes };
        let check = receive(&stream, Check::new(Content::Source), most, self.pause)?;
        told("fetched", self.bytes, &check.close(self.bytes)?, start.elapsed());
        Ok(())
    }
}

impl Send {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let start = now();
        let stream = connect(self.to)?;
        send(&stream, self.bytes, Content::Noise(0))?;
        stream.shutdown(Shutdown::Write)?;
        // The end of the other side says that it has read all, not only acknowledged it.
        receive(&stream, Check::new(Content::Source), u64::MAX, Pause::NONE)?.close(0)?;
        told("sent", self.bytes, "-", start.elapsed());
        Ok(())
    }
}

impl Many {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let start = now();
        let open = Barrier::new(self.count as usize);
        thread::scope(|scope| -> anyhow::Result<()> {
            let clients: Vec<_> = (0..self.count)
                .map(|seed| {
                    let (open, to, bytes) = (&open, self.to, self.bytes);
                    scope.spawn(move || {
                        let stream = connect(to);
                        // Nobody sends before everybody is connected, or has failed to.
                        open.wait();
                        echo(&stream?, bytes, seed, Pause::NONE)
                    })
                })
                .collect();
            for (number, client) in clients.into_iter().enumerate() {
                let done = client.join().map_err(|_| anyhow::anyhow!("a client panicked"))?;
                done.with_context(|| format!("connection {number}"))?;
            }
            Ok(())
        })?;
        told(&format!("{} connections", self.count), self.bytes, "-", start.elapsed());
        Ok(())
    }
}

impl Churn {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let start = now();
        for round in 0..self.count {
            let all = || -> anyhow::Result<()> {
                let mut stream = connect(self.to)?;
                let mut sent = [0; 32];
                Content::Noise(round << 8).fill(0, &mut sent);
                stream.write_all(&sent)?;
                let mut got = [0; 32];
                stream.read_exact(&mut got)?;
                ensure!(sent == got, "the echo differs");
                Ok(())
            };
            all().with_context(|| format!("connection {round}"))?;
        }
        let rate = self.count as f64 / start.elapsed().as_secs_f64();
        println!("{} connections, {rate:.0} a second", self.count);
        Ok(())
    }
}

/// Asks for a page, sees the other side close first, and keeps its own side open a little longer.
pub(super) fn late_close(to: SocketAddr) -> anyhow::Result<()> {
    let mut stream = connect(to)?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut page = Vec::new();
    stream.read_to_end(&mut page)?;
    ensure!(page.starts_with(b"HTTP/1."), "no HTTP page came");
    pause(Duration::from_millis(300))?;
    stream.shutdown(Shutdown::Write).context("the connection did not outlive the other's end")
}

/// Echoes a line for each line of stdin, over one connection.
pub(super) fn hold(to: SocketAddr) -> anyhow::Result<()> {
    let mut stream = connect(to)?;
    for line in io::stdin().lock().lines() {
        let line = line? + "\n";
        stream.write_all(line.as_bytes())?;
        let mut back = vec![0; line.len()];
        stream.read_exact(&mut back)?;
        ensure!(back == line.as_bytes(), "the echo differs");
        println!("echoed {line}");
    }
    Ok(())
}

/// Expects a refused connection.
pub(super) fn refused_tcp(to: SocketAddr) -> anyhow::Result<()> {
    match TcpStream::connect_timeout(&to, SILENCE) {
        Ok(_) => bail!("{to} accepts connections"),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
        Err(error) => Err(error).context("not refused, but"),
    }
}

/// Expects a datagram to be answered by ICMP port unreachable.
pub(super) fn refused_udp(to: SocketAddr) -> anyhow::Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.connect(to)?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    socket.send(b"anybody?")?;
    match socket.recv(&mut [0; 16]) {
        Ok(_) => bail!("{to} answers"),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
        Err(error) => Err(error).context("not refused, but"),
    }
}

impl Pause {
    const NONE: Pause = Pause { pause_after: 0, pause_ms: 0 };
}

fn connect(to: SocketAddr) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&to, SILENCE).context("connect")?;
    stream.set_read_timeout(Some(SILENCE))?;
    stream.set_write_timeout(Some(SILENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn send(mut stream: &TcpStream, bytes: u64, content: Content) -> anyhow::Result<()> {
    let mut chunk = vec![0; CHUNK];
    let mut sent = 0;
    while sent < bytes {
        let count = (bytes - sent).min(CHUNK as u64) as usize;
        content.fill(sent, &mut chunk[..count]);
        stream.write_all(&chunk[..count]).with_context(|| format!("after {sent} bytes sent"))?;
        sent += count as u64;
    }
    Ok(())
}

/// Reads until the end of the stream or `most` bytes.
fn receive(
    mut stream: &TcpStream,
    mut check: Check,
    most: u64,
    stop: Pause,
) -> anyhow::Result<Check> {
    let mut paused = stop.pause_ms == 0;
    let mut chunk = vec![0; CHUNK];
    while check.received() < most {
        if !paused && check.received() >= stop.pause_after {
            paused = true;
            pause(Duration::from_millis(stop.pause_ms))?;
        }
        let count = (most - check.received()).min(CHUNK as u64) as usize;
        let got = stream.read(&mut chunk[..count]);
        let got = got.with_context(|| format!("after {} bytes received", check.received()))?;
        if got == 0 {
            break;
        }
        check.take(&chunk[..got])?;
    }
    Ok(check)
}

/// Reads an HTTP head up to its blank line, which must say 200.
fn skip_head(stream: &mut TcpStream) -> anyhow::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head);
    let status = head.split_whitespace().nth(1).unwrap_or_default();
    ensure!(status == "200", "HTTP said {status}:\n{head}");
    Ok(())
}

fn told(what: &str, bytes: u64, hash: &str, time: Duration) {
    let seconds = time.as_secs_f64();
    let rate = bytes as f64 * 8.0 / 1e6 / seconds;
    println!("{what}: {bytes} bytes, sha256 {hash}, {seconds:.2} s, {rate:.0} Mbit/s");
}
