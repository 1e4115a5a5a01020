//! The device and the command line of each peer.

use std::net::Ipv4Addr;

use anyhow::Context;

use super::SOURCES;
use crate::bench::Common;
use crate::bench::plan::{Peer, Seat, Setup};
use crate::netns::lab::{HOST, STACK};

/// Shell lines that make the device `t0` of the load generator's namespace.
pub(super) fn device(setup: &Setup, far: Option<&str>) -> String {
    let Setup { peer, offload, mtu } = setup;
    // Ports for many connections that end here, and few of them kept when they have ended.
    let mut script = "cd /proc/sys/net/ipv4
        echo 2000 > tcp_max_tw_buckets
        echo 1024 65000 > ip_local_port_range\n"
        .to_owned();
    let tap = |mode: &str| {
        format!(
            "ip tuntap add t0 mode {mode}
            ip address add {HOST}/24 dev t0
            ip link set t0 mtu {mtu} up\n"
        )
    };
    script += &match (peer.seat(), far) {
        (Seat::Veth, Some(beyond)) => veth(*mtu, *offload, beyond),
        (Seat::Tap, _) => tap("tap"),
        (Seat::Tun, _) => tap("tun"),
        (Seat::Relay, Some(beyond)) => {
            // Something to take addresses and routes from.
            format!(
                "ip -n {beyond} link add p0 type veth peer name p1
                ip -n {beyond} address add 192.0.2.2/24 dev p0
                ip -n {beyond} link set p0 up
                ip -n {beyond} link set p1 up
                ip -n {beyond} route add default via 192.0.2.1\n"
            )
        }
        (Seat::OwnDevice | Seat::Veth | Seat::Relay, _) => String::new(),
    };
    script
}

/// A veth pair between two namespaces, with or without segmentation offload.
fn veth(mtu: u32, offload: bool, beyond: &str) -> String {
    // Left as the kernel makes it, or all off; GRO is off on a new veth, as it gets super-frames
    // whole anyway.
    let off = match offload {
        true => String::new(),
        false => {
            let off = |device| format!("ethtool -K {device} tso off gso off gro off");
            format!("{}\nip netns exec {beyond} {}", off("t0"), off("p0"))
        }
    };
    format!(
        "ip link add t0 mtu {mtu} type veth peer name p0 mtu {mtu} netns {beyond}
        ip address add {HOST}/24 dev t0
        ip link set t0 up
        ip -n {beyond} address add {STACK}/24 dev p0
        ip -n {beyond} link set p0 up
        {off}\n"
    )
}

/// Addresses of the kernel's end to connect from; none if it has only one, as behind relays.
pub(super) fn sources(seat: Seat) -> Vec<Ipv4Addr> {
    match seat {
        Seat::Relay => Vec::new(),
        Seat::Veth | Seat::Tap | Seat::Tun | Seat::OwnDevice => {
            let (first, count) = SOURCES;
            (first..first + count).map(|last| Ipv4Addr::new(10, 9, 0, last)).collect()
        }
    }
}

/// Shell lines that give `t0` these addresses too.
pub(super) fn addresses(addresses: &[Ipv4Addr]) -> String {
    addresses.iter().map(|address| format!("ip address add {address}/24 dev t0\n")).collect()
}

/// The command line of the stack; none of the kernel. `near` is the load generator's namespace.
pub(super) fn command(
    setup: &Setup,
    common: &Common,
    near: &str,
) -> anyhow::Result<Option<Vec<String>>> {
    let Setup { peer, offload, mtu } = setup;
    let offload = if *offload { "on" } else { "off" };
    let built = || {
        let program = common.built.iter().find(|(of, _)| of == peer);
        let (_, program) = program.with_context(|| format!("{} is not built", peer.name()))?;
        anyhow::Ok(program.display().to_string())
    };
    let line = match peer {
        Peer::Kernel => return Ok(None),
        Peer::Stackd(pipeline) => format!(
            "{} --tap t0 --address {STACK}/24 --host-address {HOST}/24 --mtu {mtu} \
             --pipeline {} --offload {offload}",
            common.stackd.display(),
            pipeline.name()
        ),
        Peer::Ceiling => {
            let own = common.own.display();
            format!(
                "{own} bench-ceiling --tap t0 --address {STACK} --mtu {mtu} --offload {offload}"
            )
        }
        Peer::Smoltcp { buffer } => format!("{} t0 {STACK} {}", built()?, buffer * 1024),
        Peer::Ipstack => format!("{} t0 {mtu}", built()?),
        Peer::Lwip => format!("{} t0 {STACK}", built()?),
        // A relay: the gateway's address stands for the loopback of the namespace it runs in.
        Peer::Pasta => format!(
            "pasta --foreground --quiet --runas 0 --ipv4-only --config-net --ns-ifname t0 \
             --mtu {mtu} --address {HOST} --netmask 255.255.255.0 --gateway {STACK} \
             --tcp-ports none --udp-ports none --tcp-ns none --udp-ns none \
             --netns /run/netns/{near}"
        ),
        Peer::Slirp => format!(
            "slirp4netns --configure --mtu={mtu} --cidr=10.9.0.0/24 --netns-type=path \
             /run/netns/{near} t0"
        ),
        Peer::Iperf3 => "iperf3 --server".to_owned(),
        Peer::Program { command, .. } => command.join(" ").replace("{offload}", offload),
    };
    Ok(Some(line.split_whitespace().map(str::to_owned).collect()))
}
