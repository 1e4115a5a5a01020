//! RFC 862: whatever comes is sent back.

use std::io::{self, Read, Write};
use std::net::Shutdown;

use socket::net::{TcpStream, UdpSocket};

use super::BUFFER;

/// Echoes until the peer has finished sending, then finishes too.
pub(super) fn tcp(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        match stream.read(&mut buffer)? {
            0 => return stream.shutdown(Shutdown::Write),
            n => stream.write_all(&buffer[..n])?,
        }
    }
}

/// Echoes one datagram, from the address it was sent to.
pub(super) fn udp(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<()> {
    let received = socket.recv_with_envelope(buffer)?;
    // Another echo, or a source, would keep us busy for ever: one forged datagram is enough.
    if received.from.port() < 1024 {
        return Ok(());
    }
    // RFC 1122 4.1.3.5: answer from the address that was asked, if one host has it.
    let source = match received.cast {
        layer::boundary::Cast::Unicast => Some(received.to.ip()),
        layer::boundary::Cast::Broadcast | layer::boundary::Cast::Multicast => None,
    };
    socket.send_from(&buffer[..received.copied], Some(received.from), source)?;
    Ok(())
}
