//! The load generator: plain blocking sockets of the kernel, inside the namespace of a peer.
//!
//! Runs as a process of its own (`xtask bench-load`), so that its CPU time can be told from the
//! rest, and prints one [`Sample`] as a line of JSON. Nothing is measured in the warm-up. What the
//! machine did meanwhile is read at both ends of the measured time, by the process that measures.
//!
//! Congestion control is set on each socket and read back: a machine's default may be BBR, whose
//! pacing makes a transfer without a network five times slower.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rustix::net::sockopt;
use serde::{Deserialize, Serialize};

use super::cpu::{self, CpuTime, Ticks};
use crate::netns::wait::now;

mod churn;
mod flow;
mod idle;
mod iperf;
mod ports;
mod serve;
mod start;

#[cfg(test)]
pub(super) use {idle::resident_in, iperf::found as found_by_iperf};

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
    /// Connect, send a byte, wait for its echo and close, again and again
    Churn(Load),
    /// Open many connections, leave them idle, and see how much memory the stack holds for them
    Idle(Load),
    /// Send or receive by iperf3
    Iperf(iperf::Iperf),
    /// Start a program, wait until it says `ready`, see how much memory it holds, and end it
    Start(start::Start),
}

#[derive(Clone, clap::Args)]
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
    #[arg(long, default_value_t = 1)]
    size: usize,
    /// Connections at once
    #[arg(long, default_value_t = 1)]
    at_once: usize,
    /// Addresses to connect from, in turn
    #[arg(long)]
    from: Vec<Ipv4Addr>,
    /// Run on this CPU only
    #[arg(long)]
    cpu: Option<usize>,
    /// Processes of the stack under test, to read their CPU time
    #[arg(long)]
    stack: Vec<u32>,
}

/// What one measurement gave.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
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
    /// Connections that were opened, used and closed; or that were held open.
    pub(super) connections: u64,
    /// Bytes of memory, where memory is what is measured.
    pub(super) memory: u64,
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
        Command::Send(load) if load.at_once > 1 => flow::many(&load, flow::push)?,
        Command::Receive(load) if load.at_once > 1 => flow::many(&load, flow::pull)?,
        Command::Send(load) => flow::send(&load)?,
        Command::Receive(load) => flow::receive(&load)?,
        Command::Ping(load) => flow::ping(&load)?,
        Command::Churn(load) => churn::run(&load)?,
        Command::Idle(load) => idle::run(&load)?,
        Command::Iperf(iperf) => iperf.run()?,
        Command::Start(start) => start.run()?,
    };
    println!("{}", serde_json::to_string(&sample)?);
    Ok(())
}

impl Load {
    /// Lets this process run where it is to.
    fn pin(&self) -> anyhow::Result<()> {
        self.cpu.map_or(Ok(()), cpu::pin_here)
    }

    fn connect(&self) -> anyhow::Result<TcpStream> {
        self.pin()?;
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
        let meter = Meter::start(&self.stack)?;
        let (bytes, _) = repeat(self.seconds, &mut each)?;
        Ok(Sample { bytes, ..meter.stop(&self.stack)? })
    }
}

/// What is read at both ends of a measured time.
struct Meter {
    start: Instant,
    ticks: Ticks,
    retransmitted: u64,
}

impl Meter {
    fn start(stack: &[u32]) -> anyhow::Result<Meter> {
        let (ticks, retransmitted) = (Ticks::read(stack)?, retransmitted()?);
        Ok(Meter { start: now(), ticks, retransmitted })
    }

    /// The measured time and what the machine did in it.
    fn stop(self, stack: &[u32]) -> anyhow::Result<Sample> {
        let seconds = self.start.elapsed().as_secs_f64();
        let cpu = Ticks::read(stack)?.since(self.ticks, seconds);
        let retransmitted = retransmitted()?.saturating_sub(self.retransmitted);
        Ok(Sample { seconds, cpu, retransmitted, ..Sample::default() })
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
