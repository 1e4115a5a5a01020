//! Whose socket a number is, and copies of programs' descriptors.
//!
//! A number means something only in one process at one moment; the inode of the socket behind it
//! is what stays. A copy is checked to be of that inode, so whatever a program does with its
//! numbers meanwhile, we never act on another socket.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::libc;
use rustc_hash::FxBuildHasher;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use socket::Errno;

use crate::memory::{EFAULT, EPERM, Memory};
use crate::sys;

/// Threads whose handles are kept.
const MOST_HANDLES: usize = 256;

/// The inode of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Inode(u64);

impl Inode {
    pub(super) fn of(descriptor: impl AsFd) -> io::Result<Self> {
        Ok(Self(rustix::fs::fstat(descriptor)?.st_ino))
    }

    /// What `number` is in a thread; `None` if it is no socket.
    pub(super) fn at(thread: u32, number: i32) -> Option<Self> {
        let target = fs::read_link(format!("/proc/{thread}/fd/{number}")).ok()?;
        let target = target.to_str()?;
        target.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok().map(Self)
    }
}

/// Handles of programs' threads.
#[derive(Default)]
pub(super) struct Owners {
    handles: HashMap<u32, OwnedFd, FxBuildHasher>,
}

impl Owners {
    /// A descriptor of our own for the socket that `number` is in a thread.
    pub(super) fn copy(
        &mut self,
        inode: Inode,
        thread: u32,
        number: i32,
    ) -> Result<OwnedFd, Errno> {
        let errno = |error: rustix::io::Errno| Errno::from_raw(error.raw_os_error());
        let known = self.handles.get(&thread);
        let copied = known.map(|handle| pidfd_getfd(handle, number, PidfdGetfdFlags::empty()));
        let copy = match copied {
            Some(Ok(copy)) if Inode::of(&copy).is_ok_and(|is| is == inode) => return Ok(copy),
            // Its number may be another thread's by now.
            Some(_) | None => {
                let handle = open(thread).map_err(errno)?;
                let copy = pidfd_getfd(&handle, number, PidfdGetfdFlags::empty());
                if self.handles.len() >= MOST_HANDLES {
                    self.handles.clear();
                }
                self.handles.insert(thread, handle);
                copy.map_err(errno)?
            }
        };
        if Inode::of(&copy).is_ok_and(|is| is == inode) { Ok(copy) } else { Err(Errno::BADF) }
    }

    /// The same, wherever it is: where it was seen, else in any process.
    pub(super) fn anywhere(&mut self, inode: Inode, seen: (u32, i32)) -> Option<OwnedFd> {
        if let Ok(copy) = self.copy(inode, seen.0, seen.1) {
            return Some(copy);
        }
        let processes = fs::read_dir("/proc").ok()?.flatten();
        let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        for pid in pids {
            let Ok(numbers) = fs::read_dir(format!("/proc/{pid}/fd")) else { continue };
            for number in numbers.flatten() {
                let number = number.file_name().to_str().and_then(|name| name.parse().ok());
                if let Some(number) = number
                    && Inode::at(pid, number) == Some(inode)
                    && let Ok(copy) = self.copy(inode, pid, number)
                {
                    return Some(copy);
                }
            }
        }
        None
    }
}

/// A handle of the process that a thread is of.
fn open(thread: u32) -> rustix::io::Result<OwnedFd> {
    let pid = |number: u32| i32::try_from(number).ok().and_then(Pid::from_raw);
    let this = pid(thread).ok_or(rustix::io::Errno::SRCH)?;
    match pidfd_open(this, PidfdFlags::empty()) {
        Ok(handle) => Ok(handle),
        // Only the first thread of a process has a handle.
        Err(error) => {
            let status = fs::read_to_string(format!("/proc/{thread}/status")).unwrap_or_default();
            let leader = status
                .lines()
                .find_map(|line| line.strip_prefix("Tgid:")?.trim().parse().ok())
                .and_then(pid);
            pidfd_open(leader.filter(|&leader| leader != this).ok_or(error)?, PidfdFlags::empty())
        }
    }
}

/// The memory of a thread.
pub(super) struct Space(pub(super) u32);

impl Space {
    fn errno(error: &io::Error) -> Errno {
        match error.raw_os_error() {
            Some(libc::EPERM) => EPERM,
            _ => EFAULT,
        }
    }
}

impl Memory for Space {
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), Errno> {
        if buffer.is_empty() {
            return Ok(());
        }
        let n = sys::read_memory(self.0, address, buffer).map_err(|error| Self::errno(&error))?;
        if n == buffer.len() { Ok(()) } else { Err(EFAULT) }
    }

    fn write(&self, address: u64, data: &[u8]) -> Result<(), Errno> {
        if data.is_empty() {
            return Ok(());
        }
        let n = sys::write_memory(self.0, address, data).map_err(|error| Self::errno(&error))?;
        if n == data.len() { Ok(()) } else { Err(EFAULT) }
    }
}
