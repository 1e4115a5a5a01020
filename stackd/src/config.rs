//! What a stack is told: its interfaces and where its threads are.

use core::fmt;
use core::net::Ipv4Addr;
use core::str::FromStr;

use ipnet::Ipv4Net;
use layer::MacAddr;

/// What an interface of the stack is attached to.
#[derive(Debug)]
pub enum Attachment {
    /// The TAP of this name: an existing one, or one made for us.
    Tap(String),
    /// An inherited descriptor: a TAP, or a socket that carries one frame a message.
    Descriptor(i32),
    /// An Ethernet interface of the machine, through a packet socket.
    Packet(String),
    /// A device that is open already, such as an end of [`link::cable`].
    Device(Box<link::Device>),
}

impl fmt::Display for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tap(name) => write!(f, "TAP {name}"),
            Self::Descriptor(number) => write!(f, "descriptor {number}"),
            Self::Packet(name) => write!(f, "interface {name}"),
            Self::Device(device) => f.write_str(&device.name),
        }
    }
}

/// The address that the machine's own end of a TAP gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HostAddress {
    /// The first address of the interface's first network that is not ours, if the TAP is made for
    /// us; none on a TAP that somebody has prepared.
    #[default]
    Derived,
    /// Left as it is.
    None,
    /// This one.
    Given(Ipv4Net),
}

/// One interface of the stack.
#[derive(Debug)]
pub struct Interface {
    /// What it is attached to.
    pub attachment: Attachment,
    /// Our addresses on it.
    pub addresses: Vec<Ipv4Net>,
    /// The address of the machine's end, on a TAP.
    pub host_address: HostAddress,
    /// Our Ethernet address; `None` derives one from the first IP address, see [`derived_mac`].
    pub mac: Option<MacAddr>,
    /// Largest IP packet, bytes; set on a TAP. `None` asks the device.
    pub mtu: Option<u32>,
}

impl Interface {
    /// An interface without addresses.
    pub fn new(attachment: Attachment) -> Self {
        let (addresses, host_address) = (Vec::new(), HostAddress::Derived);
        Self { attachment, addresses, host_address, mac: None, mtu: None }
    }

    /// A TAP.
    pub fn tap(name: &str) -> Self {
        Self::new(Attachment::Tap(name.to_owned()))
    }

    /// An open device.
    pub fn device(device: link::Device) -> Self {
        Self::new(Attachment::Device(Box::new(device)))
    }

    /// Adds an address of ours.
    #[must_use]
    pub fn address(mut self, address: Ipv4Net) -> Self {
        self.addresses.push(address);
        self
    }

    /// What the machine's end would be called if it were derived: `None` where the network has no
    /// room for two.
    pub fn derived_host_address(&self) -> Option<Ipv4Net> {
        let first = self.addresses.first()?;
        let free = |&host: &Ipv4Addr| self.addresses.iter().all(|ours| ours.addr() != host);
        let host = first.hosts().find(free)?;
        Ipv4Net::new(host, first.prefix_len()).ok()
    }
}

/// A locally administered Ethernet address that is the same at every start and unique on the link
/// as long as the IP address is: 02:00 and the four bytes of the IP address.
pub fn derived_mac(address: Option<Ipv4Addr>) -> MacAddr {
    let [a, b, c, d] = address.unwrap_or(Ipv4Addr::UNSPECIFIED).octets();
    MacAddr([0x02, 0x00, a, b, c, d])
}

/// Address conflict detection (RFC 5227).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Acd {
    /// Addresses are used at once, probes run alongside.
    #[default]
    Optimistic,
    /// RFC 5227 2.1.1: no address is used before its probes went unanswered.
    Strict,
    /// No probes.
    Off,
}

/// Where the threads are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pipeline {
    /// A thread for each layer, channels between them: `io | link | arp | ip | transports`.
    #[default]
    Layers,
    /// Fewer and longer stages: `io | link+arp+ip | transports`.
    Stages,
    /// Everything in the thread that reads the devices, no channels.
    Inline,
}

impl Pipeline {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Layers, Self::Stages, Self::Inline];

    /// As on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Layers => "layers",
            Self::Stages => "stages",
            Self::Inline => "inline",
        }
    }
}

/// Not the name of a pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoSuchPipeline;

impl fmt::Display for NoSuchPipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a pipeline is layers, stages or inline")
    }
}

impl std::error::Error for NoSuchPipeline {}

impl FromStr for Pipeline {
    type Err = NoSuchPipeline;

    fn from_str(text: &str) -> Result<Self, NoSuchPipeline> {
        Self::ALL.into_iter().find(|pipeline| pipeline.name() == text).ok_or(NoSuchPipeline)
    }
}

#[cfg(test)]
mod tests;
