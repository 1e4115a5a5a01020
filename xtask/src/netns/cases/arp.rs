//! Neighbours: who answers, who is asked, who moves, and who claims what is ours.

use std::time::Duration;

use anyhow::{bail, ensure};

use super::{Case, HOST, Lab, Lane, MOMENT, STACK, listen, ping, tail, wait};

pub(super) const CASES: &[Case] = &[
    Case::new("arp/answered", answered).needs(&["arping"]).core(),
    Case::new("arp/resolves", resolves).needs(&["ping", "tcpdump"]).core(),
    Case::new("arp/neighbour-moves", neighbour_moves).needs(&["ping"]).lane(Lane::Idle),
    Case::new("arp/conflict-strict", conflict_strict)
        .needs(&["ping"])
        .stackd_only()
        .lane(Lane::Idle),
    Case::new("arp/conflict-optimistic", conflict_optimistic).stackd_only().lane(Lane::Idle),
    Case::new("arp/strict-free", strict_free).needs(&["ping"]).stackd_only().lane(Lane::Idle),
    Case::new("arp/defends", defends)
        .needs(&["arping", "ping", "tcpdump"])
        .stackd_only()
        .lane(Lane::Idle),
];

const MAC: &str = "02:00:00:00:09:02";

fn answered(lab: &mut Lab) -> anyhow::Result<()> {
    lab.start(&format!("--mac {MAC}"))?;
    let said = lab.run(&format!("arping -c 3 -I t0 {STACK}"))?.ok()?;
    ensure!(said.contains("Received 3 response"), "not answered three times:\n{said}");
    ensure!(said.to_lowercase().contains(MAC), "another MAC than {MAC} answers:\n{said}");
    Ok(())
}

/// The kernel knows our MAC beforehand and so never asks: to answer, we have to.
fn resolves(lab: &mut Lab) -> anyhow::Result<()> {
    lab.start(&format!("--mac {MAC}"))?;
    lab.run(&format!("ip neighbour replace {STACK} lladdr {MAC} dev t0 nud permanent"))?.ok()?;
    let mut dump = listen(lab, "t0", "arp")?;
    ping(lab, "", 3)?;
    // A stand-in may have been resolved before; the stack has not, as nobody has asked it.
    dump.wait_for(&format!("Request who-has {HOST} tell {STACK}"), MOMENT)?;
    dump.wait_for(&format!("Reply {HOST} is-at"), MOMENT)?;
    Ok(())
}

/// The kernel's MAC changes under a running ping and an open connection.
fn neighbour_moves(lab: &mut Lab) -> anyhow::Result<()> {
    lab.start("")?;
    let mut connection = lab.start_helper(&format!("hold {STACK}:7"))?;
    connection.tell("before")?;
    connection.wait_for("echoed before", MOMENT)?;
    let line = format!("ping -n -q -i 0.1 -W 5 -c 20 {STACK}");
    let words: Vec<&str> = line.split(' ').collect();
    let pinging = lab.spawn(&words)?;
    wait::pause(Duration::from_millis(700))?;
    lab.run("ip link set dev t0 address 02:00:00:00:77:77")?.ok()?;
    let said = pinging.finish(MOMENT)?.said();
    // One echo may be on its way while the address changes.
    let received = said.split(" received").next().and_then(|text| text.split(", ").last());
    let received: u32 = received.and_then(|count| count.parse().ok()).unwrap_or(0);
    ensure!(received >= 19, "the neighbour is not followed:\n{}", tail(&said, 9));
    connection.tell("after")?;
    connection.wait_for("echoed after", MOMENT)?;
    ping(lab, "", 2)
}

/// A TAP on which the kernel itself has the stack's address too.
fn taken(lab: &mut Lab) -> anyhow::Result<()> {
    lab.shell(&format!(
        "set -e
        ip tuntap add dev t0 mode tap
        ip address add {HOST}/24 dev t0
        ip address add {STACK}/32 dev t0
        ip link set t0 up"
    ))?
    .ok()
    .map(drop)
}

fn conflict_strict(lab: &mut Lab) -> anyhow::Result<()> {
    taken(lab)?;
    // Not `start`: whether it may say that it serves without an address is its own affair.
    let (mut process, _) = lab.spawn_stackd("--acd strict --host-address none")?;
    process.wait_for("conflict", MOMENT)?;
    // The kernel gives the address up, and nobody has it now.
    lab.run(&format!("ip address del {STACK}/32 dev t0"))?.ok()?;
    lab.run("ip neighbour flush all")?.ok()?;
    let output = lab.run(&format!("ping -n -q -c 2 -i 0.2 -W 1 {STACK}"))?;
    if !output.stdout.contains(" 0 received") {
        bail!("{}", output.told("an address in conflict is used"));
    }
    Ok(())
}

fn conflict_optimistic(lab: &mut Lab) -> anyhow::Result<()> {
    taken(lab)?;
    lab.start("--acd optimistic --host-address none")?;
    lab.stack()?.process.wait_for("conflict", MOMENT)?;
    Ok(())
}

/// Strict with nobody else there: probed, announced, used.
fn strict_free(lab: &mut Lab) -> anyhow::Result<()> {
    lab.start("--acd strict")?;
    // RFC 5227 2.1.1: up to 1 s, three probes 1 to 2 s apart, 2 s of silence.
    wait::until("answer to ping", MOMENT, || {
        let output = lab.run(&format!("ping -n -q -c 1 -W 1 {STACK}"))?;
        Ok(output.status.success().then_some(()))
    })?;
    ping(lab, "", 3)
}

/// Somebody announces an address that we have announced ourselves: reported, and defended.
fn defends(lab: &mut Lab) -> anyhow::Result<()> {
    lab.start(&format!("--mac {MAC}"))?;
    let dump = listen(lab, "t0", &format!("arp and ether src {MAC}"))?;
    let announced = format!("Request who-has {STACK} tell {STACK}");
    let announcements = |count| {
        wait::until(&format!("announcement {count}"), MOMENT, || {
            Ok((dump.stdout().matches(&announced).count() >= count).then_some(()))
        })
    };
    // RFC 5227 2.3: two announcements, and the address is ours.
    announcements(2)?;
    lab.run(&format!("ip address add {STACK}/32 dev t0"))?.ok()?;
    lab.run(&format!("arping -U -c 1 -I t0 {STACK}"))?;
    lab.run(&format!("ip address del {STACK}/32 dev t0"))?.ok()?;
    lab.stack()?.process.wait_for("conflict", MOMENT)?;
    // RFC 5227 2.4 (b): one announcement more.
    announcements(3)?;
    lab.run("ip neighbour flush all")?.ok()?;
    ping(lab, "", 2)
}
