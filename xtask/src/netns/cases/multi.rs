//! One host on two links with two addresses each.

use anyhow::ensure;

use super::{Case, Lab, MOMENT, listen, tail};

pub(super) const CASES: &[Case] = &[
    Case::new("multi/all-answer", all_answer).needs(&["ping"]).stackd_only().core(),
    Case::new("multi/right-link", right_link).needs(&["ping", "tcpdump"]).stackd_only(),
];

const FLAGS: &str = "--tap t0 --address 10.9.0.2/24 --address 10.9.0.3/24 \
                     --host-address 10.9.0.1/24 \
                     --tap t1 --address 10.9.1.2/24 --address 10.9.1.3/24 \
                     --host-address 10.9.1.1/24";

/// All four addresses answer, and by the address that was asked: the clients' sockets are
/// connected, so the kernel takes nothing that comes from another.
fn all_answer(lab: &mut Lab) -> anyhow::Result<()> {
    lab.start(FLAGS)?;
    for address in ["10.9.0.2", "10.9.0.3", "10.9.1.2", "10.9.1.3"] {
        let said = lab.run(&format!("ping -n -c 2 -i 0.1 -W 5 {address}"))?.ok()?;
        ensure!(said.contains(&format!("from {address}")), "another address answers:\n{said}");
        lab.helper(&format!("echo {address}:7 --bytes 1000000"))?;
        lab.helper(&format!("refused-udp {address}:4242"))?;
    }
    Ok(())
}

/// What concerns one subnet passes on its link alone.
fn right_link(lab: &mut Lab) -> anyhow::Result<()> {
    lab.start(FLAGS)?;
    let on_t0 = listen(lab, "t0", "ip")?;
    let mut on_t1 = listen(lab, "t1", "ip")?;
    lab.run("ping -n -c 3 -i 0.1 -W 5 10.9.1.3")?.ok()?;
    lab.helper("echo 10.9.1.2:7 --bytes 10000")?;
    on_t1.wait_for("10.9.1.3 > 10.9.1.1: ICMP echo reply", MOMENT)?;
    on_t1.wait_for("10.9.1.2.7 > 10.9.1.1", MOMENT)?;
    let stray = on_t0.stdout();
    ensure!(!stray.contains("10.9.1."), "t0 sees traffic of t1:\n{}", tail(&stray, 9));
    Ok(())
}
