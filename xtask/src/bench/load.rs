//! The load generator: plain blocking sockets of the kernel, inside the namespace of a peer.
//!
//! Runs as a process of its own (`xtask bench-load`), so that its CPU time can be told from the
//! rest, and prints one [`Sample`] as a line of JSON. Nothing is measured in the warm-up. What the
//! machine did meanwhile is read at both ends of the measured time, by the process that measures.
//!
//! Congestion control is set on each socket and read back: a machine's default may be BBR, whose
//! pacing makes a transfer without a network five times slower.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rustix::net::sockopt;
use serde::{Deserialize, Serialize};

use super::cpu::{self, CpuTime, Ticks};
use super::stats::percentile;
use crate::netns::wait::now;

mod serve;

/// What both ends of every measured connection use.
const CONGESTION: &str = "cubic";

/// A connection that makes no progress for this long has failed.
const STALL: Duration = Duration::from_secs(5);

/// One end of a measurement.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Serve discard, source and echo on the kernel's own sockets until killed
    Serve,
    /// Send as fast as the peer takes it
    Send(Load),
    /// Receive as fast as the peer sends
    Receive(Load),
    /// Send a few bytes and wait for their echo, again and again
    Ping(Load),
}

#[derive(clap::Args)]
struct Load {
    /// The service to connect to
    to: SocketAddr,
    /// Measured time, seconds
    #[arg(long)]
    seconds: f64,
    /// Time before it, seconds
    #[arg(long)]
    warm_up: f64,
    /// Bytes a call; of a ping, bytes to and fro
    #[arg(long)]
    size: usize,
    /// Run on this CPU only
    #[arg(long)]
    cpu: Option<usize>,
    /// Process of the stack under test, to read its CPU time
    #[arg(long)]
    stack: Vec<u32>,
}

/// What one measurement gave.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Sample {
    /// Bytes of payload one way in the measured time.
    pub(super) bytes: u64,
    /// The measured time.
    pub(super) seconds: f64,
    pub(super) cpu: CpuTime,
    /// Segments that the kernel's end sent again.
    pub(super) retransmitted: u64,
    /// Only of pings.
    pub(super) round_trips: Option<RoundTrips>,
}

/// Round trip times, microseconds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct RoundTrips {
    pub(super) count: u64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    pub(super) p999_us: f64,
}

impl Sample {
    /// Gigabits (1e9) a second.
    pub(super) fn gigabits(&self) -> f64 {
        self.bytes as f64 * 8.0 / self.seconds / 1e9
    }
}

/// Does what the command line says.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let sample = match args.command {
        Command::Serve => return serve::run(),
        Command::Send(load) => load.send()?,
        Command::Receive(load) => load.receive()?,
        Command::Ping(load) => load.ping()?,
    };
    println!("{}", serde_json::to_string(&sample)?);
    Ok(())
}

impl Load {
    fn send(&self) -> anyhow::Result<Sample> {
        let mut stream = self.connect()?;
        let chunk = vec![0x5a; self.size];
        self.measure(|| Ok(stream.write(&chunk)?), |_| {})
    }

    fn receive(&self) -> anyhow::Result<Sample> {
        let mut stream = self.connect()?;
        let mut chunk = vec![0; self.size];
        let step = || {
            let count = stream.read(&mut chunk)?;
            ensure!(count > 0, "the source closed the connection");
            Ok(count)
        };
        self.measure(step, |_| {})
    }

    fn ping(&self) -> anyhow::Result<Sample> {
        let mut stream = self.connect()?;
        let mut chunk = vec![0; self.size];
        // A number, so that an echo of an earlier ping is noticed.
        let mut number = 0u8;
        let mut times: Vec<u32> = Vec::with_capacity(1 << 20);
        let step = || {
            number = number.wrapping_add(1);
            chunk.fill(number);
            stream.write_all(&chunk)?;
            stream.read_exact(&mut chunk)?;
            ensure!(chunk.iter().all(|byte| *byte == number), "the echo is not what was sent");
            Ok(chunk.len())
        };
        let mut sample = self.measure(step, |time| {
            times.push(u32::try_from(time.as_nanos()).unwrap_or(u32::MAX));
        })?;
        times.sort_unstable();
        let at = |share| {
            let time = percentile(&times, share).context("no round trip in the measured time")?;
            anyhow::Ok(f64::from(time) / 1e3)
        };
        sample.round_trips = Some(RoundTrips {
            count: times.len() as u64,
            p50_us: at(0.5)?,
            p99_us: at(0.99)?,
            p999_us: at(0.999)?,
        });
        Ok(sample)
    }

    fn connect(&self) -> anyhow::Result<TcpStream> {
        if let Some(cpu) = self.cpu {
            cpu::pin_here(cpu)?;
        }
        let stream = TcpStream::connect_timeout(&self.to, STALL)
            .with_context(|| format!("cannot connect to {}", self.to))?;
        prepare(&stream)?;
        stream.set_read_timeout(Some(STALL))?;
        stream.set_write_timeout(Some(STALL))?;
        // What is under way at the end must not run into the next measurement: close by reset.
        sockopt::set_socket_linger(&stream, Some(Duration::ZERO))?;
        Ok(stream)
    }

    /// Takes steps, each giving bytes, for the warm-up and then for the measured time; `each` is
    /// told how long every measured step took.
    fn measure(
        &self,
        mut step: impl FnMut() -> anyhow::Result<usize>,
        mut each: impl FnMut(Duration),
    ) -> anyhow::Result<Sample> {
        let mut repeat = |seconds: f64, each: &mut dyn FnMut(Duration)| {
            let start = now();
            let end = start + Duration::from_secs_f64(seconds);
            let (mut bytes, mut last) = (0, start);
            while last < end {
                bytes += step().context("no progress")? as u64;
                let time: Instant = now();
                each(time - last);
                last = time;
            }
            anyhow::Ok((bytes, (last - start).as_secs_f64()))
        };
        repeat(self.warm_up, &mut |_| {})?;
        let before = (Ticks::read(&self.stack)?, retransmitted()?);
        let (bytes, seconds) = repeat(self.seconds, &mut each)?;
        let after = (Ticks::read(&self.stack)?, retransmitted()?);
        Ok(Sample {
            bytes,
            seconds,
            cpu: after.0.since(before.0, seconds),
            retransmitted: after.1.saturating_sub(before.1),
            round_trips: None,
        })
    }
}

/// Sets what both ends of a measured connection have in common.
fn prepare(stream: &TcpStream) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    sockopt::set_tcp_congestion(stream, CONGESTION)
        .with_context(|| format!("this kernel has no {CONGESTION}: modprobe tcp_{CONGESTION}"))?;
    let used = sockopt::tcp_congestion(stream)?;
    ensure!(used == CONGESTION, "congestion control is {used} though {CONGESTION} was set");
    Ok(())
}

/// Segments sent again so far, by the kernel in this network namespace.
fn retransmitted() -> anyhow::Result<u64> {
    retransmitted_in(&fs::read_to_string("/proc/self/net/snmp")?).context("no RetransSegs in snmp")
}

/// The counter `Tcp: RetransSegs` in a text like /proc/net/snmp: a line of names, a line of values.
pub(super) fn retransmitted_in(snmp: &str) -> Option<u64> {
    let mut lines = snmp.lines().filter_map(|line| line.strip_prefix("Tcp:"));
    let (names, values) = (lines.next()?, lines.next()?);
    let at = names.split_whitespace().position(|name| name == "RetransSegs")?;
    values.split_whitespace().nth(at)?.parse().ok()
}
