//! Frames written by hand: what scripted peers send and what the fuzzer starts from.
//!
//! Written from the header pictures of RFC 791, 792, 768 and 9293 and independent of the crates
//! under test, so that a misunderstanding there is not repeated here. Checksums are right; whoever
//! wants wrong ones breaks them afterwards.

use core::net::Ipv4Addr;

use layer::boundary::{ethertype, protocol};
use layer::checksum::{Sum, pseudo_header};
use layer::{MacAddr, PacketBuf};

/// Bytes of an Ethernet header.
pub const ETHERNET: usize = 14;
/// Bytes of an IPv4 header without options.
pub const IPV4: usize = 20;

/// A station on a link: what a frame says of either end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// Ethernet.
    pub mac: MacAddr,
    /// IPv4.
    pub ip: Ipv4Addr,
}

impl Address {
    /// Station number `n` of a world: 02:00:00:00:00:n, 10.0.0.n.
    pub const fn numbered(n: u8) -> Self {
        Self { mac: MacAddr([2, 0, 0, 0, 0, n]), ip: Ipv4Addr::new(10, 0, 0, n) }
    }

    /// The answer to a frame that asks for our Ethernet address (RFC 826).
    pub fn arp_reply(&self, frame: &PacketBuf) -> Option<Vec<u8>> {
        let asked = arp_message(frame)?;
        let ours = asked.operation == arp::Operation::Request
            && asked.target_ip == self.ip
            && asked.sender_ip != self.ip;
        ours.then(|| {
            let reply = asked.reply(self.mac).to_packet().to_vec();
            ethernet(asked.sender_mac, self.mac, ethertype::ARP, &reply)
        })
    }

    /// A request for the Ethernet address of `target`.
    pub fn arp_request(&self, target: Ipv4Addr) -> Vec<u8> {
        let request = arp::Message::request(self.mac, self.ip, target).to_packet().to_vec();
        ethernet(MacAddr::BROADCAST, self.mac, ethertype::ARP, &request)
    }

    /// A frame with an IPv4 packet from us to `to`.
    pub fn packet(&self, to: &Self, protocol: u8, id: u16, payload: &[u8]) -> Vec<u8> {
        ethernet(to.mac, self.mac, ethertype::IPV4, &ipv4(self.ip, to.ip, protocol, id, payload))
    }
}

/// The ARP message in a frame.
pub fn arp_message(frame: &PacketBuf) -> Option<arp::Message> {
    let mut packet = frame.clone();
    let header = packet.header(ETHERNET)?;
    if header[12..14] != ethertype::ARP.to_be_bytes() {
        return None;
    }
    packet.advance(ETHERNET);
    arp::Message::parse(&packet)
}

/// An Ethernet II frame, not padded.
pub fn ethernet(to: MacAddr, from: MacAddr, kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(ETHERNET + payload.len());
    frame.extend(to.0);
    frame.extend(from.0);
    frame.extend(kind.to_be_bytes());
    frame.extend(payload);
    frame
}

/// An IPv4 packet: TTL 64, may be fragmented.
pub fn ipv4(from: Ipv4Addr, to: Ipv4Addr, protocol: u8, id: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0];
    packet.extend(low_u16(IPV4 + payload.len()).to_be_bytes());
    packet.extend(id.to_be_bytes());
    packet.extend([0, 0, 64, protocol, 0, 0]);
    packet.extend(from.octets());
    packet.extend(to.octets());
    put_checksum(&mut packet, 10, Sum::new());
    packet.extend(payload);
    packet
}

/// Sets the second byte of the IPv4 header in a frame: DSCP and ECN.
pub fn set_tos(frame: &mut [u8], tos: u8) {
    let header = &mut frame[ETHERNET..ETHERNET + IPV4];
    header[1] = tos;
    header[10..12].fill(0);
    put_checksum(header, 10, Sum::new());
}

/// An ICMP echo request (8) or reply (0).
pub fn icmp_echo(kind: u8, identifier: u16, sequence: u16, data: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, 0, 0, 0];
    message.extend(identifier.to_be_bytes());
    message.extend(sequence.to_be_bytes());
    message.extend(data);
    put_checksum(&mut message, 2, Sum::new());
    message
}

/// An ICMP error that quotes `packet`: its IP header and 8 bytes more.
pub fn icmp_error(kind: u8, code: u8, rest: u32, packet: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, code, 0, 0];
    message.extend(rest.to_be_bytes());
    message.extend(&packet[..packet.len().min(IPV4 + 8)]);
    put_checksum(&mut message, 2, Sum::new());
    message
}

/// A UDP datagram.
pub fn udp(from: (Ipv4Addr, u16), to: (Ipv4Addr, u16), payload: &[u8]) -> Vec<u8> {
    let mut datagram = Vec::new();
    datagram.extend(from.1.to_be_bytes());
    datagram.extend(to.1.to_be_bytes());
    datagram.extend(low_u16(8 + payload.len()).to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(payload);
    let sum = pseudo_header(from.0.into(), to.0.into(), protocol::UDP, datagram.len());
    put_checksum(&mut datagram, 6, sum);
    datagram
}

/// The header of a TCP segment, numbers as on the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TcpHeader {
    /// Source port.
    pub source: u16,
    /// Destination port.
    pub destination: u16,
    /// SEG.SEQ.
    pub seq: u32,
    /// SEG.ACK.
    pub ack: u32,
    /// Control bits, the low 8.
    pub flags: u8,
    /// SEG.WND, unscaled.
    pub window: u16,
    /// SEG.UP.
    pub urgent: u16,
    /// Options as they stand, padded by the writer.
    pub options: Vec<u8>,
}

/// A TCP segment.
pub fn tcp(from: Ipv4Addr, to: Ipv4Addr, header: &TcpHeader, text: &[u8]) -> Vec<u8> {
    let mut segment = tcp_segment(header, text);
    let sum = pseudo_header(from.into(), to.into(), protocol::TCP, segment.len());
    put_checksum(&mut segment, 16, sum);
    segment
}

/// A TCP segment whose checksum field is 0.
pub fn tcp_segment(header: &TcpHeader, text: &[u8]) -> Vec<u8> {
    let mut options = header.options.clone();
    options.truncate(40);
    options.resize(options.len().next_multiple_of(4), 0);
    let mut segment = Vec::with_capacity(20 + options.len() + text.len());
    segment.extend(header.source.to_be_bytes());
    segment.extend(header.destination.to_be_bytes());
    segment.extend(header.seq.to_be_bytes());
    segment.extend(header.ack.to_be_bytes());
    let words = 5 + options.len() / 4;
    segment.extend([(words << 4) as u8, header.flags]);
    segment.extend(header.window.to_be_bytes());
    segment.extend([0, 0]);
    segment.extend(header.urgent.to_be_bytes());
    segment.extend(options);
    segment.extend(text);
    segment
}

/// Completes `sum` over `bytes` and stores it at `at`, where 0 stands now.
fn put_checksum(bytes: &mut [u8], at: usize, mut sum: Sum) {
    sum.add(bytes);
    bytes[at..at + 2].copy_from_slice(&sum.checksum().to_be_bytes());
}

/// Lengths here fit; what does not would be a packet nobody can send.
fn low_u16(value: usize) -> u16 {
    (value & 0xffff) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Address = Address::numbered(1);
    const B: Address = Address::numbered(2);

    #[test]
    fn a_strict_parser_reads_what_is_written() {
        let header =
            TcpHeader { source: 1, destination: 2, seq: 3, flags: 2, ..Default::default() };
        let segment = tcp(A.ip, B.ip, &header, b"text");
        let datagram = udp((A.ip, 5), (B.ip, 6), b"odd");
        for (protocol, payload, field) in
            [(protocol::TCP, &segment, 16), (protocol::UDP, &datagram, 6)]
        {
            let frame = A.packet(&B, protocol, 7, payload);
            let parsed = etherparse::SlicedPacket::from_ethernet(&frame).unwrap();
            let etherparse::NetSlice::Ipv4(ip) = parsed.net.unwrap() else { panic!("IPv4") };
            assert_eq!(
                ip.header().to_header().calc_header_checksum(),
                ip.header().header_checksum()
            );
            let stored = u16::from_be_bytes([payload[field], payload[field + 1]]);
            let expected = match parsed.transport.unwrap() {
                etherparse::TransportSlice::Tcp(tcp) => {
                    tcp.calc_checksum_ipv4(A.ip.octets(), B.ip.octets())
                }
                etherparse::TransportSlice::Udp(udp) => {
                    udp.to_header().calc_checksum_ipv4(&ip.header().to_header(), udp.payload())
                }
                other => panic!("{other:?}"),
            };
            assert_eq!(stored, expected.unwrap());
        }
    }

    #[test]
    fn arp_is_answered_for_our_address_only() {
        let asks = |target| PacketBuf::copy_from(&A.arp_request(target));
        let reply = B.arp_reply(&asks(B.ip)).map(|reply| PacketBuf::copy_from(&reply)).unwrap();
        let message = arp_message(&reply).unwrap();
        assert_eq!((message.sender_mac, message.sender_ip), (B.mac, B.ip));
        assert_eq!(reply.head()[..6], A.mac.0);
        assert_eq!(B.arp_reply(&asks(Ipv4Addr::new(10, 0, 0, 3))), None);
        assert_eq!(A.arp_reply(&reply), None, "an answer is not answered");
    }
}
