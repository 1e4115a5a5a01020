//! The kernel's TCP as the peer with everything it can be set to: congestion control, and SACK,
//! timestamps, window scaling and ECN on and off, by the sysctls of the case's own namespace.
//!
//! By default all is on, each is off once, and all are off; with `--full` it is every combination.
//! Both directions carry content that is compared.

use super::{Case, Lab, Lane, STACK};
use crate::netns::case::Skip;

pub(super) const CASES: &[Case] = &[
    Case::new("kernel/cubic", |lab| clean(lab, "cubic")),
    Case::new("kernel/reno", |lab| clean(lab, "reno")),
    Case::new("kernel/bbr", |lab| clean(lab, "bbr")),
    Case::new("kernel/impaired-cubic", |lab| impaired(lab, "cubic")).lane(Lane::Idle),
    Case::new("kernel/impaired-reno", |lab| impaired(lab, "reno")).lane(Lane::Idle),
    Case::new("kernel/impaired-bbr", |lab| impaired(lab, "bbr")).lane(Lane::Idle),
];

/// What a connection may negotiate, with the values for on and off. `tcp_ecn` 1 asks for ECN on
/// the kernel's own connections, 2 only answers.
const FEATURES: [(&str, u8, u8); 4] =
    [("tcp_sack", 1, 0), ("tcp_timestamps", 1, 0), ("tcp_window_scaling", 1, 0), ("tcp_ecn", 1, 0)];

/// A busy way that loses a little.
const FAULTS: &str = "--seed 3 --loss 0.5 --delay-ms 2 --reorder 1";

fn clean(lab: &mut Lab, congestion: &str) -> anyhow::Result<()> {
    lab.start("")?;
    let bytes = lab.megabytes(10, 50);
    each_setting(lab, congestion, bytes)
}

fn impaired(lab: &mut Lab, congestion: &str) -> anyhow::Result<()> {
    lab.start_impaired(FAULTS, "--host-address none")?;
    let bytes = if lab.settings.full { 2_000_000 } else { 300_000 };
    each_setting(lab, congestion, bytes)
}

/// Bulk to the stack, from it, and an echo, with each combination of features.
fn each_setting(lab: &Lab, congestion: &str, bytes: u64) -> anyhow::Result<()> {
    if set(lab, "tcp_congestion_control", congestion).is_err() {
        return Err(Skip(format!("this kernel lets no namespace use {congestion}")).into());
    }
    for features in settings(lab.settings.full) {
        for ((name, on, off), is_on) in FEATURES.into_iter().zip(features) {
            set(lab, name, if is_on { on } else { off })?;
        }
        let told = |error: anyhow::Error| {
            let off = FEATURES.iter().zip(features).filter(|(_, is_on)| !is_on);
            let off: Vec<&str> = off.map(|((name, ..), _)| *name).collect();
            error.context(format!("{congestion} without {off:?}"))
        };
        for client in [
            format!("send {STACK}:9 --bytes {bytes}"),
            format!("fetch {STACK}:19 --bytes {bytes}"),
            format!("echo {STACK}:7 --bytes {bytes}"),
        ] {
            lab.helper(&client).map_err(told)?;
        }
    }
    Ok(())
}

/// Which features are on: all, all but one, none; or every combination.
fn settings(full: bool) -> Vec<[bool; 4]> {
    let all = (0..16_u8).map(|bits| [0, 1, 2, 3].map(|feature| bits >> feature & 1 == 0));
    let off = |features: &[bool; 4]| features.iter().filter(|on| !**on).count();
    all.filter(|features| full || off(features) <= 1 || off(features) == 4).collect()
}

fn set(lab: &Lab, name: &str, value: impl std::fmt::Display) -> anyhow::Result<()> {
    lab.shell(&format!("echo {value} > /proc/sys/net/ipv4/{name}"))?.ok().map(drop)
}
