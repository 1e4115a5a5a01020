//! Addresses and ports to connect from, so that none is asked for again while it is still in use.
//!
//! A client that closes first keeps its port for a minute (TIME-WAIT): 60,000 ports of one address
//! last a second or two.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::OwnedFd;

use anyhow::{Context, bail};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with, sockopt};

/// The first port used, and how many there are.
const FIRST: u16 = 1024;
const COUNT: u32 = 64_000 - FIRST as u32;

/// Ports that may be in use still, in a row, until something else must be wrong.
const TRIES: u32 = 5_000;

/// Hands out addresses and ports in turn.
pub(super) struct Ports {
    from: Vec<Ipv4Addr>,
    next: u32,
}

impl Ports {
    /// `seed` moves the beginning, so that measurements that follow each other do not meet.
    pub(super) fn new(from: &[Ipv4Addr], seed: u32) -> Ports {
        let from = if from.is_empty() { vec![Ipv4Addr::UNSPECIFIED] } else { from.to_vec() };
        Ports { from, next: seed.wrapping_mul(7919) % COUNT }
    }

    /// The next place to connect from: all ports of an address come after each other.
    pub(super) fn next(&mut self) -> SocketAddrV4 {
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        let port = FIRST + u16::try_from(number % COUNT).unwrap_or_default();
        let which = (number / COUNT) as usize % self.from.len();
        SocketAddrV4::new(self.from[which], port)
    }

    /// Begins a connection from the next free place; it stands, unless `flags` say not to wait.
    pub(super) fn open(&mut self, to: SocketAddr, flags: SocketFlags) -> anyhow::Result<OwnedFd> {
        for _ in 0..TRIES {
            let flags = flags | SocketFlags::CLOEXEC;
            let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
            sockopt::set_socket_reuseaddr(&socket, true)?;
            let begun = bind(&socket, &self.next()).and_then(|()| connect(&socket, &to));
            match begun {
                Ok(()) | Err(Errno::INPROGRESS) => return Ok(socket),
                Err(Errno::ADDRINUSE | Errno::ADDRNOTAVAIL) => {}
                Err(error) => return Err(error).with_context(|| format!("connecting to {to}")),
            }
        }
        bail!("all ports are in use")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ports_of_an_address_come_before_the_next_address() {
        let from = [Ipv4Addr::new(10, 9, 0, 33), Ipv4Addr::new(10, 9, 0, 34)];
        let mut ports = Ports::new(&from, 0);
        assert_eq!(ports.next(), SocketAddrV4::new(from[0], 1024));
        assert_eq!(ports.next(), SocketAddrV4::new(from[0], 1025));
        let last = ports.nth(COUNT - 2);
        assert_eq!(last, SocketAddrV4::new(from[0], 63_999));
        assert_eq!(ports.next(), SocketAddrV4::new(from[1], 1024));
        let again = ports.nth(COUNT);
        assert_eq!(again, SocketAddrV4::new(from[0], 1024));
    }

    #[test]
    fn without_addresses_the_kernel_chooses_one() {
        let mut ports = Ports::new(&[], 2);
        assert_eq!(ports.next(), SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 1024 + 15_838));
    }

    impl Ports {
        /// Passes over some; the one after the first `count - 1`.
        fn nth(&mut self, count: u32) -> SocketAddrV4 {
            for _ in 1..count {
                self.next();
            }
            self.next()
        }
    }
}
