//! A child process with its output in files: started, watched, waited for, and never outliving
//! the run.
//!
//! Output goes to files rather than pipes, so that no reader thread is needed and a child that
//! prints much never stalls. Every child dies with the thread that started it (`setpriv
//! --pdeathsig`), whatever kills this program.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::wait;

/// A child process. Dropping it ends it.
pub(crate) struct Process {
    child: Child,
    ended: Option<ExitStatus>,
    shown: String,
    out: PathBuf,
    err: PathBuf,
}

/// What a child process left.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    /// The command as one would type it.
    pub(crate) shown: String,
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Process {
    /// Starts `words`, with output to `<stem>.out` and `<stem>.err`. `prefix` are words that only
    /// place the command (a namespace); the command is shown with them.
    pub(crate) fn start<S: AsRef<OsStr>>(
        prefix: &[&str],
        words: &[S],
        stem: &Path,
    ) -> anyhow::Result<Process> {
        let shown = shown(prefix, words);
        let mut words: Vec<&OsStr> = words.iter().map(AsRef::as_ref).collect();
        for word in ["--", "KILL", "--pdeathsig", "setpriv"] {
            words.insert(0, OsStr::new(word));
        }
        for word in prefix.iter().rev() {
            words.insert(0, OsStr::new(word));
        }
        let (out, err) = (stem.with_extension("out"), stem.with_extension("err"));
        let child = Command::new(words[0])
            .args(&words[1..])
            .stdin(Stdio::piped())
            .stdout(File::create(&out)?)
            .stderr(File::create(&err)?)
            .spawn()
            .with_context(|| format!("cannot start {shown}"))?;
        Ok(Process { child, ended: None, shown, out, err })
    }

    /// Process id of the command itself: `ip netns exec` and `setpriv` replace themselves by it.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has written to stdout so far.
    pub(crate) fn stdout(&self) -> String {
        read(&self.out)
    }

    /// What it has written to stderr so far.
    pub(crate) fn stderr(&self) -> String {
        read(&self.err)
    }

    /// Writes a line to its stdin.
    pub(crate) fn tell(&mut self, line: &str) -> anyhow::Result<()> {
        let stdin = self.child.stdin.as_mut().context("stdin is closed")?;
        writeln!(stdin, "{line}").with_context(|| format!("cannot write to {}", self.shown))
    }

    /// Whether it has ended, and how.
    pub(crate) fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait()?;
        }
        Ok(self.ended)
    }

    /// Waits until a line of its output contains `text`; fails early when it ends before.
    pub(crate) fn wait_for(&mut self, text: &str, limit: Duration) -> anyhow::Result<String> {
        let what = format!("'{text}' from {}", self.shown);
        let found = wait::until(&what, limit, || {
            // Looked at before the output, so that the last words of a process count.
            let ended = self.ended()?;
            let said = self.stdout() + &self.stderr();
            if let Some(line) = said.lines().find(|line| line.contains(text)) {
                return Ok(Some(line.to_owned()));
            }
            match ended {
                Some(status) => {
                    bail!("{} ended ({status}) without saying '{text}'", self.shown)
                }
                None => Ok(None),
            }
        });
        found.map_err(|error| self.with_output(&error))
    }

    /// Waits until it has printed the line that says that it serves.
    pub(crate) fn wait_until_ready(&mut self, limit: Duration) -> anyhow::Result<()> {
        let what = format!("'ready' from {}", self.shown);
        let found = wait::until(&what, limit, || {
            let ended = self.ended()?;
            if self.stdout().lines().any(|line| line == "ready") {
                return Ok(Some(()));
            }
            match ended {
                Some(status) => bail!("{} ended ({status}) before it was ready", self.shown),
                None => Ok(None),
            }
        });
        found.map_err(|error| self.with_output(&error))
    }

    /// Waits until it ends by itself.
    pub(crate) fn finish(self, limit: Duration) -> anyhow::Result<Output> {
        self.finish_beside(limit, || Ok(()))
    }

    /// Waits until it ends by itself, or `others` has an error to tell.
    pub(crate) fn finish_beside(
        mut self,
        limit: Duration,
        mut others: impl FnMut() -> anyhow::Result<()>,
    ) -> anyhow::Result<Output> {
        drop(self.child.stdin.take());
        let what = format!("end of {}", self.shown);
        let waited = wait::until(&what, limit, || {
            let ended = self.ended()?;
            if ended.is_none() {
                others().with_context(|| format!("while {} ran", self.shown))?;
            }
            Ok(ended)
        });
        let status = waited.map_err(|error| self.with_output(&error))?;
        Ok(self.output(status))
    }

    /// Waits for its end and keeps it: the files can still be read.
    pub(crate) fn wait(&mut self, limit: Duration) -> anyhow::Result<Output> {
        let what = format!("end of {}", self.shown);
        let waited = wait::until(&what, limit, || self.ended());
        let status = waited.map_err(|error| self.with_output(&error))?;
        Ok(self.output(status))
    }

    fn output(&self, status: ExitStatus) -> Output {
        let (stdout, stderr) = (self.stdout(), self.stderr());
        Output { shown: self.shown.clone(), status, stdout, stderr }
    }

    /// Whether it has ended without anybody having waited for it.
    pub(crate) fn ended_unnoticed(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap_or_default();
        self.ended.is_none() && stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" Z"))
    }

    /// An error with the end of its output.
    fn with_output(&self, error: &anyhow::Error) -> anyhow::Error {
        let (out, err) = (tail(&self.stdout(), 20), tail(&self.stderr(), 20));
        anyhow::anyhow!("{error:#}; it said at last:\n{out}{err}")
    }

    /// Sends a signal to it.
    pub(crate) fn signal(&mut self, signal: Signal) -> anyhow::Result<()> {
        // A child that was waited for has no id any more: it may be somebody else's by now.
        if self.ended()?.is_some() {
            return Ok(());
        }
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).context("no such pid")?;
        kill_process(pid, signal).with_context(|| format!("cannot signal {}", self.shown))
    }

    /// CPU time it has used so far, user and system together.
    pub(crate) fn cpu_time(&self) -> anyhow::Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid()))?;
        // The second field is the name in brackets, which may hold blanks; utime and stime are
        // the 12th and 13th fields after it, in ticks of 1/100 s (proc(5)).
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let ticks: u64 =
            fields.split_whitespace().skip(11).take(2).flat_map(str::parse::<u64>).sum();
        Ok(Duration::from_millis(ticks * 10))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Best effort: a process that is gone already is what is wanted.
        let _ = self.signal(Signal::KILL);
        let _ = self.child.wait();
    }
}

impl Output {
    /// Its stdout, if it ended with exit code 0.
    pub(crate) fn ok(self) -> anyhow::Result<String> {
        if self.status.success() { Ok(self.stdout) } else { bail!("{}", self.told("failed")) }
    }

    /// All it said, if it ended with this exit code.
    pub(crate) fn code(self, code: i32) -> anyhow::Result<String> {
        if self.status.code() == Some(code) {
            return Ok(self.said());
        }
        bail!("{}", self.told(&format!("did not end with exit code {code}")))
    }

    /// Stdout and stderr, one after the other.
    pub(crate) fn said(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// The command, what is wrong with it, and the end of its output.
    pub(crate) fn told(&self, wrong: &str) -> String {
        let Output { shown, status, stdout, stderr } = self;
        format!("{shown}\n{wrong} ({status}):\n{}{}", tail(stdout, 30), tail(stderr, 30))
    }
}

/// The last lines of a text, marked as quoted.
pub(crate) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    let from = all.len().saturating_sub(lines);
    all[from..].iter().map(|line| format!("  | {line}\n")).collect()
}

fn read(path: &Path) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// A command as one would type it into a shell.
fn shown<S: AsRef<OsStr>>(prefix: &[&str], words: &[S]) -> String {
    let words = words.iter().map(|word| word.as_ref().to_string_lossy());
    let words = prefix.iter().map(|word| (*word).into()).chain(words);
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    let quoted = words.map(|word| match !word.is_empty() && word.chars().all(plain) {
        true => word.into_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    });
    quoted.collect::<Vec<_>>().join(" ")
}
