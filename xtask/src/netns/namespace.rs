//! Network namespaces of this run: made, removed, and swept when an earlier run left some.
//!
//! A name is `st-<pid>-<number>`, so that whoever finds one knows which run it belonged to; one
//! whose process is gone may be removed.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

const PREFIX: &str = "st-";
const FOLDER: &str = "/run/netns";

static NEXT: AtomicU32 = AtomicU32::new(1);

/// A network namespace. Dropping it removes it.
pub(crate) struct Namespace {
    name: String,
    /// Left in place at the end, for a look by hand.
    pub(crate) keep: bool,
}

impl Namespace {
    /// Makes one with the loopback up, no IPv6 chatter and a classic congestion control.
    pub(crate) fn new() -> anyhow::Result<Namespace> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{number}", process::id());
        run("ip", &["netns", "add", &name])?;
        let namespace = Namespace { name, keep: false };
        // Cubic is not allowed everywhere, and a machine's default may be bbr, whose pacing makes
        // transfers slower here; Reno is always there.
        let prepare = "ip link set lo up
            cd /proc/sys/net
            echo 1 > ipv6/conf/all/disable_ipv6
            for name in cubic reno; do
                echo $name > ipv4/tcp_congestion_control && break
            done 2>&-
            true";
        run("ip", &["netns", "exec", &namespace.name, "sh", "-c", prepare])?;
        Ok(namespace)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Words before a command that run it in here.
    pub(crate) fn prefix(&self) -> [&str; 4] {
        ["ip", "netns", "exec", &self.name]
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        if let Err(error) = run("ip", &["netns", "del", &self.name]) {
            eprintln!("namespace {} is left behind: {error:#}", self.name);
        }
    }
}

/// Removes namespaces and folders of runs whose process is gone, with what still runs in them.
pub(crate) fn sweep() -> anyhow::Result<()> {
    for name in left_in(Path::new(FOLDER)) {
        for pid in run("ip", &["netns", "pids", &name])?.split_whitespace() {
            if let Some(pid) = pid.parse().ok().and_then(Pid::from_raw) {
                // It may have ended by itself just now.
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        run("ip", &["netns", "del", &name])?;
    }
    let folders = env::temp_dir();
    for name in left_in(&folders) {
        fs::remove_dir_all(folders.join(&name)).with_context(|| format!("cannot remove {name}"))?;
    }
    Ok(())
}

/// Names in a folder that belong to runs whose process is gone.
fn left_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let is_left =
        |name: &String| owner(name).is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists());
    names.filter(is_left).collect()
}

/// Process id of the run that made a namespace of this name, if a run did.
pub(crate) fn owner(name: &str) -> Option<u32> {
    let (pid, number) = name.strip_prefix(PREFIX)?.split_once('-')?;
    number.parse::<u32>().ok()?;
    pid.parse().ok()
}

/// Runs a short command to its end; its stdout.
fn run(program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .with_context(|| format!("cannot run {program}"))?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        bail!("{program} {} failed: {}", arguments.join(" "), error.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
