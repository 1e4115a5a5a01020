//! The kinds of measurement: what each is called, its unit, what it needs.

use serde::Serialize;

/// What is done to a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Measure {
    /// As much as goes through.
    Bulk { way: Way, streams: u32 },
    /// `size` bytes and their echo, again and again.
    RoundTrip { placement: Placement, size: u32 },
    /// Connect, a byte, its echo, close by the kernel's end, again and again.
    Connections { placement: Placement, at_once: u32 },
    /// Memory that an idle connection holds.
    IdleConnection,
    /// From the command to `ready`.
    StartUp,
    /// Memory of a stack that has nothing to do.
    RestMemory,
}

/// Which way the bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Way {
    /// From the kernel to the stack under test.
    In,
    /// From the stack under test to the kernel.
    Out,
}

/// Where the two ends run. To wake an idle CPU of a virtual machine takes ten times as long as to
/// switch processes on a busy one, so these are different measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Placement {
    /// Both on one CPU.
    Same,
    /// One on each of two CPUs.
    Cross,
    /// Wherever the kernel puts them.
    Free,
}

/// Streams, or connections at once, where it is not one.
pub(super) const MANY: u32 = 16;

/// Bytes of a large ping.
pub(super) const LARGE: u32 = 1024;

impl Placement {
    fn slug(self) -> &'static str {
        match self {
            Placement::Same => "same",
            Placement::Cross => "cross",
            Placement::Free => "free",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Placement::Same => "both on one CPU",
            Placement::Cross => "across two CPUs",
            Placement::Free => "on any CPUs",
        }
    }
}

impl Measure {
    /// All of them, in the table's order.
    pub(super) fn all() -> Vec<Measure> {
        let mut all = Vec::new();
        for streams in [1, MANY] {
            for way in [Way::In, Way::Out] {
                all.push(Measure::Bulk { way, streams });
            }
        }
        for size in [1, LARGE] {
            for placement in [Placement::Same, Placement::Cross] {
                all.push(Measure::RoundTrip { placement, size });
            }
        }
        for placement in [Placement::Same, Placement::Free] {
            for at_once in [1, MANY] {
                all.push(Measure::Connections { placement, at_once });
            }
        }
        all.extend([Measure::IdleConnection, Measure::StartUp, Measure::RestMemory]);
        all
    }

    /// As a filter names it.
    pub(super) fn slug(self) -> String {
        let several = |count| if count == 1 { String::new() } else { format!("-{count}") };
        match self {
            Measure::Bulk { way: Way::In, streams } => format!("bulk-in{}", several(streams)),
            Measure::Bulk { way: Way::Out, streams } => format!("bulk-out{}", several(streams)),
            Measure::RoundTrip { placement, size } => {
                format!("round-trip-{}{}", placement.slug(), several(size))
            }
            Measure::Connections { placement, at_once } => {
                format!("connections-{}{}", placement.slug(), several(at_once))
            }
            Measure::IdleConnection => "idle-connection".to_owned(),
            Measure::StartUp => "start-up".to_owned(),
            Measure::RestMemory => "rest-memory".to_owned(),
        }
    }

    /// As the table heads it.
    pub(super) fn title(self) -> String {
        let streams = |count| match count {
            1 => String::new(),
            count => format!(", {count} streams"),
        };
        match self {
            Measure::Bulk { way: Way::In, streams: count } => {
                format!("Bulk, kernel -> stack{}", streams(count))
            }
            Measure::Bulk { way: Way::Out, streams: count } => {
                format!("Bulk, stack -> kernel{}", streams(count))
            }
            Measure::RoundTrip { placement, size } => {
                let bytes = if size == 1 { "byte" } else { "bytes" };
                format!("Round trip of {size} {bytes}, {}", placement.title())
            }
            Measure::Connections { placement, at_once } => {
                format!("Connect-request-close, {at_once} at a time, {}", placement.title())
            }
            Measure::IdleConnection => "Memory per idle connection".to_owned(),
            Measure::StartUp => "Start-up, command to ready".to_owned(),
            Measure::RestMemory => "Resident memory at rest".to_owned(),
        }
    }

    /// Unit of the figure that is compared.
    pub(super) fn unit(self) -> &'static str {
        match self {
            Measure::Bulk { .. } => "Gbit/s",
            Measure::RoundTrip { .. } => "us",
            Measure::Connections { .. } => "a second",
            Measure::IdleConnection => "bytes",
            Measure::StartUp => "ms",
            Measure::RestMemory => "MiB",
        }
    }

    /// Whether more of it is better.
    pub(super) fn more_is_better(self) -> bool {
        match self {
            Measure::Bulk { .. } | Measure::Connections { .. } => true,
            Measure::RoundTrip { .. }
            | Measure::IdleConnection
            | Measure::StartUp
            | Measure::RestMemory => false,
        }
    }

    /// What CPU time is counted for; none where it is not counted.
    pub(super) fn cpu_unit(self) -> Option<&'static str> {
        match self {
            Measure::Bulk { .. } => Some("s/GB"),
            Measure::RoundTrip { .. } => Some("us a round trip"),
            Measure::Connections { .. } => Some("us a connection"),
            Measure::IdleConnection | Measure::StartUp | Measure::RestMemory => None,
        }
    }

    /// Whether the size of packets and what the device takes over make a difference that is worth
    /// rows of its own by default.
    pub(super) fn is_bulk(self) -> bool {
        matches!(self, Measure::Bulk { .. })
    }

    /// Whether it says something of a program rather than of its traffic.
    pub(super) fn is_of_program(self) -> bool {
        match self {
            Measure::IdleConnection | Measure::StartUp | Measure::RestMemory => true,
            Measure::Bulk { .. } | Measure::RoundTrip { .. } | Measure::Connections { .. } => false,
        }
    }

    /// CPUs it cannot do without.
    pub(super) fn cpus(self) -> usize {
        match self {
            Measure::RoundTrip { placement: Placement::Cross, .. } => 2,
            _ => 1,
        }
    }
}
