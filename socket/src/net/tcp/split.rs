//! [`OwnedReadHalf`] and [`OwnedWriteHalf`]: the two directions of a connection, owned apart.

use core::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;

use super::TcpStream;

/// The direction that comes in. `AsRef<TcpStream>` is the way to everything else.
#[derive(Debug)]
pub struct OwnedReadHalf {
    stream: TcpStream,
}

/// The direction that goes out. Dropping it finishes sending.
#[derive(Debug)]
pub struct OwnedWriteHalf {
    stream: TcpStream,
    /// Dropping it is the end of sending.
    finishes: bool,
}

/// The halves are of two connections; here they are again.
#[derive(Debug)]
pub struct ReuniteError(pub OwnedReadHalf, pub OwnedWriteHalf);

impl fmt::Display for ReuniteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the halves are of two connections")
    }
}

impl std::error::Error for ReuniteError {}

pub(super) fn split(stream: TcpStream) -> (OwnedReadHalf, OwnedWriteHalf) {
    let other = TcpStream { handle: Arc::clone(&stream.handle) };
    (OwnedReadHalf { stream }, OwnedWriteHalf { stream: other, finishes: true })
}

impl OwnedReadHalf {
    /// Puts the halves together again.
    ///
    /// # Errors
    ///
    /// The halves, if they are of two connections.
    pub fn reunite(self, other: OwnedWriteHalf) -> Result<TcpStream, ReuniteError> {
        if !Arc::ptr_eq(&other.stream.handle, &self.stream.handle) {
            return Err(ReuniteError(self, other));
        }
        other.forget();
        Ok(self.stream)
    }
}

impl AsRef<TcpStream> for OwnedReadHalf {
    fn as_ref(&self) -> &TcpStream {
        &self.stream
    }
}

impl AsRef<TcpStream> for OwnedWriteHalf {
    fn as_ref(&self) -> &TcpStream {
        &self.stream
    }
}

impl OwnedWriteHalf {
    /// Drops it and leaves sending open: the connection is closed with the other half.
    pub fn forget(mut self) {
        self.finishes = false;
    }
}

impl Drop for OwnedWriteHalf {
    fn drop(&mut self) {
        if self.finishes {
            // It may have ended by itself.
            let _ = self.stream.shutdown(Shutdown::Write);
        }
    }
}

impl Read for OwnedReadHalf {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&self.stream).read(buffer)
    }

    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        (&self.stream).read_vectored(buffers)
    }
}

impl Write for OwnedWriteHalf {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        (&self.stream).write(data)
    }

    fn write_vectored(&mut self, data: &[IoSlice<'_>]) -> io::Result<usize> {
        (&self.stream).write_vectored(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
