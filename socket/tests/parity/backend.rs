//! The two backends: what a test may do with sockets, whoever's they are.
//!
//! The macros delegate by the same text for both, so that a call which std has and we lack, or
//! have with another signature, does not compile.

use std::fmt::Debug;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

/// A place to make sockets.
pub(crate) trait Net: Sync {
    type Listener: Listener<Stream = Self::Stream>;
    type Stream: Stream;
    type Udp: Udp;

    fn listen(&self, address: SocketAddr) -> io::Result<Self::Listener>;
    fn connect(&self, address: SocketAddr) -> io::Result<Self::Stream>;
    fn connect_timeout(&self, address: SocketAddr, limit: Duration) -> io::Result<Self::Stream>;
    fn udp(&self, address: SocketAddr) -> io::Result<Self::Udp>;
}

pub(crate) trait Listener: Sized + Send + Sync + Debug + 'static {
    type Stream;

    fn accept(&self) -> io::Result<(Self::Stream, SocketAddr)>;
    fn incoming(&self) -> impl Iterator<Item = io::Result<Self::Stream>>;
    fn local_addr(&self) -> io::Result<SocketAddr>;
    fn try_clone(&self) -> io::Result<Self>;
    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()>;
    fn set_ttl(&self, ttl: u32) -> io::Result<()>;
    fn ttl(&self) -> io::Result<u32>;
    fn take_error(&self) -> io::Result<Option<io::Error>>;
}

pub(crate) trait Stream: Read + Write + Sized + Send + Sync + Debug + 'static {
    fn peer_addr(&self) -> io::Result<SocketAddr>;
    fn local_addr(&self) -> io::Result<SocketAddr>;
    fn shutdown(&self, how: Shutdown) -> io::Result<()>;
    fn try_clone(&self) -> io::Result<Self>;
    fn set_read_timeout(&self, limit: Option<Duration>) -> io::Result<()>;
    fn set_write_timeout(&self, limit: Option<Duration>) -> io::Result<()>;
    fn read_timeout(&self) -> io::Result<Option<Duration>>;
    fn write_timeout(&self) -> io::Result<Option<Duration>>;
    fn peek(&self, buffer: &mut [u8]) -> io::Result<usize>;
    fn set_nodelay(&self, nodelay: bool) -> io::Result<()>;
    fn nodelay(&self) -> io::Result<bool>;
    fn set_ttl(&self, ttl: u32) -> io::Result<()>;
    fn ttl(&self) -> io::Result<u32>;
    fn take_error(&self) -> io::Result<Option<io::Error>>;
    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()>;
    /// `Read for &TcpStream`.
    fn read_shared(&self, buffer: &mut [u8]) -> io::Result<usize>;
    /// `Write for &TcpStream`.
    fn write_shared(&self, data: &[u8]) -> io::Result<usize>;
}

pub(crate) trait Udp: Sized + Send + Sync + Debug + 'static {
    fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)>;
    fn peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)>;
    fn send_to(&self, data: &[u8], to: SocketAddr) -> io::Result<usize>;
    fn peer_addr(&self) -> io::Result<SocketAddr>;
    fn local_addr(&self) -> io::Result<SocketAddr>;
    fn try_clone(&self) -> io::Result<Self>;
    fn set_read_timeout(&self, limit: Option<Duration>) -> io::Result<()>;
    fn set_write_timeout(&self, limit: Option<Duration>) -> io::Result<()>;
    fn read_timeout(&self) -> io::Result<Option<Duration>>;
    fn write_timeout(&self) -> io::Result<Option<Duration>>;
    fn set_broadcast(&self, broadcast: bool) -> io::Result<()>;
    fn broadcast(&self) -> io::Result<bool>;
    fn set_ttl(&self, ttl: u32) -> io::Result<()>;
    fn ttl(&self) -> io::Result<u32>;
    fn take_error(&self) -> io::Result<Option<io::Error>>;
    fn connect(&self, address: SocketAddr) -> io::Result<()>;
    fn send(&self, data: &[u8]) -> io::Result<usize>;
    fn recv(&self, buffer: &mut [u8]) -> io::Result<usize>;
    fn peek(&self, buffer: &mut [u8]) -> io::Result<usize>;
    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()>;
}

/// Passes calls on to the methods of the same name that the type itself has.
macro_rules! delegate {
    ($type:ty: $($name:ident($($arg:ident: $kind:ty),*) -> $result:ty;)+) => {
        $(fn $name(&self $(, $arg: $kind)*) -> io::Result<$result> {
            <$type>::$name(self $(, $arg)*)
        })+
    };
}

macro_rules! backend {
    ($listener:ty, $stream:ty, $udp:ty) => {
        impl Listener for $listener {
            type Stream = $stream;

            fn incoming(&self) -> impl Iterator<Item = io::Result<$stream>> {
                <$listener>::incoming(self)
            }

            delegate! { $listener:
                accept() -> ($stream, SocketAddr);
                local_addr() -> SocketAddr;
                try_clone() -> Self;
                set_nonblocking(nonblocking: bool) -> ();
                set_ttl(ttl: u32) -> ();
                ttl() -> u32;
                take_error() -> Option<io::Error>;
            }
        }

        impl Stream for $stream {
            fn read_shared(&self, buffer: &mut [u8]) -> io::Result<usize> {
                let mut shared = self;
                Read::read(&mut shared, buffer)
            }

            fn write_shared(&self, data: &[u8]) -> io::Result<usize> {
                let mut shared = self;
                Write::write(&mut shared, data)
            }

            delegate! { $stream:
                peer_addr() -> SocketAddr;
                local_addr() -> SocketAddr;
                shutdown(how: Shutdown) -> ();
                try_clone() -> Self;
                set_read_timeout(limit: Option<Duration>) -> ();
                set_write_timeout(limit: Option<Duration>) -> ();
                read_timeout() -> Option<Duration>;
                write_timeout() -> Option<Duration>;
                peek(buffer: &mut [u8]) -> usize;
                set_nodelay(nodelay: bool) -> ();
                nodelay() -> bool;
                set_ttl(ttl: u32) -> ();
                ttl() -> u32;
                take_error() -> Option<io::Error>;
                set_nonblocking(nonblocking: bool) -> ();
            }
        }

        impl Udp for $udp {
            delegate! { $udp:
                recv_from(buffer: &mut [u8]) -> (usize, SocketAddr);
                peek_from(buffer: &mut [u8]) -> (usize, SocketAddr);
                send_to(data: &[u8], to: SocketAddr) -> usize;
                peer_addr() -> SocketAddr;
                local_addr() -> SocketAddr;
                try_clone() -> Self;
                set_read_timeout(limit: Option<Duration>) -> ();
                set_write_timeout(limit: Option<Duration>) -> ();
                read_timeout() -> Option<Duration>;
                write_timeout() -> Option<Duration>;
                set_broadcast(broadcast: bool) -> ();
                broadcast() -> bool;
                set_ttl(ttl: u32) -> ();
                ttl() -> u32;
                take_error() -> Option<io::Error>;
                connect(address: SocketAddr) -> ();
                send(data: &[u8]) -> usize;
                recv(buffer: &mut [u8]) -> usize;
                peek(buffer: &mut [u8]) -> usize;
                set_nonblocking(nonblocking: bool) -> ();
            }
        }
    };
}

backend!(std::net::TcpListener, std::net::TcpStream, std::net::UdpSocket);
backend!(socket::net::TcpListener, socket::net::TcpStream, socket::net::UdpSocket);

/// std on the kernel's own loopback.
pub(crate) struct Kernel;

impl Net for Kernel {
    type Listener = std::net::TcpListener;
    type Stream = std::net::TcpStream;
    type Udp = std::net::UdpSocket;

    fn listen(&self, address: SocketAddr) -> io::Result<Self::Listener> {
        std::net::TcpListener::bind(address)
    }

    fn connect(&self, address: SocketAddr) -> io::Result<Self::Stream> {
        std::net::TcpStream::connect(address)
    }

    fn connect_timeout(&self, address: SocketAddr, limit: Duration) -> io::Result<Self::Stream> {
        std::net::TcpStream::connect_timeout(&address, limit)
    }

    fn udp(&self, address: SocketAddr) -> io::Result<Self::Udp> {
        std::net::UdpSocket::bind(address)
    }
}

/// A stack on threads, whose 127/8 is a loopback as well. The cable it is on has no other end.
pub(crate) struct Ours {
    stack: stackd::Stack,
}

pub(crate) fn stack() -> Ours {
    let (device, _) = link::cable::pair(link::cable::Options::default()).unwrap();
    let interface = stackd::Interface::device(device).address("10.0.0.1/24".parse().unwrap());
    let builder = stackd::Stack::builder().interface(interface).acd(stackd::Acd::Off);
    Ours { stack: builder.start().unwrap() }
}

impl Net for Ours {
    type Listener = socket::net::TcpListener;
    type Stream = socket::net::TcpStream;
    type Udp = socket::net::UdpSocket;

    fn listen(&self, address: SocketAddr) -> io::Result<Self::Listener> {
        socket::net::TcpListener::bind(self.stack.sockets(), address)
    }

    fn connect(&self, address: SocketAddr) -> io::Result<Self::Stream> {
        socket::net::TcpStream::connect(self.stack.sockets(), address)
    }

    fn connect_timeout(&self, address: SocketAddr, limit: Duration) -> io::Result<Self::Stream> {
        socket::net::TcpStream::connect_timeout(self.stack.sockets(), &address, limit)
    }

    fn udp(&self, address: SocketAddr) -> io::Result<Self::Udp> {
        socket::net::UdpSocket::bind(self.stack.sockets(), address)
    }
}
