//! Packets written by hand, a host to try them on, and a strict reader of what it sends. Nothing
//! here uses the code under test to build or to read a packet.

use core::net::{IpAddr, Ipv4Addr};

use ip::{Config, Interface, Ip};
use layer::boundary::{
    Cast, Datagram, IpError, IpIn, IpOut, NetIn, NetOut, Reachability, Send, ethertype, protocol,
};
use layer::outlet::Driver;
use layer::{Counted, Duration, Instant, InterfaceId, Layer, PacketBuf, Reason};

pub(crate) const US: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);
pub(crate) const PEER: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);
pub(crate) const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 254);
pub(crate) const FAR: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);
/// Our second interface.
pub(crate) const US_TOO: Ipv4Addr = Ipv4Addr::new(10, 8, 0, 2);
pub(crate) const IF0: InterfaceId = InterfaceId(0);
pub(crate) const IF1: InterfaceId = InterfaceId(1);

/// RFC 1071, the slow way.
pub(crate) fn checksum(bytes: &[u8]) -> u16 {
    let mut sum = 0_u32;
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// An IPv4 packet to be written: every field can be wrong.
#[derive(Clone)]
pub(crate) struct V4 {
    pub(crate) tos: u8,
    pub(crate) id: u16,
    pub(crate) dont_fragment: bool,
    pub(crate) more: bool,
    /// In units of 8 bytes, as on the wire.
    pub(crate) offset: u16,
    pub(crate) ttl: u8,
    pub(crate) protocol: u8,
    pub(crate) source: Ipv4Addr,
    pub(crate) destination: Ipv4Addr,
    pub(crate) options: Vec<u8>,
    pub(crate) payload: Vec<u8>,
}

impl V4 {
    /// From the peer to us.
    pub(crate) fn new(protocol: u8, payload: Vec<u8>) -> Self {
        Self {
            tos: 0,
            id: 0x1234,
            dont_fragment: false,
            more: false,
            offset: 0,
            ttl: 64,
            protocol,
            source: PEER,
            destination: US,
            options: Vec::new(),
            payload,
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        assert_eq!(self.options.len() % 4, 0, "options fill words");
        let header_len = 20 + self.options.len();
        let total = (header_len + self.payload.len()) as u16;
        let flags = u16::from(self.dont_fragment) << 14 | u16::from(self.more) << 13 | self.offset;
        let mut bytes = vec![0x40 | (header_len / 4) as u8, self.tos];
        bytes.extend(total.to_be_bytes());
        bytes.extend(self.id.to_be_bytes());
        bytes.extend(flags.to_be_bytes());
        bytes.extend([self.ttl, self.protocol, 0, 0]);
        bytes.extend(self.source.octets());
        bytes.extend(self.destination.octets());
        bytes.extend(&self.options);
        fix_checksum(&mut bytes);
        bytes.extend(&self.payload);
        bytes
    }
}

/// Writes the header checksum anew after a field was changed.
pub(crate) fn fix_checksum(bytes: &mut [u8]) {
    let len = usize::from(bytes[0] & 0xf) * 4;
    bytes[10..12].fill(0);
    let sum = checksum(&bytes[..len.min(bytes.len())]);
    bytes[10..12].copy_from_slice(&sum.to_be_bytes());
}

/// A UDP datagram from port 4000 to port 7, without checksum.
pub(crate) fn udp(data: &[u8]) -> Vec<u8> {
    let len = (8 + data.len()) as u16;
    let mut bytes = [4000_u16, 7, len, 0].map(u16::to_be_bytes).concat();
    bytes.extend(data);
    bytes
}

/// An ICMP message with its checksum.
pub(crate) fn icmp(kind: u8, code: u8, rest: [u8; 4], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, code, 0, 0];
    bytes.extend(rest);
    bytes.extend(data);
    let sum = checksum(&bytes);
    bytes[2..4].copy_from_slice(&sum.to_be_bytes());
    bytes
}

/// `len` bytes that differ from place to place.
pub(crate) fn data(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n * 7 + n / 251) as u8).collect()
}

/// What a packet says, read strictly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) tos: u8,
    pub(crate) id: u16,
    pub(crate) dont_fragment: bool,
    pub(crate) more: bool,
    pub(crate) offset: usize,
    pub(crate) ttl: u8,
    pub(crate) protocol: u8,
    pub(crate) source: Ipv4Addr,
    pub(crate) destination: Ipv4Addr,
    pub(crate) payload: Vec<u8>,
}

pub(crate) fn read(packet: &PacketBuf) -> Read {
    let bytes = packet.to_vec();
    assert_eq!(bytes[0], 0x45, "we send no options");
    let word = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    assert_eq!(usize::from(word(2)), bytes.len(), "total length is the packet's");
    assert_eq!(checksum(&bytes[..20]), 0, "header checksum");
    assert_eq!(word(6) & 0x8000, 0, "the reserved flag is 0");
    let address = |at: usize| Ipv4Addr::new(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]);
    Read {
        tos: bytes[1],
        id: word(4),
        dont_fragment: word(6) & 0x4000 != 0,
        more: word(6) & 0x2000 != 0,
        offset: usize::from(word(6) & 0x1fff) * 8,
        ttl: bytes[8],
        protocol: bytes[9],
        source: address(12),
        destination: address(16),
        payload: bytes[20..].to_vec(),
    }
}

/// A host with two interfaces and a default route, and its driver.
pub(crate) struct Host {
    pub(crate) ip: Ip,
    pub(crate) driver: Driver<IpIn, NetOut>,
    pub(crate) now: Instant,
}

pub(crate) fn config() -> Config {
    Config::new([42; 16])
        .interface(Interface::new(1500).address("10.9.0.2/24".parse().expect("a prefix")))
        .interface(Interface::new(576).address("10.8.0.2/24".parse().expect("a prefix")))
        .gateway(GATEWAY.into(), IF0)
}

impl Host {
    pub(crate) fn new() -> Self {
        Self::with(config())
    }

    pub(crate) fn with(config: Config) -> Self {
        let (ip, driver) = (Ip::new(config), Driver::new(4096));
        Self { ip, driver, now: Instant::from_secs(100) }
    }

    /// A packet arrives for us alone on the first interface.
    pub(crate) fn wire(&mut self, packet: &V4) {
        self.bytes(IF0, Cast::Unicast, packet.bytes());
    }

    pub(crate) fn bytes(&mut self, interface: InterfaceId, cast: Cast, bytes: Vec<u8>) {
        let packet = PacketBuf::from_shared(bytes.into());
        self.packet(interface, cast, packet);
    }

    pub(crate) fn packet(&mut self, interface: InterfaceId, cast: Cast, packet: PacketBuf) {
        let kind = ethertype::IPV4;
        let item = NetIn::Packet { interface, cast, ethertype: kind, packet };
        self.ip.receive(self.now, item, &mut self.driver.out());
    }

    pub(crate) fn send(&mut self, item: IpOut) {
        self.ip.send(self.now, item, &mut self.driver.out());
    }

    pub(crate) fn poll(&mut self) {
        self.ip.poll(self.now, &mut self.driver.out());
    }

    pub(crate) fn wait(&mut self, span: Duration) {
        self.now += span;
        self.poll();
    }

    pub(crate) fn up(&mut self) -> Vec<IpIn> {
        self.driver.up.drain().collect()
    }

    pub(crate) fn down(&mut self) -> Vec<NetOut> {
        self.driver.down.drain().collect()
    }

    /// The one packet that went down.
    pub(crate) fn sent(&mut self) -> Read {
        let mut down = self.down();
        assert_eq!(down.len(), 1, "{down:?}");
        down.pop().map(|item| read(&item.packet)).expect("just counted")
    }

    /// The one datagram that went up.
    pub(crate) fn delivered(&mut self) -> Datagram {
        match self.up().as_slice() {
            [IpIn::Datagram(datagram)] => datagram.clone(),
            other => panic!("expected one datagram: {other:?}"),
        }
    }

    /// The one error that went up.
    pub(crate) fn error(&mut self) -> IpError {
        match self.up().as_slice() {
            [IpIn::Error(error)] => error.clone(),
            other => panic!("expected one error: {other:?}"),
        }
    }

    /// Nothing went out either way.
    pub(crate) fn silent(&mut self) {
        assert_eq!((self.up(), self.down()), (vec![], vec![]));
    }

    pub(crate) fn drops(&self, reason: Reason) -> u64 {
        self.driver.ledger.drops(reason)
    }

    /// Nothing went out, and exactly one packet was dropped, for this reason.
    pub(crate) fn dropped(&mut self, reason: Reason) {
        self.silent();
        let drops: Vec<_> = self.driver.ledger.nonzero().collect();
        assert_eq!(drops, [(reason, 1)]);
    }

    pub(crate) fn counter(&self, name: &str) -> u64 {
        let mut found = None;
        self.ip.counters(&mut |known, value| {
            if known == name {
                found = Some(value);
            }
        });
        found.unwrap_or_else(|| panic!("no counter {name}"))
    }
}

/// UDP to the peer, everything else left to IP.
pub(crate) fn to(destination: Ipv4Addr, payload: Vec<u8>) -> Send {
    Send {
        interface: None,
        source: None,
        destination: IpAddr::V4(destination),
        protocol: protocol::UDP,
        ttl: None,
        tos: 0,
        dont_fragment: false,
        reachability: Reachability::Unknown,
        packet: PacketBuf::copy_from(&payload),
    }
}
