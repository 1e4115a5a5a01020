//! The calls on a running stack and its sockets, as C sees them; and what all calls share.
#![expect(unsafe_code, reason = "functions that C calls take pointers")]
#![expect(clippy::missing_safety_doc, reason = "one contract for all, at the head of the header")]

use core::ffi::c_char;

use stackd::Interface;
use stackd::config::Attachment;

use super::{Socket, Stack, how};
use crate::Address;
use crate::answer::{done, last_errno, last_text, length, number, object};
use crate::pointers::sys::{bytes, bytes_mut, optional_text, shared, store, take, text};

/// The errno of this thread's last failure; 0 if there was none.
#[unsafe(no_mangle)]
pub extern "C" fn stack_last_error() -> i32 {
    last_errno()
}

/// Copies the words for this thread's last failure, cut to `capacity` with the zero at their end;
/// returns their whole length.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stack_error_text(buffer: *mut c_char, capacity: usize) -> i64 {
    // SAFETY: the header's contract.
    let buffer = unsafe { bytes_mut(buffer.cast(), capacity) };
    buffer.map_or(0, |buffer| length(last_text(buffer)))
}

/// Reads an address like "10.9.0.2:80".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stack_address_parse(from: *const c_char, address: *mut Address) -> i64 {
    done(|| {
        // SAFETY: the header's contract.
        let parsed = Address::parse(unsafe { text(from)? })?;
        // SAFETY: the header's contract.
        unsafe { store(address, parsed) };
        Ok(())
    })
}

/// Starts a stack on a TAP with this address ("10.9.0.2/24"); the TAP is made if need be. The
/// gateway may be null. Null is a failure. To be given back to stack_stop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stack_start_tap(
    tap: *const c_char,
    address: *const c_char,
    gateway: *const c_char,
) -> *mut Stack {
    object(|| {
        // SAFETY: the header's contract.
        let (tap, address, gateway) =
            unsafe { (text(tap)?, text(address)?, optional_text(gateway)?) };
        Stack::start(Interface::tap(tap), address, gateway)
    })
}

/// Starts a stack on a descriptor: a TAP, or a connected SOCK_SEQPACKET or SOCK_DGRAM socket with
/// one Ethernet frame a message. The stack has a duplicate; otherwise as stack_start_tap.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stack_start_fd(
    fd: i32,
    address: *const c_char,
    gateway: *const c_char,
) -> *mut Stack {
    object(|| {
        // SAFETY: the header's contract.
        let (address, gateway) = unsafe { (text(address)?, optional_text(gateway)?) };
        Stack::start(Interface::new(Attachment::Descriptor(fd)), address, gateway)
    })
}

/// Ends a stack: connections are finished in order, at most half a second, calls that wait are told
/// ENETDOWN. Its sockets are still to be closed. Null is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stack_stop(stack: *mut Stack) {
    done(|| {
        // SAFETY: the header's contract.
        if let Some(stack) = unsafe { take(stack) } {
            stack.inner.shutdown();
        }
        Ok(())
    });
}

/// Opens a TCP connection; gives up after `timeout_ms`, 0 for TCP's own time. Null is a failure.
/// To be given back to stack_close, like every socket.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stack_connect(
    stack: *const Stack,
    to: *const Address,
    timeout_ms: u32,
) -> *mut Socket {
    object(|| {
        // SAFETY: the header's contract.
        let (stack, to) = unsafe { (shared(stack)?, shared(to)?) };
        Socket::connect(stack, to.get()?, timeout_ms)
    })
}

/// Listens for TCP connections; `backlog` of them may wait. Null is a failure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stack_listen(
    stack: *const Stack,
    at: *const Address,
    backlog: u32,
) -> *mut Socket {
    object(|| {
        // SAFETY: the header's contract.
        let (stack, at) = unsafe { (shared(stack)?, shared(at)?) };
        Socket::listen(stack, at.get()?, backlog)
    })
}

/// A bound UDP socket. Null is a failure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stack_udp(stack: *const Stack, at: *const Address) -> *mut Socket {
    object(|| {
        // SAFETY: the header's contract.
        let (stack, at) = unsafe { (shared(stack)?, shared(at)?) };
        Socket::udp(stack, at.get()?)
    })
}

/// Waits for a connection. `peer` may be null. Null is a failure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stack_accept(listener: *const Socket, peer: *mut Address) -> *mut Socket {
    object(|| {
        // SAFETY: the header's contract.
        let listener = unsafe { shared(listener)? };
        let (socket, from) = listener.accept()?;
        // SAFETY: the header's contract.
        unsafe { store(peer, from.into()) };
        Ok(socket)
    })
}

/// send(2): waits for room; bytes taken, which may be fewer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stack_send(socket: *const Socket, data: *const u8, size: usize) -> i64 {
    number(|| {
        // SAFETY: the header's contract.
        let (socket, data) = unsafe { (shared(socket)?, bytes(data, size)?) };
        socket.send(data).map(length)
    })
}

/// recv(2): waits for data; bytes copied, 0 at the end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stack_recv(
    socket: *const Socket,
    buffer: *mut u8,
    capacity: usize,
) -> i64 {
    number(|| {
        // SAFETY: the header's contract.
        let (socket, buffer) = unsafe { (shared(socket)?, bytes_mut(buffer, capacity)?) };
        socket.recv(buffer).map(length)
    })
}

/// sendto(2): one datagram.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stack_send_to(
    socket: *const Socket,
    data: *const u8,
    size: usize,
    to: *const Address,
) -> i64 {
    number(|| {
        // SAFETY: the header's contract.
        let (socket, data, to) = unsafe { (shared(socket)?, bytes(data, size)?, shared(to)?) };
        Ok(length(socket.as_udp()?.send_to(data, to.get()?)?))
    })
}

/// recvfrom(2): waits for a datagram; what does not fit is lost. `from` may be null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stack_recv_from(
    socket: *const Socket,
    buffer: *mut u8,
    capacity: usize,
    from: *mut Address,
) -> i64 {
    number(|| {
        // SAFETY: the header's contract.
        let (socket, buffer) = unsafe { (shared(socket)?, bytes_mut(buffer, capacity)?) };
        let (copied, sender) = socket.as_udp()?.recv_from(buffer)?;
        // SAFETY: the header's contract.
        unsafe { store(from, sender.into()) };
        Ok(length(copied))
    })
}

/// getsockname(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stack_local_address(socket: *const Socket, address: *mut Address) -> i64 {
    done(|| {
        // SAFETY: the header's contract.
        let local = unsafe { shared(socket)? }.local()?;
        // SAFETY: the header's contract.
        unsafe { store(address, local.into()) };
        Ok(())
    })
}

/// shutdown(2): 0 reading, 1 writing, 2 both. A listener ends, and who waits in stack_accept is
/// told.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stack_shutdown(socket: *const Socket, direction: i32) -> i64 {
    done(|| {
        // SAFETY: the header's contract.
        let socket = unsafe { shared(socket)? };
        socket.shutdown(how(direction)?)
    })
}

/// Nothing waits any more: -EAGAIN instead.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stack_set_nonblocking(socket: *const Socket, on: bool) -> i64 {
    done(|| {
        // SAFETY: the header's contract.
        unsafe { shared(socket)? }.set_nonblocking(on)
    })
}

/// SO_RCVTIMEO and SO_SNDTIMEO: after so many ms -EAGAIN; 0 waits for ever.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stack_set_timeouts(
    socket: *const Socket,
    receive_ms: u32,
    send_ms: u32,
) -> i64 {
    done(|| {
        // SAFETY: the header's contract.
        unsafe { shared(socket)? }.set_timeouts(receive_ms, send_ms)
    })
}

/// TCP_NODELAY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stack_set_nodelay(socket: *const Socket, on: bool) -> i64 {
    done(|| {
        // SAFETY: the header's contract.
        unsafe { shared(socket)? }.set_nodelay(on)
    })
}

/// A descriptor for poll(2) and epoll(7) that is readable while the socket can be read (or, with
/// `writable`, written) without waiting. It belongs to the socket: do not read, write or close it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stack_ready_fd(socket: *const Socket, writable: bool) -> i64 {
    number(|| {
        // SAFETY: the header's contract.
        let socket = unsafe { shared(socket)? };
        Ok(socket.descriptor(writable)?.into())
    })
}

/// close(2). Null is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stack_close(socket: *mut Socket) {
    done(|| {
        // SAFETY: the header's contract.
        drop(unsafe { take(socket) });
        Ok(())
    });
}
