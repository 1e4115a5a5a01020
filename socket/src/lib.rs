//! The application side of the stack.
//!
//! * [`hub`]: POSIX socket semantics and errno values, once, as a layer on top of the transports.
//!   Everything that offers sockets to somebody is a driver of it.
//! * [`assembly`]: which layers make a host.
//! * [`host`]: a whole host in one value, driven by frames and `now`.
//! * [`net`]: the driver for threads that wait: `TcpListener`, `TcpStream`, `UdpSocket`, shaped as
//!   in `std::net`.

pub mod assembly;
pub mod errno;
pub mod host;
pub mod hub;
pub mod net;

pub use assembly::{HostConfig, InterfaceConfig};
pub use errno::Errno;
pub use host::{Host, IpHost};
pub use hub::{Flags, Hub, Kind, OptionValue, Readiness, Ready, SocketOption};
