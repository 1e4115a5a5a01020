//! Linux's numbers of socket options (`asm-generic/socket.h`, `linux/in.h`, `linux/in6.h`,
//! `linux/tcp.h`), for drivers that speak C or catch system calls.

use super::SocketOption;

const SOL_SOCKET: i32 = 1;
const IPPROTO_IP: i32 = 0;
const IPPROTO_TCP: i32 = 6;
const IPPROTO_IPV6: i32 = 41;

/// Every option that has a number: level, name, what it is.
const NUMBERS: &[(i32, i32, SocketOption)] = &[
    (SOL_SOCKET, 2, SocketOption::ReuseAddress),
    (SOL_SOCKET, 3, SocketOption::Type),
    (SOL_SOCKET, 4, SocketOption::Error),
    (SOL_SOCKET, 6, SocketOption::Broadcast),
    (SOL_SOCKET, 7, SocketOption::SendBuffer),
    (SOL_SOCKET, 8, SocketOption::ReceiveBuffer),
    (SOL_SOCKET, 9, SocketOption::KeepAlive),
    (SOL_SOCKET, 10, SocketOption::OobInline),
    (SOL_SOCKET, 13, SocketOption::Linger),
    (SOL_SOCKET, 15, SocketOption::ReusePort),
    (SOL_SOCKET, 30, SocketOption::AcceptConn),
    (SOL_SOCKET, 38, SocketOption::Protocol),
    (SOL_SOCKET, 39, SocketOption::Domain),
    (IPPROTO_IP, 1, SocketOption::Tos),
    (IPPROTO_IP, 2, SocketOption::Ttl),
    (IPPROTO_IP, 11, SocketOption::ReceiveErrors),
    (IPPROTO_IP, 32, SocketOption::Multicast),
    (IPPROTO_IP, 33, SocketOption::Multicast),
    (IPPROTO_IP, 34, SocketOption::Multicast),
    (IPPROTO_IP, 35, SocketOption::Multicast),
    (IPPROTO_IP, 36, SocketOption::Multicast),
    (IPPROTO_IPV6, 16, SocketOption::Ttl),
    (IPPROTO_IPV6, 17, SocketOption::Multicast),
    (IPPROTO_IPV6, 18, SocketOption::Multicast),
    (IPPROTO_IPV6, 19, SocketOption::Multicast),
    (IPPROTO_IPV6, 20, SocketOption::Multicast),
    (IPPROTO_IPV6, 21, SocketOption::Multicast),
    (IPPROTO_IPV6, 25, SocketOption::ReceiveErrors),
    (IPPROTO_IPV6, 26, SocketOption::V6Only),
    (IPPROTO_IPV6, 67, SocketOption::Tos),
    (IPPROTO_TCP, 1, SocketOption::NoDelay),
    (IPPROTO_TCP, 2, SocketOption::MaxSegment),
    (IPPROTO_TCP, 3, SocketOption::Cork),
    (IPPROTO_TCP, 4, SocketOption::KeepIdle),
    (IPPROTO_TCP, 5, SocketOption::KeepInterval),
    (IPPROTO_TCP, 6, SocketOption::KeepCount),
    (IPPROTO_TCP, 11, SocketOption::Info),
    (IPPROTO_TCP, 12, SocketOption::QuickAck),
    (IPPROTO_TCP, 13, SocketOption::Congestion),
    (IPPROTO_TCP, 18, SocketOption::UserTimeout),
    (IPPROTO_TCP, 25, SocketOption::NotSentLowWater),
];

impl SocketOption {
    /// The option that Linux calls `name` at `level`; `None` is `ENOPROTOOPT`.
    pub fn from_linux(level: i32, name: i32) -> Option<Self> {
        NUMBERS.iter().find(|(at, number, _)| (*at, *number) == (level, name)).map(|known| known.2)
    }

    /// Level and name of it on Linux, the first where it has several.
    pub fn linux(self) -> Option<(i32, i32)> {
        NUMBERS.iter().find(|known| known.2 == self).map(|known| (known.0, known.1))
    }
}
