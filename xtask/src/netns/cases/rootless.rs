//! As an ordinary user, with and without a TUN device that users may open.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use anyhow::{Context, ensure};

use super::{Case, Lab, MOMENT, Skip};
use crate::netns::process::Process;

pub(super) const CASES: &[Case] = &[
    Case::new("rootless/open-device", open_device).needs(&["ping", "curl"]).stackd_only().core(),
    Case::new("rootless/closed-device", closed_device).stackd_only(),
    Case::new("rootless/users-tap", users_tap).needs(&["ping"]).stackd_only(),
];

const USER: &str = "setpriv --reuid 65534 --regid 65534 --clear-groups";

/// Starts a copy of stackd that any user may run, as nobody; `before` runs as root before that,
/// in a mount namespace of its own.
fn start(lab: &Lab, before: &str, flags: &str) -> anyhow::Result<Process> {
    let copy = lab.file("stackd");
    fs::copy(&lab.settings.stackd, &copy)?;
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755))?;
    let (copy, pipeline) = (copy.display(), lab.pipeline.name());
    let line = format!("{before}\nexec {USER} {copy} --pipeline {pipeline} {flags}");
    lab.spawn(&["unshare", "--mount", "--propagation", "private", "sh", "-e", "-c", &line])
}

/// Puts a TUN node with this mode over the machine's, for the process and its children alone.
fn device(lab: &Lab, mode: &str) -> String {
    let folder = lab.file("dev").display().to_string();
    format!(
        "mkdir -p {folder}
        mount -t tmpfs none {folder}
        mknod {folder}/tun c 10 200
        chmod {mode} {folder}/tun
        mount --bind {folder}/tun /dev/net/tun"
    )
}

/// Works, and prints the line that enters its namespace.
fn open_device(lab: &mut Lab) -> anyhow::Result<()> {
    let users = fs::read_to_string("/proc/sys/user/max_user_namespaces").unwrap_or_default();
    if users.trim() == "0" {
        return Err(Skip("user namespaces are switched off here".to_owned()).into());
    }
    let mut process = start(lab, &device(lab, "0666"), "")?;
    process.wait_until_ready(MOMENT)?;
    let said = process.stdout() + &process.stderr();
    let line = said.lines().find_map(|line| line.find("nsenter").map(|at| &line[at..]));
    let enter = line.with_context(|| format!("prints no nsenter line:\n{said}"))?;
    let enter = enter.trim_end_matches(['`', '\'', '"', '.', ')', ' ']);
    for command in ["ping -n -c 2 -i 0.1 10.9.0.2", "curl -sS --max-time 10 http://10.9.0.2/"] {
        let words: Vec<&str> = [USER, enter, command].iter().flat_map(|w| w.split(' ')).collect();
        lab.run_words(&words)?.ok()?;
    }
    process.signal(rustix::process::Signal::TERM)?;
    process.finish(MOMENT)?.ok().map(drop)
}

/// The error says what is closed and which command would open it.
fn closed_device(lab: &mut Lab) -> anyhow::Result<()> {
    let output = start(lab, &device(lab, "0600"), "")?.finish(MOMENT)?;
    let helps = ["/dev/net/tun", "chmod"].iter().all(|part| output.stderr.contains(part));
    ensure!(helps, "{}", output.told("does not say what to do about /dev/net/tun"));
    output.code(1).map(drop)
}

/// A TAP that root made for this user needs no namespace.
fn users_tap(lab: &mut Lab) -> anyhow::Result<()> {
    lab.shell(
        "set -e
        ip tuntap add dev t0 mode tap user 65534
        ip address add 10.9.0.1/24 dev t0
        ip link set t0 up",
    )?
    .ok()?;
    let flags = "--tap t0 --host-address none";
    let mut process = start(lab, &device(lab, "0666"), flags)?;
    process.wait_until_ready(MOMENT)?;
    super::ping(lab, "", 2)?;
    process.signal(rustix::process::Signal::TERM)?;
    process.finish(MOMENT)?.ok().map(drop)
}
