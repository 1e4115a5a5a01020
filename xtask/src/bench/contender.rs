//! Who is measured: the kernel, our stack in each topology, a ceiling, other stacks.

use crate::netns::case::Pipeline;

use super::measure::Measure;

/// A stack under test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// Linux itself at the other end of a veth pair: what the others are compared with.
    Kernel,
    Stackd(Pipeline),
    /// The least that keeps a kernel's TCP going over a TAP (`ceiling.rs`): not a TCP.
    Ceiling,
    /// Crate smoltcp, with buffers of so many KiB a socket and direction.
    Smoltcp {
        buffer: u32,
    },
    /// Crate ipstack.
    Ipstack,
    /// Debian's liblwip.
    Lwip,
    /// Debian's passt, as pasta.
    Pasta,
    /// Debian's slirp4netns.
    Slirp,
    /// The kernel's veth once more, under iperf3: says whether our load generator is right.
    Iperf3,
    /// Any program that puts a stack on a TAP.
    Program {
        name: String,
        /// Words of its command line; `{offload}` stands for `on` or `off`.
        command: Vec<String>,
    },
}

/// Where a peer's stack sits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seat {
    /// The kernel of a second namespace, at the other end of a veth pair.
    Veth,
    /// A program on a TAP of the namespace.
    Tap,
    /// A program on a TUN of the namespace.
    Tun,
    /// A program that makes the device itself.
    OwnDevice,
    /// A program in a second namespace that passes connections on to sockets there.
    Relay,
}

impl Peer {
    /// Those that this program knows, in the table's order.
    pub(super) fn known() -> Vec<Peer> {
        let mut known = vec![Peer::Kernel];
        known.extend([Pipeline::Inline, Pipeline::Stages, Pipeline::Layers].map(Peer::Stackd));
        known.extend([Peer::Ceiling, Peer::Smoltcp { buffer: 64 }, Peer::Smoltcp { buffer: 1024 }]);
        known.extend([Peer::Ipstack, Peer::Lwip, Peer::Pasta, Peer::Slirp]);
        known
    }

    /// As the table calls it.
    pub(super) fn name(&self) -> String {
        match self {
            Peer::Kernel => "kernel over veth".to_owned(),
            Peer::Stackd(pipeline) => format!("stackd {}", pipeline.name()),
            Peer::Ceiling => "ceiling".to_owned(),
            Peer::Smoltcp { buffer: 1024 } => "smoltcp 1 MiB".to_owned(),
            Peer::Smoltcp { buffer } => format!("smoltcp {buffer} KiB"),
            Peer::Ipstack => "ipstack".to_owned(),
            Peer::Lwip => "lwip".to_owned(),
            Peer::Pasta => "pasta".to_owned(),
            Peer::Slirp => "slirp4netns".to_owned(),
            Peer::Iperf3 => "kernel, by iperf3".to_owned(),
            Peer::Program { name, .. } => name.clone(),
        }
    }

    /// As `--peers` and filters name it.
    pub(super) fn slug(&self) -> String {
        self.name().replace(", ", "-").replace(' ', "-")
    }

    pub(super) fn seat(&self) -> Seat {
        match self {
            Peer::Kernel | Peer::Iperf3 => Seat::Veth,
            Peer::Stackd(_) => Seat::OwnDevice,
            Peer::Ceiling | Peer::Smoltcp { .. } | Peer::Lwip | Peer::Program { .. } => Seat::Tap,
            Peer::Ipstack => Seat::Tun,
            Peer::Pasta | Peer::Slirp => Seat::Relay,
        }
    }

    /// Whether it can do with super-frames. One that cannot is measured without, and its latency
    /// is compared with that of the others as they are.
    pub(super) fn has_offload(&self) -> bool {
        match self {
            Peer::Kernel | Peer::Stackd(_) | Peer::Ceiling | Peer::Iperf3 => true,
            Peer::Program { .. } => true,
            Peer::Smoltcp { .. } | Peer::Ipstack | Peer::Lwip | Peer::Pasta | Peer::Slirp => false,
        }
    }

    /// Whether this measurement of it says anything.
    pub(super) fn can(&self, measure: Measure, mtu: u32) -> bool {
        match self {
            Peer::Stackd(_) => true,
            // None of them is a program with a stack of its own in it, as far as is known.
            Peer::Kernel | Peer::Program { .. } | Peer::Ceiling => !measure.is_of_program(),
            // As its own benchmark has it, for comparison with the larger one.
            Peer::Smoltcp { buffer: 64 } => matches!(measure, Measure::Bulk { streams: 1, .. }),
            Peer::Smoltcp { .. } | Peer::Ipstack => true,
            // Debian's is built for segments of 1460 bytes.
            Peer::Lwip => mtu <= 1500,
            // They say nothing when they are ready, and what they hold is of no use by itself.
            Peer::Pasta | Peer::Slirp => !matches!(measure, Measure::StartUp | Measure::RestMemory),
            Peer::Iperf3 => matches!(measure, Measure::Bulk { streams: 1, .. }),
        }
    }
}
