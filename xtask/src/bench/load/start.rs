//! A program from its command until it says `ready`, and the memory it then holds.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use rustix::process::{Pid, Signal, kill_process};

use super::Sample;
use super::idle::resident;
use crate::netns::wait;

/// Time after `ready` until memory is read: what a stack does right then is part of it.
const REST: Duration = Duration::from_millis(300);

/// Ends the hang of an end.
const LIMIT: Duration = Duration::from_secs(5);

/// A program to start.
#[derive(clap::Args)]
pub(super) struct Start {
    /// Its command
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

impl Start {
    pub(super) fn run(&self) -> anyhow::Result<Sample> {
        let (program, arguments) = self.command.split_first().context("no command")?;
        let start = wait::now();
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {program}"))?;
        let mut child = Running(child);
        let mut said = BufReader::new(child.0.stdout.take().context("no stdout")?);
        let mut line = String::new();
        while line.trim_end() != "ready" {
            line.clear();
            ensure!(said.read_line(&mut line)? > 0, "{program} ended before it was ready");
        }
        let seconds = start.elapsed().as_secs_f64();
        wait::pause(REST)?;
        let memory = resident(&[child.0.id()])?;
        child.end()?;
        Ok(Sample { seconds, memory, ..Sample::default() })
    }
}

/// A process that does not outlive this one.
struct Running(Child);

impl Running {
    fn end(&mut self) -> anyhow::Result<()> {
        let pid = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw).context("no pid")?;
        kill_process(pid, Signal::TERM)?;
        wait::until("end after SIGTERM", LIMIT, || Ok(self.0.try_wait()?))?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Best effort: a process that is gone already is what is wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
