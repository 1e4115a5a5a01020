//! Builds what the cases run: stackd, and the examples of the crates used alone.

use std::env;
use std::io::{IsTerminal, Read};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use indicatif::ProgressBar;

use crate::workspace;

/// Crates whose examples are run as cases.
const WITH_EXAMPLES: [&str; 8] =
    ["link", "arp", "ip", "udp", "tcp", "socket", "socket-tokio", "stackd"];

/// Paths of stackd and of the folder of examples. `STACKD_BIN` names a program built elsewhere,
/// with the examples beside it; nothing is built then.
pub(super) fn build() -> anyhow::Result<(PathBuf, PathBuf)> {
    if let Some(path) = env::var_os("STACKD_BIN") {
        let stackd = PathBuf::from(path).canonicalize().context("STACKD_BIN")?;
        let examples = stackd.parent().map(|folder| folder.join("examples")).unwrap_or_default();
        return Ok((stackd, examples));
    }
    cargo("stackd", &["--package", "stackd", "--bins"])?;
    let mut examples = vec!["--examples"];
    examples.extend(WITH_EXAMPLES.iter().flat_map(|name| ["--package", name]));
    cargo("examples", &examples)?;
    let folder = workspace::target().join("debug");
    Ok((folder.join("stackd"), folder.join("examples")))
}

/// `cargo build` with a spinner on a terminal; its output is shown if it fails.
fn cargo(what: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let spinner = match std::io::stderr().is_terminal() {
        true => ProgressBar::new_spinner().with_message(format!("building {what}")),
        false => ProgressBar::hidden(),
    };
    spinner.enable_steady_tick(Duration::from_millis(100));
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut child = Command::new(cargo)
        .args(["build", "--quiet"])
        .args(arguments)
        .current_dir(workspace::root())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot run cargo")?;
    let mut said = String::new();
    child.stderr.take().context("no stderr")?.read_to_string(&mut said)?;
    let status = child.wait()?;
    spinner.finish_and_clear();
    if !status.success() {
        bail!("building {what} failed:\n{said}");
    }
    Ok(())
}
