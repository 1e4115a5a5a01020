//! TCP opened by the stack: connects to a server on this machine's side of a TAP, transfers, and
//! compares SHA-256 of what was sent and what came back.
//!
//! `cargo build -p socket --example transfer`, then as root, with servers for echo (7), discard (9)
//! and source (19) listening: `target/debug/examples/transfer --to 10.9.0.1 --kind echo`.

use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown};

use anyhow::{Context, ensure};
use clap::{Parser, ValueEnum};
use sha2::{Digest, Sha256};
use socket::net::TcpStream;
use stackd::{Interface, Stack};

#[derive(Parser)]
struct Args {
    /// The server
    #[arg(long)]
    to: IpAddr,
    /// What it does
    #[arg(long, value_enum, default_value = "echo")]
    kind: Kind,
    /// How much to transfer
    #[arg(long, default_value_t = 1_000_000)]
    bytes: usize,
    /// TAP to make and attach to
    #[arg(long, default_value = "t0")]
    tap: String,
    /// Our address, with its prefix length
    #[arg(long, default_value = "10.9.0.2/24")]
    address: ipnet::Ipv4Net,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Echo,
    Discard,
    Source,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let tap = Interface::tap(&args.tap).address(args.address);
    let stack = Stack::builder().interface(tap).start()?;
    let outcome = transfer(&stack, &args);
    stack.shutdown();
    outcome
}

fn transfer(stack: &Stack, args: &Args) -> anyhow::Result<()> {
    let (port, sends, receives) = match args.kind {
        Kind::Echo => (7, true, true),
        Kind::Discard => (9, true, false),
        Kind::Source => (19, false, true),
    };
    // The pattern of the data source, so that what comes from there can be compared too.
    let pattern: Vec<u8> = (0..251_u32 * 1000).map(|at| (at % 251 * 31 % 251) as u8).collect();
    let wanted: Vec<u8> = pattern.iter().copied().cycle().take(args.bytes).collect();
    let stream = TcpStream::connect(stack.sockets(), (args.to, port)).context("connect")?;
    let received = std::thread::scope(|scope| {
        let sending = scope.spawn(|| match sends {
            true => (&stream).write_all(&wanted).and_then(|()| stream.shutdown(Shutdown::Write)),
            false => Ok(()),
        });
        let mut received = Vec::new();
        let limit = if receives { args.bytes as u64 } else { 1 };
        // Where nothing is to come back, this waits for the end all the same.
        (&stream).take(limit).read_to_end(&mut received).context("read")?;
        sending.join().map_err(|_| anyhow::anyhow!("the sender panicked"))?.context("write")?;
        anyhow::Ok(received)
    })?;
    let hashes = [&wanted, &received].map(|bytes| {
        Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    });
    ensure!(!receives || hashes[0] == hashes[1], "{} bytes, not the same", received.len());
    println!("{} bytes, SHA-256 {}", args.bytes, hashes[0]);
    Ok(())
}
