//! [`Segment`]: stations on one link: two on a cable, more on a hub or a switch.
//!
//! ```text
//!   station --wire 0--> +--------+        A frame is put on its sender's wire; what arrives at the
//!   station --wire 1--> | middle | -----> middle goes to every other port (hub), or to the one
//!   station --wire 2--> +--------+        behind which the destination was seen (switch).
//! ```
//!
//! All faults are on the way to the middle; from there on it takes no time and loses nothing. With
//! two stations that is a cable with a wire for each direction.

use std::collections::BTreeMap;

use layer::{Instant, InterfaceId, MacAddr, PacketBuf};

use crate::rng::Rng;
use crate::wire::{Wire, WireConfig, WireStats};

/// What is in the middle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Middle {
    /// Everybody hears everything; between two stations, a cable.
    Hub,
    /// Learns who is where, as IEEE 802.1D bridges do.
    Switch,
}

/// One end.
#[derive(Debug)]
struct Port {
    station: usize,
    interface: InterfaceId,
    wire: Wire,
}

/// Stations on one link.
#[derive(Debug)]
pub struct Segment {
    middle: Middle,
    ports: Vec<Port>,
    learned: BTreeMap<MacAddr, usize>,
}

/// A frame at its receiver.
pub struct Arrival {
    /// Which station.
    pub station: usize,
    /// By which of its interfaces.
    pub interface: InterfaceId,
    /// The frame.
    pub packet: PacketBuf,
}

impl Segment {
    /// A link without stations.
    pub fn new(middle: Middle) -> Self {
        Self { middle, ports: Vec::new(), learned: BTreeMap::new() }
    }

    /// Plugs a station in.
    pub fn attach(&mut self, station: usize, interface: InterfaceId, config: WireConfig, rng: Rng) {
        self.ports.push(Port { station, interface, wire: Wire::new(config, rng) });
    }

    /// The wire on which a station sends.
    pub fn wire_mut(&mut self, station: usize, interface: InterfaceId) -> Option<&mut Wire> {
        let mut ports = self.ports.iter_mut();
        let port = ports.find(|port| port.station == station && port.interface == interface)?;
        Some(&mut port.wire)
    }

    /// Changes all wires from now on.
    pub fn set_wires(&mut self, config: WireConfig) {
        self.ports.iter_mut().for_each(|port| port.wire.set_config(config));
    }

    /// The wires, in the order of attachment.
    pub fn wires(&self) -> impl Iterator<Item = &Wire> {
        self.ports.iter().map(|port| &port.wire)
    }

    /// When the next frame arrives.
    pub fn next_at(&self) -> Option<Instant> {
        self.wires().filter_map(Wire::next_at).min()
    }

    /// All wires together.
    pub fn stats(&self) -> WireStats {
        self.wires().fold(WireStats::default(), |sum, wire| sum.plus(wire.stats()))
    }

    /// Takes the next frame that has arrived by `now`, and hands it to whom it reaches. False if
    /// there is none.
    pub fn deliver(&mut self, now: Instant, mut to: impl FnMut(Arrival)) -> bool {
        let next = |port: &Port| port.wire.next_at().filter(|&at| at <= now);
        let first = (0..self.ports.len())
            .filter_map(|index| Some((next(&self.ports[index])?, index)))
            .min();
        let Some((_, from)) = first else { return false };
        let Some(packet) = self.ports[from].wire.take(now) else { return false };
        let only = self.port_for(from, &packet);
        for (index, port) in self.ports.iter().enumerate() {
            if index != from && only.is_none_or(|only| only == index) {
                let (station, interface) = (port.station, port.interface);
                to(Arrival { station, interface, packet: packet.clone() });
            }
        }
        true
    }

    /// Learns from a frame, and says behind which port its receiver is, if that is known.
    fn port_for(&mut self, from: usize, packet: &PacketBuf) -> Option<usize> {
        if self.middle == Middle::Hub {
            return None;
        }
        let header = packet.header(12)?;
        let address = |at: usize| MacAddr(core::array::from_fn(|i| header[at + i]));
        let (destination, source) = (address(0), address(6));
        if source.is_unicast() {
            self.learned.insert(source, from);
        }
        self.learned.get(&destination).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Address, ethernet};

    /// Who hears what 1, 2, 1 send, in turn, to 2, 1, everybody.
    fn heard(middle: Middle) -> Vec<Vec<usize>> {
        let mut segment = Segment::new(middle);
        for station in 0..3 {
            let rng = Rng::derive(1, "wire", station as u64);
            segment.attach(station, InterfaceId(0), WireConfig::default(), rng);
        }
        let [one, two] = [1, 2].map(|n| Address::numbered(n).mac);
        let sends = [(0, two, one), (1, one, two), (0, two, one), (0, MacAddr::BROADCAST, one)];
        let each = sends.map(|(station, to, from)| {
            let frame = PacketBuf::copy_from(&ethernet(to, from, 0x88b5, b"x"));
            let wire = segment.wire_mut(station, InterfaceId(0)).unwrap();
            wire.put(Instant::ZERO, frame, |_| ());
            let mut stations = Vec::new();
            while segment.deliver(Instant::ZERO, |arrival| stations.push(arrival.station)) {}
            stations
        });
        each.to_vec()
    }

    #[test]
    fn a_hub_tells_everybody_and_a_switch_learns() {
        assert_eq!(heard(Middle::Hub), [vec![1, 2], vec![0, 2], vec![1, 2], vec![1, 2]]);
        assert_eq!(heard(Middle::Switch), [vec![1, 2], vec![0], vec![1], vec![1, 2]]);
    }
}
