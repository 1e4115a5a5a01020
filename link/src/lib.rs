//! Ethernet: the [`Link`] layer, and the devices below it.
//!
//! ```text
//!      arp             ^ EthIn                   v EthOut
//!   +--------------------------------------------------------+
//!   |  Link            checks and strips | prepends a header |   a Layer: no clock, no IO
//!   +--------------------------------------------------------+
//!                      ^ Frame                   v Frame
//!   +--------------------------------------------------------+
//!   |  Device          Receiver          | Transmitter       |   file descriptors, non-blocking
//!   |  tap | afpacket | cable            |  gso cuts here    |
//!   +--------------------------------------------------------+
//!                      ^ read                    v write, writev
//! ```
//!
//! Home of RFC 894 and RFC 1122 2.3.1, 2.3.3, 2.4. [`Link`] is sans-IO like every layer; all that
//! touches the operating system is behind [`Receiver`] and [`Transmitter`]. What a device can do
//! for us (checksums, segmentation) is metadata on a packet ([`layer::Offload`]): only the private
//! module `vnet` knows the virtio-net header, and [`gso`] does in software what a device cannot.
//!
//! Left out: VLANs (a tagged frame is of an unknown type), IEEE 802.3/802.2 frames, several queues.

pub mod afpacket;
pub mod cable;
pub mod capture;
pub mod device;
pub mod gso;
pub mod tap;
pub mod tunnel;

mod fd;
mod headers;
mod link;
mod pool;
mod sys;
mod vnet;

pub use device::{Device, DeviceError, OpenError, Receiver, TransmitReport, Transmitter};
pub use link::{Config, Link};
pub use tunnel::Tunnel;

#[cfg(test)]
mod tests;
