//! The laws of a layer, on valid, nearly valid and arbitrary frames.

use laws::{BoxedStrategy, Limits, Strategy, Subject, check, proptest::prelude::*, strategy};
use layer::boundary::{EthIn, EthOut, Frame, ethertype};
use layer::{InterfaceId, MacAddr, PacketBuf};
use link::{Config, Link};

const INTERFACE: InterfaceId = InterfaceId(0);
const OURS: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);

struct Links;

fn station() -> BoxedStrategy<MacAddr> {
    prop_oneof![
        Just(OURS),
        Just(MacAddr([2, 0, 0, 0, 0, 2])),
        Just(MacAddr::BROADCAST),
        Just(MacAddr::ZERO),
        Just(MacAddr([1, 0, 0x5e, 0, 0, 1])),
    ]
    .boxed()
}

impl Subject for Links {
    type L = Link;

    fn build(&self) -> Link {
        Link::new(Config::new(INTERFACE, OURS, 200))
    }

    fn below(&self) -> BoxedStrategy<Frame> {
        let types = prop_oneof![Just(ethertype::IPV4), Just(ethertype::ARP), any::<u16>()];
        let valid = (station(), station(), types, strategy::bytes(230)).prop_map(
            |(destination, source, ethertype, payload)| {
                let ethertype = ethertype.to_be_bytes();
                [&destination.0[..], &source.0, &ethertype, &payload].concat()
            },
        );
        let packet = |packet: PacketBuf| Frame { interface: INTERFACE, packet };
        let offloaded = (strategy::hostile(valid.boxed()), strategy::offload()).prop_map(
            |(mut packet, offload)| {
                *packet.offload_mut() = offload;
                packet
            },
        );
        offloaded.prop_map(packet).boxed()
    }

    fn above(&self) -> BoxedStrategy<EthOut> {
        (station(), any::<u16>(), strategy::packet(230), strategy::offload())
            .prop_map(|(destination, ethertype, mut packet, offload)| {
                *packet.offload_mut() = offload;
                EthOut { interface: INTERFACE, destination, ethertype, packet }
            })
            .boxed()
    }

    fn answer_above(&self, item: &EthIn, choice: u32) -> Option<EthOut> {
        let EthIn { interface, source, ethertype, packet, .. } = item.clone();
        (choice.is_multiple_of(2)).then_some(EthOut {
            interface,
            destination: source,
            ethertype,
            packet,
        })
    }

    fn limits(&self) -> Limits {
        Limits { held_items: 0, held_bytes: 0, outputs: 1, exact: true, ..Limits::default() }
    }
}

#[test]
fn link_obeys_the_laws() {
    check(&Links, 256);
}
