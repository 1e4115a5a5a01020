//! What the tests need from the system, and how it gets there: Debian packages by apt-get, and
//! the Rust components that a minimal toolchain lacks.

use std::path::Path;
use std::process::Command;

use anyhow::Context;

/// A program and the Debian package that brings it.
pub(crate) const PROGRAMS: &[(&str, &str)] = &[
    ("ip", "iproute2"),
    ("ss", "iproute2"),
    ("ping", "iputils-ping"),
    ("arping", "iputils-arping"),
    ("tracepath", "iputils-tracepath"),
    ("socat", "socat"),
    ("curl", "curl"),
    ("nc", "netcat-openbsd"),
    ("python3", "python3"),
    ("tcpdump", "tcpdump"),
    ("ethtool", "ethtool"),
    ("dig", "bind9-dnsutils"),
    ("dnsmasq", "dnsmasq-base"),
    ("nginx", "nginx-light"),
    ("redis-server", "redis-server"),
    ("redis-benchmark", "redis-tools"),
    ("busybox", "busybox-static"),
];

/// As [`PROGRAMS`], but large, and not to be had everywhere: the cases that want one are not run
/// without it, and say so.
pub(crate) const OPTIONAL: &[(&str, &str)] = &[("tshark", "tshark")];

/// What `bench` compares with beyond what it builds itself: a file of each, and its package.
const PEERS: &[(&str, &str)] = &[
    ("/usr/bin/pasta", "passt"),
    ("/usr/bin/slirp4netns", "slirp4netns"),
    ("/usr/bin/iperf3", "iperf3"),
    ("/usr/include/lwip/lwip/tcp.h", "liblwip-dev"),
    ("/usr/bin/cc", "gcc"),
];

/// Whether a program is there to be run.
pub(crate) fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Root's own folders are not on every PATH, but that is where ip, arping and tcpdump may be.
    let rooted = ["/usr/sbin", "/sbin"].map(Path::new).map(Path::to_path_buf);
    std::env::split_paths(&path).chain(rooted).any(|folder| folder.join(program).is_file())
}

/// Packages of [`PROGRAMS`] that are missing.
pub(crate) fn missing() -> Vec<&'static str> {
    let missing = PROGRAMS.iter().filter(|(program, _)| !has(program));
    let mut packages: Vec<&str> = missing.map(|(_, package)| *package).collect();
    packages.dedup();
    packages
}

/// Installs all that is missing; says nothing of what is there already.
pub(crate) fn run() -> anyhow::Result<()> {
    for (program, component) in [("cargo-fmt", "rustfmt"), ("cargo-clippy", "clippy")] {
        if !has(program) && has("rustup") {
            println!("installing {component}");
            quietly("rustup", &["component", "add", component])?;
        }
    }
    packages(&missing())?;
    for (_, package) in OPTIONAL.iter().filter(|(program, _)| !has(program)) {
        if let Err(error) = packages(&[package]) {
            println!("{package} cannot be installed, its cases are not applicable: {error:#}");
        }
    }
    Ok(())
}

/// Installs what `bench` compares with, one by one: a package that this system does not have is
/// told, and a peer less.
pub(crate) fn peers() -> anyhow::Result<()> {
    let missing = PEERS.iter().filter(|(file, _)| !Path::new(file).exists());
    for (_, package) in missing {
        if let Err(error) = packages(&[package]) {
            eprintln!("{package} cannot be installed: {error:#}");
        }
    }
    Ok(())
}

fn packages(packages: &[&str]) -> anyhow::Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    println!("installing {}", packages.join(" "));
    quietly("apt-get", &["update"])?;
    let mut arguments = vec!["install", "--yes", "--no-install-recommends"];
    arguments.extend(packages);
    quietly("apt-get", &arguments)
}

/// Runs a program and shows its output only if it fails.
fn quietly(program: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let output = Command::new(program)
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .output()
        .with_context(|| format!("cannot run {program}"))?;
    if output.status.success() {
        return Ok(());
    }
    let out = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    anyhow::bail!("{program} {} failed:\n{out}{err}", arguments.join(" "))
}
