//! A listener for every address and every port: a host that stands for a whole network.

#![expect(clippy::unwrap_used, reason = "helpers of tests count as no test")]

use std::net::SocketAddr;

use layer::boundary::SocketId;
use layer::{Duration, Instant};
use socket::hub::Reuse;
use socket::{Errno, HostConfig, InterfaceConfig, IpHost, Kind};

struct Pair {
    client: IpHost,
    proxy: IpHost,
    now: Instant,
}

impl Pair {
    /// A client whose router is the proxy, which takes what is for anybody.
    fn new(any_address: bool) -> Self {
        let config = |last: u8| {
            let net = format!("10.0.0.{last}/24").parse().unwrap();
            HostConfig::new([last; 16]).interface(InterfaceConfig::ip(1500, vec![net]))
        };
        let client = config(1).gateway([10, 0, 0, 2].into());
        let proxy = HostConfig { any_address, ..config(2).gateway([10, 0, 0, 1].into()) };
        let (client, proxy) = (IpHost::ip(&client), IpHost::ip(&proxy));
        Self { client, proxy, now: Instant::from_secs(1) }
    }

    fn listen(&mut self, address: SocketAddr, everywhere: bool) -> Result<SocketId, Errno> {
        let id = self.proxy.socket(Kind::Tcp)?;
        self.proxy.bind(self.now, id, address)?;
        self.proxy.with_hub(self.now, |hub, out| {
            hub.set_reuse(id, Reuse { address: true, port: false })?;
            hub.set_tcp_options(id, |options| options.everywhere = everywhere, out)
        })?;
        self.proxy.listen_socket(self.now, id, 8)?;
        Ok(id)
    }

    /// Carries packets until there are no more.
    fn settle(&mut self) {
        loop {
            let (there, back) = (self.client.packets(self.now), self.proxy.packets(self.now));
            if there.is_empty() && back.is_empty() {
                return;
            }
            self.now += Duration::from_millis(1);
            there.into_iter().for_each(|packet| self.proxy.receive_packet(self.now, packet));
            back.into_iter().for_each(|packet| self.client.receive_packet(self.now, packet));
            self.client.poll(self.now);
            self.proxy.poll(self.now);
        }
    }

    fn connect(&mut self, remote: SocketAddr) -> SocketId {
        let id = self.client.connect(self.now, remote).unwrap();
        self.settle();
        id
    }
}

#[test]
fn whoever_is_meant_is_answered_under_that_address() {
    let mut pair = Pair::new(true);
    let everywhere = pair.listen(([0, 0, 0, 0], 0).into(), true).unwrap();
    // Any address may be bound to as well.
    let web = pair.listen(([198, 51, 100, 1], 80).into(), false).unwrap();
    let meant: SocketAddr = ([192, 0, 2, 7], 12_345).into();
    let client = pair.connect(meant);
    let accepted = pair.proxy.accept(pair.now, everywhere).unwrap();
    assert_eq!(accepted.local, meant);
    pair.proxy.send(pair.now, accepted.socket, b"as 192.0.2.7").unwrap();
    pair.settle();
    let mut buffer = [0; 20];
    assert_eq!(pair.client.recv(pair.now, client, &mut buffer), Ok(12));
    assert_eq!(pair.client.peer_addr(client), Ok(meant));
    // Who was bound to what is meant comes first.
    let meant = ([198, 51, 100, 1], 80).into();
    pair.connect(meant);
    assert_eq!(pair.proxy.accept(pair.now, web).unwrap().local, meant);
    assert_eq!(pair.proxy.accept(pair.now, everywhere), Err(Errno::AGAIN));
}

#[test]
fn there_is_one_and_its_end_is_the_end_of_it() {
    let mut pair = Pair::new(true);
    let first = pair.listen(([0, 0, 0, 0], 0).into(), true).unwrap();
    let second = pair.listen(([0, 0, 0, 0], 0).into(), true);
    assert_eq!(second.unwrap_err(), Errno::ADDRINUSE);
    pair.proxy.close(pair.now, first).unwrap();
    let refused = pair.connect(([192, 0, 2, 7], 9).into());
    assert_eq!(pair.client.completed(pair.now, refused), Err(Errno::CONNREFUSED));
    pair.listen(([0, 0, 0, 0], 0).into(), true).unwrap();
}

#[test]
fn a_host_that_was_not_told_so_takes_only_its_own_addresses() {
    let mut pair = Pair::new(false);
    let everywhere = pair.listen(([0, 0, 0, 0], 0).into(), true).unwrap();
    let unanswered = pair.connect(([192, 0, 2, 7], 9).into());
    assert_eq!(pair.client.completed(pair.now, unanswered), Err(Errno::INPROGRESS));
    pair.connect(([10, 0, 0, 2], 9).into());
    assert!(pair.proxy.accept(pair.now, everywhere).is_ok(), "any port of its own");
}
