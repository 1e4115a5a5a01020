//! Each layer crate used alone: its examples run to a good end. And the sockets under axum.

use std::fs;

use anyhow::ensure;

use super::{Case, Lab, MOMENT, STACK};
use crate::workspace;

pub(super) const CASES: &[Case] = &[
    Case::new("examples/link", sniff).needs(&["ping"]).stackd_only(),
    Case::new("examples/arp", |lab| run(lab, "arp")).stackd_only(),
    Case::new("examples/ip", |lab| run(lab, "ip")).stackd_only(),
    Case::new("examples/udp", |lab| run(lab, "udp")).stackd_only(),
    Case::new("examples/tcp", |lab| run(lab, "tcp")).stackd_only(),
    Case::new("examples/axum", axum).needs(&["curl"]).stackd_only(),
];

/// The link layer alone shows what the kernel asks, and answers nothing.
fn sniff(lab: &mut Lab) -> anyhow::Result<()> {
    let program = lab.example("sniff")?.display().to_string();
    let mut process = lab.spawn(&[program.as_str(), "t0"])?;
    process.wait_for("listening on t0", MOMENT)?;
    lab.run(&format!("ping -n -q -c 1 -W 1 {STACK}"))?.code(1)?;
    process.wait_for("type 0x0806", MOMENT).map(drop)
}

/// A web server of the ordinary kind, on the stack; the client is the kernel's.
fn axum(lab: &mut Lab) -> anyhow::Result<()> {
    let program = lab.example("axum")?.display().to_string();
    let mut process = lab.spawn(&[program.as_str(), "t0", &format!("{STACK}/24")])?;
    process.wait_for("serving on t0", MOMENT)?;
    let page = format!("curl -sS --max-time 10 http://{STACK}/reader http://{STACK}/writer");
    let said = lab.run(&page)?.ok()?;
    ensure!(
        said == "hello, reader, from user space\nhello, writer, from user space\n",
        "another page: {said:?}"
    );
    Ok(())
}

fn run(lab: &mut Lab, package: &str) -> anyhow::Result<()> {
    let folder = workspace::root().join(package).join("examples");
    let mut count = 0;
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        let Some(name) = path.file_stem().filter(|_| path.extension().is_some_and(|e| e == "rs"))
        else {
            continue;
        };
        let program = lab.example(&name.to_string_lossy())?;
        let said = lab.spawn(&[program.display().to_string()])?.finish(MOMENT)?.ok()?;
        ensure!(!said.trim().is_empty(), "{} shows nothing", path.display());
        count += 1;
    }
    ensure!(count > 0, "{package} has no example");
    Ok(())
}
