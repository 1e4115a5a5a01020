//! The ceiling: what could be had at most by a TCP in user space on a TAP.
//!
//! The least that keeps a kernel's TCP going: discard, source and echo, one thread, frames taken
//! until none is left and then answered at once, each byte copied once into or out of a buffer of
//! the application. It is not a TCP: nothing is put in order, congestion and loss are no subject
//! (what stalls is sent again from the start), and a peer is believed everything. IPv4 only.

use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::time::Timespec;

use super::peer::{DISCARD, ECHO, SOURCE};
use wire::{ACK, FIN, PUSH, RST, SYN, Segment, Wire};

mod sys;
mod wire;

#[cfg(test)]
mod tests;

/// Frames taken before what they ask for is sent.
const BATCH: usize = 64;

/// Bytes under way at most: more fills the queues of the kernel and gains nothing.
const FLIGHT: u32 = 1 << 20;

/// Payload of a super-frame at most: an IP packet has 65,535 bytes.
const SUPER: usize = 65_000;

/// Room for any frame.
const ROOM: usize = 1 << 17;

/// The sequence number that every connection begins with: nobody guesses it here.
const FIRST: u32 = 1000;

/// Silence after which what was not acknowledged is sent again.
const STALL: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

/// Where to stand, and with what.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// TAP to attach to
    #[arg(long)]
    tap: String,
    /// Our address on it
    #[arg(long)]
    address: Ipv4Addr,
    #[arg(long)]
    mtu: u16,
    /// Exchange super-frames and unfinished checksums
    #[arg(long, value_parser = ["on", "off"])]
    offload: String,
}

/// Serves until killed.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let offload = args.offload == "on";
    let tap = sys::open(&args.tap, offload)?;
    let wire = Wire::new(args.address, args.mtu, offload);
    let mut ceiling = Ceiling {
        tap,
        wire,
        tables: vec![Vec::new(); 256 * SERVICES.len()],
        active: Vec::with_capacity(BATCH),
        application: vec![0x5a; ROOM],
        stage: vec![0; ROOM],
    };
    println!("ready");
    ceiling.serve()
}

const SERVICES: [u16; 3] = [ECHO, DISCARD, SOURCE];

/// A connection, found by service, last byte of the peer's address, and its port.
#[derive(Clone, Copy, Default)]
struct Connection {
    address: [u8; 4],
    /// Sent and not acknowledged begins here.
    una: u32,
    /// To be sent next.
    nxt: u32,
    /// Expected next.
    rcv: u32,
    window: u32,
    shift: u8,
    state: State,
    /// Whether it is among those that have something to send.
    active: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Closed,
    Open,
    Closing,
}

/// Where a connection is in the tables.
#[derive(Clone, Copy)]
struct Place {
    table: usize,
    port: u16,
}

impl Place {
    fn service(self) -> u16 {
        SERVICES[self.table % SERVICES.len()]
    }
}

struct Ceiling {
    tap: OwnedFd,
    wire: Wire,
    tables: Vec<Vec<Connection>>,
    active: Vec<Place>,
    /// What the application has to send.
    application: Vec<u8>,
    /// Where bytes are copied to on their way.
    stage: Vec<u8>,
}

impl Ceiling {
    fn serve(&mut self) -> anyhow::Result<()> {
        let mut frame = vec![0; ROOM];
        loop {
            let mut taken = 0;
            while taken < BATCH {
                match rustix::io::read(&self.tap, &mut frame[..]) {
                    Ok(length) => self.take(&frame[..length]),
                    Err(Errno::AGAIN) => break,
                    Err(error) => return Err(error.into()),
                }
                taken += 1;
            }
            self.answer();
            if taken == 0 {
                let mut fds = [PollFd::new(&self.tap, PollFlags::IN)];
                match poll(&mut fds, Some(&STALL)) {
                    Ok(0) => self.send_again(),
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }

    /// One frame in.
    fn take(&mut self, frame: &[u8]) {
        if let Some(reply) = self.wire.arp_reply(frame) {
            // One that is lost is asked for again.
            let _ = rustix::io::write(&self.tap, &reply);
            return;
        }
        let Some(segment) = self.wire.parse(frame) else { return };
        let Some(service) = SERVICES.iter().position(|port| *port == segment.to) else { return };
        let octet = usize::from(segment.address[3]);
        let place = Place { table: octet * SERVICES.len() + service, port: segment.from };
        if segment.flags & SYN != 0 {
            self.open(place, &segment, frame);
        } else {
            self.turn(place, &segment);
        }
    }

    fn open(&mut self, place: Place, segment: &Segment<'_>, frame: &[u8]) {
        self.wire.learn(frame);
        let table = &mut self.tables[place.table];
        if table.is_empty() {
            table.resize(1 << 16, Connection::default());
        }
        let connection = &mut table[usize::from(place.port)];
        *connection = Connection {
            address: segment.address,
            una: FIRST,
            nxt: FIRST.wrapping_add(1),
            rcv: segment.sequence.wrapping_add(1),
            shift: segment.shift,
            state: State::Open,
            ..Connection::default()
        };
        let connection = *connection;
        self.send(place, &connection, FIRST, SYN | ACK, &[]);
    }

    /// A segment of a connection that stands.
    fn turn(&mut self, place: Place, segment: &Segment<'_>) {
        let Some(connection) = self.tables[place.table].get_mut(usize::from(place.port)) else {
            return;
        };
        if connection.state == State::Closed {
            return;
        }
        if segment.flags & RST != 0 {
            connection.state = State::Closed;
            return;
        }
        let acknowledged = segment.acknowledgment.wrapping_sub(connection.una);
        if acknowledged != 0 && acknowledged < 1 << 31 {
            connection.una = segment.acknowledgment;
            // What was sent again may have been acknowledged meanwhile.
            if connection.nxt.wrapping_sub(connection.una) >= 1 << 31 {
                connection.nxt = connection.una;
            }
        }
        connection.window = u32::from(segment.window) << connection.shift;
        if connection.state == State::Closing {
            if connection.una == connection.nxt {
                connection.state = State::Closed;
            }
            return;
        }
        let length = segment.payload.len();
        let in_order = segment.sequence == connection.rcv;
        if in_order && length > 0 {
            connection.rcv = connection.rcv.wrapping_add(length as u32);
        }
        let service = place.service();
        let finished = in_order && segment.flags & FIN != 0;
        if in_order && length > 0 && service == ECHO && !finished {
            let before = *connection;
            connection.nxt = connection.nxt.wrapping_add(length as u32);
            self.stage[..length].copy_from_slice(segment.payload);
            self.send(place, &before, before.nxt, ACK | PUSH, &self.stage[..length]);
            return;
        }
        if in_order && service == DISCARD {
            self.stage[..length].copy_from_slice(segment.payload);
            std::hint::black_box(&mut self.stage[..length]);
        }
        if finished {
            connection.rcv = connection.rcv.wrapping_add(1);
            let before = *connection;
            connection.nxt = connection.nxt.wrapping_add(1);
            connection.state = State::Closing;
            self.send(place, &before, before.nxt, FIN | ACK, &[]);
        } else if (service == SOURCE || length > 0) && !connection.active {
            connection.active = true;
            self.active.push(place);
        }
    }

    /// What a batch asks for: one acknowledgment of all that came, or data.
    fn answer(&mut self) {
        let mut active = std::mem::take(&mut self.active);
        for place in active.drain(..) {
            let connection = &mut self.tables[place.table][usize::from(place.port)];
            connection.active = false;
            if connection.state != State::Open {
                continue;
            }
            let connection = *connection;
            if place.service() == SOURCE {
                self.pump(place);
            } else {
                self.send(place, &connection, connection.nxt, ACK, &[]);
            }
        }
        self.active = active;
    }

    /// Sends what the window has room for, in frames as large as may be.
    fn pump(&mut self, place: Place) {
        let mut connection = self.tables[place.table][usize::from(place.port)];
        let most = connection.window.min(FLIGHT);
        let mss = self.wire.mss();
        let full = if self.wire.offload() { (SUPER / mss).max(1) * mss } else { mss };
        loop {
            let under_way = connection.nxt.wrapping_sub(connection.una);
            let room = most.saturating_sub(under_way) as usize;
            // Whole segments, unless there is no other way to make progress.
            let length = match room.min(full) / mss * mss {
                0 if under_way > 0 => break,
                0 => room,
                whole => whole,
            };
            if length == 0 {
                break;
            }
            self.stage[..length].copy_from_slice(&self.application[..length]);
            if !self.send(place, &connection, connection.nxt, ACK, &self.stage[..length]) {
                break;
            }
            connection.nxt = connection.nxt.wrapping_add(length as u32);
        }
        self.tables[place.table][usize::from(place.port)].nxt = connection.nxt;
    }

    /// Nothing came for a while: whatever is not acknowledged is taken as lost.
    fn send_again(&mut self) {
        for table in 0..self.tables.len() {
            for port in 0..self.tables[table].len() {
                let place = Place { table, port: port as u16 };
                let connection = &mut self.tables[table][port];
                let waits = connection.state == State::Open && connection.nxt != connection.una;
                if waits && place.service() == SOURCE {
                    connection.nxt = connection.una;
                    self.pump(place);
                }
            }
        }
    }

    /// Writes one frame; whether the device took it.
    fn send(
        &self,
        place: Place,
        connection: &Connection,
        sequence: u32,
        flags: u8,
        payload: &[u8],
    ) -> bool {
        let segment = Segment {
            address: connection.address,
            from: place.service(),
            to: place.port,
            sequence,
            acknowledgment: connection.rcv,
            flags,
            window: u16::MAX,
            shift: 0,
            payload,
        };
        let header = self.wire.header(&segment);
        let parts = [std::io::IoSlice::new(header.bytes()), std::io::IoSlice::new(payload)];
        rustix::io::writev(&self.tap, &parts).is_ok()
    }
}
