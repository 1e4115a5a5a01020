//! What is measured, built in release as users have it: stackd, this program for its load
//! generator and ceiling, and programs around other stacks. Those stand in `peers/`, each a crate
//! of its own outside the workspace, so that nobody builds them who does not measure them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use super::plan::Peer;
use crate::{install, workspace};

/// Builds stackd and this program; their paths. `STACKD_BIN` names a stackd built elsewhere, and
/// nothing is built then.
pub(super) fn ours() -> anyhow::Result<(PathBuf, PathBuf)> {
    let own = std::env::current_exe()?;
    if let Some(path) = std::env::var_os("STACKD_BIN") {
        return Ok((PathBuf::from(path).canonicalize().context("STACKD_BIN")?, own));
    }
    let stackd = cargo(&workspace::root(), &["--package", "stackd", "--bin", "stackd"], "stackd")?;
    let own = match cfg!(debug_assertions) {
        true => cargo(&workspace::root(), &["--package", "xtask"], "the load generator")?,
        false => own,
    };
    Ok((stackd, own))
}

/// The program of a peer that has to be built, built; None of one that has not.
pub(super) fn peer(peer: &Peer) -> anyhow::Result<Option<PathBuf>> {
    let folder = |name| workspace::root().join("peers").join(name);
    let target = workspace::target().join("peers");
    match peer {
        Peer::Smoltcp { .. } | Peer::Ipstack => {
            let name = if *peer == Peer::Ipstack { "ipstack" } else { "smoltcp" };
            let target = target.display().to_string();
            let flags = ["--locked", "--target-dir", &target];
            Ok(Some(cargo(&folder(name), &flags, name)?))
        }
        Peer::Lwip => {
            std::fs::create_dir_all(&target)?;
            lwip(&folder("lwip/main.c"), &target.join("lwip")).map(Some)
        }
        Peer::Kernel | Peer::Stackd(_) | Peer::Ceiling | Peer::Program { .. } => Ok(None),
        Peer::Pasta | Peer::Slirp | Peer::Iperf3 => {
            let (program, package) = match peer {
                Peer::Pasta => ("pasta", "passt"),
                Peer::Slirp => ("slirp4netns", "slirp4netns"),
                _ => ("iperf3", "iperf3"),
            };
            ensure!(install::has(program), "Debian package {package} is not installed (--install)");
            Ok(None)
        }
    }
}

/// A small program in C around Debian's liblwip.
fn lwip(source: &Path, program: &Path) -> anyhow::Result<PathBuf> {
    ensure!(
        Path::new("/usr/include/lwip/lwip/tcp.h").exists(),
        "Debian package liblwip-dev is not installed (--install)"
    );
    ensure!(install::has("cc"), "no C compiler: Debian package gcc is not installed (--install)");
    let output = Command::new("cc")
        .args(["-O2", "-I/usr/include/lwip", "-o"])
        .args([program, source])
        .arg("-llwip")
        .output()
        .context("cannot run cc")?;
    let said = String::from_utf8_lossy(&output.stderr);
    let first = said.lines().find(|line| line.contains("error")).unwrap_or("cc failed");
    ensure!(output.status.success(), "building lwip failed: {first}");
    Ok(program.to_path_buf())
}

/// Builds the one program that these flags choose, in release; its path.
fn cargo(folder: &Path, flags: &[&str], what: &str) -> anyhow::Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    eprintln!("building {what} in release");
    let output = Command::new(cargo)
        .args(["build", "--release"])
        .args(flags)
        .args(["--quiet", "--message-format", "json-render-diagnostics"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!("building {what} failed");
    }
    executable(&String::from_utf8_lossy(&output.stdout)).context("cargo named no program")
}

/// The program that cargo's messages name; wherever its target folder is.
pub(super) fn executable(messages: &str) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut paths = messages.filter_map(|message| Some(message["executable"].as_str()?.into()));
    paths.next_back()
}
