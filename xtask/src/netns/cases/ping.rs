//! ICMP: echoes of every size, and what must not be echoed.

use anyhow::{bail, ensure};

use super::{Case, Lab, STACK, ping};

pub(super) const CASES: &[Case] = &[
    Case::new("ping/sizes", sizes).needs(&["ping"]).core(),
    Case::new("ping/flood", flood).needs(&["ping"]).core(),
    Case::new("ping/broadcast-unanswered", broadcast).needs(&["ping"]),
    Case::new("ping/ttl-1", ttl).needs(&["ping"]),
    Case::new("ping/tracepath", tracepath).needs(&["tracepath"]).core(),
];

/// From nothing at all to the largest datagram: one fragment from 1473 on, 45 at the end.
fn sizes(lab: &mut Lab) -> anyhow::Result<()> {
    lab.start("")?;
    for size in [0, 56, 1472, 1473, 8000, 65507] {
        ping(lab, &format!("-s {size}"), 3)?;
    }
    Ok(())
}

fn flood(lab: &mut Lab) -> anyhow::Result<()> {
    lab.start("")?;
    let output = lab.run(&format!("ping -n -q -f -c 20000 {STACK}"))?;
    if !output.stdout.contains(" 20000 received, 0% packet loss") {
        bail!("{}", output.told("lost or doubled echoes"));
    }
    Ok(())
}

/// RFC 1122 3.2.2.6 leaves it open; a host that answers can be used to flood another.
fn broadcast(lab: &mut Lab) -> anyhow::Result<()> {
    lab.start("")?;
    ping(lab, "", 1)?;
    for address in ["10.9.0.255", "255.255.255.255"] {
        let output = lab.run(&format!("ping -n -b -I t0 -c 2 -i 0.2 -W 1 {address}"))?;
        ensure!(!output.stdout.contains("bytes from"), "{}", output.told("is answered"));
    }
    ping(lab, "", 1)
}

/// The last hop delivers what arrives with a TTL of 1: only forwarding would decrement it.
fn ttl(lab: &mut Lab) -> anyhow::Result<()> {
    lab.start("")?;
    ping(lab, "-t 1", 3)
}

fn tracepath(lab: &mut Lab) -> anyhow::Result<()> {
    lab.start("")?;
    let said = lab.run(&format!("tracepath -n {STACK}"))?.ok()?;
    ensure!(said.contains("reached"), "not reached:\n{said}");
    ensure!(said.contains("pmtu 1500 hops 1"), "another path than one hop of 1500:\n{said}");
    Ok(())
}
