//! The system calls that no safe wrapper has: seccomp's own, and those on another process's
//! memory. The only unsafe code of this crate; nothing here decides anything.
#![expect(unsafe_code, reason = "system calls on raw structures")]

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::libc;

use crate::filter::Instruction;

mod raw {
    use nix::libc;
    // linux/seccomp.h
    nix::ioctl_readwrite!(receive, b'!', 0, libc::seccomp_notif);
    nix::ioctl_readwrite!(send, b'!', 1, libc::seccomp_notif_resp);
    nix::ioctl_write_ptr!(id_valid, b'!', 2, u64);
    nix::ioctl_write_ptr!(add_descriptor, b'!', 3, libc::seccomp_notif_addfd);
    // asm-generic/sockios.h: bytes sent and not read by the other end yet.
    nix::ioctl_read_bad!(unread, libc::TIOCOUTQ, libc::c_int);
}

/// Runs `before` in the child, between fork and exec, with nothing but system calls in it.
///
/// `before` must not allocate or take a lock: another thread may have held it when we forked.
pub(crate) fn before_exec(
    command: &mut Command,
    before: impl FnMut() -> io::Result<()> + Send + Sync + 'static,
) {
    // SAFETY: the only caller passes a closure of plain system calls on values made before.
    unsafe { command.pre_exec(before) };
}

/// Puts the calling thread, and all that it will start, under `filter`. Returns the descriptor that
/// notifications come from.
pub(crate) fn install(filter: &[Instruction]) -> io::Result<RawFd> {
    let program = libc::sock_fprog {
        len: u16::try_from(filter.len()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?,
        filter: filter.as_ptr().cast_mut().cast::<libc::sock_filter>(),
    };
    // SAFETY: `program` and what it points to live through the call, which reads only; an
    // `Instruction` is laid out as `sock_filter`.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
            &raw const program,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result as RawFd)
}

/// A call of the program that waits for our answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Notification {
    /// Ours to answer with.
    pub(crate) id: u64,
    /// The thread.
    pub(crate) thread: u32,
    /// The system call.
    pub(crate) number: i32,
    /// Its arguments.
    pub(crate) arguments: [u64; 6],
}

/// The next notification. `ENOENT` if its thread is gone by now.
pub(crate) fn receive(listener: BorrowedFd<'_>) -> io::Result<Notification> {
    // SAFETY: zeroes are a valid `seccomp_notif`, and what the kernel insists on.
    let mut request: libc::seccomp_notif = unsafe { core::mem::zeroed() };
    // SAFETY: the kernel writes one `seccomp_notif`.
    unsafe { raw::receive(listener.as_raw_fd(), &raw mut request) }?;
    Ok(Notification {
        id: request.id,
        thread: request.pid,
        number: request.data.nr,
        arguments: request.data.args,
    })
}

/// How a notified call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It returns this.
    Value(i64),
    /// It fails with this number.
    Error(i32),
    /// The kernel does it, as if there were no filter.
    Native,
}

/// Answers a notification. `ENOENT` if the call was interrupted meanwhile.
pub(crate) fn answer(listener: BorrowedFd<'_>, id: u64, verdict: Verdict) -> io::Result<()> {
    let (val, error, flags) = match verdict {
        Verdict::Value(value) => (value, 0, 0),
        Verdict::Error(number) => (0, -number, 0),
        Verdict::Native => (0, 0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32),
    };
    let mut response = libc::seccomp_notif_resp { id, val, error, flags };
    // SAFETY: the kernel reads one `seccomp_notif_resp`.
    unsafe { raw::send(listener.as_raw_fd(), &raw mut response) }?;
    Ok(())
}

/// Whether the call still waits, so that what was read of its thread's memory was the caller's.
pub(crate) fn is_waiting(listener: BorrowedFd<'_>, id: u64) -> bool {
    // SAFETY: the kernel reads one u64.
    unsafe { raw::id_valid(listener.as_raw_fd(), &raw const id) }.is_ok()
}

/// Gives the program a descriptor and makes its number the call's result, in one step.
pub(crate) fn hand_over(
    listener: BorrowedFd<'_>,
    id: u64,
    descriptor: BorrowedFd<'_>,
    close_on_exec: bool,
) -> io::Result<()> {
    let request = libc::seccomp_notif_addfd {
        id,
        flags: libc::SECCOMP_ADDFD_FLAG_SEND as u32,
        srcfd: descriptor.as_raw_fd() as u32,
        newfd: 0,
        newfd_flags: if close_on_exec { libc::O_CLOEXEC as u32 } else { 0 },
    };
    // SAFETY: the kernel reads one `seccomp_notif_addfd`.
    unsafe { raw::add_descriptor(listener.as_raw_fd(), &raw const request) }?;
    Ok(())
}

/// Copies from the memory of a process. Short if the range ends in a hole.
pub(crate) fn read_memory(process: u32, from: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let local = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let remote = libc::iovec { iov_base: from as *mut libc::c_void, iov_len: buffer.len() };
    // SAFETY: the kernel writes at most `buffer.len()` bytes to `buffer`; the other pointer is
    // another process's and is checked by the kernel.
    let n = unsafe {
        libc::process_vm_readv(process as libc::pid_t, &raw const local, 1, &raw const remote, 1, 0)
    };
    usize::try_from(n).map_err(|_| io::Error::last_os_error())
}

/// Copies to the memory of a process. Short if the range ends in a hole.
pub(crate) fn write_memory(process: u32, to: u64, data: &[u8]) -> io::Result<usize> {
    let local = libc::iovec { iov_base: data.as_ptr().cast_mut().cast(), iov_len: data.len() };
    let remote = libc::iovec { iov_base: to as *mut libc::c_void, iov_len: data.len() };
    // SAFETY: the kernel reads `data.len()` bytes of `data`; the other pointer is another process's
    // and is checked by the kernel.
    let n = unsafe {
        libc::process_vm_writev(
            process as libc::pid_t,
            &raw const local,
            1,
            &raw const remote,
            1,
            0,
        )
    };
    usize::try_from(n).map_err(|_| io::Error::last_os_error())
}

/// Memory that was sent on this Unix socket and not read yet, bytes.
pub(crate) fn unread(socket: BorrowedFd<'_>) -> usize {
    let mut bytes: c_int = 0;
    // SAFETY: the kernel writes one int.
    let result = unsafe { raw::unread(socket.as_raw_fd(), &raw mut bytes) };
    result.map_or(0, |_| usize::try_from(bytes).unwrap_or(0))
}

/// Marks all descriptors above 2 to be closed on exec.
pub(crate) fn close_all_on_exec() -> io::Result<()> {
    // SAFETY: no memory is involved; descriptors stay open until exec.
    let result = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            3 as libc::c_uint,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC as libc::c_uint,
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// A plain `write`, for the child before exec.
pub(crate) fn write_number(to: RawFd, number: i32) -> io::Result<()> {
    let bytes = number.to_ne_bytes();
    // SAFETY: the kernel reads the four bytes.
    let n = unsafe { libc::write(to, bytes.as_ptr().cast(), bytes.len()) };
    if n == 4 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A plain `read` of one byte, for the child before exec.
pub(crate) fn wait_for_byte(from: RawFd) -> io::Result<()> {
    let mut byte = 0u8;
    loop {
        // SAFETY: the kernel writes at most one byte.
        let n = unsafe { libc::read(from, (&raw mut byte).cast(), 1) };
        match n {
            1 => return Ok(()),
            0 => return Err(io::Error::from_raw_os_error(libc::EPIPE)),
            _ => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
    }
}

/// A plain `close`, for the child before exec: of a descriptor that nothing there owns.
pub(crate) fn close_number(number: RawFd) {
    // SAFETY: the number is of a pipe whose owner is in the parent's memory only.
    unsafe { libc::close(number) };
}

/// The calling process is killed when the thread that forked it ends.
pub(crate) fn die_with_parent() -> io::Result<()> {
    // SAFETY: the arguments are numbers.
    let result = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// No new privileges by exec, for ever.
pub(crate) fn no_new_privileges() -> io::Result<()> {
    // SAFETY: the arguments are numbers.
    let result = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Orphans below this process become its children.
pub(crate) fn become_subreaper() -> io::Result<()> {
    // SAFETY: the arguments are numbers.
    let result = unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// A network namespace with nothing in it but `lo`, which is down and has `address`: programs that
/// ask whether there is IPv4 here look for one.
pub(crate) fn empty_network(address: [u8; 4]) -> io::Result<()> {
    // SAFETY: namespaces are no matter of memory safety.
    if unsafe { libc::unshare(libc::CLONE_NEWNET) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: zeroes are a valid `ifreq`.
    let mut request: libc::ifreq = unsafe { core::mem::zeroed() };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    let mut data: [libc::c_char; 14] = [0; 14];
    for (to, from) in data.iter_mut().skip(2).zip(address) {
        *to = from as libc::c_char;
    }
    request.ifr_ifru.ifru_addr =
        libc::sockaddr { sa_family: libc::AF_INET as libc::sa_family_t, sa_data: data };
    // SAFETY: the kernel reads one `ifreq`; the socket is closed again.
    unsafe {
        let socket = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        libc::ioctl(socket, libc::SIOCSIFADDR, &raw const request);
        libc::close(socket);
    }
    Ok(())
}

/// The number of this process, by a system call and nothing else.
pub(crate) fn own_pid() -> i32 {
    // SAFETY: it has no arguments and cannot fail.
    unsafe { libc::getpid() }
}

/// A signal mask.
#[derive(Clone, Copy)]
pub(crate) struct Mask(libc::sigset_t);

/// Blocks `signals` in this thread and those it will start, and returns what was blocked before
/// and a descriptor to read them from.
pub(crate) fn signals_as_descriptor(signals: &[c_int]) -> io::Result<(Mask, OwnedFd)> {
    // SAFETY: zeroes are a valid `sigset_t`, emptied next.
    let (mut set, mut old): (libc::sigset_t, libc::sigset_t) =
        unsafe { (core::mem::zeroed(), core::mem::zeroed()) };
    // SAFETY: both sets are ours, the numbers are signals'.
    let fd = unsafe {
        libc::sigemptyset(&raw mut set);
        for &signal in signals {
            libc::sigaddset(&raw mut set, signal);
        }
        if libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, &raw mut old) != 0 {
            return Err(io::Error::last_os_error());
        }
        libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK)
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made it for us.
    Ok((Mask(old), unsafe { OwnedFd::from_raw_fd(fd) }))
}

/// Restores a mask, in the child before exec.
pub(crate) fn restore_mask(mask: &Mask) -> io::Result<()> {
    // SAFETY: the set is ours and initialised.
    let result = unsafe {
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const mask.0, core::ptr::null_mut())
    };
    if result == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(result)) }
}

/// Sends a signal.
pub(crate) fn kill(process: i32, signal: c_int) {
    // SAFETY: the arguments are numbers. A process that is gone needs no signal.
    let _ = unsafe { libc::kill(process, signal) };
}

/// The signal, and whether a process sent it (rather than the terminal), of a record of `signalfd`.
pub(crate) fn signal_of(record: &[u8; SIGNAL_RECORD]) -> (c_int, bool) {
    let word = |at: usize| -> [u8; 4] {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&record[at..at + 4]);
        bytes
    };
    // struct signalfd_siginfo: ssi_signo, ssi_errno, ssi_code.
    let (number, code) = (u32::from_ne_bytes(word(0)), i32::from_ne_bytes(word(8)));
    (number as c_int, code <= 0)
}

/// Size of `struct signalfd_siginfo`.
pub(crate) const SIGNAL_RECORD: usize = 128;
