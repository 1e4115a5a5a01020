//! RFC 863: whatever comes is forgotten.

use std::io;

use socket::net::UdpSocket;

use super::desk::{Session, Turn};

impl Session {
    /// Reads until the peer has finished.
    pub(super) fn discard(&mut self, buffer: &mut [u8]) -> io::Result<Turn> {
        match self.stream.read_and_peek(buffer)? {
            (0, _) => Ok(Turn::Over),
            (_, true) => Ok(Turn::Again),
            (_, false) => Ok(Turn::Wait),
        }
    }
}

/// Reads one datagram.
pub(super) fn udp(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<()> {
    socket.recv(buffer)?;
    Ok(())
}
