//! IP used alone: a ping comes in as bytes, the answer goes out as bytes. No device, no thread, no
//! clock: whoever holds the layer says what time it is.
//!
//! `cargo run -p ip --example ping`

use ip::{Config, Interface, Ip};
use layer::boundary::{Cast, NetIn, ethertype};
use layer::checksum::Sum;
use layer::outlet::Driver;
use layer::{Instant, InterfaceId, Layer, PacketBuf};

/// What the kernel's `ping 10.9.0.2` would send from 10.9.0.1, with `data` for the journey.
fn ping(data: &[u8]) -> Vec<u8> {
    let mut icmp = vec![8, 0, 0, 0, 0x12, 0x34, 0, 1];
    icmp.extend(data);
    let sum = checksum(&icmp);
    icmp[2..4].copy_from_slice(&sum);

    let total = u8::try_from(20 + icmp.len()).expect("a short ping");
    let mut packet = vec![0x45, 0, 0, total, 0xbe, 0xef, 0x40, 0, 64, 1, 0, 0];
    packet.extend([10, 9, 0, 1, 10, 9, 0, 2]);
    let sum = checksum(&packet);
    packet[10..12].copy_from_slice(&sum);
    packet.extend(icmp);
    packet
}

fn checksum(bytes: &[u8]) -> [u8; 2] {
    let mut sum = Sum::new();
    sum.add(bytes);
    sum.checksum().to_be_bytes()
}

fn show(what: &str, packet: &[u8]) {
    let dotted = |at: usize| packet[at..at + 4].iter().map(u8::to_string).collect::<Vec<_>>();
    let (from, to) = (dotted(12).join("."), dotted(16).join("."));
    let (kind, data) = (packet[20], String::from_utf8_lossy(&packet[28..]));
    println!("{what}: {from} -> {to}, ICMP type {kind}, ttl {}, data {data:?}", packet[8]);
}

fn main() {
    // The key makes identifications unguessable; a real host takes it from the operating system.
    let interface = Interface::new(1500).address("10.9.0.2/24".parse().expect("a prefix"));
    let mut ip = Ip::new(Config::new(*b"only an example!").interface(interface));
    let mut driver = Driver::new(64);

    let request = ping(b"hello over there");
    show("request", &request);
    let item = NetIn::Packet {
        interface: InterfaceId(0),
        cast: Cast::Unicast,
        ethertype: ethertype::IPV4,
        packet: PacketBuf::copy_from(&request),
    };
    ip.receive(Instant::ZERO, item, &mut driver.out());

    // What goes down says to which neighbour; finding its Ethernet address is the next layer's.
    while let Some(answer) = driver.down.pop() {
        println!("         by {}, next hop {:?}", answer.interface, answer.next_hop);
        show("answer ", &answer.packet.to_vec());
    }

    // One bit wrong: no answer, and the reason is counted.
    let mut damaged = request;
    damaged[8] ^= 1;
    let item = NetIn::Packet {
        interface: InterfaceId(0),
        cast: Cast::Unicast,
        ethertype: ethertype::IPV4,
        packet: PacketBuf::copy_from(&damaged),
    };
    ip.receive(Instant::ZERO, item, &mut driver.out());
    for (reason, count) in driver.ledger.nonzero() {
        println!("damaged: no answer, counted as {} = {count}", reason.name());
    }
}
