//! UDP: datagrams of every size come back whole, and a closed port says so.

use std::fs;

use anyhow::ensure;

use super::{Case, Lab, STACK};

pub(super) const CASES: &[Case] = &[
    Case::new("udp/echo-sizes", echo_sizes).needs(&["socat"]).core(),
    Case::new("udp/echo-empty", echo_empty).needs(&["python3"]),
    Case::new("udp/refused", refused).core(),
];

/// The socket is connected, so the kernel checks the source address and port of what comes back.
fn echo_sizes(lab: &mut Lab) -> anyhow::Result<()> {
    lab.start("")?;
    for size in [1, 1472, 1473, 8192, 65507] {
        let (to, back) = (lab.file("sent"), lab.file("back"));
        let sent: Vec<u8> =
            (0..size).map(|at: u32| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        fs::write(&to, &sent)?;
        let (to, from) = (to.display(), back.display());
        let line = format!("socat -b 65507 -t 0.5 {to}!!CREATE:{from} UDP4:{STACK}:7");
        lab.run(&line)?.ok()?;
        let got = fs::read(&back)?;
        ensure!(got == sent, "{line}\n{} bytes came back for {size}, or others", got.len());
    }
    Ok(())
}

const EMPTY: &str = "
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(10)
s.connect((sys.argv[1], 7))
for size in 0, 1, 0:
    s.send(b'x' * size)
    got = s.recv(100)
    assert len(got) == size, (size, got)
";

/// A datagram without data is a datagram.
fn echo_empty(lab: &mut Lab) -> anyhow::Result<()> {
    lab.start("")?;
    lab.run_words(&["python3", "-c", EMPTY, STACK])?.ok().map(drop)
}

fn refused(lab: &mut Lab) -> anyhow::Result<()> {
    lab.start("")?;
    lab.helper(&format!("refused-udp {STACK}:4242")).map(drop)
}
