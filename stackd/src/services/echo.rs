//! RFC 862: whatever comes is sent back.

use std::io::{self, Write};
use std::net::Shutdown;

use socket::net::UdpSocket;

use super::desk::{Session, Turn};

impl Session {
    /// Echoes until the peer has finished sending, then finishes too.
    pub(super) fn echo(&mut self, buffer: &mut [u8]) -> io::Result<Turn> {
        if !self.waiting.is_empty() {
            let n = self.stream.write(&self.waiting[self.at..])?;
            self.at += n;
            if self.at < self.waiting.len() {
                return Ok(Turn::Again);
            }
            // Memory only while it is needed.
            (self.waiting, self.at) = (Vec::new(), 0);
        }
        if self.finished {
            self.stream.shutdown(Shutdown::Write)?;
            return Ok(Turn::Over);
        }
        let (n, more) = self.stream.read_and_peek(buffer)?;
        if n == 0 {
            self.finished = true;
            return Ok(Turn::Again);
        }
        let mut sent = 0;
        while sent < n {
            match self.stream.write(&buffer[sent..n]) {
                Ok(part) => sent += part,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.waiting = buffer[sent..n].to_vec();
                    return Err(error);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(if more { Turn::Again } else { Turn::Wait })
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
