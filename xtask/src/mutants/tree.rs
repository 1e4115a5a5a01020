//! The copy of the tree in which mutants live, and the tests run there.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};

use super::file::{Mutant, Test};
use crate::netns::wait;
use crate::workspace;

/// What came of a mutant.
pub(super) enum Verdict {
    /// Every test that it names failed.
    Killed,
    /// This test passed all the same.
    Survived(Test),
    /// It does not compile, or its test did not run: what cargo said.
    Unusable(String),
}

impl Verdict {
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Killed => "killed",
            Self::Survived(_) => "SURVIVED",
            Self::Unusable(_) => "UNUSABLE",
        }
    }

    /// For whoever has to do something about it.
    pub(super) fn told(&self, mutant: &Mutant) -> String {
        let Mutant { name, fault, .. } = mutant;
        match self {
            Self::Killed => format!("{name}: killed"),
            Self::Survived(test) => format!("{name}: '{test}' passes although: {fault}"),
            Self::Unusable(output) => format!("{name}: its tests could not be run:\n{output}"),
        }
    }
}

/// A copy of the tree, with a target folder of its own.
pub(super) struct Tree {
    folder: PathBuf,
    target: PathBuf,
    patience: Duration,
}

/// How one run of tests ended.
enum Run {
    Passed,
    Failed,
    /// Cargo failed before any test ran.
    Broken(String),
}

impl Tree {
    /// Copies what git knows or could know; files that are the same stay, with their times, so that
    /// cargo builds only what has changed since the last run.
    pub(super) fn new(patience: Duration) -> anyhow::Result<Self> {
        let root = workspace::root();
        let base = workspace::target().join("mutants");
        let tree = Self { folder: base.join("tree"), target: base.join("target"), patience };
        let listed = Command::new("git")
            .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
            .current_dir(&root)
            .output()
            .context("cannot run git")?;
        ensure!(listed.status.success(), "git ls-files failed");
        let names = String::from_utf8(listed.stdout).context("names of files")?;
        for name in names.split('\0').filter(|name| !name.is_empty()) {
            // What was deleted and not yet committed is listed too.
            let Ok(bytes) = fs::read(root.join(name)) else { continue };
            let place = tree.folder.join(name);
            if fs::read(&place).ok().as_ref() != Some(&bytes) {
                fs::create_dir_all(place.parent().unwrap_or(&place))?;
                fs::write(&place, bytes).with_context(|| place.display().to_string())?;
            }
        }
        Ok(tree)
    }

    /// Without a mutant every test that one names must pass.
    pub(super) fn all_green(&self, mutants: &[Mutant]) -> anyhow::Result<()> {
        let mut targets: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
        for test in mutants.iter().flat_map(|mutant| &mutant.kills) {
            let names = targets.entry((&test.package, &test.target)).or_default();
            if !names.contains(&&*test.name) {
                names.push(&test.name);
            }
        }
        for ((package, target), names) in targets {
            match self.test(package, target, &names)? {
                Run::Passed => {}
                Run::Failed => {
                    bail!("without mutants one of these fails in {package} {target}: {names:?}")
                }
                Run::Broken(output) => bail!("{package} {target} without mutants:\n{output}"),
            }
        }
        Ok(())
    }

    /// Puts the fault in, runs the tests that it names, and takes it out again.
    pub(super) fn attempt(&self, mutant: &Mutant) -> anyhow::Result<Verdict> {
        let mut originals = Vec::new();
        for change in &mutant.changes {
            let place = self.folder.join(&change.file);
            let text = fs::read_to_string(&place).with_context(|| place.display().to_string())?;
            let faulty = change.apply(&text);
            let faulty =
                faulty.map_err(|why| anyhow::anyhow!("mutants/{}.txt: {why}", mutant.name))?;
            fs::write(&place, faulty)?;
            originals.push((place, text));
        }
        let verdict = self.judge(mutant);
        for (place, text) in originals.into_iter().rev() {
            fs::write(&place, text).with_context(|| place.display().to_string())?;
        }
        verdict
    }

    fn judge(&self, mutant: &Mutant) -> anyhow::Result<Verdict> {
        for test in &mutant.kills {
            match self.test(&test.package, &test.target, &[&test.name])? {
                Run::Failed => {}
                Run::Passed => return Ok(Verdict::Survived(test.clone())),
                Run::Broken(output) => return Ok(Verdict::Unusable(output)),
            }
        }
        Ok(Verdict::Killed)
    }

    /// Runs these tests. One that does not end counts as failed.
    fn test(&self, package: &str, target: &str, names: &[&str]) -> anyhow::Result<Run> {
        let select: &[&str] = if target == "lib" { &["--lib"] } else { &["--test", target] };
        let build = self.cargo(package, select).arg("--no-run").output().context("cargo")?;
        if !build.status.success() {
            return Ok(Run::Broken(String::from_utf8_lossy(&build.stderr).into_owned()));
        }
        let mut command = self.cargo(package, select);
        command.args(["--", "--exact"]).args(names);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        // A group of its own, so that the test ends with cargo.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().context("cargo")?;
        let mut stdout = child.stdout.take().context("no pipe")?;
        let reader = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            stdout.read_to_end(&mut bytes).map(|_| bytes)
        });
        let start = wait::now();
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break Some(status);
            }
            if start.elapsed() > self.patience {
                let pid = rustix::process::Pid::from_child(&child);
                rustix::process::kill_process_group(pid, rustix::process::Signal::KILL)?;
                child.wait()?;
                break None;
            }
            wait::pause(Duration::from_millis(20))?;
        };
        let output = reader.join().map_err(|_| anyhow::anyhow!("reading the output"))??;
        let output = String::from_utf8_lossy(&output);
        let Some(status) = status else { return Ok(Run::Failed) };
        let running = format!("running {} test", names.len());
        if !output.contains(&running) {
            return Ok(Run::Broken(format!("not all of {names:?} are there:\n{output}")));
        }
        Ok(if status.success() { Run::Passed } else { Run::Failed })
    }

    fn cargo(&self, package: &str, select: &[&str]) -> Command {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(["test", "--quiet", "--package", package]).args(select);
        command.current_dir(&self.folder).env("CARGO_TARGET_DIR", &self.target);
        // A fault may break a proptest: the cases that it finds are nobody's regressions.
        command.env("PROPTEST_FAILURE_PERSISTENCE", "off").env("RUST_BACKTRACE", "0");
        command.stdin(Stdio::null());
        command
    }
}
