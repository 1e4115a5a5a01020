//! [`Errno`]: what a call answers when it fails, under the names and numbers of Linux.

use core::fmt;
use std::io;

use layer::boundary::SocketError;

macro_rules! errnos {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal,)+) => {
        /// An error number of Linux.
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct Errno(i32);

        impl Errno {
            $($(#[doc = $doc])+ pub const $name: Self = Self($number);)+

            /// Its name without the leading `E`, e.g. `CONNREFUSED`.
            pub const fn name(self) -> &'static str {
                match self.0 {
                    $($number => stringify!($name),)+
                    _ => "UNKNOWN",
                }
            }
        }
    };
}

errnos! {
    /// No such name.
    NOENT = 2,
    /// No such socket.
    BADF = 9,
    /// Nothing to be had without waiting; also EWOULDBLOCK.
    AGAIN = 11,
    /// Forbidden, e.g. a broadcast without SO_BROADCAST.
    ACCES = 13,
    /// The call makes no sense in this state.
    INVAL = 22,
    /// Too many sockets.
    MFILE = 24,
    /// The sending side is closed.
    PIPE = 32,
    /// No destination given and not connected.
    DESTADDRREQ = 89,
    /// The datagram is too long.
    MSGSIZE = 90,
    /// The other side does not speak the protocol; no such option.
    NOPROTOOPT = 92,
    /// This kind of socket does not do that.
    OPNOTSUPP = 95,
    /// The address family is not spoken, or not that of the socket.
    AFNOSUPPORT = 97,
    /// The address or port is in use.
    ADDRINUSE = 98,
    /// The address is not ours.
    ADDRNOTAVAIL = 99,
    /// The network is down.
    NETDOWN = 100,
    /// No route.
    NETUNREACH = 101,
    /// Aborted here.
    CONNABORTED = 103,
    /// Reset by the peer.
    CONNRESET = 104,
    /// No memory or table space.
    NOBUFS = 105,
    /// Connected already.
    ISCONN = 106,
    /// Not connected.
    NOTCONN = 107,
    /// Nobody answered in time.
    TIMEDOUT = 110,
    /// Refused by the peer.
    CONNREFUSED = 111,
    /// The host cannot be reached.
    HOSTUNREACH = 113,
    /// A connect is under way already.
    ALREADY = 114,
    /// Begun; wait until the socket is writable.
    INPROGRESS = 115,
}

impl Errno {
    /// What getsockopt(SO_ERROR) answers, as an error.
    pub const fn from_raw(number: i32) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn raw(self) -> i32 {
        self.0
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "E{}", self.name())
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&io::Error::from_raw_os_error(self.0), f)
    }
}

impl std::error::Error for Errno {}

impl From<SocketError> for Errno {
    fn from(error: SocketError) -> Self {
        Self(error.errno())
    }
}

impl From<Errno> for io::Error {
    fn from(errno: Errno) -> Self {
        Self::from_raw_os_error(errno.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_mean_to_the_standard_library_what_they_say() {
        for (errno, kind) in [
            (Errno::AGAIN, io::ErrorKind::WouldBlock),
            (Errno::PIPE, io::ErrorKind::BrokenPipe),
            (Errno::ADDRINUSE, io::ErrorKind::AddrInUse),
            (Errno::ADDRNOTAVAIL, io::ErrorKind::AddrNotAvailable),
            (Errno::NETUNREACH, io::ErrorKind::NetworkUnreachable),
            (Errno::CONNABORTED, io::ErrorKind::ConnectionAborted),
            (Errno::CONNRESET, io::ErrorKind::ConnectionReset),
            (Errno::NOTCONN, io::ErrorKind::NotConnected),
            (Errno::TIMEDOUT, io::ErrorKind::TimedOut),
            (Errno::CONNREFUSED, io::ErrorKind::ConnectionRefused),
            (Errno::HOSTUNREACH, io::ErrorKind::HostUnreachable),
            (SocketError::PermissionDenied.into(), io::ErrorKind::PermissionDenied),
        ] {
            assert_eq!(io::Error::from(errno).kind(), kind, "{errno:?}");
        }
    }
}
