//! A stack under test, standing: its namespaces, its device, its process.
//!
//!     namespace st-PID-N                          namespace st-PID-M (of the kernel as a peer)
//!       load generator
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
use super::plan::{Peer, Setup};
use crate::netns::lab::{Folder, HOST, STACK};
use crate::netns::namespace::Namespace;
use crate::netns::process::Process;
use crate::netns::wait;

/// Ports of the services, as RFC 862 to 864 have them.
pub(super) const ECHO: u16 = 7;
pub(super) const DISCARD: u16 = 9;
pub(super) const SOURCE: u16 = 19;

/// Ends the hang of a start or an end.
const LIMIT: Duration = Duration::from_secs(10);

/// A stack under test that answers. Dropping it ends it.
pub(super) struct Standing {
    // In the order of their end: processes, namespaces, files.
    process: Process,
    near: Namespace,
    _far: Option<Namespace>,
    folder: Folder,
}

impl Standing {
    /// Sets it up and waits until it serves.
    pub(super) fn start(setup: &Setup, common: &Common) -> anyhow::Result<Standing> {
        let near = Namespace::new()?;
        let folder = Folder::new(near.name())?;
        let (process, far) = match &setup.peer {
            Peer::Kernel => {
                let far = Namespace::new()?;
                join_by_veth(&near, &far, setup, &folder)?;
                let serve = [&own(common), "bench-load", "serve"].map(str::to_owned);
                (launch(&far, &serve, common, &folder)?, Some(far))
            }
            Peer::Stackd(pipeline) => {
                let offload = if setup.offload { "on" } else { "off" };
                let stackd = common.stackd.display().to_string();
                let flags = format!(
                    "--tap t0 --address {STACK}/24 --host-address {HOST}/24 --mtu {} \
                     --pipeline {} --offload {offload}",
                    setup.mtu,
                    pipeline.name()
                );
                let mut words = vec![stackd];
                words.extend(flags.split_whitespace().map(str::to_owned));
                (launch(&near, &words, common, &folder)?, None)
            }
            Peer::Program { name: _, command } => {
                let tap = format!(
                    "ip tuntap add t0 mode tap && ip address add {HOST}/24 dev t0 && \
                     ip link set t0 mtu {} up",
                    setup.mtu
                );
                shell(&near, &tap, &folder)?;
                let offload = if setup.offload { "on" } else { "off" };
                let words: Vec<String> =
                    command.iter().map(|word| word.replace("{offload}", offload)).collect();
                (launch(&near, &words, common, &folder)?, None)
            }
        };
        let mut standing = Standing { process, near, _far: far, folder };
        if let (Some(packets), false) = (common.txqueuelen, setup.peer == Peer::Kernel) {
            shell(
                &standing.near,
                &format!("ip link set t0 txqueuelen {packets}"),
                &standing.folder,
            )?;
        }
        standing.wait_until_it_serves(&setup.peer)?;
        Ok(standing)
    }

    /// stackd and our own services say so; of any other program nothing more is known than that
    /// its process runs a moment later. The first connection waits for it anyway.
    fn wait_until_it_serves(&mut self, peer: &Peer) -> anyhow::Result<()> {
        match peer {
            Peer::Kernel | Peer::Stackd(_) => {
                self.process.wait_for("ready", LIMIT)?;
            }
            Peer::Program { name, .. } => {
                wait::pause(Duration::from_millis(300))?;
                let said = || self.process.stderr();
                let ended = said();
                ensure!(self.process.ended()?.is_none(), "{name} ended: {ended}");
            }
        }
        Ok(())
    }

    /// Where one of its services listens.
    pub(super) fn service(port: u16) -> anyhow::Result<SocketAddr> {
        let address: Ipv4Addr = STACK.parse().context("address of the stack")?;
        Ok(SocketAddr::from((address, port)))
    }

    /// Its process.
    pub(super) fn pid(&self) -> u32 {
        self.process.pid()
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
        ensure!(self.process.ended()?.is_none(), "the stack ended: {}", self.process.stderr());
        Ok(output.stdout)
    }

    /// Ends it. stackd has to do so in order, within some seconds.
    pub(super) fn stop(mut self, setup: &Setup) -> anyhow::Result<()> {
        if !matches!(setup.peer, Peer::Stackd(_)) {
            return Ok(());
        }
        self.process.signal(Signal::TERM)?;
        let output = self.process.wait(LIMIT)?;
        ensure!(
            output.status.success(),
            "{}",
            output.told("did not end with exit code 0 on SIGTERM")
        );
        Ok(())
    }
}

/// A veth pair between two namespaces, with or without segmentation offload.
fn join_by_veth(
    near: &Namespace,
    far: &Namespace,
    setup: &Setup,
    folder: &Folder,
) -> anyhow::Result<()> {
    let Setup { peer: _, offload, mtu } = setup;
    let beyond = far.name();
    // Left as the kernel makes it, or all off; GRO is off on a new veth, as it gets super-frames
    // whole anyway.
    let off = match offload {
        true => String::new(),
        false => {
            let off = |device| format!("ethtool -K {device} tso off gso off gro off");
            format!("{}\nip netns exec {beyond} {}", off("t0"), off("p0"))
        }
    };
    let script = format!(
        "set -e
        ip link add t0 mtu {mtu} type veth peer name p0 mtu {mtu} netns {beyond}
        ip address add {HOST}/24 dev t0
        ip link set t0 up
        ip -n {beyond} address add {STACK}/24 dev p0
        ip -n {beyond} link set p0 up
        {off}"
    );
    shell(near, &script, folder)
}

/// Runs a line of shell to its end, in a namespace.
fn shell(namespace: &Namespace, script: &str, folder: &Folder) -> anyhow::Result<()> {
    let stem = folder.0.join("shell");
    let process = Process::start(&namespace.prefix(), &["sh", "-c", script], &stem)?;
    process.finish(LIMIT)?.ok()?;
    Ok(())
}

/// Starts the stack under test.
fn launch(
    namespace: &Namespace,
    words: &[String],
    common: &Common,
    folder: &Folder,
) -> anyhow::Result<Process> {
    launch_as(namespace, words, common, folder, "stack")
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
