//! Devices that vanish, sleep, are taken, were used before, or are no TAP at all.

use std::time::Duration;

use anyhow::{bail, ensure};

use super::{Case, HOST, Lab, Lane, MOMENT, STACK, ping, wait};

pub(super) const CASES: &[Case] = &[
    Case::new("device/deleted", deleted).stackd_only().lane(Lane::Idle).core(),
    Case::new("device/set-down", set_down).needs(&["ping"]).stackd_only().lane(Lane::Idle).core(),
    Case::new("device/idle-is-idle", idle_is_idle)
        .needs(&["ping"])
        .stackd_only()
        .lane(Lane::Idle)
        .core(),
    Case::new("device/other-offloads-before", other_offloads).stackd_only(),
    Case::new("device/taken", taken).stackd_only(),
    Case::new("device/afpacket", afpacket).needs(&["ping"]).stackd_only().core(),
];

/// More CPU than this in a second without traffic is a loop.
const SPIN: Duration = Duration::from_millis(250);

/// The CPU time stackd uses in a second.
fn busy(lab: &mut Lab) -> anyhow::Result<Duration> {
    let before = lab.stack()?.process.cpu_time()?;
    wait::pause(Duration::from_secs(1))?;
    Ok(lab.stack()?.process.cpu_time()?.saturating_sub(before))
}

/// It ends with an error that names the device. It may not spin, so it is measured if it lives on.
fn deleted(lab: &mut Lab) -> anyhow::Result<()> {
    lab.start("")?;
    lab.run("ip link delete t0")?.ok()?;
    let output = match lab.stack()?.process.wait(Duration::from_secs(5)) {
        Ok(output) => output,
        Err(error) => {
            let busy = busy(lab)?;
            bail!("{error:#}\nit lives on without its TAP, and used {busy:?} in a second");
        }
    };
    ensure!(output.stderr.contains("t0"), "{}", output.told("does not name its TAP"));
    output.code(1).map(drop)
}

/// Down is a state one comes back from, or an error; never a loop.
fn set_down(lab: &mut Lab) -> anyhow::Result<()> {
    lab.start("")?;
    ping(lab, "", 2)?;
    // A connection keeps the stack wanting to send.
    let mut client = lab.start_helper(&format!("fetch {STACK}:19 --bytes {}", u64::MAX))?;
    client.wait_for("started", MOMENT)?;
    lab.run("ip link set t0 down")?.ok()?;
    wait::pause(Duration::from_millis(300))?;
    if lab.stack()?.process.ended()?.is_some() {
        let output = lab.stack()?.process.wait(MOMENT)?;
        ensure!(output.stderr.contains("t0"), "{}", output.told("does not name its TAP"));
        return output.code(1).map(drop);
    }
    let busy = busy(lab)?;
    ensure!(busy < SPIN, "stackd used {busy:?} of CPU in a second on a TAP that is down");
    lab.run("ip link set t0 up")?.ok()?;
    wait::until("answer to ping", MOMENT, || {
        let output = lab.run(&format!("ping -n -q -c 1 -W 1 {STACK}"))?;
        Ok(output.status.success().then_some(()))
    })?;
    lab.helper(&format!("echo {STACK}:7 --bytes 1000000")).map(drop)
}

fn idle_is_idle(lab: &mut Lab) -> anyhow::Result<()> {
    lab.start("")?;
    ping(lab, "", 2)?;
    let mut connection = lab.start_helper(&format!("hold {STACK}:7"))?;
    connection.tell("hello")?;
    connection.wait_for("echoed hello", MOMENT)?;
    let busy = busy(lab)?;
    ensure!(busy < SPIN / 5, "stackd used {busy:?} of CPU in a second with nothing to do");
    Ok(())
}

/// TUNSETOFFLOAD outlives its program on a persistent TAP.
fn other_offloads(lab: &mut Lab) -> anyhow::Result<()> {
    lab.shell(&format!(
        "set -e
        ip tuntap add dev t0 mode tap
        ip address add {HOST}/24 dev t0
        ip link set t0 up"
    ))?
    .ok()?;
    for offload in ["on", "off", "on"] {
        lab.start(&format!("--host-address none --offload {offload}"))?;
        lab.helper(&format!("echo {STACK}:7 --bytes 5000000"))?;
        lab.helper(&format!("fetch {STACK}:19 --bytes 5000000"))?;
        lab.stack()?.stop()?;
    }
    lab.run("ip link show t0")?.ok().map(drop)
}

fn taken(lab: &mut Lab) -> anyhow::Result<()> {
    lab.start("")?;
    let flags = ["--tap", "t0", "--address", "10.9.5.2/24", "--host-address", "10.9.5.1/24"];
    let output = lab.run_stackd(&flags)?;
    ensure!(output.stderr.contains("t0"), "{}", output.told("does not name the TAP"));
    output.code(1)?;
    // The first one is none the worse for it.
    lab.helper(&format!("echo {STACK}:7 --bytes 1000000")).map(drop)
}

/// On one end of a veth pair; the kernel at the other end leaves checksums to the device.
fn afpacket(lab: &mut Lab) -> anyhow::Result<()> {
    // The kernel's own stack has no part in the end that stackd listens on.
    lab.shell(&format!(
        "set -e
        ip link add v0 type veth peer name v1
        ip address add {HOST}/24 dev v0
        ip link set v0 up
        ip link set v1 up"
    ))?
    .ok()?;
    lab.start("--device afpacket:v1 --host-address none")?;
    ping(lab, "", 3)?;
    lab.helper(&format!("refused-udp {STACK}:4242"))?;
    lab.helper(&format!("echo {STACK}:7 --bytes 10000000"))?;
    lab.helper(&format!("fetch {STACK}:19 --bytes 10000000")).map(drop)
}
