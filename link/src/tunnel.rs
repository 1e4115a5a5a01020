//! [`Tunnel`]: a link without a link layer. Raw IP packets, as TUN devices, WireGuard and programs
//! that bring their own transport of packets have them; no addresses, nobody to resolve.
//!
//! It takes the place of `Link` and `Arp` together: below it a [`Frame`] is an IP packet, above it
//! is `ip`. The next hop does not matter, since there is only one other end.

use layer::boundary::{Cast, Frame, NetIn, NetOut, ethertype};
use layer::{Accounted, Counted, Instant, Layer, Out, PacketBuf, Reason};

use crate::gso;
use crate::link::HEADER;

/// Raw IP packets on any number of interfaces.
#[derive(Debug, Default)]
pub struct Tunnel {
    in_packets: u64,
    out_packets: u64,
}

impl Layer for Tunnel {
    type FromBelow = Frame;
    type ToAbove = NetIn;
    type FromAbove = NetOut;
    type ToBelow = Frame;

    fn receive(&mut self, _now: Instant, item: Frame, out: &mut Out<'_, Self>) {
        let Frame { interface, mut packet } = item;
        let version = version(&mut packet);
        let ethertype = match version {
            Some(4) => ethertype::IPV4,
            Some(6) => ethertype::IPV6,
            Some(_) => return out.drop(Reason::LinkUnknownType, packet),
            None => return out.drop(Reason::LinkRunt, packet),
        };
        self.in_packets += 1;
        out.up.push(NetIn::Packet { interface, cast: Cast::Unicast, ethertype, packet });
    }

    fn send(&mut self, _now: Instant, item: NetOut, out: &mut Out<'_, Self>) {
        self.out_packets += 1;
        out.down.push(Frame { interface: item.interface, packet: item.packet });
    }

    fn poll(&mut self, _now: Instant, _out: &mut Out<'_, Self>) {}

    fn poll_at(&self) -> Option<Instant> {
        None
    }
}

impl Accounted for Tunnel {
    fn held_items(&self) -> usize {
        0
    }

    fn held_bytes(&self) -> usize {
        0
    }
}

impl Counted for Tunnel {
    fn counters(&self, each: &mut dyn FnMut(&'static str, u64)) {
        each("TunnelInPackets", self.in_packets);
        each("TunnelOutPackets", self.out_packets);
    }
}

/// Appends to `packets` what a tunnel carries of `packet` (from the IP header on): itself, or the
/// pieces of a super-segment; no checksum left partial.
///
/// # Errors
///
/// The metadata contradicts the packet; nothing was appended.
pub fn to_tunnel(
    mut packet: PacketBuf,
    packets: &mut Vec<PacketBuf>,
) -> Result<(), gso::Uncuttable> {
    let six = version(&mut packet) == Some(6);
    let kind = if six { ethertype::IPV6 } else { ethertype::IPV4 };
    // Cutting reads the headers from Ethernet on: it is lent one.
    let header = packet.prepend(HEADER);
    header.fill(0);
    header[HEADER - 2..].copy_from_slice(&kind.to_be_bytes());
    let first = packets.len();
    gso::to_wire(packet, packets)?;
    for piece in packets.iter_mut().skip(first) {
        piece.advance(HEADER);
    }
    Ok(())
}

/// The version that an IP packet says it has; `None` if it is empty.
fn version(packet: &mut PacketBuf) -> Option<u8> {
    if packet.pull(1) { packet.head().first().map(|byte| byte >> 4) } else { None }
}
