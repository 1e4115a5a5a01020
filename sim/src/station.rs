//! What has an end of a wire: a [`Computer`] (a whole [`Host`] with its programs), or a [`Pinger`]
//! (a little station of ours that asks from outside).

use layer::boundary::{Frame, ethertype, protocol};
use layer::{Counted, Duration, Instant, InterfaceId, PacketBuf};
use socket::Host;

use crate::application::Application;
use crate::frame::{self, Address};
use crate::pattern::Pattern;

/// Something with an end of a wire.
pub trait Station {
    /// A frame arrives.
    fn receive(&mut self, now: Instant, interface: InterfaceId, packet: PacketBuf);

    /// Does all there is to do now; what it sends goes into `out`.
    ///
    /// # Errors
    ///
    /// A checker is not content, or the station does not come to rest.
    fn settle(&mut self, now: Instant, out: &mut Vec<Frame>) -> Result<(), String>;

    /// When it wants to act next though nothing comes.
    fn next_at(&self) -> Option<Instant>;

    /// It has done what it was to do.
    fn is_done(&self) -> bool;

    /// It holds nothing any more, neither a connection nor a packet.
    fn is_at_rest(&self) -> bool;

    /// A number that grows with everything it gets done.
    fn progress(&self) -> u64;

    /// The books agree: frames in and out as the world counted them.
    ///
    /// # Errors
    ///
    /// Which count differs.
    fn audit(&self, received: u64, sent: u64) -> Result<(), String>;

    /// Its state, for whoever looks for a fault.
    fn describe(&self) -> String;
}

/// A host and its programs.
pub struct Computer {
    host: Host,
    applications: Vec<Box<dyn Application>>,
}

/// Rounds in one instant after which a host counts as spinning. A round moves at most an outlet of
/// frames, or one chunk for every program.
const ROUNDS: usize = 20_000;

impl Computer {
    /// A host without programs.
    pub fn new(host: Host) -> Self {
        Self { host, applications: Vec::new() }
    }

    /// Starts a program.
    pub fn run(&mut self, application: impl Application + 'static) {
        self.applications.push(Box::new(application));
    }

    /// The host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The host, for control.
    pub fn host_mut(&mut self) -> &mut Host {
        &mut self.host
    }
}

impl Station for Computer {
    fn receive(&mut self, now: Instant, interface: InterfaceId, packet: PacketBuf) {
        self.host.receive(now, Frame { interface, packet });
    }

    fn settle(&mut self, now: Instant, out: &mut Vec<Frame>) -> Result<(), String> {
        for _ in 0..ROUNDS {
            self.host.poll(now);
            let before = out.len();
            while let Some(frame) = self.host.transmit() {
                out.push(frame);
            }
            let mut busy = out.len() > before;
            for application in &mut self.applications {
                busy |= application.act(now, &mut self.host)?;
            }
            let overdue = self.host.poll_at().is_some_and(|at| at <= now);
            if !busy && !overdue {
                return Ok(());
            }
        }
        Err(format!("does not come to rest within {ROUNDS} rounds of one instant"))
    }

    fn next_at(&self) -> Option<Instant> {
        let programs = self.applications.iter().filter_map(|application| application.wake_at());
        programs.chain(self.host.poll_at()).min()
    }

    fn is_done(&self) -> bool {
        self.applications.iter().all(|application| application.is_done())
    }

    fn is_at_rest(&self) -> bool {
        self.host.connections().is_empty() && self.host.held().0 == 0
    }

    fn progress(&self) -> u64 {
        self.applications.iter().map(|application| application.progress()).sum()
    }

    fn audit(&self, received: u64, sent: u64) -> Result<(), String> {
        let (mut taken, mut given) = (0, 0);
        self.host.counters(&mut |name, value| match name {
            "LinkInFrames" => taken = value,
            "LinkOutFrames" => given = value,
            _ => {}
        });
        if (taken, given) == (received, sent) {
            return Ok(());
        }
        Err(format!(
            "link counts {taken} frames in and {given} out, the world {received} and {sent}"
        ))
    }

    fn describe(&self) -> String {
        let mut text = String::new();
        for application in &self.applications {
            text += &format!("    {}\n", application.describe());
        }
        for connection in self.host.connections().iter().take(8) {
            text += &format!("    {connection:?}\n");
        }
        for (reason, count) in self.host.ledger().nonzero() {
            text += &format!("    dropped {count} {}\n", reason.name());
        }
        let (items, bytes) = self.host.held();
        text + &format!("    holds {items} items, {bytes} bytes")
    }
}

/// Asks hosts with ICMP echo requests, one after another, until each has answered.
#[derive(Debug)]
pub struct Pinger {
    address: Address,
    targets: Vec<(Address, usize)>,
    start: Instant,
    at: usize,
    again: Instant,
    answers: Vec<Vec<u8>>,
    received: u64,
    sent: u64,
}

/// When a question counts as lost.
const PATIENCE: Duration = Duration::from_secs(1);
const IDENTIFIER: u16 = 0x5150;

impl Pinger {
    /// Asks each of `targets` with so many bytes of data, from `start` on. What fits no frame is
    /// not for it: it does not fragment.
    pub fn new(address: Address, start: Instant, targets: Vec<(Address, usize)>) -> Self {
        let (answers, received, sent) = (Vec::new(), 0, 0);
        Self { address, targets, start, at: 0, again: start, answers, received, sent }
    }

    fn data(&self, size: usize) -> Vec<u8> {
        Pattern(0x1c39).bytes(self.at as u64 * (1 << 20), size)
    }

    /// The answer that is awaited, from Ethernet to the last byte; TTL and identification are the
    /// other's.
    fn is_answer(&self, frame: &[u8]) -> bool {
        let Some(&(target, size)) = self.targets.get(self.at) else { return false };
        let reply = frame::icmp_echo(0, IDENTIFIER, self.at as u16, &self.data(size));
        frame.get(..6) == Some(&self.address.mac.0)
            && frame.get(6..12) == Some(&target.mac.0)
            && frame.get(14 + 12..14 + 16) == Some(&target.ip.octets())
            && frame.get(14 + 20..) == Some(&reply[..])
    }
}

impl Station for Pinger {
    fn receive(&mut self, _now: Instant, _interface: InterfaceId, packet: PacketBuf) {
        self.received += 1;
        if let Some(reply) = self.address.arp_reply(&packet) {
            self.answers.push(reply);
        } else if self.is_answer(&packet.to_vec()) {
            self.at += 1;
            self.again = Instant::ZERO;
        }
    }

    fn settle(&mut self, now: Instant, out: &mut Vec<Frame>) -> Result<(), String> {
        let mut frames = core::mem::take(&mut self.answers);
        if let Some(&(target, size)) = self.targets.get(self.at)
            && now >= self.start.max(self.again)
        {
            self.again = now + PATIENCE;
            let number = self.at as u16;
            let request = frame::icmp_echo(8, IDENTIFIER, number, &self.data(size));
            frames.push(self.address.packet(&target, protocol::ICMP, number, &request));
        }
        self.sent += frames.len() as u64;
        out.extend(frames.into_iter().map(|bytes| Frame {
            interface: InterfaceId(0),
            packet: PacketBuf::copy_from(&bytes),
        }));
        Ok(())
    }

    fn next_at(&self) -> Option<Instant> {
        if !self.answers.is_empty() {
            return Some(Instant::ZERO);
        }
        (!self.is_done()).then(|| self.start.max(self.again))
    }

    fn is_done(&self) -> bool {
        self.at == self.targets.len()
    }

    fn is_at_rest(&self) -> bool {
        self.answers.is_empty()
    }

    fn progress(&self) -> u64 {
        self.at as u64
    }

    fn audit(&self, received: u64, sent: u64) -> Result<(), String> {
        if (self.received, self.sent) == (received, sent) {
            Ok(())
        } else {
            Err("the pinger and the world disagree".to_owned())
        }
    }

    fn describe(&self) -> String {
        format!("    ping: {} of {} answered", self.at, self.targets.len())
    }
}

/// What a frame is, in a word, for traces.
pub fn kind_of(frame: &[u8]) -> &'static str {
    match frame.get(12..14).map(|kind| u16::from_be_bytes([kind[0], kind[1]])) {
        Some(ethertype::ARP) => "ARP",
        Some(ethertype::IPV4) => match frame.get(23) {
            Some(&protocol::TCP) => "TCP",
            Some(&protocol::UDP) => "UDP",
            Some(&protocol::ICMP) => "ICMP",
            Some(_) | None => "IP",
        },
        Some(_) | None => "other",
    }
}
