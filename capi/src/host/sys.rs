//! The calls on a host, as C sees them.
#![expect(unsafe_code, reason = "functions that C calls take pointers")]
#![expect(clippy::missing_safety_doc, reason = "one contract for all, at the head of the header")]

use core::ffi::c_char;

use layer::Instant;
use layer::boundary::SocketId;

use super::{Host, from_c, kind, to_c};
use crate::Address;
use crate::answer::{Failure, done, length, number, object};
use crate::pointers::sys::{bytes, bytes_mut, optional_text, shared, store, take, text, unique};

fn at(now_ns: u64) -> Instant {
    Instant::from_nanos(now_ns)
}

/// A host with this address ("10.0.0.1/24") that speaks raw IP: no Ethernet, no ARP. The gateway
/// may be null. `key` is 16 random bytes that nobody else knows: port numbers and sequence numbers
/// are made from it. Null is a failure. To be given back to stack_host_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stack_host_new(
    address: *const c_char,
    gateway: *const c_char,
    mtu: u32,
    key: *const u8,
) -> *mut Host {
    object(|| {
        // SAFETY: the header's contract; a key has 16 bytes.
        let (address, gateway, key) =
            unsafe { (text(address)?, optional_text(gateway)?, bytes(key, 16)?) };
        let key = key.try_into().map_err(Failure::argument)?;
        Host::new(address, gateway, mtu, key)
    })
}

/// Frees a host; null is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stack_host_free(host: *mut Host) {
    done(|| {
        // SAFETY: the header's contract.
        drop(unsafe { take(host) });
        Ok(())
    });
}

/// An IP packet came in at this time, ns on a clock that never goes back.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stack_host_receive(
    host: *mut Host,
    now_ns: u64,
    packet: *const u8,
    size: usize,
) -> i64 {
    done(|| {
        // SAFETY: the header's contract.
        let (host, packet) = unsafe { (unique(host)?, bytes(packet, size)?) };
        host.receive(at(now_ns), packet);
        Ok(())
    })
}

/// Takes the next IP packet to send; returns its length, 0 if there is none. A packet that is
/// longer than `capacity` is -EMSGSIZE and stays; none is longer than the MTU.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stack_host_transmit(
    host: *mut Host,
    now_ns: u64,
    buffer: *mut u8,
    capacity: usize,
) -> i64 {
    number(|| {
        // SAFETY: the header's contract.
        let (host, buffer) = unsafe { (unique(host)?, bytes_mut(buffer, capacity)?) };
        host.transmit(at(now_ns), buffer).map(length)
    })
}

/// Does what is due at this time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stack_host_poll(host: *mut Host, now_ns: u64) -> i64 {
    done(|| {
        // SAFETY: the header's contract.
        let host = unsafe { unique(host)? };
        host.inner.poll(at(now_ns));
        Ok(())
    })
}

/// When to call stack_host_poll next, ns on the same clock; INT64_MAX while nothing is pending.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stack_host_deadline(host: *mut Host) -> i64 {
    number(|| {
        // SAFETY: the header's contract.
        let host = unsafe { unique(host)? };
        let at = host.deadline().map_or(u64::MAX, Instant::as_nanos);
        Ok(i64::try_from(at).unwrap_or(i64::MAX))
    })
}

/// A new socket of this kind: 1 TCP, 2 UDP. Returns its id.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stack_host_socket(host: *mut Host, of: i32) -> i64 {
    number(|| {
        // SAFETY: the header's contract.
        let host = unsafe { unique(host)? };
        Ok(to_c(host.inner.socket(kind(of)?)?))
    })
}

/// bind(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stack_host_bind(
    host: *mut Host,
    now_ns: u64,
    socket: i64,
    address: *const Address,
) -> i64 {
    done(|| {
        // SAFETY: the header's contract.
        let (host, address) = unsafe { (unique(host)?, shared(address)?) };
        Ok(host.inner.bind(at(now_ns), from_c(socket)?, address.get()?)?)
    })
}

/// listen(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stack_host_listen(
    host: *mut Host,
    now_ns: u64,
    socket: i64,
    backlog: u32,
) -> i64 {
    done(|| {
        // SAFETY: the header's contract.
        let host = unsafe { unique(host)? };
        Ok(host.inner.listen_socket(at(now_ns), from_c(socket)?, backlog)?)
    })
}

/// connect(2): -EINPROGRESS for TCP; stack_host_readiness tells when it is there (POLLOUT), and
/// calling it again how it ended: -EISCONN, or its error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stack_host_connect(
    host: *mut Host,
    now_ns: u64,
    socket: i64,
    address: *const Address,
) -> i64 {
    done(|| {
        // SAFETY: the header's contract.
        let (host, address) = unsafe { (unique(host)?, shared(address)?) };
        Ok(host.inner.connect_socket(at(now_ns), from_c(socket)?, address.get()?)?)
    })
}

/// accept(2): the new socket's id, or -EAGAIN. `peer` may be null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stack_host_accept(
    host: *mut Host,
    now_ns: u64,
    socket: i64,
    peer: *mut Address,
) -> i64 {
    number(|| {
        // SAFETY: the header's contract.
        let host = unsafe { unique(host)? };
        let accepted = host.inner.accept(at(now_ns), from_c(socket)?)?;
        // SAFETY: the header's contract.
        unsafe { store(peer, accepted.remote.into()) };
        Ok(to_c(accepted.socket))
    })
}

/// send(2): bytes taken, or -EAGAIN.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stack_host_send(
    host: *mut Host,
    now_ns: u64,
    socket: i64,
    data: *const u8,
    size: usize,
) -> i64 {
    number(|| {
        // SAFETY: the header's contract.
        let (host, data) = unsafe { (unique(host)?, bytes(data, size)?) };
        Ok(length(host.inner.send(at(now_ns), from_c(socket)?, data)?))
    })
}

/// recv(2): bytes copied, 0 at the end, or -EAGAIN.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stack_host_recv(
    host: *mut Host,
    now_ns: u64,
    socket: i64,
    buffer: *mut u8,
    capacity: usize,
) -> i64 {
    number(|| {
        // SAFETY: the header's contract.
        let (host, buffer) = unsafe { (unique(host)?, bytes_mut(buffer, capacity)?) };
        Ok(length(host.inner.recv(at(now_ns), from_c(socket)?, buffer)?))
    })
}

/// sendto(2), one datagram.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stack_host_send_to(
    host: *mut Host,
    now_ns: u64,
    socket: i64,
    data: *const u8,
    size: usize,
    to: *const Address,
) -> i64 {
    number(|| {
        // SAFETY: the header's contract.
        let (host, data, to) = unsafe { (unique(host)?, bytes(data, size)?, shared(to)?) };
        Ok(length(host.inner.send_to(at(now_ns), from_c(socket)?, data, to.get()?)?))
    })
}

/// recvfrom(2), one datagram; what does not fit is lost. `from` may be null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stack_host_recv_from(
    host: *mut Host,
    now_ns: u64,
    socket: i64,
    buffer: *mut u8,
    capacity: usize,
    from: *mut Address,
) -> i64 {
    number(|| {
        // SAFETY: the header's contract.
        let (host, buffer) = unsafe { (unique(host)?, bytes_mut(buffer, capacity)?) };
        let received = host.inner.recv_from(at(now_ns), from_c(socket)?, buffer)?;
        // SAFETY: the header's contract.
        unsafe { store(from, received.from.into()) };
        Ok(length(received.copied))
    })
}

/// What the socket can do without waiting: the bits of poll(2), POLLIN, POLLOUT, POLLERR...
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stack_host_readiness(host: *mut Host, socket: i64) -> i64 {
    number(|| {
        // SAFETY: the header's contract.
        let host = unsafe { unique(host)? };
        let id: SocketId = from_c(socket)?;
        Ok(host.inner.readiness(id)?.poll_bits().into())
    })
}

/// shutdown(2): 0 reading, 1 writing, 2 both.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stack_host_shutdown(
    host: *mut Host,
    now_ns: u64,
    socket: i64,
    how: i32,
) -> i64 {
    done(|| {
        // SAFETY: the header's contract.
        let host = unsafe { unique(host)? };
        Ok(host.inner.shutdown(at(now_ns), from_c(socket)?, crate::sockets::how(how)?)?)
    })
}

/// close(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stack_host_close(host: *mut Host, now_ns: u64, socket: i64) -> i64 {
    done(|| {
        // SAFETY: the header's contract.
        let host = unsafe { unique(host)? };
        Ok(host.inner.close(at(now_ns), from_c(socket)?)?)
    })
}
