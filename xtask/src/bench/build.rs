//! stackd as users run it: built in release.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::workspace;

/// Builds it; its path. `STACKD_BIN` names a program built elsewhere, and nothing is built then.
pub(super) fn stackd() -> anyhow::Result<PathBuf> {
    if let Some(path) = std::env::var_os("STACKD_BIN") {
        return PathBuf::from(path).canonicalize().context("STACKD_BIN");
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    eprintln!("building stackd in release");
    let output = Command::new(cargo)
        .args(["build", "--release", "--package", "stackd", "--bin", "stackd"])
        .args(["--quiet", "--message-format", "json-render-diagnostics"])
        .current_dir(workspace::root())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!("building stackd failed");
    }
    executable(&String::from_utf8_lossy(&output.stdout)).context("cargo named no program")
}

/// The program that cargo's messages name; wherever its target folder is.
pub(super) fn executable(messages: &str) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut paths = messages.filter_map(|message| Some(message["executable"].as_str()?.into()));
    paths.next_back()
}
