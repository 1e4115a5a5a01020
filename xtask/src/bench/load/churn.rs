//! Short connections: connect, send a byte, get its echo, close; one after the other, or several
//! at once by one thread.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{SocketFlags, sockopt};
use rustix::time::Timespec;

use super::ports::Ports;
use super::{CONGESTION, Load, Meter, STALL, Sample};
use crate::netns::wait::now;

/// As the first byte of a connection.
const REQUEST: [u8; 1] = [0x5a];

/// Measures it.
pub(super) fn run(load: &Load) -> anyhow::Result<Sample> {
    load.pin()?;
    let ports = Ports::new(&load.from, std::process::id());
    match load.at_once {
        0 | 1 => Single { to: load.to, ports, checked: false }.measure(load),
        slots => Several::new(load, ports, slots)?.measure(load),
    }
}

/// The same for one at a time and for several.
trait Churn {
    /// Goes on for so long; how many connections were completed.
    fn go_on(&mut self, time: Duration) -> anyhow::Result<u64>;

    fn measure(mut self, load: &Load) -> anyhow::Result<Sample>
    where
        Self: Sized,
    {
        self.go_on(Duration::from_secs_f64(load.warm_up))?;
        let meter = Meter::start(&load.stack)?;
        let connections = self.go_on(Duration::from_secs_f64(load.seconds))?;
        Ok(Sample { connections, bytes: connections, ..meter.stop(&load.stack)? })
    }
}

/// One after the other, with calls that wait.
struct Single {
    to: SocketAddr,
    ports: Ports,
    checked: bool,
}

impl Churn for Single {
    fn go_on(&mut self, time: Duration) -> anyhow::Result<u64> {
        let end = now() + time;
        let mut count = 0;
        while now() < end {
            let socket = self.ports.open(self.to, SocketFlags::empty())?;
            prepare(&socket, &mut self.checked)?;
            rustix::io::write(&socket, &REQUEST).context("sending a byte")?;
            answer(&socket)?;
            count += 1;
        }
        Ok(count)
    }
}

/// Several at once, each a slot that begins again when it is done.
struct Several {
    to: SocketAddr,
    ports: Ports,
    epoll: OwnedFd,
    slots: Vec<Slot>,
    checked: bool,
}

struct Slot {
    socket: OwnedFd,
    asked: bool,
    since: Instant,
}

impl Several {
    fn new(load: &Load, ports: Ports, slots: usize) -> anyhow::Result<Several> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let mut several = Several { to: load.to, ports, epoll, slots: Vec::new(), checked: false };
        for number in 0..slots {
            let slot = several.begin(number)?;
            several.slots.push(slot);
        }
        Ok(several)
    }

    fn begin(&mut self, number: usize) -> anyhow::Result<Slot> {
        let socket = self.ports.open(self.to, SocketFlags::NONBLOCK)?;
        // Told once when it is connected and once when the answer is there.
        let events = EventFlags::IN | EventFlags::OUT | EventFlags::ET;
        epoll::add(&self.epoll, &socket, EventData::new_u64(number as u64), events)?;
        Ok(Slot { socket, asked: false, since: now() })
    }

    /// Something happened to a slot; whether its connection is complete.
    fn turn(&mut self, number: usize, events: EventFlags) -> anyhow::Result<bool> {
        let slot = self.slots.get_mut(number).context("no such slot")?;
        if events.contains(EventFlags::ERR) {
            sockopt::socket_error(&slot.socket)?.context("a connection failed")?;
        }
        if !slot.asked && events.contains(EventFlags::OUT) {
            prepare(&slot.socket, &mut self.checked)?;
            rustix::io::write(&slot.socket, &REQUEST).context("sending a byte")?;
            slot.asked = true;
        }
        if !events.contains(EventFlags::IN) {
            return Ok(false);
        }
        answer(&slot.socket)?;
        self.slots[number] = self.begin(number)?;
        Ok(true)
    }
}

impl Churn for Several {
    fn go_on(&mut self, time: Duration) -> anyhow::Result<u64> {
        let end = now() + time;
        let step = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
        let mut events = Vec::with_capacity(64);
        let mut count = 0;
        while now() < end {
            events.clear();
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&step))
            {
                Ok(0) => {
                    let stalled = self.slots.iter().any(|slot| slot.since.elapsed() > STALL);
                    ensure!(!stalled, "a connection makes no progress");
                }
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in &events {
                let (data, flags) = (event.data, event.flags);
                count += u64::from(self.turn(data.u64() as usize, flags)?);
            }
        }
        Ok(count)
    }
}

/// Sets what all measured sockets have, and reads it back once.
fn prepare(socket: &OwnedFd, checked: &mut bool) -> anyhow::Result<()> {
    if !*checked {
        sockopt::set_tcp_congestion(socket, CONGESTION)?;
        ensure!(sockopt::tcp_congestion(socket)? == CONGESTION, "no {CONGESTION} here");
        *checked = true;
    }
    Ok(())
}

/// Reads the answer.
fn answer(socket: &OwnedFd) -> anyhow::Result<()> {
    let mut answer = [0; 1];
    let count = rustix::io::read(socket, &mut answer).context("waiting for the echo")?;
    ensure!(count == 1 && answer == REQUEST, "the echo is not what was sent");
    Ok(())
}
