//! Urgent data from the kernel: whatever it marks, the stream comes back whole and in order.

use super::{Case, Lab, STACK};

pub(super) const CASES: &[Case] = &[Case::new("tcp/urgent", urgent).needs(&["python3"]).core()];

/// Small writes, single bytes and writes beyond a segment and beyond the pointer's reach, each
/// other one urgent; then what the echo service sends back is compared.
const URGENT: &str = r#"
import socket, sys, threading
s = socket.create_connection((sys.argv[1], 7), 20)
sent = bytearray()
back = bytearray()
def read():
    while True:
        some = s.recv(65536)
        if not some:
            return
        back.extend(some)
reader = threading.Thread(target=read)
reader.start()
sizes = [1, 1, 7, 1460, 1, 3000, 1, 90000, 1, 1] * 20
for turn, size in enumerate(sizes):
    piece = bytes((turn * 7 + i) % 251 for i in range(size))
    flags = socket.MSG_OOB if turn % 2 else 0
    while piece:
        taken = s.send(piece, flags)
        sent += piece[:taken]
        piece = piece[taken:]
s.shutdown(socket.SHUT_WR)
reader.join(60)
assert not reader.is_alive(), f"{len(back)} of {len(sent)} bytes came back"
assert back == sent, f"{len(back)} of {len(sent)} bytes came back, first difference at " + str(
    next((i for i, (a, b) in enumerate(zip(back, sent)) if a != b), min(len(back), len(sent))))
print("whole", len(sent))
"#;

fn urgent(lab: &mut Lab) -> anyhow::Result<()> {
    lab.start("")?;
    let told = lab.run_words(&["python3", "-c", URGENT, STACK])?.ok()?;
    anyhow::ensure!(told.starts_with("whole"), "{told}");
    Ok(())
}
