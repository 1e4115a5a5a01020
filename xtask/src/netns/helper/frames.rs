//! Whole Ethernet frames in and out of a TAP or a socket pair, one frame a call.

use std::os::fd::OwnedFd;
use std::process::Command;

use anyhow::{Context, bail};
use rustix::io::Errno;

/// More than any frame without its super-frame: 65520 of payload, the header, a tag.
pub(super) const FRAME_MAX: usize = 65_540;

/// Where frames come from and go to.
pub(super) enum Port {
    /// A TAP this process holds, without the virtio-net header and so without offloads.
    Tap(tun::Device),
    /// One end of a socket pair that keeps record boundaries.
    Socket(OwnedFd),
}

impl Port {
    /// Makes a TAP with an address and sets it up. It goes away with this process.
    pub(super) fn tap(name: &str, address: &str, mtu: u16) -> anyhow::Result<Port> {
        let mut configuration = tun::Configuration::default();
        configuration.tun_name(name).layer(tun::Layer::L2);
        let device = tun::create(&configuration).with_context(|| format!("cannot make {name}"))?;
        let script = format!(
            "ip link set {name} mtu {mtu} && ip address add {address} dev {name} &&
             ip link set {name} up"
        );
        let status = Command::new("sh").args(["-c", &script]).status()?;
        if !status.success() {
            bail!("cannot set up {name}");
        }
        Ok(Port::Tap(device))
    }

    /// The next frame; `None` when the other end of the socket pair is closed.
    pub(super) fn receive(&self) -> anyhow::Result<Option<Vec<u8>>> {
        let mut frame = vec![0; FRAME_MAX];
        let length = match self {
            Port::Tap(device) => device.recv(&mut frame).context("cannot read from the TAP")?,
            Port::Socket(fd) => match rustix::io::read(fd, &mut frame) {
                Ok(length) => length,
                Err(Errno::CONNRESET) => 0,
                Err(error) => return Err(error).context("cannot read from the socket pair"),
            },
        };
        frame.truncate(length);
        frame.shrink_to_fit();
        Ok(Some(frame).filter(|frame| !frame.is_empty()))
    }

    /// Sends a frame. One that the other side does not take is lost, as on any wire.
    pub(super) fn send(&self, frame: &[u8]) {
        let _ = match self {
            Port::Tap(device) => device.send(frame).map_err(|_| Errno::IO),
            Port::Socket(fd) => rustix::io::write(fd, frame),
        };
    }
}
