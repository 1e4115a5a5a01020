//! What stands below the [`Link`](crate::Link) layer: something that hands up frames and takes
//! frames, never blocks, and can be waited for.
//!
//! The two halves are separate objects because the pipeline may run them on two threads.

use std::io;
use std::os::fd::BorrowedFd;

use layer::{MacAddr, PacketBuf};

/// The half that hands up frames.
pub trait Receiver: Send {
    /// Reads up to `max` frames into `batch` without blocking, and says how many. `Ok(0)`: nothing
    /// is there. What was read before an error is in `batch`. Merged UDP datagrams are taken apart,
    /// so `batch` may grow by more than `max`; large frames end it before, so that they are used
    /// while they are still in a cache.
    ///
    /// # Errors
    ///
    /// See [`DeviceError`].
    fn receive(&mut self, batch: &mut Vec<PacketBuf>, max: usize) -> Result<usize, DeviceError>;

    /// What becomes readable when there is something to receive.
    fn as_fd(&self) -> BorrowedFd<'_>;

    /// Frames dropped since opening because their offload metadata contradicts them: the driver
    /// adds them to its ledger as `LinkBadOffload`.
    fn bad_offloads(&self) -> u64 {
        0
    }
}

/// The half that takes frames.
pub trait Transmitter: Send {
    /// Writes `frames` in order and leaves the vector empty. What the device refuses, mostly for
    /// want of room, is dropped and counted.
    ///
    /// Super-segments and partial checksums are for the device where it can do them, and are done
    /// here in software where it cannot.
    ///
    /// # Errors
    ///
    /// See [`DeviceError`]; frames not written are then still in `frames`, and the driver decides:
    /// drop them as `LinkDeviceDown`, or try again.
    fn transmit(&mut self, frames: &mut Vec<PacketBuf>) -> Result<TransmitReport, DeviceError>;
}

/// What became of the frames of one `transmit`; a super-segment cut here counts by its pieces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransmitReport {
    /// Written.
    pub sent: usize,
    /// Refused by the device and dropped: `LinkDeviceFull`.
    pub dropped: usize,
}

/// An open device, in two halves, and what is known of it.
pub struct Device {
    /// The half that hands up frames.
    pub receiver: Box<dyn Receiver>,
    /// The half that takes frames.
    pub transmitter: Box<dyn Transmitter>,
    /// The interface's name, or a description.
    pub name: String,
    /// The interface's own Ethernet address, where we may speak as it. `None` on a TAP: its
    /// address is the kernel's end.
    pub mac: Option<MacAddr>,
    /// Largest payload of a frame, bytes.
    pub mtu: u32,
    /// The device takes super-segments and partial checksums as they are.
    pub offload: bool,
    /// Opening it made the interface, and closing it removes it.
    pub created: bool,
}

impl core::fmt::Debug for Device {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { receiver: _, transmitter: _, name, mac, mtu, offload, created } = self;
        f.debug_struct("Device")
            .field("name", name)
            .field("mac", mac)
            .field("mtu", mtu)
            .field("offload", offload)
            .field("created", created)
            .finish_non_exhaustive()
    }
}

/// Why a device stopped working.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// The interface was set down. It may come up again: try again after a while (100 ms, say);
    /// the descriptor need not tell.
    #[error("{name} is down")]
    Down {
        /// The interface.
        name: String,
    },
    /// The interface was removed, or the other end closed: it does not come back.
    #[error("{name} is gone: the interface was removed or its other end closed")]
    Gone {
        /// The interface.
        name: String,
    },
    /// Anything else.
    #[error("cannot {operation} {name}: {source}")]
    Io {
        /// The interface.
        name: String,
        /// "read from" or "write to".
        operation: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

/// Why a device could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No interface can have this name.
    #[error("{name:?} is no interface name: 1 to 15 bytes, none of them '/', ':', '%' or a blank")]
    BadName {
        /// What was asked for.
        name: String,
    },
    /// The kernel forbids it.
    #[error("no permission to {what} {name}: {source}")]
    NoPermission {
        /// The interface or file.
        name: String,
        /// What was tried.
        what: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// Another program has the TAP open.
    #[error("{name} is busy: another program has it open")]
    Busy {
        /// The TAP.
        name: String,
    },
    /// The kernel has no TUN/TAP driver, or this container does not show it.
    #[error("there is no /dev/net/tun here (modprobe tun, or pass the device into the container)")]
    NoTunDevice,
    /// It exists and is no TAP that one program can read whole.
    #[error("{name} is no TAP device of a single queue")]
    NotATap {
        /// The interface or descriptor.
        name: String,
    },
    /// There is no such interface.
    #[error("there is no interface {name}")]
    NoSuchInterface {
        /// What was asked for.
        name: String,
    },
    /// The interface is no Ethernet.
    #[error("{name} is no Ethernet interface")]
    NotEthernet {
        /// The interface.
        name: String,
    },
    /// The descriptor cannot carry frames.
    #[error("file descriptor {number} carries no frames: {reason}")]
    BadDescriptor {
        /// Its number.
        number: i32,
        /// What is wrong with it.
        reason: String,
    },
    /// Opened, but an option was refused.
    #[error("cannot {what} of {name}: {source}")]
    Configure {
        /// The interface.
        name: String,
        /// Which option.
        what: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

impl OpenError {
    /// Sorts the kernel's refusal to configure: for want of permission, or otherwise.
    pub(crate) fn configure(name: &str, what: &'static str, source: io::Error) -> Self {
        let name = name.to_owned();
        match source.kind() {
            io::ErrorKind::PermissionDenied => Self::NoPermission { name, what, source },
            _ => Self::Configure { name, what, source },
        }
    }
}

/// Checks a name as the kernel will (`dev_valid_name`); '%' would make it a pattern.
pub(crate) fn check_name(name: &str) -> Result<(), OpenError> {
    let odd = |c: char| matches!(c, '/' | ':' | '%' | '\0') || c.is_whitespace();
    if name.is_empty() || name.len() > 15 || name == "." || name == ".." || name.contains(odd) {
        return Err(OpenError::BadName { name: name.to_owned() });
    }
    Ok(())
}
