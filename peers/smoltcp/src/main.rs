//! Crate smoltcp on a TAP, with the services that `cargo xtask bench` measures.
//!
//! `peer-smoltcp TAP ADDRESS BUFFER`: echo on 7, discard on 9, source on 19, one thread, with
//! smoltcp's own device and BUFFER bytes each way a socket of discard and source; sockets of echo
//! have 4 KiB. As everywhere, each byte is copied once into or out of a buffer of the application.
//! A service has some sockets that listen, and gets a new one for each that has become a
//! connection; sockets whose connection is over are used again.

use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;

use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Medium, TunTapInterface, wait};
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpCidr};

const SERVICES: [(u16, usize); 3] = [(ECHO, 64), (DISCARD, 2), (SOURCE, 2)];
const ECHO: u16 = 7;
const DISCARD: u16 = 9;
const SOURCE: u16 = 19;

/// Bytes of an application's buffer, and each way of a socket that echoes: pings are small.
const APPLICATION: usize = 131_072;
const SMALL: usize = 4096;

/// A socket and its service.
struct Seat {
    handle: SocketHandle,
    port: u16,
    /// Whether it listens for a connection, as far as is known.
    free: bool,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [tap, address, buffer] = words.as_slice() else {
        return Err("usage: peer-smoltcp TAP ADDRESS BUFFER".into());
    };
    let (address, buffer): (Ipv4Addr, usize) = (address.parse()?, buffer.parse()?);
    let mut device = TunTapInterface::new(tap, Medium::Ethernet)?;
    let fd = device.as_raw_fd();
    let mac = HardwareAddress::Ethernet(EthernetAddress([2, 0, 10, 9, 0, 2]));
    let mut interface = Interface::new(Config::new(mac), &mut device, Instant::now());
    interface.update_ip_addrs(|addresses| {
        // A first address always fits.
        let _ = addresses.push(IpCidr::new(address.into(), 24));
    });
    let mut sockets = SocketSet::new(Vec::new());
    let mut seats = Vec::new();
    for (port, count) in SERVICES {
        for _ in 0..count {
            seats.push(listener(&mut sockets, port, buffer)?);
        }
    }
    let mut application = vec![0x5a; APPLICATION];
    println!("ready");
    loop {
        let now = Instant::now();
        interface.poll(now, &mut device, &mut sockets);
        let mut fresh = Vec::new();
        for seat in &mut seats {
            let socket = sockets.get_mut::<Socket<'_>>(seat.handle);
            if serve(socket, seat.port, &mut application)? {
                seat.free = true;
            } else if seat.free && socket.state() != State::Listen {
                seat.free = false;
                fresh.push(seat.port);
            }
        }
        for port in fresh {
            let spare = SERVICES.iter().find(|(of, _)| *of == port).map_or(0, |(_, count)| *count);
            let free = seats.iter().filter(|seat| seat.port == port && seat.free).count();
            if free < spare {
                seats.push(listener(&mut sockets, port, buffer)?);
            }
        }
        // What was read makes room for more, and what was written has to go out, at once.
        match interface.poll_delay(Instant::now(), &sockets) {
            Some(Duration::ZERO) => {}
            delay => wait(fd, delay.or(Some(Duration::from_secs(1))))?,
        }
    }
}

fn listener(
    sockets: &mut SocketSet<'_>,
    port: u16,
    buffer: usize,
) -> Result<Seat, Box<dyn std::error::Error>> {
    let size = if port == ECHO { SMALL } else { buffer };
    let room = || SocketBuffer::new(vec![0; size]);
    let mut socket = Socket::new(room(), room());
    socket.set_nagle_enabled(false);
    socket.set_ack_delay(None);
    socket.listen(port)?;
    Ok(Seat { handle: sockets.add(socket), port, free: true })
}

/// Lets a service do what it can; whether its socket listens anew.
fn serve(
    socket: &mut Socket<'_>,
    port: u16,
    application: &mut [u8],
) -> Result<bool, Box<dyn std::error::Error>> {
    if !socket.is_open() {
        socket.listen(port)?;
        return Ok(true);
    }
    match port {
        ECHO => {
            while socket.can_recv() && socket.can_send() {
                let room = (socket.send_capacity() - socket.send_queue()).min(application.len());
                let count = socket.recv_slice(&mut application[..room])?;
                socket.send_slice(&application[..count])?;
            }
        }
        DISCARD => while socket.can_recv() && socket.recv_slice(application)? > 0 {},
        _ => while socket.can_send() && socket.send_slice(application)? > 0 {},
    }
    if !socket.may_recv() && socket.state() == State::CloseWait && !socket.can_recv() {
        socket.close();
    }
    Ok(false)
}
