//! `TcpListener` and `TcpStream`.

use core::net::SocketAddr;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;

use layer::Duration;

use super::Stack;
use super::handle::Handle;
use crate::Errno;
use crate::hub::{Flags, Hub, Kind, OptionValue, Reuse, SocketOption};

/// Connections that may wait to be accepted; std's choice.
const BACKLOG: u32 = 128;

/// Copies up to this size are made inside the hub: they are over before a second call would be.
const SMALL: usize = 16 * 1024;

/// A TCP socket that accepts connections.
#[derive(Debug)]
pub struct TcpListener {
    pub(super) handle: Arc<Handle>,
}

impl TcpListener {
    /// Listens at `address`; an unspecified address means any of ours, port 0 a free one.
    pub fn bind(stack: &Stack, address: impl Into<SocketAddr>) -> io::Result<Self> {
        let handle = Handle::open(stack, Kind::Tcp)?;
        let address = address.into();
        handle.complete(None, |id, hub, out| {
            // As std on Unix: a restarted server gets its port back.
            hub.set_reuse(id, Reuse { address: true, port: false })?;
            hub.bind(id, address, out)
        })?;
        handle.complete(None, |id, hub, out| hub.listen(id, BACKLOG, out))?;
        // TCP answers only if it refuses (somebody else listens there), and then at once.
        if let Some(refused) = handle.once(|id, hub, _| hub.take_error(id))? {
            return Err(refused.into());
        }
        Ok(Self { handle: Arc::new(handle) })
    }

    /// Waits for a connection.
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let limit = self.handle.read_timeout.get();
        let accepted = self.handle.wait(limit, |id, hub, out| hub.accept(id, out))?;
        let handle = Handle::adopt(self.handle.stack(), accepted.socket);
        Ok((TcpStream { handle: Arc::new(handle) }, accepted.remote))
    }

    /// Accepts for ever.
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { listener: self }
    }

    /// Where it listens.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        local_addr(&self.handle)
    }

    /// Another handle to the same socket.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { handle: Arc::clone(&self.handle) })
    }

    /// `accept` answers `WouldBlock` instead of waiting.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.handle.set_nonblocking(nonblocking);
        Ok(())
    }

    /// SO_ERROR: the pending error, told once.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(self.handle.once(|id, hub, _| hub.take_error(id))?.map(Into::into))
    }

    /// Wakes whoever waits in `accept`, and ends listening.
    pub fn shutdown(&self) -> io::Result<()> {
        self.handle.once(|id, hub, out| hub.shutdown(id, Shutdown::Read, out))
    }
}

/// An iterator over connections; it never ends by itself.
#[derive(Debug)]
pub struct Incoming<'a> {
    listener: &'a TcpListener,
}

impl Iterator for Incoming<'_> {
    type Item = io::Result<TcpStream>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.listener.accept().map(|(stream, _)| stream))
    }
}

/// A TCP connection. `Read` and `Write` work on `&TcpStream` too: one thread may read while
/// another writes.
#[derive(Debug)]
pub struct TcpStream {
    pub(super) handle: Arc<Handle>,
}

impl TcpStream {
    /// Opens a connection.
    pub fn connect(stack: &Stack, remote: impl Into<SocketAddr>) -> io::Result<Self> {
        Self::open(stack, remote.into(), None)
    }

    /// Opens a connection, or gives up: `TimedOut`.
    pub fn connect_timeout(
        stack: &Stack,
        remote: &SocketAddr,
        limit: Duration,
    ) -> io::Result<Self> {
        Self::open(stack, *remote, Some(limit)).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => Errno::TIMEDOUT.into(),
            _ => error,
        })
    }

    fn open(stack: &Stack, remote: SocketAddr, limit: Option<Duration>) -> io::Result<Self> {
        let handle = Handle::open(stack, Kind::Tcp)?;
        handle.complete(limit, |id, hub, out| hub.connect(id, remote, out))?;
        Ok(Self { handle: Arc::new(handle) })
    }

    /// The peer's end.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.handle.once(|id, hub, _| hub.peer_addr(id))
    }

    /// Our end.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        local_addr(&self.handle)
    }

    /// Finishes sending, receiving or both.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.handle.once(|id, hub, out| hub.shutdown(id, how, out))
    }

    /// Another handle to the same connection; it is closed with the last one.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { handle: Arc::clone(&self.handle) })
    }

    /// Copies what has arrived and leaves it there.
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let flags = Flags { peek: true, ..Flags::default() };
        let limit = self.handle.read_timeout.get();
        self.handle.wait(limit, |id, hub, out| hub.recv(id, buffer, flags, out))
    }

    /// How long `read` waits before it answers `WouldBlock`.
    pub fn set_read_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
        self.handle.read_timeout.set(limit)
    }

    /// How long `write` waits before it answers `WouldBlock`.
    pub fn set_write_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
        self.handle.write_timeout.set(limit)
    }

    /// The timeout set.
    pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.handle.read_timeout.get())
    }

    /// The timeout set.
    pub fn write_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.handle.write_timeout.get())
    }

    /// TCP_NODELAY: no waiting for more to fill a segment.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.handle
            .once(|id, hub, out| hub.set_tcp_options(id, |options| options.nodelay = nodelay, out))
    }

    /// TCP_NODELAY.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.handle.once(|id, hub, _| Ok(hub.tcp_options(id)?.nodelay))
    }

    /// SO_LINGER; zero makes closing a reset. Otherwise dropping the last handle waits until all
    /// that was written is acknowledged, at most so long, and then resets the connection.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        self.handle
            .once(|id, hub, out| hub.set_tcp_options(id, |options| options.linger = linger, out))
    }

    /// SO_LINGER.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        self.handle.once(|id, hub, _| Ok(hub.tcp_options(id)?.linger))
    }

    /// IP_TTL, 1 to 255.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.set_option(SocketOption::Ttl, i32::try_from(ttl).unwrap_or(i32::MAX))
    }

    /// IP_TTL.
    pub fn ttl(&self) -> io::Result<u32> {
        let value = self.option(SocketOption::Ttl)?.int()?;
        Ok(u32::try_from(value).unwrap_or_default())
    }

    /// `setsockopt(2)`: the options that std has no method for.
    pub fn set_option(
        &self,
        option: SocketOption,
        value: impl Into<OptionValue>,
    ) -> io::Result<()> {
        let value = value.into();
        self.handle.once(|id, hub, out| hub.set_option(id, option, &value, out))
    }

    /// `getsockopt(2)`; all but TCP_INFO, which TCP has to be asked for.
    pub fn option(&self, option: SocketOption) -> io::Result<OptionValue> {
        self.handle.once(|id, hub, out| hub.option(id, option, out))
    }

    /// `read` and `write` answer `WouldBlock` instead of waiting.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.handle.set_nonblocking(nonblocking);
        Ok(())
    }

    /// SO_ERROR: the pending error, told once.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(self.handle.once(|id, hub, _| hub.take_error(id))?.map(Into::into))
    }
}

impl TcpStream {
    /// As `read`, and says whether more can be read at once, be it bytes, the end or an error: who
    /// serves many sockets is spared the attempt that only finds nothing.
    pub fn read_and_peek(&self, buffer: &mut [u8]) -> io::Result<(usize, bool)> {
        let limit = self.handle.read_timeout.get();
        let more = |id, hub: &Hub| hub.poll_socket(id).is_ok_and(|r| r.readable || r.error);
        if buffer.len() <= SMALL {
            return self.handle.wait(limit, |id, hub, out| {
                let read = hub.recv(id, buffer, Flags::default(), out)?;
                Ok((read, more(id, hub)))
            });
        }
        let mut chunks = Vec::new();
        let (read, more) = self.handle.wait(limit, |id, hub, out| {
            let read = hub.recv_chunks(id, buffer.len(), &mut chunks, out)?;
            Ok((read, more(id, hub)))
        })?;
        // By reference out of the hub; copied here, where nobody waits for us.
        let mut rest = &mut buffer[..];
        for chunk in chunks {
            let (target, unused) = rest.split_at_mut(chunk.len());
            target.copy_from_slice(&chunk);
            rest = unused;
        }
        Ok((read, more))
    }
}

impl Read for &TcpStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_and_peek(buffer).map(|(read, _)| read)
    }
}

impl Write for &TcpStream {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let limit = self.handle.write_timeout.get();
        if data.len() <= SMALL {
            return self.handle.wait(limit, |id, hub, out| hub.send(id, data, out));
        }
        // Several super-segments at a time, copied where nobody waits for us.
        let room = self.handle.wait(limit, |id, hub, out| hub.send_room(id, data.len(), out))?;
        let mut copy = self.handle.copy(&data[..room]);
        // A clone of this socket may have used the room meanwhile.
        self.handle.wait(limit, |id, hub, out| hub.send_bytes(id, &mut copy, out))
    }

    /// There is nothing to flush: what was written is TCP's.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for TcpStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buffer)
    }
}

impl Write for TcpStream {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        (&*self).write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self).flush()
    }
}

fn local_addr(handle: &Handle) -> io::Result<SocketAddr> {
    handle.once(|id, hub, _| hub.local_addr(id)?.ok_or(Errno::NOTCONN))
}
