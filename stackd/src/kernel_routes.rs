//! The machine's own IPv4 routes, read from /proc/net/route: does what we are about to set up
//! clash with one?

use core::net::Ipv4Addr;

use ipnet::Ipv4Net;

/// One of the kernel's routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelRoute {
    /// The interface it leaves by.
    pub interface: String,
    /// For which destinations.
    pub destination: Ipv4Net,
}

/// How an existing route stands to a network that is to be reached elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clash {
    /// The route covers the network or part of it, and would win or tie: one of the two could not
    /// be reached.
    Conflict(KernelRoute),
    /// The network is a part of what the route covers, and would be taken out of it.
    Shadow(KernelRoute),
}

/// The routes of this process's network namespace; none where /proc is not there.
pub fn kernel_routes() -> Vec<KernelRoute> {
    parse(&std::fs::read_to_string("/proc/self/net/route").unwrap_or_default())
}

/// The worst clash of `network`, to be reached by `interface`, with any of `routes`.
pub fn clash(network: Ipv4Net, interface: &str, routes: &[KernelRoute]) -> Option<Clash> {
    let others = || routes.iter().filter(|route| route.interface != interface);
    let inside = others().find(|route| network.contains(&route.destination));
    // A default route covers everything and clashes with nothing.
    let around = others()
        .find(|route| route.destination.prefix_len() > 0 && route.destination.contains(&network));
    inside
        .map(|route| Clash::Conflict(route.clone()))
        .or_else(|| around.map(|route| Clash::Shadow(route.clone())))
}

/// Lines of name, destination, gateway, flags, three counters, mask, ...; numbers in hexadecimal,
/// addresses as the machine stores them.
fn parse(text: &str) -> Vec<KernelRoute> {
    let line = |line: &str| -> Option<KernelRoute> {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let address = |index: usize| -> Option<Ipv4Addr> {
            let number = u32::from_str_radix(fields.get(index)?, 16).ok()?;
            Some(Ipv4Addr::from(number.to_ne_bytes()))
        };
        let destination = Ipv4Net::with_netmask(address(1)?, address(7)?).ok()?;
        Some(KernelRoute { interface: (*fields.first()?).to_owned(), destination })
    };
    text.lines().skip(1).filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0102000A\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0
docker0\t0000A8C0\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
";

    fn net(text: &str) -> Ipv4Net {
        text.parse().unwrap()
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn the_kernels_table_is_understood() {
        let routes = parse(TABLE);
        let found: Vec<_> = routes.iter().map(|r| (r.interface.as_str(), r.destination)).collect();
        let expected = [
            ("eth0", net("0.0.0.0/0")),
            ("eth0", net("10.0.0.0/8")),
            ("docker0", net("192.168.0.0/16")),
        ];
        assert_eq!(found, expected);
        assert_eq!(parse(""), []);
        assert_eq!(parse("header\nrubbish\nx 1 2\n"), []);
    }

    #[test]
    fn what_clashes() {
        let route = |interface: &str, text: &str| KernelRoute {
            interface: interface.to_owned(),
            destination: net(text),
        };
        let routes = [
            route("eth0", "0.0.0.0/0"),
            route("vpn", "10.0.0.0/8"),
            route("lab", "172.16.5.0/24"),
            route("stack0", "192.0.2.0/24"),
        ];
        let clash = |network| clash(net(network), "stack0", &routes);
        assert_eq!(clash("198.51.100.0/24"), None);
        assert_eq!(clash("192.0.2.0/24"), None, "our own route of an earlier run");
        assert_eq!(clash("10.9.0.0/24"), Some(Clash::Shadow(routes[1].clone())));
        assert_eq!(clash("10.0.0.0/8"), Some(Clash::Conflict(routes[1].clone())));
        assert_eq!(clash("172.16.0.0/16"), Some(Clash::Conflict(routes[2].clone())));
    }
}
