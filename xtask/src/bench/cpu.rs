//! CPU time of processes and of the machine, from /proc; and where processes may run.
//!
//! A figure measured while others used the machine is not the stack's, so every measurement says
//! what share of the machine went elsewhere.

use std::fs;

use anyhow::Context;
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::{Deserialize, Serialize};

/// CPU time used so far, in ticks of 1/100 s (proc(5)).
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticks {
    stack: u64,
    load: u64,
    /// The kernel's threads that finish what interrupts began: packets, here.
    softirq: u64,
    machine: u64,
    /// CPUs of the machine, whether this process may use them or not.
    cpus: usize,
}

/// CPU seconds used between two readings.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct CpuTime {
    /// Of the stack under test, its share of the kernel's work included.
    pub(super) stack: f64,
    /// Of the load generator, the kernel's TCP included.
    pub(super) load: f64,
    /// Of the kernel's threads that finish what interrupts began, for whomever.
    pub(super) softirq: f64,
    /// Of everybody else, as a share (0 to 1) of what all CPUs have.
    pub(super) foreign_share: f64,
}

impl Ticks {
    /// Reads the counters; `stack` are the processes of the stack under test.
    pub(super) fn read(stack: &[u32]) -> anyhow::Result<Ticks> {
        let (machine, cpus) =
            machine_ticks(&fs::read_to_string("/proc/stat")?).context("/proc/stat")?;
        let load = process(std::process::id())?;
        let mut ticks = Ticks { stack: 0, load, softirq: 0, machine, cpus };
        for &pid in stack {
            ticks.stack += process(pid)?;
        }
        for pid in softirq_threads() {
            ticks.softirq += process(pid)?;
        }
        Ok(ticks)
    }

    /// What was used since an earlier reading, `seconds` ago.
    pub(super) fn since(self, earlier: Ticks, seconds: f64) -> CpuTime {
        let used = |now: u64, then: u64| now.saturating_sub(then) as f64 / 100.0;
        let stack = used(self.stack, earlier.stack);
        let load = used(self.load, earlier.load);
        let softirq = used(self.softirq, earlier.softirq);
        let foreign = used(self.machine, earlier.machine) - stack - load - softirq;
        let foreign_share = (foreign / (seconds * self.cpus as f64)).clamp(0.0, 1.0);
        CpuTime { stack, load, softirq, foreign_share }
    }
}

fn process(pid: u32) -> anyhow::Result<u64> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).with_context(|| path.clone())?;
    process_ticks(&stat).context(path)
}

/// User and system time in a text like /proc/PID/stat: the 12th and 13th fields after the name,
/// which stands in brackets and may hold blanks.
pub(super) fn process_ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(user + system)
}

/// Busy time of all CPUs, and their number, in a text like /proc/stat. Busy is everything but idle
/// and iowait; time stolen by the host of a virtual machine counts, since it was not ours.
pub(super) fn machine_ticks(stat: &str) -> Option<(u64, usize)> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let fields: Vec<u64> = line.split_whitespace().flat_map(str::parse).collect();
    // A guest's time, which follows, is in `user` already.
    let [user, nice, system, _idle, _iowait, irq, softirq, steal] = *fields.first_chunk::<8>()?;
    let cpus = stat.lines().filter(|line| line.starts_with("cpu")).count() - 1;
    Some((user + nice + system + irq + softirq + steal, cpus))
}

/// Process ids of ksoftirqd, as far as this process may see them.
fn softirq_threads() -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_one = |pid: &u32| {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        name.starts_with("ksoftirqd/")
    };
    pids.filter(is_one).collect()
}

/// CPUs that this process may use, by number.
pub(super) fn allowed() -> anyhow::Result<Vec<usize>> {
    let set = sched_getaffinity(None).context("cannot read the affinity")?;
    Ok((0..CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).collect())
}

/// Lets this thread, and those it will start, run on one CPU only.
pub(super) fn pin_here(cpu: usize) -> anyhow::Result<()> {
    sched_setaffinity(None, &set_of(&[cpu])).with_context(|| format!("cannot pin to CPU {cpu}"))
}

/// Lets all threads of a process run on these CPUs only.
pub(super) fn pin_process(pid: u32, cpus: &[usize]) -> anyhow::Result<()> {
    let folder = format!("/proc/{pid}/task");
    for entry in fs::read_dir(&folder).context(folder)? {
        let thread = entry?.file_name().to_str().and_then(|name| name.parse().ok());
        let thread = thread.and_then(Pid::from_raw).context("no thread id")?;
        match sched_setaffinity(Some(thread), &set_of(cpus)) {
            // It ended meanwhile.
            Err(rustix::io::Errno::SRCH) => {}
            result => result.with_context(|| format!("cannot pin to CPUs {cpus:?}"))?,
        }
    }
    Ok(())
}

fn set_of(cpus: &[usize]) -> CpuSet {
    let mut set = CpuSet::new();
    for &cpu in cpus {
        set.set(cpu);
    }
    set
}
