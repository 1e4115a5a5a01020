//! The bench a case works on: a namespace of its own, stackd in it, and commands run beside it.
//!
//!     namespace st-PID-N
//!       kernel 10.9.0.1 -- t0 (TAP) -- stackd 10.9.0.2
//!       commands of the case
//!
//! With `--peer kernel` a second namespace with Linux's own stack and the same services stands in
//! for stackd, at the other end of a veth pair. A case that fails there asks too much.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::ValueEnum;
use rustix::process::Signal;

use super::case::{Pipeline, Skip};
use super::namespace::Namespace;
use super::process::{Output, Process, tail};
use super::wait;

/// The kernel's address in most cases.
pub(crate) const HOST: &str = "10.9.0.1";
/// The stack's address in most cases.
pub(crate) const STACK: &str = "10.9.0.2";

/// Ends the hang of a command that takes seconds at most.
const COMMAND_LIMIT: Duration = Duration::from_secs(120);
/// Ends the hang of a start or an end.
const START_LIMIT: Duration = Duration::from_secs(20);

/// Who is on the other side of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Peer {
    /// The program under test.
    Stackd,
    /// Linux itself, to test the cases.
    Kernel,
}

/// What all cases of a run share.
pub(super) struct Settings {
    pub(super) peer: Peer,
    /// The built program.
    pub(super) stackd: PathBuf,
    /// The folder of built examples.
    pub(super) examples: PathBuf,
    /// This program, for its hidden helper commands.
    pub(super) helper: PathBuf,
    /// The large sizes.
    pub(super) full: bool,
}

/// The bench of one case. Dropping it ends its processes and removes its namespaces.
pub(super) struct Lab {
    pub(super) settings: Arc<Settings>,
    pub(super) pipeline: Pipeline,
    // Declared before the namespaces, and so dropped before them.
    stacks: Vec<Stack>,
    namespace: Namespace,
    folder: Folder,
    next: Cell<u32>,
}

/// A running stackd, or what stands in for it.
pub(super) struct Stack {
    pub(super) process: Process,
    stem: PathBuf,
    /// Whether it is the program under test itself, which has to end in order.
    graceful: bool,
    /// The namespace of a stand-in.
    _beyond: Option<Namespace>,
}

impl Lab {
    pub(super) fn new(settings: &Arc<Settings>, pipeline: Pipeline) -> anyhow::Result<Lab> {
        let settings = Arc::clone(settings);
        let namespace = Namespace::new()?;
        let folder = Folder::new(namespace.name())?;
        Ok(Lab { settings, pipeline, stacks: Vec::new(), namespace, folder, next: Cell::new(0) })
    }

    /// Starts stackd on TAP `t0` with more flags, and waits until it serves.
    pub(super) fn start(&mut self, flags: &str) -> anyhow::Result<&mut Stack> {
        if self.settings.peer == Peer::Kernel {
            return self.start_kernel(flags);
        }
        let (process, stem) = self.spawn_stackd(flags)?;
        self.adopt(process, stem, true, None)
    }

    /// Starts stackd behind the impairing bridge, and waits until it serves.
    pub(super) fn start_impaired(
        &mut self,
        faults: &str,
        flags: &str,
    ) -> anyhow::Result<&mut Stack> {
        let own = self.settings.helper.display().to_string();
        let bridge = format!("{own} helper impair --tap t0 --address {HOST}/24 {faults} --");
        let mut words: Vec<String> = bridge.split_whitespace().map(str::to_owned).collect();
        let mut beyond = None;
        if self.settings.peer == Peer::Kernel {
            let far = Namespace::new()?;
            words.extend(far.prefix().map(str::to_owned));
            let serve = format!("{own} helper serve --tap-fd {{fd}} --address {STACK}/24");
            words.extend(serve.split_whitespace().map(str::to_owned));
            beyond = Some(far);
        } else {
            words.push(self.settings.stackd.display().to_string());
            let flags = format!("--tap-fd {{fd}} --offload off {flags}");
            words.extend(self.with_pipeline(&flags));
        }
        let (process, stem) = self.spawn_named(&words)?;
        let graceful = beyond.is_none();
        self.adopt(process, stem, graceful, beyond)
    }

    /// The stack started last.
    pub(super) fn stack(&mut self) -> anyhow::Result<&mut Stack> {
        self.stacks.last_mut().context("the case started no stack")
    }

    /// Runs stackd to its end, for what it says to its flags.
    pub(super) fn run_stackd(&self, flags: &[&str]) -> anyhow::Result<Output> {
        let mut words = vec![self.settings.stackd.display().to_string()];
        words.extend(flags.iter().map(|flag| (*flag).to_owned()));
        self.spawn(&words)?.finish(START_LIMIT)
    }

    /// Starts stackd, on TAP `t0` unless the flags name a device, without waiting for anything.
    pub(super) fn spawn_stackd(&self, flags: &str) -> anyhow::Result<(Process, PathBuf)> {
        let mut words = vec![self.settings.stackd.display().to_string()];
        words.extend(self.with_pipeline(flags));
        self.spawn_named(&words)
    }

    /// Waits until a process serves, and takes charge of it.
    pub(super) fn adopt(
        &mut self,
        mut process: Process,
        stem: PathBuf,
        graceful: bool,
        beyond: Option<Namespace>,
    ) -> anyhow::Result<&mut Stack> {
        process.wait_until_ready(START_LIMIT)?;
        self.stacks.push(Stack { process, stem, graceful, _beyond: beyond });
        self.stack()
    }

    /// Starts a command of this lab's namespace.
    pub(super) fn spawn<S: AsRef<str>>(&self, words: &[S]) -> anyhow::Result<Process> {
        Ok(self.spawn_named(words)?.0)
    }

    /// Runs a command, its words parted by blanks, to its end.
    pub(super) fn run(&self, line: &str) -> anyhow::Result<Output> {
        let words: Vec<&str> = line.split_whitespace().collect();
        self.run_words(&words)
    }

    /// Runs a command whose words may hold blanks to its end.
    pub(super) fn run_words(&self, words: &[&str]) -> anyhow::Result<Output> {
        self.finish(self.spawn(words)?)
    }

    /// Waits for a command's end. It need not sit out its own time limits when the stack it talks
    /// to is gone.
    pub(super) fn finish(&self, process: Process) -> anyhow::Result<Output> {
        let start = wait::now();
        process.finish_beside(COMMAND_LIMIT, || {
            // A little later only: some cases end the stack on purpose.
            let late = start.elapsed() > Duration::from_secs(2);
            let gone = late && self.stacks.iter().any(|stack| stack.process.ended_unnoticed());
            if gone { bail!("stackd ended") } else { Ok(()) }
        })
    }

    /// Runs a line of shell, for pipes and redirections.
    pub(super) fn shell(&self, line: &str) -> anyhow::Result<Output> {
        self.run_words(&["sh", "-c", line])
    }

    /// Runs one of this program's own helper commands to its end, which must be a good one.
    pub(super) fn helper(&self, line: &str) -> anyhow::Result<String> {
        self.finish(self.start_helper(line)?)?.ok()
    }

    /// Starts one of this program's own helper commands.
    pub(super) fn start_helper(&self, line: &str) -> anyhow::Result<Process> {
        let mut words = vec![self.settings.helper.display().to_string(), "helper".to_owned()];
        words.extend(line.split_whitespace().map(str::to_owned));
        self.spawn(&words)
    }

    /// A built example program; skips the case when there is none.
    pub(super) fn example(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.settings.examples.join(name);
        if path.is_file() {
            return Ok(path);
        }
        Err(Skip(format!("there is no example '{name}' in {}", path.display())).into())
    }

    /// A path for a file of this case.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.0.join(name)
    }

    pub(super) fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// A size in megabytes: the normal one, or with `--full` the large one.
    pub(super) fn megabytes(&self, normal: u64, full: u64) -> u64 {
        if self.settings.full { full * 1_000_000 } else { normal * 1_000_000 }
    }

    /// The stack's own account of itself.
    pub(super) fn state(&self) -> anyhow::Result<serde_json::Value> {
        let page = self.run(&format!("curl -sS --max-time 10 http://{STACK}/json"))?.ok()?;
        serde_json::from_str(&page).with_context(|| format!("/json is no JSON: {page}"))
    }

    /// Ends in order every stack that still runs; a stack that has panicked meanwhile fails here.
    pub(super) fn close(&mut self) -> anyhow::Result<()> {
        for stack in &mut self.stacks {
            if stack.process.ended()?.is_none() {
                stack.stop()?;
            }
            let said = stack.process.stderr();
            ensure!(!said.contains("panicked at"), "stackd panicked meanwhile");
        }
        Ok(())
    }

    /// The end of what each stack wrote to stderr, for the report of a failure.
    pub(super) fn account(&self) -> String {
        let mut account = String::new();
        for stack in &self.stacks {
            let said = fs::read(stack.stem.with_extension("err")).unwrap_or_default();
            account += &format!("stackd (pid {}) said at last:\n", stack.process.pid());
            account += &tail(&String::from_utf8_lossy(&said), 30);
        }
        account
    }

    /// Flags with the pipeline, and with the usual device if they name none.
    fn with_pipeline(&self, flags: &str) -> Vec<String> {
        let mut words = vec!["--pipeline".to_owned(), self.pipeline.name().to_owned()];
        if !["--tap", "--device"].iter().any(|flag| flags.contains(flag)) {
            words.extend(["--tap", "t0"].map(str::to_owned));
        }
        // Cases run beside each other; one that wants a control socket says where.
        if !flags.contains("--control") {
            words.extend(["--control", "off"].map(str::to_owned));
        }
        words.extend(flags.split_whitespace().map(str::to_owned));
        words
    }

    fn spawn_named<S: AsRef<str>>(&self, words: &[S]) -> anyhow::Result<(Process, PathBuf)> {
        let number = self.next.get();
        self.next.set(number + 1);
        let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
        let program = Path::new(words.first().context("no command")?);
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        let stem = self.file(&format!("{number}-{name}"));
        Ok((Process::start(&self.namespace.prefix(), &words, &stem)?, stem))
    }

    /// Linux in a second namespace, with the same addresses and services.
    fn start_kernel(&mut self, flags: &str) -> anyhow::Result<&mut Stack> {
        let words: Vec<&str> = flags.split_whitespace().collect();
        let flag = |name: &str, default: &str| {
            let value = words.iter().position(|word| *word == name).map(|at| words.get(at + 1));
            value.flatten().map_or(default, |value| *value).to_owned()
        };
        let (mtu, mac) = (flag("--mtu", "1500"), flag("--mac", "02:00:00:00:00:02"));
        let beyond = Namespace::new()?;
        let far = beyond.name().to_owned();
        let near = self.namespace.name();
        self.shell(&format!(
            "set -e
            ip link add t0 mtu {mtu} type veth peer name p0 mtu {mtu} address {mac} netns {far}
            ip address add {HOST}/24 dev t0
            ip link set t0 up
            ip -n {far} address add {STACK}/24 dev p0
            ip -n {far} link set p0 up
            ip -n {near} link show t0"
        ))?
        .ok()?;
        let own = self.settings.helper.display().to_string();
        let words = ["ip", "netns", "exec", &far, &own, "helper", "serve"];
        let (process, stem) = self.spawn_named(&words)?;
        self.adopt(process, stem, false, Some(beyond))
    }
}

impl Stack {
    /// Ends it by SIGTERM, as an operator does; it must end with exit code 0.
    pub(super) fn stop(&mut self) -> anyhow::Result<()> {
        self.process.signal(Signal::TERM)?;
        let output = self.process.wait(START_LIMIT)?;
        if self.graceful && output.status.code() != Some(0) {
            bail!("{}", output.told("did not end with exit code 0 on SIGTERM"));
        }
        Ok(())
    }
}

/// A folder for output and files, removed at the end.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> anyhow::Result<Folder> {
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder left in /tmp is no reason to fail a run.
        let _ = fs::remove_dir_all(&self.0);
    }
}
