//! Where the headers of a TCP or UDP frame lie: what cutting a super-segment, and believing that a
//! frame is one, both need to know. Extension headers and fragments have no place in either.

use core::net::IpAddr;

use etherparse::{Ethernet2HeaderSlice, Ipv4HeaderSlice, Ipv6HeaderSlice, TcpHeaderSlice};
use layer::boundary::{ethertype, protocol};

use crate::link::HEADER;

/// The largest Ethernet, IP and TCP headers together.
pub(crate) const LARGEST: usize = HEADER + 60 + 60;

/// The layout of one frame's headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Headers {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    /// TCP or UDP.
    pub(crate) protocol: u8,
    /// Offset of the transport header from the frame's first byte.
    pub(crate) transport: usize,
    /// Bytes of all headers together.
    pub(crate) len: usize,
}

impl Headers {
    /// Finds the headers at the front of `frame`; `None` if it is not plain TCP or UDP over IP.
    pub(crate) fn parse(frame: &[u8]) -> Option<Self> {
        let ethernet = Ethernet2HeaderSlice::from_slice(frame).ok()?;
        let network = frame.get(HEADER..)?;
        let (source, destination, protocol, network_len) = match ethernet.ether_type().0 {
            ethertype::IPV4 => {
                let ip = Ipv4HeaderSlice::from_slice(network).ok()?;
                if ip.is_fragmenting_payload() {
                    return None;
                }
                let (source, destination) = (ip.source_addr(), ip.destination_addr());
                (source.into(), destination.into(), ip.protocol().0, ip.slice().len())
            }
            ethertype::IPV6 => {
                let ip = Ipv6HeaderSlice::from_slice(network).ok()?;
                let (source, destination) = (ip.source_addr(), ip.destination_addr());
                (source.into(), destination.into(), ip.next_header().0, ip.slice().len())
            }
            _ => return None,
        };
        let transport = HEADER + network_len;
        let transport_len = match protocol {
            protocol::TCP => {
                TcpHeaderSlice::from_slice(frame.get(transport..)?).ok()?.slice().len()
            }
            protocol::UDP => 8,
            _ => return None,
        };
        let len = transport + transport_len;
        (len <= frame.len()).then_some(Self { source, destination, protocol, transport, len })
    }

    /// Where the transport's checksum field is, from the transport header on.
    pub(crate) fn checksum_field(&self) -> usize {
        if self.protocol == protocol::TCP { 16 } else { 6 }
    }
}
