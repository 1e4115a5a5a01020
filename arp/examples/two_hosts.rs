//! Two hosts' address resolution on one wire, by hand: a packet waits, is resolved, and leaves.
//!
//!     cargo run -p arp --example two_hosts
//!
//! A layer has no clock. The loop below drives it: passes `now` in, carries what comes out to the
//! other host, and jumps to the earliest `poll_at`.

use arp::{Arp, Config, Message};
use layer::boundary::{Cast, EthIn, EthOut, NetIn, NetOut, NextHop, Reachability, ethertype};
use layer::outlet::Driver;
use layer::{Instant, InterfaceId, Layer, MacAddr, PacketBuf};

struct Host {
    name: &'static str,
    mac: MacAddr,
    arp: Arp,
    driver: Driver<NetIn, EthOut>,
}

fn host(name: &'static str, n: u8) -> Host {
    let mac = MacAddr([2, 0, 0, 0, 0, n]);
    // A real host draws the key from the operating system, once.
    let arp = Arp::new(Config::new(InterfaceId(0), mac, vec![[10, 9, 0, n].into()], [n; 16]));
    Host { name, mac, arp, driver: Driver::new(64) }
}

fn main() {
    let mut hosts = [host("left ", 1), host("right", 2)];
    // Left wants to send one packet to right, and one to an address nobody has.
    for (last, text) in [(2, "hello, right"), (9, "hello, nobody")] {
        let next_hop = NextHop::Neighbour([10, 9, 0, last].into());
        let (interface, ethertype) = (InterfaceId(0), ethertype::IPV4);
        let reachability = Reachability::Unknown;
        let packet = PacketBuf::copy_from(text.as_bytes());
        let item = NetOut { interface, next_hop, ethertype, reachability, packet };
        println!("0.000000s left  IP sends {text:?}");
        hosts[0].arp.send(Instant::ZERO, item, &mut hosts[0].driver.out());
    }
    let mut now = Instant::ZERO;
    while now < Instant::from_secs(10) {
        for at in 0..2 {
            let [left, right] = &mut hosts;
            let (this, other) = if at == 0 { (left, right) } else { (right, left) };
            this.arp.poll(now, &mut this.driver.out());
            while let Some(frame) = this.driver.down.pop() {
                carry(now, this, other, frame);
            }
            for item in this.driver.up.drain() {
                println!("{now} {} IP gets {}", this.name, describe(&item));
            }
        }
        if hosts.iter().all(|host| host.driver.down.is_empty()) {
            now = hosts.iter().filter_map(|host| host.arp.poll_at()).min().unwrap_or(Instant::MAX);
        }
    }
}

fn describe(item: &NetIn) -> String {
    match item {
        NetIn::Packet { packet, .. } => format!("{:?}", String::from_utf8_lossy(packet.head())),
        NetIn::Unreachable { next_hop, .. } => format!("a packet back: no answer from {next_hop}"),
        NetIn::Address { address, state, .. } => format!("told: {address} is {state:?}"),
        NetIn::Router { .. } => "news of a router".into(),
    }
}

/// The wire: a frame reaches the other host if it is for it or for all.
fn carry(now: Instant, from: &Host, to: &mut Host, frame: EthOut) {
    let EthOut { interface, destination, ethertype, packet } = frame;
    let text = match Message::parse(&packet).filter(|_| ethertype == ethertype::ARP) {
        Some(message) => format!("ARP: {message}"),
        None => format!("IP packet {:?}", String::from_utf8_lossy(packet.head())),
    };
    println!("{now} {} -> {destination}  {text}", from.name);
    if destination == to.mac || destination.is_broadcast() {
        let cast = if destination.is_broadcast() { Cast::Broadcast } else { Cast::Unicast };
        let item = EthIn { interface, source: from.mac, cast, ethertype, packet };
        to.arp.receive(now, item, &mut to.driver.out());
    }
}
