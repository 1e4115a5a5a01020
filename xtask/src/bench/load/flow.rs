//! Bytes over open connections: as many as go through, or a few to and fro.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, ensure};

use super::{Load, Meter, RoundTrips, Sample};
use crate::bench::stats::percentile;
use crate::netns::wait;

/// Moves some bytes over a connection, by way of a buffer.
pub(super) type Step = fn(&mut TcpStream, &mut [u8]) -> anyhow::Result<usize>;

/// A [`Step`] that sends.
pub(super) fn push(stream: &mut TcpStream, chunk: &mut [u8]) -> anyhow::Result<usize> {
    Ok(stream.write(chunk)?)
}

/// A [`Step`] that receives.
pub(super) fn pull(stream: &mut TcpStream, chunk: &mut [u8]) -> anyhow::Result<usize> {
    let count = stream.read(chunk)?;
    ensure!(count > 0, "the source closed the connection");
    Ok(count)
}

/// Sends as fast as the peer takes it.
pub(super) fn send(load: &Load) -> anyhow::Result<Sample> {
    one(load, push)
}

/// Receives as fast as the peer sends.
pub(super) fn receive(load: &Load) -> anyhow::Result<Sample> {
    one(load, pull)
}

fn one(load: &Load, step: Step) -> anyhow::Result<Sample> {
    let mut stream = load.connect()?;
    let mut chunk = vec![0x5a; load.size];
    load.measure(|| step(&mut stream, &mut chunk), |_| {})
}

/// Several streams at once, each with a thread.
pub(super) fn many(load: &Load, step: Step) -> anyhow::Result<Sample> {
    let streams: Vec<TcpStream> =
        (0..load.at_once).map(|_| load.connect()).collect::<anyhow::Result<_>>()?;
    let (bytes, over) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let workers: Vec<_> = streams
            .into_iter()
            .map(|mut stream| {
                let (bytes, over) = (&bytes, &over);
                scope.spawn(move || {
                    let mut chunk = vec![0x5a; load.size];
                    while !over.load(Ordering::Relaxed) {
                        let count = step(&mut stream, &mut chunk).context("no progress")?;
                        bytes.fetch_add(count as u64, Ordering::Relaxed);
                    }
                    anyhow::Ok(())
                })
            })
            .collect();
        let measured = measured(load, &bytes);
        over.store(true, Ordering::Relaxed);
        for worker in workers {
            worker.join().map_err(|_| anyhow::anyhow!("a stream panicked"))??;
        }
        measured
    })
}

/// Reads what others count, before and after the measured time.
fn measured(load: &Load, bytes: &AtomicU64) -> anyhow::Result<Sample> {
    wait::pause(Duration::from_secs_f64(load.warm_up))?;
    let meter = Meter::start(&load.stack)?;
    let before = bytes.load(Ordering::Relaxed);
    wait::pause(Duration::from_secs_f64(load.seconds))?;
    let bytes = bytes.load(Ordering::Relaxed) - before;
    Ok(Sample { bytes, ..meter.stop(&load.stack)? })
}

/// Sends a few bytes and waits for their echo, again and again.
pub(super) fn ping(load: &Load) -> anyhow::Result<Sample> {
    let mut stream = load.connect()?;
    let mut chunk = vec![0; load.size];
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
    let sample = load.measure(step, |time| {
        times.push(u32::try_from(time.as_nanos()).unwrap_or(u32::MAX));
    })?;
    times.sort_unstable();
    let at = |share| {
        let time = percentile(&times, share).context("no round trip in the measured time")?;
        anyhow::Ok(f64::from(time) / 1e3)
    };
    let (p50_us, p99_us, p999_us) = (at(0.5)?, at(0.99)?, at(0.999)?);
    let round_trips = Some(RoundTrips { count: times.len() as u64, p50_us, p99_us, p999_us });
    Ok(Sample { round_trips, ..sample })
}
