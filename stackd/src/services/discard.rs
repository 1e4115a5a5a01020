//! RFC 863: whatever comes is forgotten.

use std::io::{self, Read};

use socket::net::{TcpStream, UdpSocket};

use super::BUFFER;

/// Reads until the peer has finished.
pub(super) fn tcp(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    while stream.read(&mut buffer)? > 0 {}
    Ok(())
}

/// Reads one datagram.
pub(super) fn udp(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<()> {
    socket.recv(buffer)?;
    Ok(())
}
