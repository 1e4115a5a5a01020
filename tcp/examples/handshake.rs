//! TCP used alone: two layers, and a loop that carries what one sends to the other. Prints the
//! conversation as tcpdump would. Run it with `cargo run -p tcp --example handshake`.

use core::net::{IpAddr, SocketAddr};

use layer::boundary::{
    BoundAddress, Cast, Datagram, IpIn, IpOut, Path, Route, Send, SocketId, TcpCommand, TcpEvent,
    TcpOptions, protocol,
};
use layer::outlet::Driver;
use layer::{ChecksumState, Instant, InterfaceId, Layer};
use tcp::{Config, Segment, Tcp};

/// Nothing here takes any time.
const NOW: Instant = Instant::from_secs(1);

type Host = (&'static str, IpAddr, Tcp, Driver<TcpEvent, IpOut>);

fn main() {
    let host = |name, n| -> Host {
        (name, IpAddr::from([10, 0, 0, n]), Tcp::new(Config::new([n; 16])), Driver::new(64))
    };
    let (mut client, mut server) = (host("client", 1), host("server", 2));
    let (socket, address) = (SocketId(0), SocketAddr::new(server.1, 7));
    let options = || Box::new(TcpOptions::default());
    let local = BoundAddress { address, interface: None };
    let (reuse_address, reuse_port) = (false, false);
    command(&mut server, TcpCommand::Bind { socket, local, reuse_address, reuse_port });
    command(&mut server, TcpCommand::Listen { socket, backlog: 1, options: options() });
    command(&mut client, TcpCommand::Connect { socket, remote: address, options: options() });
    while step(&mut client, &mut server) | step(&mut server, &mut client) {}
    command(&mut client, TcpCommand::Send { socket, data: "hello".into() });
    command(&mut client, TcpCommand::Shutdown { socket });
    while step(&mut client, &mut server) | step(&mut server, &mut client) {}
    let socket = SocketId::ACCEPTED;
    command(&mut server, TcpCommand::Consumed { socket, bytes: 5 });
    command(&mut server, TcpCommand::Close { socket });
    while step(&mut client, &mut server) | step(&mut server, &mut client) {}
}

fn command((_, _, tcp, driver): &mut Host, command: TcpCommand) {
    tcp.send(NOW, command, &mut driver.out());
}

/// Polls `from` and carries what it puts out; true if there was anything.
fn step((name, address, tcp, driver): &mut Host, to: &mut Host) -> bool {
    tcp.poll(NOW, &mut driver.out());
    driver.up.drain().for_each(|event| println!("{:>24} {name} learns {event:?}", ""));
    let down: Vec<IpOut> = driver.down.drain().collect();
    let busy = !down.is_empty();
    for item in down {
        match item {
            IpOut::Lookup { token, destination, .. } => {
                let (interface, source, cast) = (InterfaceId(0), *address, Cast::Unicast);
                let route = Ok(Route { interface, source, mtu: 1500, link_mtu: 1500, cast });
                let path = Path { token, protocol: protocol::TCP, destination, route };
                tcp.receive(NOW, IpIn::Path(path), &mut driver.out());
            }
            IpOut::Datagram(send) => {
                let datagram = carried(*address, send);
                let s = Segment::read(datagram.clone()).expect("what we send we can read");
                println!("{name} > [{:?}] seq {} ack {} len {}", s.flags, s.seq, s.ack, s.len());
                to.2.receive(NOW, IpIn::Datagram(datagram), &mut to.3.out());
            }
            IpOut::Reject { .. } | IpOut::PathMtu { .. } => {}
        }
    }
    busy
}

/// What IP would hand up at the other end. There is no wire here on which a bit could flip.
fn carried(source: IpAddr, Send { destination, protocol, mut packet, .. }: Send) -> Datagram {
    packet.offload_mut().checksum = ChecksumState::Verified;
    let (interface, cast, ttl, tos) = (InterfaceId(0), Cast::Unicast, 64, 0);
    let (mtu, header_len) = (1500, 0);

    Datagram { interface, source, destination, cast, protocol, ttl, tos, mtu, header_len, packet }
}
