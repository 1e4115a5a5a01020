//! [`Host`]: a whole stack without threads, clock or IO, for programs that bring their own event
//! loop and their own wire.

pub mod sys;

use core::net::IpAddr;

use ipnet::IpNet;
use layer::boundary::SocketId;
use layer::{Instant, PacketBuf};
use socket::{Errno, HostConfig, InterfaceConfig, IpHost, Kind};
use std::collections::VecDeque;

use crate::answer::Failure;

/// A host that speaks IP: packets and the time in, packets and the next deadline out.
#[derive(Debug)]
pub struct Host {
    inner: IpHost,
    /// Packets that left and were not taken yet.
    out: VecDeque<PacketBuf>,
}

impl Host {
    fn new(address: &str, gateway: Option<&str>, mtu: u32, key: [u8; 16]) -> Result<Self, Failure> {
        let address: IpNet = address.parse().map_err(Failure::argument)?;
        let mut config = HostConfig::new(key).interface(InterfaceConfig::ip(mtu, vec![address]));
        if let Some(gateway) = gateway {
            let gateway: IpAddr = gateway.parse().map_err(Failure::argument)?;
            config = config.gateway(gateway);
        }
        Ok(Self { inner: IpHost::ip(&config), out: VecDeque::new() })
    }

    fn receive(&mut self, now: Instant, packet: &[u8]) {
        self.inner.receive_packet(now, PacketBuf::copy_from(packet));
        self.inner.poll(now);
    }

    /// The next packet into `buffer`; its length, 0 if there is none. One that does not fit stays.
    fn transmit(&mut self, now: Instant, buffer: &mut [u8]) -> Result<usize, Failure> {
        if self.out.is_empty() {
            self.out.extend(self.inner.packets(now));
        }
        let Some(packet) = self.out.front() else { return Ok(0) };
        if packet.len() > buffer.len() {
            return Err(Errno::MSGSIZE.into());
        }
        let copied = packet.copy_to(buffer);
        self.out.pop_front();
        Ok(copied)
    }

    /// When to poll next; the past while packets wait to be taken.
    fn deadline(&self) -> Option<Instant> {
        if self.out.is_empty() { self.inner.poll_at() } else { Some(Instant::ZERO) }
    }
}

fn kind(number: i32) -> Result<Kind, Failure> {
    match number {
        1 => Ok(Kind::Tcp),
        2 => Ok(Kind::Udp),
        other => Err(Failure::argument(format!("{other} is no kind of socket: 1 or 2"))),
    }
}

/// Ids are given by the hub and, from the upper half on, by TCP: in C their sign bit says which.
fn to_c(id: SocketId) -> i64 {
    let SocketId(id) = id;
    let accepted = id >= SocketId::ACCEPTED.0;
    let number = i64::try_from(id & !SocketId::ACCEPTED.0).unwrap_or(i64::MAX);
    number * 2 + i64::from(accepted)
}

fn from_c(id: i64) -> Result<SocketId, Failure> {
    let number = u64::try_from(id).map_err(|_| Failure::from(Errno::BADF))?;
    let accepted = if number % 2 == 1 { SocketId::ACCEPTED.0 } else { 0 };
    Ok(SocketId((number / 2) | accepted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_go_to_c_and_back() {
        for id in [0, 1, 77, SocketId::ACCEPTED.0, SocketId::ACCEPTED.0 + 5] {
            let c = to_c(SocketId(id));
            assert!(c >= 0);
            assert_eq!(from_c(c).ok(), Some(SocketId(id)));
        }
        assert!(from_c(-1).is_err());
    }
}
