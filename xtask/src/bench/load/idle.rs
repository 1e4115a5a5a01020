//! Connections that are open and do nothing: the memory that the stack holds for them.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, ensure};
use rustix::net::SocketFlags;
use rustix::process::{Resource, getrlimit, setrlimit};

use super::ports::Ports;
use super::{Load, STALL, Sample};
use crate::netns::wait;

/// Time for what is handed on or freed a moment later.
const CALM: Duration = Duration::from_millis(200);

/// Opens `at_once` connections, each used once, and compares.
pub(super) fn run(load: &Load) -> anyhow::Result<Sample> {
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = load.at_once as u64 + 64;
    limit.current = limit.current.map(|now| now.max(wanted));
    limit.maximum = limit.maximum.map(|now| now.max(wanted));
    setrlimit(Resource::Nofile, limit).context("this many connections need open files")?;
    let mut ports = Ports::new(&load.from, std::process::id());
    // What the first connection brings is not what each of them holds.
    drop(open(load, &mut ports)?);
    wait::pause(CALM)?;
    let before = resident(&load.stack)?;
    let mut held = Vec::with_capacity(load.at_once);
    for number in 0..load.at_once {
        let stream = open(load, &mut ports);
        held.push(stream.with_context(|| format!("connection {number}"))?);
    }
    wait::pause(CALM)?;
    let memory = resident(&load.stack)?.saturating_sub(before);
    let connections = held.len() as u64;
    Ok(Sample { memory, connections, seconds: load.seconds, ..Sample::default() })
}

/// A connection that has seen a byte to and fro.
fn open(load: &Load, ports: &mut Ports) -> anyhow::Result<TcpStream> {
    let mut stream = TcpStream::from(ports.open(load.to, SocketFlags::empty())?);
    stream.set_read_timeout(Some(STALL))?;
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO))?;
    stream.write_all(&[0x5a])?;
    let mut answer = [0; 1];
    stream.read_exact(&mut answer).context("waiting for the echo")?;
    ensure!(answer == [0x5a], "the echo is not what was sent");
    Ok(stream)
}

/// Resident memory of some processes, bytes.
pub(super) fn resident(pids: &[u32]) -> anyhow::Result<u64> {
    let mut sum = 0;
    for pid in pids {
        // Exact, where statm counts in batches a thread.
        let path = format!("/proc/{pid}/smaps_rollup");
        let text = fs::read_to_string(&path).with_context(|| path.clone())?;
        sum += resident_in(&text).context(path)?;
    }
    Ok(sum)
}

/// Bytes in the line `Rss:` of a text like /proc/PID/smaps_rollup, which counts in KiB.
pub(in crate::bench) fn resident_in(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}
