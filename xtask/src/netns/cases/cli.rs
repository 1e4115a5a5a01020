//! The command line: what it teaches, what it refuses, and how soon it serves.

use std::time::Duration;

use anyhow::{bail, ensure};

use super::{Case, Lab, Lane, STACK, ping, wait};

pub(super) const CASES: &[Case] = &[
    Case::new("cli/help", help).stackd_only(),
    Case::new("cli/nonsense", nonsense).stackd_only(),
    Case::new("cli/absent", absent).stackd_only(),
    Case::new("cli/address-clash", address_clash).stackd_only(),
    Case::new("cli/what-to-try", what_to_try).stackd_only(),
    Case::new("cli/services", services).stackd_only(),
    Case::new("cli/capture", capture).needs(&["ping", "tcpdump"]).stackd_only(),
    Case::new("cli/serves-within-a-second", startup)
        .needs(&["ping"])
        .stackd_only()
        .core()
        .lane(Lane::Alone),
];

fn help(lab: &mut Lab) -> anyhow::Result<()> {
    let help = lab.run_stackd(&["--help"])?.ok()?;
    let flags = [
        "--tap",
        "--tap-fd",
        "--device",
        "--address",
        "--host-address",
        "--gateway",
        "--mac",
        "--mtu",
        "--acd",
        "--service",
        "--pipeline",
        "--offload",
        "--capture",
    ];
    for flag in flags {
        ensure!(help.contains(flag), "--help does not explain {flag}:\n{help}");
    }
    Ok(())
}

/// Every flag with something it cannot mean: exit code 2 and an error that names it.
fn nonsense(lab: &mut Lab) -> anyhow::Result<()> {
    let wrong: [(&str, &[&str]); 13] = [
        ("--tap", &["", "a-name-that-is-too-long", "a/b"]),
        ("--tap-fd", &["", "x", "-1"]),
        ("--device", &["", "x", "afpacket:", "floppy:a"]),
        ("--address", &["", "x", "10.9.0.2/33", "10.9.0.300/24", "224.0.0.1/24", "10.9.0.255/24"]),
        ("--host-address", &["", "x", "10.9.0.1/99"]),
        ("--gateway", &["", "x", "10.9.0.1/24"]),
        ("--mac", &["", "x", "02:00:00:00:00", "01:00:00:00:00:01"]),
        ("--mtu", &["", "x", "0", "67", "70000", "-1"]),
        ("--acd", &["", "maybe"]),
        ("--service", &["", "teleport", "echo:0", "echo:70000", "echo:x"]),
        ("--pipeline", &["", "spaghetti"]),
        ("--offload", &["", "perhaps"]),
        ("--nonsense", &["", "x"]),
    ];
    for (flag, values) in wrong {
        for value in values {
            let output = lab.run_stackd(&[&format!("{flag}={value}")])?;
            if output.status.code() != Some(2) || !output.stderr.contains(flag) {
                bail!("{}", output.told(&format!("is not an exit code 2 that names {flag}")));
            }
        }
    }
    Ok(())
}

/// Flags that could mean something, but do not here: exit code 1 and an error that names it.
fn absent(lab: &mut Lab) -> anyhow::Result<()> {
    let file = "/nowhere/at/all.pcapng";
    let absent: [(&[&str], &str); 4] = [
        (&["--device", "afpacket:floppy0"], "floppy0"),
        (&["--tap-fd", "77"], "77"),
        (&["--tap-fd", "0"], "0"),
        (&["--tap", "t0", "--capture", file], file),
    ];
    for (flags, name) in absent {
        let output = lab.run_stackd(flags)?;
        if output.status.code() != Some(1) || !output.stderr.contains(name) {
            bail!("{}", output.told(&format!("is not an exit code 1 that names {name}")));
        }
    }
    Ok(())
}

/// An address range that the machine uses already is reported, not ignored.
fn address_clash(lab: &mut Lab) -> anyhow::Result<()> {
    lab.shell(
        "set -e
        ip link add d0 type dummy || ip link add d0 type veth peer name d1
        ip address add 10.9.0.77/24 dev d0
        ip link set d0 up",
    )?
    .ok()?;
    let (mut process, _) = lab.spawn_stackd("")?;
    let line = process.wait_for("10.9.0.", Duration::from_secs(15))?;
    ensure!(line.contains("d0") || process.stderr().contains("d0"), "does not name d0: {line}");
    Ok(())
}

fn what_to_try(lab: &mut Lab) -> anyhow::Result<()> {
    let said = lab.start("")?.process.stdout();
    for line in ["ping 10.9.0.2", "curl http://10.9.0.2/", "nc 10.9.0.2 7"] {
        ensure!(said.contains(line), "does not say what to try ({line}):\n{said}");
    }
    Ok(())
}

/// Services given replace the default ones.
fn services(lab: &mut Lab) -> anyhow::Result<()> {
    lab.start("--service echo:7007 --service source:1919")?;
    lab.helper(&format!("echo {STACK}:7007 --bytes 100000"))?;
    lab.helper(&format!("fetch {STACK}:1919 --bytes 100000"))?;
    for port in [7, 9, 19, 80] {
        lab.helper(&format!("refused-tcp {STACK}:{port}"))?;
    }
    Ok(())
}

/// The capture is a file that tcpdump reads, with what happened in it.
fn capture(lab: &mut Lab) -> anyhow::Result<()> {
    let file = lab.file("capture.pcapng").display().to_string();
    lab.start(&format!("--capture {file}"))?;
    ping(lab, "-s 1000", 2)?;
    lab.helper(&format!("echo {STACK}:7 --bytes 1000"))?;
    lab.stack()?.stop()?;
    let read = lab.run(&format!("tcpdump -n -r {file}"))?.ok()?;
    for part in ["ARP, Request", "ICMP echo request", "ICMP echo reply", "10.9.0.2.7: Flags [S]"] {
        ensure!(read.contains(part), "the capture shows no '{part}':\n{read}");
    }
    Ok(())
}

/// From its start to the answer to a ping.
fn startup(lab: &mut Lab) -> anyhow::Result<()> {
    let start = wait::now();
    lab.start("")?;
    ping(lab, "", 1)?;
    let time = start.elapsed();
    ensure!(time < Duration::from_secs(1), "it took {time:?} to serve and answer a ping");
    Ok(())
}
