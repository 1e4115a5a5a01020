//! The binary: a host on a TAP, with services to try it out. `stackd --help` teaches its use.
//!
//! Order matters here: namespaces are entered while there is one thread, signals are caught before
//! anything has to be cleaned up, and `ready` is said when everything answers.

mod advice;
mod args;
mod client;
mod command;
mod rootless;
mod running;
mod services;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::Context;
use crossbeam_channel::{Receiver, bounded, select};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};
use stackd::Stack;
use stackd::control::Server;
use stackd::paths::{Door, Name};
use tracing_subscriber::EnvFilter;

use args::{Args, Asked, Control};
use services::{Kind, Service, Services};

/// The exit code of `stackd run` where there was no program to have one, as `env` and `timeout` do.
const NOT_RUN: u8 = 125;

fn main() -> ExitCode {
    let asked = Asked::parse();
    if let Asked::Command(command) = asked {
        return command.run();
    }
    end_on_panic();
    let (outcome, failure) = match asked {
        Asked::Serve(args) => {
            start_log("info");
            (run(*args).map(|()| ExitCode::SUCCESS), ExitCode::FAILURE)
        }
        Asked::Run(args) => {
            start_log("warn");
            (running::run(*args).map(ExitCode::from), ExitCode::from(NOT_RUN))
        }
        Asked::Command(command) => return command.run(),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {}", explain(&error));
            let start = error.downcast_ref::<stackd::StartError>();
            if let Some(advice) = start.and_then(advice::advice) {
                eprintln!("  help: {advice}");
            }
            failure
        }
    }
}

/// The error and its causes, without those that an earlier one has already quoted.
fn explain(error: &anyhow::Error) -> String {
    let mut said = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if !said.contains(&cause) {
            let joint = if said.is_empty() { "" } else { ": " };
            said = said + joint + &cause;
        }
    }
    said
}

/// A stage that panicked would never run again, and the host would look alive: better gone, with
/// what it printed.
fn end_on_panic() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        print(panic);
        std::process::exit(101);
    }));
}

fn start_log(default: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let colours = io::stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    log.with_ansi(colours).init();
}

fn run(args: Args) -> anyhow::Result<()> {
    let Args { host, services, name, control } = args;
    let rootless = host.rootless_tap();
    // Before anything else: inside a namespace of our own paths would mean other ones.
    let door = open_door(name, control)?;
    let beside = door.as_ref().map(|door| door.path().with_extension("run"));
    let programs = beside.map(|path| Door::open(&path)).transpose()?;
    if let Some(tap) = &rootless {
        rootless::enter(tap)?;
    }
    // From here on there may be threads.
    let signals = Stopping::on_signals()?;
    let stack = Arc::new(host.builder().start()?);
    if let Some(door) = &programs {
        running::serve(door, &stack)?;
    }
    let running = Services::start(&stack, &services)?;
    let control = door.map(|door| Server::start(&stack, door)).transpose();
    let control = control.context("cannot serve the control socket")?;
    // Nobody may be listening: then there is nobody to tell.
    let _ = say_ready(&stack, &services, rootless.is_some());
    let outcome = wait(&stack, &signals.asked);
    stack.shutdown();
    drop(control);
    running.join();
    drop((signals, programs));
    outcome
}

/// The control socket. Without a name of its own, a second daemon on a machine does without.
fn open_door(name: Option<Name>, control: Option<Control>) -> anyhow::Result<Option<Door>> {
    let named = name.is_some() || control.is_some();
    let path = match control {
        Some(Control::Off) => return Ok(None),
        Some(Control::At(path)) => path,
        None => stackd::paths::control(&name.unwrap_or_default()),
    };
    match Door::open(&path) {
        Ok(door) => Ok(Some(door)),
        Err(error) if named => Err(error.into()),
        Err(error) => {
            tracing::warn!("{error}: no control socket here; --name gives this daemon its own");
            Ok(None)
        }
    }
}

/// Until a signal comes or no device is left.
fn wait(stack: &Stack, asked: &Receiver<i32>) -> anyhow::Result<()> {
    let mut left = stack.interfaces().len();
    loop {
        select! {
            recv(asked) -> signal => {
                let name = if signal == Ok(SIGINT) { "SIGINT" } else { "SIGTERM" };
                tracing::info!("{name}: closing connections");
                return Ok(());
            }
            recv(stack.failures()) -> failure => {
                let error = failure.context("the readers are gone")?.error;
                left -= 1;
                if left == 0 {
                    return Err(error.into());
                }
                tracing::error!("{error}; going on with the other interfaces");
            }
        }
    }
}

/// What to try, then the line that scripts wait for.
fn say_ready(stack: &Stack, services: &[Service], rootless: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for interface in stack.interfaces() {
        let ours: Vec<String> = interface.addresses.iter().map(ToString::to_string).collect();
        let offload = if interface.offload { "on" } else { "off" };
        let (name, mac, mtu) = (&interface.name, interface.mac, interface.mtu);
        let ours = ours.join(", ");
        writeln!(out, "{name}: {ours} at {mac}, mtu {mtu}, offload {offload}")?;
        if let Some(host) = interface.host_address {
            writeln!(out, "{name}: this machine is {host}")?;
        }
    }
    if rootless {
        writeln!(out, "in a network namespace of its own; enter it with")?;
        let pid = std::process::id();
        writeln!(out, "  nsenter --preserve-credentials -U -n -t {pid}")?;
    }
    writeln!(out, "try:")?;
    for interface in stack.interfaces() {
        let Some(address) = interface.addresses.first().map(ipnet::Ipv4Net::addr) else { continue };
        writeln!(out, "  ping {address}")?;
        for Service { kind, port } in services {
            match kind {
                Kind::Http if *port == 80 => writeln!(out, "  curl http://{address}/")?,
                Kind::Http => writeln!(out, "  curl http://{address}:{port}/")?,
                Kind::Echo => writeln!(out, "  nc {address} {port}")?,
                Kind::Discard | Kind::Source => {}
            }
        }
    }
    writeln!(out, "ready")?;
    out.flush()
}

/// SIGINT and SIGTERM as messages. A second one ends the process at once.
struct Stopping {
    asked: Receiver<i32>,
    handle: Handle,
    thread: Option<thread::JoinHandle<()>>,
}

impl Stopping {
    fn on_signals() -> anyhow::Result<Self> {
        let second = Arc::new(AtomicBool::new(false));
        for (signal, status) in [(SIGINT, 130), (SIGTERM, 143)] {
            let armed = Arc::clone(&second);
            signal_hook::flag::register_conditional_shutdown(signal, status, armed)
                .context("cannot catch signals")?;
        }
        let mut signals = Signals::new([SIGINT, SIGTERM]).context("cannot catch signals")?;
        let handle = signals.handle();
        let (ask, asked) = bounded(1);
        let thread = thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for signal in signals.forever() {
                second.store(true, Ordering::SeqCst);
                // One is enough.
                let _ = ask.try_send(signal);
            }
        })?;
        Ok(Self { asked, handle, thread: Some(thread) })
    }
}

impl Drop for Stopping {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            // It cannot panic without ending the process.
            let _ = thread.join();
        }
    }
}
