//! Two stacks in one program, back to back, in virtual time: a client asks a server once a second.
//! No device, no thread, no clock: how the stack is embedded, and how fast it thinks.
//!
//! ```text
//! $ cargo run --release -p socket --example embed -- --seconds 100000
//! ```
//!
//! The last line is a digest of all that crossed the wire: the same on every run and machine.

use std::io::Write;

use clap::Parser;
use layer::boundary::SocketId;
use layer::{Duration, Instant, PacketBuf};
use sha2::{Digest, Sha256};
use socket::{Errno, HostConfig, InterfaceConfig, IpHost};

/// Two stacks, back to back.
#[derive(Parser)]
struct Arguments {
    /// Virtual seconds.
    #[arg(long, default_value_t = 10_000)]
    seconds: u64,
}

/// How long a packet is on its way.
const DELAY: Duration = Duration::from_millis(5);

struct Pair {
    now: Instant,
    hosts: [IpHost; 2],
    wire: std::collections::VecDeque<(Instant, usize, PacketBuf)>,
    packets: u64,
    digest: Sha256,
}

impl Pair {
    fn new() -> anyhow::Result<Self> {
        let host = |last: u8| -> anyhow::Result<IpHost> {
            let net = format!("10.0.0.{last}/24").parse()?;
            let interface = InterfaceConfig::ip(1500, vec![net]);
            Ok(IpHost::ip(&HostConfig::new([last; 16]).interface(interface)))
        };
        Ok(Self {
            now: Instant::from_secs(1),
            hosts: [host(1)?, host(2)?],
            wire: Default::default(),
            packets: 0,
            digest: Sha256::new(),
        })
    }

    /// Runs until `end`, from event to event.
    fn run(&mut self, end: Instant) {
        loop {
            for (index, host) in self.hosts.iter_mut().enumerate() {
                for packet in host.packets(self.now) {
                    self.packets += 1;
                    packet.chunks().for_each(|chunk| self.digest.update(chunk));
                    self.wire.push_back((self.now + DELAY, 1 - index, packet));
                }
            }
            let arrival = self.wire.front().map(|(at, ..)| *at);
            let due = self.hosts.iter().filter_map(IpHost::poll_at).chain(arrival).min();
            let Some(next) = due.filter(|&next| next <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(next);
            while let Some((_, to, packet)) = self.wire.pop_front_if(|(at, ..)| *at <= self.now) {
                self.hosts[to].receive_packet(self.now, packet);
            }
            for host in &mut self.hosts {
                host.poll(self.now);
            }
        }
    }

    /// The question goes there, the answer comes back.
    fn exchange(&mut self, client: SocketId, server: SocketId) -> Result<usize, Errno> {
        let mut buffer = [0; 64];
        self.hosts[0].send(self.now, client, b"what time is it?")?;
        self.run(self.now + DELAY * 2);
        let asked = self.hosts[1].recv(self.now, server, &mut buffer)?;
        self.hosts[1].send(self.now, server, &buffer[..asked])?;
        self.run(self.now + DELAY * 2);
        self.hosts[0].recv(self.now, client, &mut buffer)
    }
}

fn main() -> anyhow::Result<()> {
    let Arguments { seconds } = Arguments::parse();
    let mut pair = Pair::new()?;
    let (address, start) = ("10.0.0.2:80".parse()?, pair.now);
    let listener = pair.hosts[1].listen(start, address, 1)?;
    let client = pair.hosts[0].connect(start, address)?;
    pair.run(start + DELAY * 4);
    let server = pair.hosts[1].accept(pair.now, listener)?.socket;
    let mut answered = 0;
    for second in 1..=seconds {
        answered += pair.exchange(client, server)?;
        pair.run(start + Duration::from_secs(second));
    }
    let Pair { packets, digest, .. } = pair;
    let digest: String = digest.finalize().iter().take(8).map(|b| format!("{b:02x}")).collect();
    let mut out = std::io::stdout().lock();
    writeln!(out, "{seconds} s simulated, {packets} packets, {answered} bytes answered")?;
    writeln!(out, "digest {digest}")?;
    Ok(())
}
