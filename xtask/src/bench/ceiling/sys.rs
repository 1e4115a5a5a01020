//! A TAP with what the kernel may leave to us said explicitly: both settings outlive a process on
//! a TAP that does.
#![expect(unsafe_code, reason = "ioctls, and taking charge of a descriptor")]

use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};

use anyhow::Context;
use nix::libc::c_int;

use super::wire::VNET;

// linux/if_tun.h
nix::ioctl_write_int!(tun_set_offload, b'T', 208);
nix::ioctl_write_ptr!(tun_set_vnet_header_len, b'T', 216, c_int);

/// TUN_F_CSUM, TUN_F_TSO4 and TUN_F_TSO6.
const OFFLOAD: u64 = 7;

/// Attaches to a TAP that is there, for reading without waiting.
pub(super) fn open(name: &str, offload: bool) -> anyhow::Result<OwnedFd> {
    let mut configuration = tun::configure();
    configuration.tun_name(name).layer(tun::Layer::L2).platform_config(|platform| {
        platform.ensure_root_privileges(false);
        platform.vnet_hdr(offload);
    });
    let device = tun::create(&configuration).with_context(|| format!("cannot attach to {name}"))?;
    device.set_nonblock()?;
    // SAFETY: the device has just given the descriptor up.
    let fd = unsafe { OwnedFd::from_raw_fd(device.into_raw_fd()) };
    if offload {
        let length = VNET as c_int;
        // SAFETY: the kernel reads one int.
        unsafe { tun_set_vnet_header_len(fd.as_raw_fd(), &raw const length) }?;
    }
    // SAFETY: the argument is a number.
    unsafe { tun_set_offload(fd.as_raw_fd(), if offload { OFFLOAD } else { 0 }) }?;
    Ok(fd)
}
