//! Any Ethernet interface through a packet socket: a veth, a NIC, a bridge.
//!
//! The kernel goes on using the interface. `PACKET_VNET_HDR` is always on: a local sender leaves
//! checksums and segmentation to a device that, on a veth, never comes, and without the header
//! those frames look broken. Needs `CAP_NET_RAW`.
//!
//! Left out: VLANs (tagged frames are refused by a filter in the kernel), rings.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::libc;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with, sockopt};

use crate::device::{Device, OpenError, check_name};
use crate::fd::{Kind, Offloads, Port};
use crate::sys;

/// Bytes of socket buffer each way: the default holds three super-frames.
const BUFFER: usize = 8 << 20;

/// How an interface is used.
#[derive(Clone, Debug)]
pub struct Options {
    /// Send super-segments and partial checksums; the kernel finishes them if the NIC cannot.
    /// Received, they come in any case.
    pub offload: bool,
    /// Hand up frames to any station, for a stack whose address is not the interface's.
    pub promiscuous: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { offload: true, promiscuous: true }
    }
}

/// Opens interface `name`, which must be an Ethernet.
///
/// # Errors
///
/// [`OpenError`], each kind with what to do about it.
pub fn open(name: &str, options: &Options) -> Result<Device, OpenError> {
    check_name(name)?;
    let failed = |what| move |error: io::Error| OpenError::configure(name, what, error);
    let control = sys::control_socket().map_err(failed("look up"))?;
    let control = control.as_fd();
    let index = sys::interface_index(&control, name)
        .ok_or_else(|| OpenError::NoSuchInterface { name: name.to_owned() })?;
    let mac = sys::hardware_address(control, name)
        .map_err(failed("read the address"))?
        .ok_or_else(|| OpenError::NotEthernet { name: name.to_owned() })?;
    let mtu = sys::interface_mtu(control, name).map_err(failed("read the MTU"))?;
    // Of protocol 0, a socket hears nothing until it is bound.
    let fd = socket_with(AddressFamily::PACKET, SocketType::RAW, SocketFlags::CLOEXEC, None)
        .map_err(|errno| failed("open a packet socket on")(errno.into()))?;
    prepare(&fd, index, options).map_err(failed("open a packet socket on"))?;
    let offloads = Offloads { header: true, tcp: options.offload, udp: false };
    let port = Port { fd, name: name.to_owned(), kind: Kind::Packet { index }, offloads };
    let (receiver, transmitter) = port.split(mtu).map_err(failed("set non-blocking mode"))?;
    Ok(Device {
        receiver: Box::new(receiver),
        transmitter: Box::new(transmitter),
        name: name.to_owned(),
        mac: Some(mac),
        mtu,
        offload: options.offload,
        created: false,
    })
}

fn prepare(fd: &OwnedFd, index: u32, options: &Options) -> io::Result<()> {
    let index = i32::try_from(index).map_err(io::Error::other)?;
    // Beyond the administrator's limit if we may, else up to it.
    if sockopt::set_socket_recv_buffer_size_force(fd, BUFFER).is_err() {
        sockopt::set_socket_recv_buffer_size(fd, BUFFER)?;
    }
    if sockopt::set_socket_send_buffer_size_force(fd, BUFFER).is_err() {
        sockopt::set_socket_send_buffer_size(fd, BUFFER)?;
    }
    let fd = fd.as_fd();
    sys::set_packet_option(fd, libc::PACKET_VNET_HDR, 1)?;
    // Our own frames, and the kernel's, would come back to us.
    sys::set_packet_option(fd, libc::PACKET_IGNORE_OUTGOING, 1)?;
    sys::refuse_tagged(fd)?;
    if options.promiscuous {
        sys::set_promiscuous(fd, index)?;
    }
    sys::bind_packet(fd, index)
}
