//! TCP opened by the stack, in an example program that embeds it, to servers of the kernel.

use super::{Case, HOST, Lab};

pub(super) const CASES: &[Case] = &[
    Case::new("client/transfer", transfer).stackd_only(),
    Case::new("client/refused", refused).stackd_only(),
];

fn transfer(lab: &mut Lab) -> anyhow::Result<()> {
    let program = lab.example("transfer")?.display().to_string();
    let mut server = lab.start_helper("serve")?;
    server.wait_until_ready(super::MOMENT)?;
    let bytes = lab.megabytes(100, 400).to_string();
    for kind in ["echo", "source", "discard"] {
        let words = [&program, "--to", HOST, "--kind", kind, "--bytes", &bytes];
        lab.run_words(&words)?.ok()?;
    }
    Ok(())
}

fn refused(lab: &mut Lab) -> anyhow::Result<()> {
    let program = lab.example("transfer")?.display().to_string();
    let words = [&program, "--to", HOST, "--kind", "echo", "--bytes", "1"];
    lab.run_words(&words)?.code(1).map(drop)
}
