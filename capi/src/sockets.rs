//! [`Stack`] and [`Socket`]: a stack on threads, and sockets that wait.

pub mod sys;

use core::net::IpAddr;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::time::Duration;

use parking_lot::Mutex;
use socket::Errno;
use socket::net::{Interest, ReadyFd, TcpListener, TcpSocket, TcpStream, UdpSocket};
use stackd::Interface;

use crate::answer::Failure;

/// A running stack.
pub struct Stack {
    inner: stackd::Stack,
}

/// A socket of a running stack. Several threads may use it at once.
#[derive(Debug)]
pub struct Socket {
    kind: Kind,
    /// Descriptors that C was told of; they live as long as the socket.
    descriptors: Mutex<Vec<ReadyFd>>,
}

#[derive(Debug)]
enum Kind {
    Listener(TcpListener),
    Stream(TcpStream),
    Udp(UdpSocket),
}

impl Stack {
    fn start(interface: Interface, address: &str, gateway: Option<&str>) -> Result<Self, Failure> {
        let interface = interface.address(address.parse().map_err(Failure::argument)?);
        let mut builder = stackd::Stack::builder().interface(interface);
        if let Some(gateway) = gateway {
            let gateway: IpAddr = gateway.parse().map_err(Failure::argument)?;
            builder = builder.gateway(gateway);
        }
        Ok(Self { inner: builder.start().map_err(Failure::outside)? })
    }
}

impl Socket {
    fn new(kind: Kind) -> Self {
        Self { kind, descriptors: Mutex::default() }
    }

    fn connect(stack: &Stack, to: core::net::SocketAddr, timeout_ms: u32) -> Result<Self, Failure> {
        let sockets = stack.inner.sockets();
        let stream = match duration(timeout_ms) {
            None => TcpStream::connect(sockets, to),
            Some(limit) => TcpStream::connect_timeout(sockets, &to, limit),
        };
        Ok(Self::new(Kind::Stream(stream?)))
    }

    fn listen(
        stack: &Stack,
        address: core::net::SocketAddr,
        backlog: u32,
    ) -> Result<Self, Failure> {
        let socket = TcpSocket::new(stack.inner.sockets())?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(Self::new(Kind::Listener(socket.listen(backlog)?)))
    }

    fn udp(stack: &Stack, address: core::net::SocketAddr) -> Result<Self, Failure> {
        Ok(Self::new(Kind::Udp(UdpSocket::bind(stack.inner.sockets(), address)?)))
    }

    fn accept(&self) -> Result<(Self, core::net::SocketAddr), Failure> {
        let Kind::Listener(listener) = &self.kind else { return Err(Errno::INVAL.into()) };
        let (stream, peer) = listener.accept()?;
        Ok((Self::new(Kind::Stream(stream)), peer))
    }

    fn send(&self, data: &[u8]) -> Result<usize, Failure> {
        match &self.kind {
            Kind::Stream(stream) => {
                let mut stream = stream;
                Ok(stream.write(data)?)
            }
            Kind::Udp(socket) => Ok(socket.send(data)?),
            Kind::Listener(_) => Err(Errno::NOTCONN.into()),
        }
    }

    fn recv(&self, buffer: &mut [u8]) -> Result<usize, Failure> {
        match &self.kind {
            Kind::Stream(stream) => {
                let mut stream = stream;
                Ok(stream.read(buffer)?)
            }
            Kind::Udp(socket) => Ok(socket.recv(buffer)?),
            Kind::Listener(_) => Err(Errno::NOTCONN.into()),
        }
    }

    fn as_udp(&self) -> Result<&UdpSocket, Failure> {
        match &self.kind {
            Kind::Udp(socket) => Ok(socket),
            Kind::Listener(_) | Kind::Stream(_) => Err(Errno::OPNOTSUPP.into()),
        }
    }

    fn shutdown(&self, how: Shutdown) -> Result<(), Failure> {
        match &self.kind {
            Kind::Stream(stream) => Ok(stream.shutdown(how)?),
            Kind::Listener(listener) => Ok(listener.shutdown()?),
            Kind::Udp(_) => Err(Errno::OPNOTSUPP.into()),
        }
    }

    fn set_nonblocking(&self, on: bool) -> Result<(), Failure> {
        match &self.kind {
            Kind::Listener(listener) => Ok(listener.set_nonblocking(on)?),
            Kind::Stream(stream) => Ok(stream.set_nonblocking(on)?),
            Kind::Udp(socket) => Ok(socket.set_nonblocking(on)?),
        }
    }

    fn set_timeouts(&self, receive_ms: u32, send_ms: u32) -> Result<(), Failure> {
        let (receive, send) = (duration(receive_ms), duration(send_ms));
        match &self.kind {
            Kind::Stream(stream) => {
                stream.set_read_timeout(receive)?;
                Ok(stream.set_write_timeout(send)?)
            }
            Kind::Udp(socket) => {
                socket.set_read_timeout(receive)?;
                Ok(socket.set_write_timeout(send)?)
            }
            Kind::Listener(_) => Err(Errno::OPNOTSUPP.into()),
        }
    }

    fn set_nodelay(&self, on: bool) -> Result<(), Failure> {
        match &self.kind {
            Kind::Stream(stream) => Ok(stream.set_nodelay(on)?),
            Kind::Listener(listener) => Ok(listener.set_nodelay(on)?),
            Kind::Udp(_) => Err(Errno::OPNOTSUPP.into()),
        }
    }

    fn local(&self) -> Result<core::net::SocketAddr, Failure> {
        match &self.kind {
            Kind::Listener(listener) => Ok(listener.local_addr()?),
            Kind::Stream(stream) => Ok(stream.local_addr()?),
            Kind::Udp(socket) => Ok(socket.local_addr()?),
        }
    }

    fn descriptor(&self, writable: bool) -> Result<i32, Failure> {
        let interest = if writable { Interest::Writable } else { Interest::Readable };
        let fd = match &self.kind {
            Kind::Listener(listener) => listener.ready_fd(interest)?,
            Kind::Stream(stream) => stream.ready_fd(interest)?,
            Kind::Udp(socket) => socket.ready_fd(interest)?,
        };
        let number = fd.as_raw_fd();
        self.descriptors.lock().push(fd);
        Ok(number)
    }
}

/// 0 is for ever.
fn duration(millis: u32) -> Option<Duration> {
    (millis > 0).then(|| Duration::from_millis(millis.into()))
}

/// As `shutdown(2)` has them.
pub(crate) fn how(number: i32) -> Result<Shutdown, Failure> {
    match number {
        0 => Ok(Shutdown::Read),
        1 => Ok(Shutdown::Write),
        2 => Ok(Shutdown::Both),
        other => Err(Failure::argument(format!("{other} is no way to shut down: 0, 1, 2"))),
    }
}
