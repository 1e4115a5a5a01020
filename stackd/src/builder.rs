//! [`Builder`]: describes a stack, opens its devices, and checks what can go wrong before any
//! thread exists.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net};
use layer::InterfaceId;
use link::capture::{Capture, CaptureError};
use link::{Device, OpenError, afpacket, capture, tap};
use parking_lot::Mutex;
use rustix::net::{AddressFamily, SocketType, netdevice};
use socket::assembly::{HostConfig, InterfaceConfig};

use crate::clock::Clock;
use crate::config::{Acd, Attachment, HostAddress, Interface, Pipeline, derived_mac};
use crate::kernel_routes::{Clash, KernelRoute, clash, kernel_routes};
use crate::secrets;
use crate::stack::{InterfaceInfo, LANE_CAPACITY, Stack};

/// Frames that the kernel queues towards us on a TAP. The default of 1000 is less than what the
/// windows of a few fast connections hold at MTU 1500, and a TAP drops what does not fit.
const QUEUE_FRAMES: u32 = 4096;

/// Most receive buffer of a connection where the device may drop: 700 frames at MTU 1500, of the
/// 1000 that a TAP queues unless told otherwise.
const SMALL_RECEIVE_BUFFER: u32 = 1 << 20;

/// Most send buffer of a connection: in-flight data above 1 MiB no longer gains anything on a TAP.
const SEND_BUFFER: u32 = 2 << 20;

/// Most receive buffer of a connection, bytes: two thirds of that queue. The peer, the threads in
/// between and the program take turns on few CPUs; at 1 MiB each waits for the others.
const RECEIVE_BUFFER: u32 = 4 << 20;

/// Why a stack could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A stack needs an interface.
    #[error("a stack needs at least one interface, and at most {}", crate::io::MOST_DEVICES)]
    Interfaces,
    /// A device could not be opened.
    #[error("cannot use {attachment}: {source}")]
    Open {
        /// Which.
        attachment: String,
        /// Why.
        source: OpenError,
    },
    /// An address that the machine's end would get is in a network it reaches elsewhere.
    #[error(
        "{network} on {interface} clashes with the existing route {} via {}: one of them could \
         not be reached", route.destination, route.interface
    )]
    Clash {
        /// The network of the new address.
        network: Ipv4Net,
        /// The TAP it was meant for.
        interface: String,
        /// The route that is there already.
        route: KernelRoute,
    },
    /// The device cannot carry packets that large.
    #[error("{name} carries IP packets of at most {most} bytes, not {mtu}")]
    MtuTooLarge {
        /// The device.
        name: String,
        /// What was asked for.
        mtu: u32,
        /// Its MTU.
        most: u32,
    },
    /// The operating system gave no secret.
    #[error("no random numbers for the stack's secrets: {0}")]
    Secret(std::io::Error),
    /// The capture file could not be made.
    #[error("cannot write {}: {source}", path.display())]
    Capture {
        /// The file.
        path: PathBuf,
        /// Why.
        source: CaptureError,
    },
    /// No threads, or no descriptors for them.
    #[error("cannot start the stack's threads: {0}")]
    Threads(std::io::Error),
}

/// Describes a stack. See [`Stack::builder`].
#[derive(Debug)]
pub struct Builder {
    interfaces: Vec<Interface>,
    gateway: Option<IpAddr>,
    any_address: bool,
    acd: Acd,
    pipeline: Pipeline,
    offload: bool,
    capture: Option<PathBuf>,
    lane_capacity: usize,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            interfaces: Vec::new(),
            gateway: None,
            any_address: false,
            acd: Acd::default(),
            pipeline: Pipeline::default(),
            offload: true,
            capture: None,
            lane_capacity: LANE_CAPACITY,
        }
    }
}

/// Everything that a stack is wired from.
pub(crate) struct Opened {
    pub(crate) config: HostConfig,
    pub(crate) devices: Vec<Device>,
    pub(crate) interfaces: Vec<InterfaceInfo>,
    pub(crate) pipeline: Pipeline,
    pub(crate) lane_capacity: usize,
    pub(crate) capture: Option<Arc<Mutex<Capture>>>,
}

impl Builder {
    /// Adds an interface.
    #[must_use]
    pub fn interface(mut self, interface: Interface) -> Self {
        self.interfaces.push(interface);
        self
    }

    /// Sets the default router.
    #[must_use]
    pub fn gateway(mut self, gateway: impl Into<Option<IpAddr>>) -> Self {
        self.gateway = gateway.into();
        self
    }

    /// Takes every unicast address that packets come in for as ours: the stack stands for a whole
    /// network. See `socket::net::TcpSocket::listen_everywhere`.
    #[must_use]
    pub fn any_address(mut self, any_address: bool) -> Self {
        self.any_address = any_address;
        self
    }

    /// Sets how address conflicts are looked for.
    #[must_use]
    pub fn acd(mut self, acd: Acd) -> Self {
        self.acd = acd;
        self
    }

    /// Sets where the threads are.
    #[must_use]
    pub fn pipeline(mut self, pipeline: Pipeline) -> Self {
        self.pipeline = pipeline;
        self
    }

    /// Exchange super-frames and unfinished checksums with devices that can; on unless said.
    #[must_use]
    pub fn offload(mut self, offload: bool) -> Self {
        self.offload = offload;
        self
    }

    /// Writes every frame to a pcapng file.
    #[must_use]
    pub fn capture(mut self, path: impl Into<Option<PathBuf>>) -> Self {
        self.capture = path.into();
        self
    }

    /// Batches that a channel between two stages holds, at least 1.
    #[must_use]
    pub fn lane_capacity(mut self, batches: usize) -> Self {
        self.lane_capacity = batches.max(1);
        self
    }

    /// Opens the devices and starts the threads. When this returns, the stack answers.
    ///
    /// # Errors
    ///
    /// [`StartError`]; nothing is left behind then.
    pub fn start(self) -> Result<Stack, StartError> {
        Stack::run(self.open()?)
    }

    fn open(self) -> Result<Opened, StartError> {
        let Self {
            interfaces,
            gateway,
            any_address,
            acd,
            pipeline,
            offload,
            capture,
            lane_capacity,
        } = self;
        if interfaces.is_empty() || interfaces.len() > crate::io::MOST_DEVICES {
            return Err(StartError::Interfaces);
        }
        let mut config = HostConfig::new(secrets::key().map_err(StartError::Secret)?);
        (config.gateway, config.any_address) = (gateway, any_address);
        let mut devices = Vec::new();
        let mut infos = Vec::new();
        for interface in interfaces {
            let (device, info) = open_interface(interface, offload)?;
            let addresses = info.addresses.iter().copied().map(IpNet::V4).collect();
            let mut spoken = InterfaceConfig::new(info.mac, addresses);
            (spoken.mtu, spoken.acd) = (info.mtu, acd_of(acd));
            config = config.interface(spoken);
            devices.push(device);
            infos.push(info);
        }
        // Where nothing is dropped for it: a queue of super-frames, or one that we made long.
        let patient = devices.iter().all(|device| device.offload || device.created);
        config.tcp.receive_buffer.most =
            if patient { RECEIVE_BUFFER } else { SMALL_RECEIVE_BUFFER };
        config.tcp.send_buffer.most = SEND_BUFFER;
        let capture = capture.map(|path| create_capture(&path, &infos)).transpose()?;
        if let Some(capture) = &capture {
            let tee = |(index, device)| capture::tee(device, id(index), capture, Clock::unix_ns);
            devices = devices.into_iter().enumerate().map(tee).collect();
        }
        Ok(Opened { config, devices, interfaces: infos, pipeline, lane_capacity, capture })
    }
}

fn id(index: usize) -> InterfaceId {
    InterfaceId(u16::try_from(index).unwrap_or(u16::MAX))
}

fn acd_of(acd: Acd) -> arp::Acd {
    match acd {
        Acd::Optimistic => arp::Acd::Optimistic,
        Acd::Strict => arp::Acd::Strict,
        Acd::Off => arp::Acd::Off,
    }
}

fn create_capture(
    path: &Path,
    interfaces: &[InterfaceInfo],
) -> Result<Arc<Mutex<Capture>>, StartError> {
    let names: Vec<&str> = interfaces.iter().map(|interface| interface.name.as_str()).collect();
    let capture = Capture::create(path, &names)
        .map_err(|source| StartError::Capture { path: path.to_owned(), source })?;
    Ok(Arc::new(Mutex::new(capture)))
}

fn open_interface(
    interface: Interface,
    offload: bool,
) -> Result<(Device, InterfaceInfo), StartError> {
    let host_address = host_address(&interface)?;
    let Interface { attachment, addresses, host_address: _, mac, mtu } = interface;
    let options =
        tap::Options { offload, mtu, up: true, host_address, queue_frames: Some(QUEUE_FRAMES) };
    let shown = attachment.to_string();
    let device = match attachment {
        Attachment::Tap(name) => tap::open(&name, &options),
        Attachment::Descriptor(number) => tap::inherit(number, &options),
        Attachment::Packet(name) => {
            afpacket::open(&name, &afpacket::Options { offload, promiscuous: true })
        }
        Attachment::Device(device) => Ok(*device),
    }
    .map_err(|source| StartError::Open { attachment: shown, source })?;
    let mtu = mtu.unwrap_or(device.mtu);
    if mtu > device.mtu {
        let (name, most) = (device.name, device.mtu);
        return Err(StartError::MtuTooLarge { name, mtu, most });
    }
    // Also on an interface that has an address of its own: the kernel there answers to that one.
    let mac = mac.unwrap_or_else(|| derived_mac(addresses.first().map(Ipv4Net::addr)));
    let info = InterfaceInfo {
        name: device.name.clone(),
        mac,
        mtu,
        addresses,
        host_address,
        offload: device.offload,
        created: device.created,
    };
    Ok((device, info))
}

/// The address to give the machine's end, checked against the routes that are there.
fn host_address(interface: &Interface) -> Result<Option<Ipv4Net>, StartError> {
    let (name, exists) = match &interface.attachment {
        Attachment::Tap(name) => (name.as_str(), interface_exists(name)),
        Attachment::Descriptor(_) => ("", true),
        Attachment::Packet(_) | Attachment::Device(_) => return Ok(None),
    };
    let address = match interface.host_address {
        HostAddress::None => None,
        HostAddress::Given(address) => Some(address),
        HostAddress::Derived if exists => None,
        HostAddress::Derived => interface.derived_host_address(),
    };
    let Some(address) = address else { return Ok(None) };
    let network = address.trunc();
    match clash(network, name, &kernel_routes()) {
        Some(Clash::Conflict(route)) => {
            let interface = name.to_owned();
            return Err(StartError::Clash { network, interface, route });
        }
        Some(Clash::Shadow(route)) => tracing::warn!(
            "{network} is taken out of the existing route {} via {}",
            route.destination,
            route.interface
        ),
        None => {}
    }
    Ok(Some(address))
}

/// Whether this network namespace has an interface of that name.
pub fn interface_exists(name: &str) -> bool {
    rustix::net::socket(AddressFamily::INET, SocketType::DGRAM, None)
        .and_then(|socket| netdevice::name_to_index(&socket, name))
        .is_ok()
}
