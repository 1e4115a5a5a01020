//! Transfers through the impairing bridge: slow or fast, every byte has to be right.

use anyhow::{Context, ensure};

use super::{Case, Lab, Lane, STACK};

pub(super) const CASES: &[Case] = &[
    Case::new("impaired/rough-echo", rough_echo).lane(Lane::Idle).core(),
    Case::new("impaired/rough-down", rough_down).lane(Lane::Idle),
    Case::new("impaired/rough-up", rough_up).lane(Lane::Idle),
    Case::new("impaired/lossy-echo", lossy_echo).lane(Lane::Idle),
    Case::new("impaired/lossy-down", lossy_down).lane(Lane::Idle),
];

/// A bad radio link. Linux itself gets 1 to 2 Mbit/s through it.
const ROUGH: &str = "--seed 1 --loss 2 --delay-ms 20 --reorder 2 --duplicate 1 --corrupt 0.5";
/// A congested but quick path.
const LOSSY: &str = "--seed 2 --loss 0.5";

fn rough_echo(lab: &mut Lab) -> anyhow::Result<()> {
    through(lab, ROUGH, &format!("echo {STACK}:7 --bytes 2000000"))
}

fn rough_down(lab: &mut Lab) -> anyhow::Result<()> {
    through(lab, ROUGH, &format!("fetch {STACK}:80 --http --bytes 2000000"))
}

fn rough_up(lab: &mut Lab) -> anyhow::Result<()> {
    through(lab, ROUGH, &format!("send {STACK}:9 --bytes 2000000"))
}

fn lossy_echo(lab: &mut Lab) -> anyhow::Result<()> {
    through(lab, LOSSY, &format!("echo {STACK}:7 --bytes 20000000"))
}

fn lossy_down(lab: &mut Lab) -> anyhow::Result<()> {
    through(lab, LOSSY, &format!("fetch {STACK}:80 --http --bytes 20000000"))
}

/// Runs a helper through the faults, and makes sure that there were some.
fn through(lab: &mut Lab, faults: &str, client: &str) -> anyhow::Result<()> {
    lab.start_impaired(faults, "--host-address none")?;
    lab.helper(client)?;
    let stack = lab.stack()?;
    stack.stop()?;
    let said = stack.process.stderr();
    for direction in ["to the stack", "from the stack"] {
        let counts = said.lines().find(|line| line.contains(direction)).context("no counts")?;
        let lost = counts.split(", ").find_map(|part| part.strip_suffix(" lost"));
        let lost: u64 = lost.and_then(|count| count.parse().ok()).context("no count of losses")?;
        ensure!(lost > 0, "nothing was lost: {counts}");
    }
    Ok(())
}
