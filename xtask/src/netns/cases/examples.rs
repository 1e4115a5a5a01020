//! Each layer crate used alone: its examples run to a good end.

use std::fs;

use anyhow::ensure;

use super::{Case, Lab, MOMENT};
use crate::workspace;

pub(super) const CASES: &[Case] = &[
    Case::new("examples/link", |lab| run(lab, "link")).stackd_only(),
    Case::new("examples/arp", |lab| run(lab, "arp")).stackd_only(),
    Case::new("examples/ip", |lab| run(lab, "ip")).stackd_only(),
    Case::new("examples/udp", |lab| run(lab, "udp")).stackd_only(),
    Case::new("examples/tcp", |lab| run(lab, "tcp")).stackd_only(),
];

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
