//! TAP devices: an Ethernet between this program and the kernel.
//!
//! Crate `tun` opens and configures them; frames then go over the descriptor itself (see `fd`).
//! What `tun` does not set is set here, always and explicitly: the offload flags and the size of
//! the virtio-net header stay on a persistent TAP after its last user, and the next one would read
//! headers or super-frames it did not ask for.
//!
//! Left out: several queues, and TUN devices (no Ethernet).

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};

use ipnet::Ipv4Net;
use nix::libc;
use rustix::net::SocketType;
use tun::AbstractDevice;

use crate::device::{Device, OpenError, check_name};
use crate::fd::{Kind, Offloads, Port};
use crate::{sys, vnet};

/// `TUN_F_CSUM`: frames may come with partial checksums.
const F_CSUM: u32 = 0x01;
/// `TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN`: and TCP super-segments.
const F_TSO: u32 = 0x02 | 0x04 | 0x08;
/// `TUN_F_USO4 | TUN_F_USO6` (Linux 6.2): and UDP super-segments.
const F_USO: u32 = 0x20 | 0x40;

/// MTU of a device that has none of its own to ask for.
const DEFAULT_MTU: u32 = 1500;

/// How a TAP is opened and what is set on it. What is already as wanted is left alone, so that a
/// device prepared by root serves a user without privileges.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Exchange super-segments and partial checksums with the kernel.
    pub offload: bool,
    /// MTU to set.
    pub mtu: Option<u32>,
    /// Bring the interface up.
    pub up: bool,
    /// Address to give the kernel's end.
    pub host_address: Option<Ipv4Net>,
    /// Frames that the kernel queues towards us (`txqueuelen`, 1000 unless set). Left as it is if
    /// we may not change it.
    pub queue_frames: Option<u32>,
}

/// Opens the TAP `name`: makes it, or attaches to a persistent one.
///
/// # Errors
///
/// [`OpenError`], each kind with what to do about it.
pub fn open(name: &str, options: &Options) -> Result<Device, OpenError> {
    check_name(name)?;
    let control = control(name)?;
    let created = sys::interface_index(&control, name).is_none();
    let mut configuration = tun::configure();
    configuration.tun_name(name).layer(tun::Layer::L2).platform_config(|platform| {
        // Or it would want to configure the interface at once.
        platform.ensure_root_privileges(false);
        platform.vnet_hdr(options.offload);
    });
    let tap = tun::create(&configuration).map_err(|error| open_error(name, created, error))?;
    finish(tap, name, control.as_fd(), options, options.offload, created)
}

/// Uses a descriptor inherited under `number`: a TAP, or a connected socket that keeps message
/// boundaries (`SOCK_SEQPACKET`, `SOCK_DGRAM`) with one frame a message. The number itself stays
/// open; the device has a duplicate.
///
/// # Errors
///
/// [`OpenError::BadDescriptor`] if it is neither; and as for [`open`].
pub fn inherit(number: RawFd, options: &Options) -> Result<Device, OpenError> {
    let fd = sys::duplicate(number)
        .map_err(|error| OpenError::BadDescriptor { number, reason: error.to_string() })?;
    from_fd(fd, options)
}

/// Uses an open descriptor, see [`inherit`].
///
/// # Errors
///
/// As [`inherit`].
pub fn from_fd(fd: OwnedFd, options: &Options) -> Result<Device, OpenError> {
    let number = fd.as_raw_fd();
    // No ioctl of a TAP works on anything else: that is how one is told from a socket.
    let Ok((name, flags)) = sys::tap_state(fd.as_fd()) else { return from_socket(fd, options) };
    if flags & libc::IFF_TAP == 0 || flags & libc::IFF_MULTI_QUEUE != 0 {
        return Err(OpenError::NotATap { name });
    }
    if flags & libc::IFF_NO_PI == 0 {
        let reason = "the TAP was opened without IFF_NO_PI".to_owned();
        return Err(OpenError::BadDescriptor { number, reason });
    }
    let control = control(&name)?;
    let mut configuration = tun::configure();
    configuration.tun_name(&name).layer(tun::Layer::L2).raw_fd(fd.into_raw_fd());
    let tap = tun::create(&configuration).map_err(|error| open_error(&name, false, error))?;
    finish(tap, &name, control.as_fd(), options, flags & libc::IFF_VNET_HDR != 0, false)
}

fn control(name: &str) -> Result<OwnedFd, OpenError> {
    sys::control_socket().map_err(|error| OpenError::configure(name, "set options", error))
}

/// Sorts what can go wrong with /dev/net/tun and TUNSETIFF.
fn open_error(name: &str, created: bool, error: tun::Error) -> OpenError {
    let error = io::Error::from(error);
    let name = name.to_owned();
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => {
            let what = if created { "create TAP" } else { "attach to TAP" };
            OpenError::NoPermission { name, what, source: error }
        }
        Some(libc::EBUSY) => OpenError::Busy { name },
        Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => OpenError::NoTunDevice,
        // TUNSETIFF: the name belongs to something of another kind, or with several queues.
        Some(libc::EINVAL) if !created => OpenError::NotATap { name },
        _ => OpenError::Configure { name, what: "open the TAP", source: error },
    }
}

/// Everything after TUNSETIFF.
fn finish(
    mut tap: tun::Device,
    name: &str,
    control: BorrowedFd<'_>,
    options: &Options,
    header: bool,
    created: bool,
) -> Result<Device, OpenError> {
    configure(&mut tap, name, control, options)?;
    let mtu = options.mtu.or_else(|| sys::interface_mtu(control, name).ok()).unwrap_or(DEFAULT_MTU);
    let fd = sys::own(tap.into_raw_fd());
    let offloads = set_offloads(fd.as_fd(), header, options.offload)
        .map_err(|error| OpenError::configure(name, "set offloads", error))?;
    let port = Port { fd, name: name.to_owned(), kind: Kind::Tap, offloads };
    device(port, mtu, created)
}

/// Both halves of a device over `port`.
fn device(port: Port, mtu: u32, created: bool) -> Result<Device, OpenError> {
    let (name, offload) = (port.name.clone(), port.offloads.tcp);
    let (receiver, transmitter) = port
        .split(mtu)
        .map_err(|error| OpenError::configure(&name, "set non-blocking mode", error))?;
    let (receiver, transmitter) = (Box::new(receiver), Box::new(transmitter));
    Ok(Device { receiver, transmitter, name, mac: None, mtu, offload, created })
}

/// Sets header size and offload flags, both explicitly, and finds out what the kernel can.
fn set_offloads(fd: BorrowedFd<'_>, header: bool, wanted: bool) -> io::Result<Offloads> {
    if header {
        let len = i32::try_from(vnet::LEN).unwrap_or_default();
        sys::set_vnet_header_len(fd, len)?;
    }
    if !(header && wanted) {
        sys::set_offload(fd, 0)?;
        return Ok(Offloads { header, tcp: false, udp: false });
    }
    // A kernel that knows the flags also takes such frames from us. That it may send them to us is
    // taken back at once: merged datagrams would only be taken apart again here.
    let udp = sys::set_offload(fd, F_CSUM | F_TSO | F_USO).is_ok();
    sys::set_offload(fd, F_CSUM | F_TSO)?;
    Ok(Offloads { header, tcp: true, udp })
}

/// Sets on the interface what is wanted and not so already.
fn configure(
    tap: &mut tun::Device,
    name: &str,
    control: BorrowedFd<'_>,
    options: &Options,
) -> Result<(), OpenError> {
    let refused = |what| move |error: tun::Error| OpenError::configure(name, what, error.into());
    if let Some(mtu) = options.mtu
        && sys::interface_mtu(control, name).ok() != Some(mtu)
    {
        let too_large = |_| io::Error::from_raw_os_error(libc::EINVAL);
        let mtu = u16::try_from(mtu)
            .map_err(|error| OpenError::configure(name, "set the MTU", too_large(error)))?;
        tap.set_mtu(mtu).map_err(refused("set the MTU"))?;
    }
    if let Some(frames) = options.queue_frames {
        match sys::set_queue_len(control, name, frames) {
            Err(error) if error.kind() != io::ErrorKind::PermissionDenied => {
                return Err(OpenError::configure(name, "set the queue length", error));
            }
            Ok(()) | Err(_) => {}
        }
    }
    // Before `up`, or the kernel would route the whole class of the address here for a moment.
    if let Some(net) = options.host_address {
        let (address, mask) = (IpAddr::V4(net.addr()), IpAddr::V4(net.netmask()));
        if !tap.address().is_ok_and(|now| now == address) {
            tap.set_address(address).map_err(refused("set the address"))?;
        }
        if !tap.netmask().is_ok_and(|now| now == mask) {
            tap.set_netmask(mask).map_err(refused("set the netmask"))?;
        }
    }
    let is_up = sys::interface_flags(control, name).is_ok_and(|flags| flags & libc::IFF_UP != 0);
    if options.up && !is_up {
        tap.enabled(true).map_err(refused("set up"))?;
    }
    Ok(())
}

/// A socket that carries frames without any header: the other end is another stack or a bridge.
fn from_socket(fd: OwnedFd, options: &Options) -> Result<Device, OpenError> {
    let number = fd.as_raw_fd();
    let bad = |reason: &str| OpenError::BadDescriptor { number, reason: reason.to_owned() };
    let ends = match rustix::net::sockopt::socket_type(&fd) {
        Ok(SocketType::SEQPACKET) => true,
        Ok(SocketType::DGRAM) => false,
        Ok(_) => return Err(bad("the socket does not keep message boundaries")),
        Err(_) => return Err(bad("neither a TAP nor a socket")),
    };
    let offloads = Offloads::default();
    let port = Port { fd, name: format!("fd {number}"), kind: Kind::Socket { ends }, offloads };
    device(port, options.mtu.unwrap_or(DEFAULT_MTU), false)
}
