//! `stackd run`, and the daemon's door for it: a program on a stack inside this process, or on a
//! daemon's.

use core::net::Ipv4Addr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::Context;
use run::program::Signals;
use run::request::Side;
use run::{Exchange, Program, Remote};
use rustix::net::sockopt::socket_peercred;
use rustix::process::{getegid, geteuid};
use stackd::Stack;
use stackd::paths::{self, Door, Name};

use crate::args::run::{Run, Which};
use crate::rootless;

/// Programs at once that a daemon serves, a thread each.
const MOST_PROGRAMS: usize = 256;

/// Runs a program; returns its exit code.
pub(crate) fn run(args: Run) -> anyhow::Result<u8> {
    let Run { which, dns, host, program } = args;
    let daemon = match which {
        Which::Inline => None,
        Which::Usual => UnixStream::connect(paths::run(&Name::default())).ok(),
        Which::Daemon(path) => {
            let connected = UnixStream::connect(&path);
            Some(connected.map_err(|error| no_daemon(&path, &error))?)
        }
    };
    if let Some(daemon) = daemon {
        let signals = Signals::block().context("cannot catch signals")?;
        let (remote, address) = Remote::new(daemon.into(), dns).context("the daemon")?;
        return supervise(&program, address, signals, remote);
    }
    if let Some(tap) = host.rootless_tap() {
        rootless::enter(&tap)?;
    }
    // From here on there may be threads, which are to leave signals to us.
    let signals = Signals::block().context("cannot catch signals")?;
    let stack = host.builder().start()?;
    let exchange = Exchange::new(stack.sockets().clone(), dns)?;
    let outcome = supervise(&program, first_address(&stack), signals, exchange);
    stack.shutdown();
    outcome
}

fn supervise(
    program: &[std::ffi::OsString],
    address: Ipv4Addr,
    signals: Signals,
    side: impl Side,
) -> anyhow::Result<u8> {
    let (program, arguments) = program.split_first().context("there is no program")?;
    let running = Program::start(program, arguments, address, signals)?;
    Ok(running.supervise(side)?.code())
}

fn no_daemon(path: &Path, error: &io::Error) -> anyhow::Error {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let living = paths::living();
    let others = match &living[..] {
        [] => "none runs here".to_owned(),
        names => format!("here run: {}", names.join(", ")),
    };
    let path = path.display();
    anyhow::anyhow!("no daemon at {path}: {error}; {others}\n  help: stackd --name {name}")
}

/// What programs are told to have.
fn first_address(stack: &Stack) -> Ipv4Addr {
    let first = stack.interfaces().first().and_then(|interface| interface.addresses.first());
    first.map_or(Ipv4Addr::UNSPECIFIED, ipnet::Ipv4Net::addr)
}

/// Serves programs at `door` as long as the process lives: the threads are never waited for, since
/// a program may outlast any patience.
pub(crate) fn serve(door: &Door, stack: &Stack) -> io::Result<()> {
    let listener = door.listener().try_clone()?;
    let (sockets, address) = (stack.sockets().clone(), first_address(stack));
    let served = Arc::new(AtomicUsize::new(0));
    let accept = move || {
        for connection in listener.incoming() {
            let Ok(connection) = connection else { return };
            if !may(&connection) || served.load(Ordering::SeqCst) >= MOST_PROGRAMS {
                continue;
            }
            let (sockets, served) = (sockets.clone(), Arc::clone(&served));
            served.fetch_add(1, Ordering::SeqCst);
            let one = move || {
                if let Err(error) = run::remote::serve(OwnedFd::from(connection), &sockets, address)
                {
                    tracing::debug!("a program's supervisor: {error}");
                }
                served.fetch_sub(1, Ordering::SeqCst);
            };
            if thread::Builder::new().name("program".to_owned()).spawn(one).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("programs".to_owned()).spawn(accept)?;
    Ok(())
}

/// Whether who connected may have sockets here: the daemon's user, its group, and root.
fn may(connection: &UnixStream) -> bool {
    socket_peercred(connection)
        .is_ok_and(|peer| peer.uid.is_root() || peer.uid == geteuid() || peer.gid == getegid())
}
