//! A router with a narrow link between stackd and its client: the lab's own namespace forwards.
//!
//!     stackd -- t0 (1500) -- lab, forwards -- r0 (1400) == c0 (1500) -- client
//!
//! Both ends believe in 1500 bytes. The kernel answers what is larger with "fragmentation needed",
//! or, in the black-hole case, not at all.

use anyhow::ensure;

use super::{Case, HOST, Lab, Lane, STACK};
use crate::netns::namespace::Namespace;

pub(super) const CASES: &[Case] = &[
    Case::new("path/narrow-down", narrow_down).needs(&["curl"]).stackd_only().core(),
    Case::new("path/black-hole", black_hole).needs(&["curl"]).stackd_only().lane(Lane::Idle),
];

const CLIENT: &str = "10.9.7.2";
const BYTES: u64 = 10_000_000;

/// Builds the way, with one more command for the router, fetches over it, and answers the state of
/// the stack.
fn fetch(lab: &mut Lab, mute: &str) -> anyhow::Result<serde_json::Value> {
    let far = Namespace::new()?;
    let name = far.name();
    lab.start(&format!("--gateway {HOST}"))?;
    lab.shell(&format!(
        "set -e
        ip link add r0 mtu 1400 type veth peer name c0 netns {name} mtu 1500
        ip address add 10.9.7.1/24 dev r0
        ip link set r0 up
        echo 1 > /proc/sys/net/ipv4/ip_forward
        {mute}
        ip -n {name} address add {CLIENT}/24 dev c0
        ip -n {name} link set c0 up
        ip -n {name} route add default via 10.9.7.1"
    ))?
    .ok()?;
    let own = lab.settings.helper.display().to_string();
    let [ip, netns, exec, client] = far.prefix();
    let (to, bytes) = (format!("{STACK}:19"), BYTES.to_string());
    lab.run_words(&[ip, netns, exec, client, &own, "helper", "fetch", &to, "--bytes", &bytes])?
        .ok()?;
    lab.state()
}

/// The kernel says what its link takes.
fn narrow_down(lab: &mut Lab) -> anyhow::Result<()> {
    let state = fetch(lab, "")?.to_string();
    let errors = lab.shell("cat /proc/net/snmp | grep ^Ip: | tail -1")?.ok()?;
    // FragFails is the 18th counter.
    let failed = errors.split_whitespace().nth(18).and_then(|count| count.parse::<u64>().ok());
    ensure!(failed.is_some_and(|count| count > 0), "nothing was too large: {errors}\n{state}");
    Ok(())
}

/// The kernel says nothing.
fn black_hole(lab: &mut Lab) -> anyhow::Result<()> {
    // No error to the stack gets out: its address is behind a route that drops what we send.
    let mute = "ip rule add from all ipproto icmp to 10.9.0.2 blackhole priority 1";
    fetch(lab, mute).map(drop)
}
