//! Which frames a capture wants: a host, a port, or both.

use core::net::{Ipv4Addr, SocketAddr};

use layer::PacketBuf;
use layer::boundary::{ethertype, protocol};

/// All of what is named must fit, at either end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// One of the addresses; of ARP, sender or target.
    pub(crate) host: Option<Ipv4Addr>,
    /// One of the ports, of TCP or UDP.
    pub(crate) port: Option<u16>,
}

/// What the headers of a frame say, as far as filters and comments need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) source: Ipv4Addr,
    pub(crate) destination: Ipv4Addr,
    /// IP protocol; `None` for ARP.
    pub(crate) protocol: Option<u8>,
    /// Of TCP and UDP, where the frame has them (a later fragment has none).
    pub(crate) ports: Option<(u16, u16)>,
}

impl Ends {
    /// Reads them; `None` where there is neither IPv4 nor ARP.
    pub(crate) fn of(packet: &PacketBuf) -> Option<Self> {
        // Ethernet, IP with options, ports. The head may be shorter than that.
        let mut front = [0; 14 + 60 + 4];
        let len = packet.copy_to(&mut front);
        let frame = front.get(..len)?;
        let number = |at: usize| Some(u16::from_be_bytes(*frame.get(at..)?.first_chunk()?));
        let address = |at: usize| Some(Ipv4Addr::from(*frame.get(at..)?.first_chunk::<4>()?));
        match number(12)? {
            ethertype::ARP => {
                let (source, destination) = (address(28)?, address(38)?);
                Some(Self { source, destination, protocol: None, ports: None })
            }
            ethertype::IPV4 => {
                let (source, destination) = (address(26)?, address(30)?);
                let header = usize::from(frame.get(14)? & 15) * 4;
                let first = number(20)? & 0x1fff == 0;
                let spoken = *frame.get(23)?;
                let ported = matches!(spoken, protocol::TCP | protocol::UDP) && first;
                let at = 14 + header;
                let ports = if ported { number(at).zip(number(at + 2)) } else { None };
                Some(Self { source, destination, protocol: Some(spoken), ports })
            }
            _other => None,
        }
    }

    /// Both ends as sockets, if it is TCP: source, destination.
    pub(crate) fn tcp(&self) -> Option<(SocketAddr, SocketAddr)> {
        let (from, to) = self.ports.filter(|_| self.protocol == Some(protocol::TCP))?;
        Some(((self.source, from).into(), (self.destination, to).into()))
    }
}

impl Filter {
    /// It passes.
    pub(crate) fn takes(&self, packet: &PacketBuf) -> bool {
        if *self == Self::default() {
            return true;
        }
        let Some(ends) = Ends::of(packet) else { return false };
        let host = self.host.is_none_or(|host| [ends.source, ends.destination].contains(&host));
        let port = self
            .port
            .is_none_or(|port| ends.ports.is_some_and(|(from, to)| from == port || to == port));
        host && port
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
    const B: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

    /// A TCP segment from A:5000 to B:80 with `options` words of IP options.
    fn frame(options: usize, fragment: u16) -> PacketBuf {
        let mut bytes = vec![2; 12];
        bytes.extend([8, 0, 0x45 + options as u8, 0, 0, 60, 0, 1]);
        bytes.extend(fragment.to_be_bytes());
        bytes.extend([64, 6, 0, 0]);
        bytes.extend(A.octets());
        bytes.extend(B.octets());
        bytes.resize(bytes.len() + options * 4, 1);
        bytes.extend([5000_u16.to_be_bytes(), 80_u16.to_be_bytes()].concat());
        PacketBuf::copy_from(&bytes)
    }

    #[test]
    fn ends_are_read_behind_ip_options_and_not_in_later_fragments() {
        for options in [0, 10] {
            let ends = Ends::of(&frame(options, 0)).unwrap();
            assert_eq!(ends.tcp(), Some(((A, 5000).into(), (B, 80).into())));
        }
        let later = Ends::of(&frame(0, 0x2001)).unwrap();
        assert_eq!((later.source, later.ports), (A, None));
    }

    #[test]
    fn host_and_port_must_both_fit_at_either_end() {
        let takes = |host: Option<Ipv4Addr>, port| Filter { host, port }.takes(&frame(0, 0));
        assert!(takes(None, None));
        assert!(takes(Some(A), None) && takes(Some(B), Some(5000)) && takes(None, Some(80)));
        assert!(!takes(Some(Ipv4Addr::new(10, 0, 0, 3)), None) && !takes(Some(A), Some(81)));
    }

    #[test]
    fn cut_frames_pass_only_without_conditions() {
        let whole = frame(0, 0).to_vec();
        for len in 0..whole.len() {
            let cut = PacketBuf::copy_from(&whole[..len]);
            assert!(Filter::default().takes(&cut));
            assert!(!Filter { host: None, port: Some(80) }.takes(&cut), "{len}");
        }
    }
}
