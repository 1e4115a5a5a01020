//! UDP used alone: an echo service on port 7, fed by hand with one datagram.
//!
//! No thread, no clock, no device: a layer takes an item and puts items out. Run it with
//! `cargo run -p udp --example echo`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use layer::boundary::{
    BoundAddress, Cast, Datagram, IpIn, IpOut, SocketId, UdpCommand, UdpEvent, UdpOptions, protocol,
};
use layer::outlet::Driver;
use layer::{Instant, InterfaceId, Layer, PacketBuf};
use udp::{Config, Udp};

const ECHO: SocketId = SocketId(0);

fn main() {
    let now = Instant::ZERO;
    let mut udp = Udp::new(Config::new(*b"sixteen secret b"));
    let mut driver = Driver::new(64);

    // The application binds port 7 on any address.
    let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 7));
    let local = BoundAddress { address, interface: None };
    let bind =
        UdpCommand::Bind { socket: ECHO, local, reuse: false, options: UdpOptions::default() };
    udp.send(now, bind, &mut driver.out());

    // IP delivers: from port 4000 to port 7, 8 + 5 bytes, no checksum.
    udp.receive(
        now,
        IpIn::Datagram(from_the_wire(b"\x0f\xa0\x00\x07\x00\x0d\x00\x00hello")),
        &mut driver.out(),
    );

    // The application reads its events and answers from the address that was asked.
    while let Some(event) = driver.up.pop() {
        println!("up:   {event:?}");
        match event {
            UdpEvent::Datagram { socket, from, to, packet, .. } => {
                let bytes = u32::try_from(packet.len()).unwrap_or(u32::MAX);
                let (source, to) = (Some(to.ip()), Some(from));
                let answer = UdpCommand::Send { socket, source, to, packet };
                udp.send(now, answer, &mut driver.out());
                udp.send(now, UdpCommand::Consumed { socket, bytes }, &mut driver.out());
            }
            UdpEvent::Bound { .. } | UdpEvent::Connected { .. } | UdpEvent::Error { .. } => {}
        }
    }

    // Down goes the echo, its checksum left to whoever puts it on the wire.
    while let Some(item) = driver.down.pop() {
        match item {
            IpOut::Datagram(sent) => println!("down: to {}: {:?}", sent.destination, sent.packet),
            IpOut::Reject { .. } | IpOut::Lookup { .. } | IpOut::PathMtu { .. } => {
                println!("down: {item:?}");
            }
        }
    }
}

fn from_the_wire(bytes: &[u8]) -> Datagram {
    Datagram {
        interface: InterfaceId(0),
        source: IpAddr::from([10, 9, 0, 1]),
        destination: IpAddr::from([10, 9, 0, 2]),
        cast: Cast::Unicast,
        protocol: protocol::UDP,
        ttl: 64,
        tos: 0,
        mtu: 1500,
        header_len: 0,
        packet: PacketBuf::copy_from(bytes),
    }
}
