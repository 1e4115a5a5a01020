//! TCP opened by the kernel: transfers, many connections, and every odd way to end one.

use std::time::Duration;

use anyhow::{bail, ensure};
use rustix::process::Signal;

use super::{Case, Lab, Lane, MOMENT, STACK, ping, wait};

pub(super) const CASES: &[Case] = &[
    Case::new("tcp/page", page).needs(&["curl"]).core(),
    Case::new("tcp/source", source).core(),
    Case::new("tcp/discard", discard).core(),
    Case::new("tcp/echo", echo).core(),
    Case::new("tcp/http-bytes", http_bytes).needs(&["curl"]),
    Case::new("tcp/200-at-once", many).core(),
    Case::new("tcp/5000-in-a-row", churn).core(),
    Case::new("tcp/half-close", half_close).core(),
    Case::new("tcp/refused", refused).core(),
    Case::new("tcp/client-killed", client_killed).stackd_only(),
    Case::new("tcp/stack-terminated", stack_terminated).stackd_only().core(),
    Case::new("tcp/mtu-576", |lab| mtu(lab, 576)).needs(&["ping"]),
    Case::new("tcp/mtu-1500", |lab| mtu(lab, 1500)).needs(&["ping"]),
    Case::new("tcp/mtu-9000", |lab| mtu(lab, 9000)).needs(&["ping"]),
    Case::new("tcp/mtu-65520", |lab| mtu(lab, 65520)).needs(&["ping"]),
    Case::new("tcp/zero-window-of-kernel", kernel_pauses).lane(Lane::Idle).core(),
    Case::new("tcp/zero-window-both", both_pause).lane(Lane::Idle),
    Case::new("tcp/offload-off", offload_off).core(),
];

fn page(lab: &mut Lab) -> anyhow::Result<()> {
    lab.start("")?;
    let page = lab.run(&format!("curl -sS --max-time 20 http://{STACK}/"))?.ok()?;
    ensure!(page.contains("<html") && page.contains("</html>"), "not a whole page:\n{page}");
    Ok(())
}

fn source(lab: &mut Lab) -> anyhow::Result<()> {
    lab.start("")?;
    let bytes = lab.megabytes(200, 2000);
    lab.helper(&format!("fetch {STACK}:19 --bytes {bytes}")).map(drop)
}

fn discard(lab: &mut Lab) -> anyhow::Result<()> {
    lab.start("")?;
    let bytes = lab.megabytes(200, 2000);
    lab.helper(&format!("send {STACK}:9 --bytes {bytes}")).map(drop)
}

/// Equality of both directions at once: the way up cannot be seen otherwise.
fn echo(lab: &mut Lab) -> anyhow::Result<()> {
    lab.start("")?;
    let bytes = lab.megabytes(100, 1000);
    lab.helper(&format!("echo {STACK}:7 --bytes {bytes}")).map(drop)
}

/// By curl, which checks the length, and by our own client, which checks the bytes.
fn http_bytes(lab: &mut Lab) -> anyhow::Result<()> {
    lab.start("")?;
    for bytes in [0, 1, 1460, 1461, 10_000_000] {
        let url = format!("http://{STACK}/bytes/{bytes}");
        let size =
            lab.run(&format!("curl -sS --max-time 60 -o /dev/null -w %{{size_download}} {url}"))?;
        let size = size.ok()?;
        ensure!(size == bytes.to_string(), "{size} bytes came for {url}");
        lab.helper(&format!("fetch {STACK}:80 --http --bytes {bytes}"))?;
    }
    Ok(())
}

fn many(lab: &mut Lab) -> anyhow::Result<()> {
    lab.start("")?;
    lab.helper(&format!("many {STACK}:7 --count 200 --bytes 50000")).map(drop)
}

fn churn(lab: &mut Lab) -> anyhow::Result<()> {
    lab.start("")?;
    lab.helper(&format!("churn {STACK}:7 --count 5000")).map(drop)
}

fn half_close(lab: &mut Lab) -> anyhow::Result<()> {
    lab.start("")?;
    // The kernel closes first, and everything is still to come back.
    for bytes in [20_000, 3_000_000] {
        lab.helper(&format!("echo {STACK}:7 --bytes {bytes} --pause-ms 300"))?;
    }
    // The stack closes first, and the kernel's side lives on a little.
    lab.helper(&format!("late-close {STACK}:80")).map(drop)
}

fn refused(lab: &mut Lab) -> anyhow::Result<()> {
    lab.start("")?;
    lab.helper(&format!("refused-tcp {STACK}:4242"))?;
    lab.helper(&format!("echo {STACK}:7 --bytes 1")).map(drop)
}

/// Connections of the stack to or from a local port, by its own account.
fn connections(lab: &Lab, port: u16) -> anyhow::Result<usize> {
    let state = lab.state()?;
    let Some(list) = state.get("connections").and_then(|list| list.as_array()) else {
        bail!("/json has no list 'connections': {state}");
    };
    let suffix = format!(":{port}");
    let is_ours = |one: &&serde_json::Value| {
        one.get("local").and_then(|local| local.as_str()).is_some_and(|l| l.ends_with(&suffix))
    };
    Ok(list.iter().filter(is_ours).count())
}

/// The client vanishes without a word of its own; its kernel resets the connection.
fn client_killed(lab: &mut Lab) -> anyhow::Result<()> {
    lab.start("")?;
    let mut client = lab.start_helper(&format!("fetch {STACK}:19 --bytes {}", u64::MAX))?;
    client.wait_for("started", MOMENT)?;
    wait::until("connection", MOMENT, || Ok((connections(lab, 19)? == 1).then_some(())))?;
    client.signal(Signal::KILL)?;
    wait::until(
        "end of the connection",
        MOMENT,
        || Ok((connections(lab, 19)? == 0).then_some(())),
    )?;
    lab.helper(&format!("echo {STACK}:7 --bytes 1000000")).map(drop)
}

/// SIGTERM in the midst of a transfer: the client sees an end, and nothing is left.
fn stack_terminated(lab: &mut Lab) -> anyhow::Result<()> {
    lab.start("")?;
    let mut client = lab.start_helper(&format!("fetch {STACK}:19 --bytes {}", u64::MAX))?;
    client.wait_for("started", MOMENT)?;
    wait::pause(Duration::from_millis(200))?;
    lab.stack()?.stop()?;
    // It fails, as its bytes never come; that it ends soon is what is asked.
    let output = client.finish(MOMENT)?;
    let seen = output.stderr.contains("reset") || output.stderr.contains("bytes arrived");
    ensure!(seen, "{}", output.told("neither saw an end nor a reset"));
    let links = lab.run("ip -brief link show")?.ok()?;
    ensure!(!links.contains("t0"), "the TAP is still there:\n{links}");
    Ok(())
}

/// The largest ping that fits, then transfers both ways at once and one that only comes down.
fn mtu(lab: &mut Lab, mtu: u64) -> anyhow::Result<()> {
    lab.start(&format!("--mtu {mtu}"))?;
    let link = lab.run("ip link show t0")?.ok()?;
    ensure!(link.contains(&format!("mtu {mtu} ")), "the kernel's side has another MTU:\n{link}");
    ping(lab, &format!("-M do -s {}", mtu - 28), 2)?;
    let bytes = lab.megabytes(10, 200);
    for transfer in [format!("echo {STACK}:7"), format!("fetch {STACK}:19")] {
        let transfer = lab.start_helper(&format!("{transfer} --bytes {bytes}"))?;
        // Fifty times what it takes: only a stack that waits for a timer at every segment, which
        // an odd MTU has caused before, is slower than that.
        transfer.finish(Duration::from_secs(20 + bytes / 10_000_000))?.ok()?;
    }
    Ok(())
}

/// The reader stops long enough for the window to close and for several probes.
fn kernel_pauses(lab: &mut Lab) -> anyhow::Result<()> {
    lab.start("")?;
    let pause = if lab.settings.full { 10_000 } else { 3_000 };
    let flags = format!("--bytes 20000000 --pause-after 2000000 --pause-ms {pause}");
    lab.helper(&format!("fetch {STACK}:19 {flags}")).map(drop)
}

/// An echo whose client sends without reading fills both windows, then drains both.
fn both_pause(lab: &mut Lab) -> anyhow::Result<()> {
    lab.start("")?;
    let pause = if lab.settings.full { 10_000 } else { 3_000 };
    let flags = format!("--bytes 40000000 --pause-after 0 --pause-ms {pause}");
    lab.helper(&format!("echo {STACK}:7 {flags}")).map(drop)
}

/// Without offloads every segment is a frame of its own, with a checksum of its own.
fn offload_off(lab: &mut Lab) -> anyhow::Result<()> {
    lab.start("--offload off")?;
    let bytes = lab.megabytes(30, 300);
    lab.helper(&format!("echo {STACK}:7 --bytes {bytes}"))?;
    lab.helper(&format!("fetch {STACK}:19 --bytes {bytes}"))?;
    lab.helper(&format!("send {STACK}:9 --bytes {bytes}")).map(drop)
}
