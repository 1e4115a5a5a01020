//! A stack under test, standing: its namespaces, its device, its process.
//!
//!     namespace st-PID-N                          namespace st-PID-M (of the kernel as a peer,
//!       load generator                              and of relays)
//!       kernel 10.9.0.1 -- t0 (TAP or veth) -- stack under test 10.9.0.2
//!
//! Everything goes when the value is dropped, whatever ends the run. The queue of a TAP is left at
//! its 1000 packets unless an option says otherwise: to live with it is part of the task.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use rustix::process::Signal;

use super::Common;
use super::load::Sample;
use super::plan::{Peer, Seat, Setup};
use crate::netns::lab::{Folder, STACK};
use crate::netns::namespace::Namespace;
use crate::netns::process::Process;
use crate::netns::wait;

mod launch;

/// Ports of the services, as RFC 862 to 864 have them.
pub(super) const ECHO: u16 = 7;
pub(super) const DISCARD: u16 = 9;
pub(super) const SOURCE: u16 = 19;
/// Of the kernel's own services only: the echo for many short connections.
pub(super) const SHORT_ECHO: u16 = 1007;

/// Ends the hang of a start or an end.
const LIMIT: Duration = Duration::from_secs(10);

/// More addresses of the kernel's end, to connect from, beginning with this last number.
const SOURCES: (u8, u8) = (33, 16);

/// A stack under test that answers. Dropping it ends it.
pub(super) struct Standing {
    // In the order of their end: processes, namespaces, files.
    processes: Vec<Process>,
    near: Namespace,
    _far: Option<Namespace>,
    folder: Folder,
    sources: Vec<Ipv4Addr>,
}

impl Standing {
    /// Sets it up and waits until it serves.
    pub(super) fn start(setup: &Setup, common: &Common) -> anyhow::Result<Standing> {
        let near = Namespace::new()?;
        let folder = Folder::new(near.name())?;
        let seat = setup.peer.seat();
        let far = match seat {
            Seat::Veth | Seat::Relay => Some(Namespace::new()?),
            Seat::Tap | Seat::Tun | Seat::OwnDevice => None,
        };
        let script = launch::device(setup, far.as_ref().map(Namespace::name));
        shell(&near, &script, &folder)?;
        let sources = launch::sources(seat);
        let mut standing = Standing { processes: Vec::new(), near, _far: None, folder, sources };
        if matches!(setup.peer, Peer::Kernel | Peer::Pasta | Peer::Slirp) {
            let serve = [&own(common), "bench-load", "serve"].map(str::to_owned);
            standing.launch(far.as_ref(), &serve, common, "serve")?;
            standing.processes[0].wait_for("ready", LIMIT)?;
        }
        if let Some(words) = launch::command(setup, common, standing.near.name())? {
            standing.launch(far.as_ref(), &words, common, "stack")?;
        }
        standing._far = far;
        standing.wait_until_it_serves(&setup.peer)?;
        let mut script = launch::addresses(&standing.sources);
        if let (Some(packets), true) = (common.txqueuelen, seat != Seat::Veth) {
            script += &format!("ip link set t0 txqueuelen {packets}\n");
        }
        shell(&standing.near, &script, &standing.folder)?;
        Ok(standing)
    }

    fn launch(
        &mut self,
        far: Option<&Namespace>,
        words: &[String],
        common: &Common,
        stem: &str,
    ) -> anyhow::Result<()> {
        let namespace = far.unwrap_or(&self.near);
        let process = launch_as(namespace, words, common, &self.folder, stem)?;
        self.processes.push(process);
        Ok(())
    }

    /// Our own programs say so. A relay's device says so by its address. Of any other program
    /// nothing more is known than that its process runs a moment later; the first connection waits
    /// for it anyway.
    fn wait_until_it_serves(&mut self, peer: &Peer) -> anyhow::Result<()> {
        let stack = self.processes.last_mut().context("no process")?;
        match peer {
            Peer::Kernel => {}
            Peer::Stackd(_) | Peer::Ceiling | Peer::Smoltcp { .. } | Peer::Ipstack | Peer::Lwip => {
                stack.wait_for("ready", LIMIT)?;
            }
            Peer::Pasta | Peer::Slirp => {
                let script = "i=0; until ip -4 address show dev t0 2>&- | grep -q inet; do
                    i=$((i+1)); [ $i -lt 200 ] || exit 1; sleep 0.02; done";
                shell(&self.near, script, &self.folder)
                    .with_context(|| format!("it did not set up t0: {}", stack.stderr()))?;
                wait::pause(Duration::from_millis(100))?;
            }
            Peer::Iperf3 | Peer::Program { .. } => {
                wait::pause(Duration::from_millis(300))?;
            }
        }
        self.still_there()
    }

    fn still_there(&mut self) -> anyhow::Result<()> {
        for process in &mut self.processes {
            ensure!(process.ended()?.is_none(), "the stack ended: {}", process.stderr());
        }
        Ok(())
    }

    /// Where one of its services listens.
    pub(super) fn service(port: u16) -> anyhow::Result<SocketAddr> {
        let address: Ipv4Addr = STACK.parse().context("address of the stack")?;
        Ok(SocketAddr::from((address, port)))
    }

    /// Its processes; of a relay, the server that it passes connections to is one.
    pub(super) fn pids(&self) -> Vec<u32> {
        self.processes.iter().map(Process::pid).collect()
    }

    /// Addresses that the kernel's end may connect from.
    pub(super) fn sources(&self) -> &[Ipv4Addr] {
        &self.sources
    }

    /// Runs the load generator to its end; what it printed.
    pub(super) fn load(
        &mut self,
        words: &[String],
        common: &Common,
        limit: Duration,
    ) -> anyhow::Result<String> {
        let mut whole = vec![own(common), "bench-load".to_owned()];
        whole.extend(words.iter().cloned());
        let process = launch_as(&self.near, &whole, common, &self.folder, "load")?;
        let output = process.finish(limit)?;
        let problem = output.stderr.trim().to_owned();
        ensure!(output.status.success(), "{}", problem.trim_start_matches("error: "));
        self.still_there()?;
        Ok(output.stdout)
    }

    /// Ends it. stackd has to do so in order, within some seconds.
    pub(super) fn stop(mut self, setup: &Setup) -> anyhow::Result<()> {
        if !matches!(setup.peer, Peer::Stackd(_)) {
            return Ok(());
        }
        for process in &mut self.processes {
            process.signal(Signal::TERM)?;
            let output = process.wait(LIMIT)?;
            ensure!(
                output.status.success(),
                "{}",
                output.told("did not end with exit code 0 on SIGTERM")
            );
        }
        Ok(())
    }
}

/// Starts it once more in a namespace of its own, and sees how long that takes and how much memory
/// it has then.
pub(super) fn start_up(setup: &Setup, common: &Common) -> anyhow::Result<Sample> {
    let near = Namespace::new()?;
    let folder = Folder::new(near.name())?;
    shell(&near, &launch::device(setup, None), &folder)?;
    let command = launch::command(setup, common, near.name())?.context("it is no program")?;
    let mut words = [&own(common), "bench-load", "start", "--"].map(str::to_owned).to_vec();
    words.extend(command);
    let process = launch_as(&near, &words, common, &folder, "start")?;
    let said = process.finish(LIMIT)?.ok()?;
    serde_json::from_str(&said).with_context(|| format!("the load generator said: {said}"))
}

/// Runs a line of shell to its end, in a namespace.
fn shell(namespace: &Namespace, script: &str, folder: &Folder) -> anyhow::Result<()> {
    let stem = folder.0.join("shell");
    let process = Process::start(&namespace.prefix(), &["sh", "-ec", script], &stem)?;
    let output = process.finish(LIMIT)?;
    let problem = output.stderr.lines().last().unwrap_or("it said nothing");
    ensure!(output.status.success(), "cannot set up a namespace: {problem}");
    Ok(())
}

/// Starts a program at the priority of the run.
fn launch_as(
    namespace: &Namespace,
    words: &[String],
    common: &Common,
    folder: &Folder,
    stem: &str,
) -> anyhow::Result<Process> {
    let mut whole = ["nice", "-n", &common.nice.to_string()].map(str::to_owned).to_vec();
    whole.extend(words.iter().cloned());
    let stem: &Path = &folder.0.join(stem);
    Process::start(&namespace.prefix(), &whole, stem)
}

fn own(common: &Common) -> String {
    common.own.display().to_string()
}
