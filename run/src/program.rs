//! [`Program`]: starting a program under the filter, passing signals on, and its end.
//!
//! ```text
//!   the child, between fork and exec           the supervisor
//!     an empty network namespace, if allowed
//!     no_new_privs, filter
//!     "I am PID, the listener is N"  ------->  pidfd_getfd(PID, N)
//!     exec                           <-------  "go on"
//! ```
//!
//! The supervisor adopts what the program leaves behind (daemons), and ends when the last of them
//! does: until then they need their sockets. Where it is killed, the program is killed with it.

use core::net::Ipv4Addr;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use nix::libc;
use rustix::net::{AddressFamily, sockopt};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{
    Pid, PidfdFlags, PidfdGetfdFlags, WaitOptions, geteuid, pidfd_getfd, pidfd_open, wait,
};

use crate::request::Side;
use crate::supervisor::Supervisor;
use crate::{filter, sys};

/// Tokens in the place where the supervisor waits.
const NOTIFICATIONS: u64 = 1;
const SIGNALS: u64 = 2;

/// Signals that a process may send to the supervisor and means for the program.
const PASSED_ON: [i32; 6] =
    [libc::SIGTERM, libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGUSR1, libc::SIGUSR2];

/// Why a program could not be run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Set-user-ID needs new privileges.
    #[error(
        "{} is set-user-ID or set-group-ID: here it would run without its rights\n  help: run \
         it as the user it needs to be", .0.display()
    )]
    SetId(PathBuf),
    /// The program would have a socket of the kernel's.
    #[error(
        "descriptor {0} is a socket of the kernel's TCP/IP\n  help: redirect it, e.g. </dev/null"
    )]
    Socket(i32),
    /// No such program, or it may not be run.
    #[error("cannot run {}: {source}", program.to_string_lossy())]
    Start {
        /// Which.
        program: OsString,
        /// Why.
        source: io::Error,
    },
    /// The kernel does not let us look after the program.
    #[error(
        "cannot supervise the program: {0}\n  help: this needs Linux 5.14 with seccomp, and that \
         `sysctl kernel.yama.ptrace_scope` is 0 or 1"
    )]
    Supervise(io::Error),
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With this code.
    Exited(i32),
    /// By this signal.
    Killed(i32),
}

impl Outcome {
    /// As a shell says it: 128 and the signal's number.
    pub fn code(self) -> u8 {
        match self {
            Self::Exited(code) => u8::try_from(code & 0xff).unwrap_or(u8::MAX),
            Self::Killed(signal) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
        }
    }
}

/// Signals as the supervisor gets them: blocked in every thread, read from a descriptor.
pub struct Signals {
    descriptor: OwnedFd,
    before: sys::Mask,
}

impl Signals {
    /// To be called while there is one thread: those started later inherit it.
    ///
    /// # Errors
    ///
    /// No descriptors.
    pub fn block() -> io::Result<Self> {
        let mut signals = PASSED_ON.to_vec();
        signals.push(libc::SIGCHLD);
        let (before, descriptor) = sys::signals_as_descriptor(&signals)?;
        Ok(Self { descriptor, before })
    }
}

/// A program under the filter.
pub struct Program {
    pid: Pid,
    listener: OwnedFd,
    signals: Signals,
}

impl Program {
    /// Starts `program`, from a thread that stays: it lives no longer than that. `address` is what
    /// its own network namespace claims to have.
    ///
    /// # Errors
    ///
    /// [`RunError`].
    pub fn start(
        program: &OsStr,
        arguments: &[OsString],
        address: Ipv4Addr,
        signals: Signals,
    ) -> Result<Self, RunError> {
        check(program)?;
        sys::become_subreaper().map_err(RunError::Supervise)?;
        let pipe = || pipe_with(PipeFlags::CLOEXEC);
        let ((told, tell), (go, let_go)) =
            pipe().and_then(|a| Ok((a, pipe()?))).map_err(|e| RunError::Supervise(e.into()))?;
        let code = filter::program();
        let (before, tell_number, go_number) = (signals.before, tell.as_raw_fd(), go.as_raw_fd());
        let let_go_number = let_go.as_raw_fd();
        let address = address.octets();
        let mut command = Command::new(program);
        command.args(arguments);
        sys::before_exec(&mut command, move || {
            // Else we would wait for ourselves where the supervisor is killed.
            sys::close_number(let_go_number);
            // Where it may not be made, the filter alone is the wall.
            let _ = sys::empty_network(address);
            sys::restore_mask(&before)?;
            sys::close_all_on_exec()?;
            // Without its supervisor every call would fail: better gone.
            sys::die_with_parent()?;
            sys::no_new_privileges()?;
            let listener = sys::install(&code)?;
            sys::write_number(tell_number, sys::own_pid())?;
            sys::write_number(tell_number, listener)?;
            sys::wait_for_byte(go_number)
        });
        thread::scope(|scope| {
            let fetching = scope.spawn(|| fetch(told, &let_go));
            let started = command.spawn();
            // Whoever fetches must see the end if nothing comes.
            drop(tell);
            let fetched = fetching.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()));
            let start = |source| RunError::Start { program: program.to_owned(), source };
            match (started, fetched) {
                (Ok(child), Ok(listener)) => {
                    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
                    let pid = pid.ok_or_else(|| start(io::ErrorKind::Other.into()))?;
                    Ok(Self { pid, listener, signals })
                }
                (Err(error), Err(why)) if error.raw_os_error() == Some(libc::EPIPE) => {
                    Err(RunError::Supervise(why))
                }
                (Err(error), _) => Err(start(error)),
                (Ok(mut child), Err(why)) => {
                    // It may have ended by itself.
                    let _ = child.kill();
                    let _ = child.wait();
                    Err(RunError::Supervise(why))
                }
            }
        })
    }

    /// Answers the program's calls until it and all it has started are gone.
    ///
    /// # Errors
    ///
    /// The stack is gone.
    pub fn supervise(self, side: impl Side) -> io::Result<Outcome> {
        let Self { pid, listener, signals } = self;
        side.watch(listener.as_fd(), NOTIFICATIONS)?;
        side.watch(signals.descriptor.as_fd(), SIGNALS)?;
        let mut supervisor = Supervisor::new(listener, side);
        let mut outcome = None;
        let mut tokens = Vec::new();
        loop {
            supervisor.wait(&mut tokens)?;
            for token in tokens.drain(..) {
                match token {
                    NOTIFICATIONS => supervisor.listen(),
                    SIGNALS => {
                        pass_on(signals.descriptor.as_fd(), pid);
                        let all_gone = reap(pid, &mut outcome);
                        if let Some(outcome) = outcome.filter(|_| all_gone) {
                            return Ok(outcome);
                        }
                    }
                    _ => {}
                }
            }
            supervisor.settle();
        }
    }
}

/// Takes the listener out of the child, then lets it go on.
fn fetch(told: OwnedFd, let_go: &OwnedFd) -> io::Result<OwnedFd> {
    let mut told = fs::File::from(told);
    let mut number = || {
        let mut bytes = [0; 4];
        told.read_exact(&mut bytes).map(|()| i32::from_ne_bytes(bytes))
    };
    let (pid, descriptor) = (number()?, number()?);
    let pid = Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidData)?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    let listener = pidfd_getfd(pidfd, descriptor, PidfdGetfdFlags::empty())?;
    rustix::io::write(let_go, &[0])?;
    Ok(listener)
}

/// Passes on what processes sent; what the terminal sent, the program got itself.
fn pass_on(signals: BorrowedFd<'_>, pid: Pid) {
    let mut record = [0; sys::SIGNAL_RECORD];
    while rustix::io::read(signals, &mut record).is_ok_and(|n| n == record.len()) {
        let (signal, sent) = sys::signal_of(&record);
        if sent && PASSED_ON.contains(&signal) {
            sys::kill(pid.as_raw_nonzero().get(), signal);
        }
    }
}

/// Buries what has ended. True when nothing of the program is left.
fn reap(pid: Pid, outcome: &mut Option<Outcome>) -> bool {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((who, status))) if who == pid => {
                *outcome = match (status.exit_status(), status.terminating_signal()) {
                    (Some(code), _) => Some(Outcome::Exited(code)),
                    (None, Some(signal)) => Some(Outcome::Killed(signal)),
                    (None, None) => continue,
                };
            }
            Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
            Ok(None) => return false,
            // ECHILD.
            Err(_) => return true,
        }
    }
}

/// What cannot work is refused before it starts, with a reason.
fn check(program: &OsStr) -> Result<(), RunError> {
    let (input, output, errors) = (io::stdin(), io::stdout(), io::stderr());
    for (number, descriptor) in [(0, input.as_fd()), (1, output.as_fd()), (2, errors.as_fd())] {
        let family = sockopt::socket_domain(descriptor);
        if matches!(family, Ok(AddressFamily::INET | AddressFamily::INET6)) {
            return Err(RunError::Socket(number));
        }
    }
    let Some(path) = find(program) else { return Ok(()) };
    let Ok(metadata) = fs::metadata(&path) else { return Ok(()) };
    let mode = metadata.permissions().mode();
    let set_user = mode & 0o4000 != 0 && metadata.uid() != geteuid().as_raw();
    let set_group =
        mode & 0o2010 == 0o2010 && metadata.gid() != rustix::process::getegid().as_raw();
    if set_user || set_group { Err(RunError::SetId(path)) } else { Ok(()) }
}

/// The file that `exec` will find.
fn find(program: &OsStr) -> Option<PathBuf> {
    if program.as_encoded_bytes().contains(&b'/') {
        return Some(PathBuf::from(program));
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|place| place.join(program)).find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}
