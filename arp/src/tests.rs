//! A bench for the layer: calls with short names, and what comes out as lines of text.
//!
//! We are 10.9.0.2 (and .3, where a test says so) at `us`; the station `mN` is 02:00:00:00:00:N,
//! and normally 10.9.0.N. A packet is known by its number.

use core::net::Ipv4Addr;

use layer::boundary::{
    AddressState, Cast, EthIn, EthOut, NetIn, NetOut, NextHop, Reachability, ethertype,
};
use layer::outlet::Driver;
use layer::{Duration, Instant, InterfaceId, Layer, MacAddr, Note, PacketBuf, Reason};

use crate::{Acd, Arp, Config, Message, NeighbourState, Operation};

pub(crate) const US: MacAddr = MacAddr([2, 0, 0, 0, 0, 0xff]);
pub(crate) const INTERFACE: InterfaceId = InterfaceId(3);

pub(crate) fn station(n: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 0, n])
}

pub(crate) fn ip(n: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 9, 0, n)
}

pub(crate) fn config(acd: Acd) -> Config {
    Config { acd, ..Config::new(INTERFACE, US, vec![ip(2)], [7; 16]) }
}

pub(crate) struct Bench {
    pub(crate) arp: Arp,
    pub(crate) driver: Driver<NetIn, EthOut>,
    pub(crate) now: Instant,
}

impl Bench {
    pub(crate) fn new(config: Config) -> Self {
        let mut driver = Driver::new(64);
        driver.ledger.listen(true);
        Self { arp: Arp::new(config), driver, now: Instant::from_secs(100) }
    }

    /// One whose probes and announcements are over.
    pub(crate) fn settled(config: Config) -> Self {
        let mut bench = Self::new(config);
        bench.pass(20_000);
        bench.down();
        bench.up();
        bench.driver.ledger.take_notes();
        bench
    }

    pub(crate) fn optimistic() -> Self {
        Self::settled(config(Acd::Optimistic))
    }

    /// Lets `millis` ms pass and polls at every deadline on the way, as a driver does.
    pub(crate) fn pass(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        self.poll();
        for _ in 0..10_000 {
            match self.arp.poll_at().filter(|&at| at <= end) {
                Some(at) => self.now = self.now.max(at),
                None => {
                    self.now = end;
                    return self.poll();
                }
            }
            self.poll();
        }
        panic!("poll_at does not advance");
    }

    fn poll(&mut self) {
        self.arp.poll(self.now, &mut self.driver.out());
    }

    /// IP sends packet `number` from `source` to `next_hop`.
    pub(crate) fn send_from(&mut self, source: Ipv4Addr, next_hop: NextHop, number: u8) {
        let packet = packet(source, number);
        self.send_out(NetOut {
            interface: INTERFACE,
            next_hop,
            ethertype: ethertype::IPV4,
            reachability: Reachability::Unknown,
            packet,
        });
    }

    pub(crate) fn send_out(&mut self, item: NetOut) {
        self.arp.send(self.now, item, &mut self.driver.out());
    }

    /// IP sends packet `number` to neighbour 10.9.0.`to`.
    pub(crate) fn send(&mut self, to: u8, number: u8) {
        self.send_from(ip(2), NextHop::Neighbour(ip(to).into()), number);
    }

    /// The same, with the transport's word on the neighbour.
    pub(crate) fn send_hinted(&mut self, reachability: Reachability, to: u8, number: u8) {
        self.send_out(NetOut {
            interface: INTERFACE,
            next_hop: NextHop::Neighbour(ip(to).into()),
            ethertype: ethertype::IPV4,
            reachability,
            packet: packet(ip(2), number),
        });
    }

    pub(crate) fn receive(&mut self, ethertype: u16, packet: PacketBuf) {
        let (interface, source, cast) = (INTERFACE, station(1), Cast::Broadcast);
        let item = EthIn { interface, source, cast, ethertype, packet };
        self.arp.receive(self.now, item, &mut self.driver.out());
    }

    pub(crate) fn hear(&mut self, message: Message) {
        self.receive(ethertype::ARP, message.to_packet());
    }

    /// Station `mac` says: I am `from`; who has `target`?
    pub(crate) fn hear_request(&mut self, mac: u8, from: u8, target: u8) {
        self.hear(Message::request(station(mac), ip(from), ip(target)));
    }

    /// Station `mac` answers us that it is `from`.
    pub(crate) fn hear_reply(&mut self, mac: u8, from: u8) {
        self.hear(Message::request(US, ip(2), ip(from)).reply(station(mac)));
    }

    pub(crate) fn down(&mut self) -> Vec<String> {
        self.driver.down.drain().map(|item| describe_down(&item)).collect()
    }

    pub(crate) fn up(&mut self) -> Vec<String> {
        self.driver.up.drain().map(|item| describe_up(&item)).collect()
    }

    pub(crate) fn drops(&self, reason: Reason) -> u64 {
        self.driver.ledger.drops(reason)
    }

    /// Notes that are not about drops.
    pub(crate) fn notes(&mut self) -> Vec<Note> {
        let mut notes = self.driver.ledger.take_notes();
        notes.retain(|note| !matches!(note, Note::Dropped(_)));
        notes
    }

    /// The state and station of neighbour 10.9.0.`n`, if it is in the table.
    pub(crate) fn knows(&self, n: u8) -> Option<(NeighbourState, Option<MacAddr>)> {
        let entry = self.arp.neighbours(self.now).find(|entry| entry.address == ip(n))?;
        Some((entry.state, entry.mac))
    }
}

/// An IPv4 header as far as ARP looks, the number behind it.
pub(crate) fn packet(source: Ipv4Addr, number: u8) -> PacketBuf {
    let mut bytes = [0; 21];
    bytes[0] = 0x45;
    bytes[12..16].copy_from_slice(&source.octets());
    bytes[20] = number;
    PacketBuf::copy_from(&bytes)
}

fn number(packet: &PacketBuf) -> u8 {
    *packet.to_vec().get(20).expect("a packet made by `packet`")
}

fn describe_mac(mac: MacAddr) -> String {
    match mac {
        MacAddr::BROADCAST => "all".into(),
        US => "us".into(),
        MacAddr([2, 0, 0, 0, 0, n]) => format!("m{n}"),
        mac => mac.to_string(),
    }
}

fn describe_ip(ip: Ipv4Addr) -> String {
    if ip.is_unspecified() { "nobody".into() } else { format!(".{}", ip.octets()[3]) }
}

pub(crate) fn describe_down(item: &EthOut) -> String {
    assert_eq!(item.interface, INTERFACE);
    let to = describe_mac(item.destination);
    if item.ethertype != ethertype::ARP {
        return format!("packet {} -> {to}", number(&item.packet));
    }
    let message = Message::parse(&item.packet).expect("what we send is well-formed");
    assert_eq!(message.sender_mac, US);
    let (sender, target) = (describe_ip(message.sender_ip), describe_ip(message.target_ip));
    match message.operation {
        Operation::Request if message.is_probe() => format!("probe {target} -> {to}"),
        Operation::Request if sender == target => format!("announce {target} -> {to}"),
        Operation::Request => format!("who-has {target} tell {sender} -> {to}"),
        Operation::Reply => {
            assert_eq!(message.target_mac, item.destination);
            format!("{sender} is-at us tell {target} -> {to}")
        }
    }
}

pub(crate) fn describe_up(item: &NetIn) -> String {
    match item {
        NetIn::Packet { interface, packet, ethertype, .. } => {
            assert_eq!(*interface, INTERFACE);
            format!("packet {ethertype:04x} {}", number(packet))
        }
        NetIn::Unreachable { next_hop, packet, .. } => {
            format!("unreachable {next_hop} {}", number(packet))
        }
        NetIn::Address { address, state, .. } => match state {
            AddressState::Tentative => format!("tentative {address}"),
            AddressState::Ready => format!("ready {address}"),
            AddressState::Conflict => format!("conflict {address}"),
        },
        NetIn::Router { .. } => "router".into(),
    }
}
