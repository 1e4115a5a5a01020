//! Who may bind what, and ports that nobody can guess.

use super::*;

fn at(ip: [u8; 4], port: u16) -> SocketAddr {
    SocketAddr::from((ip, port))
}

const ANY: [u8; 4] = [0; 4];
const A: [u8; 4] = [10, 0, 0, 1];
const B: [u8; 4] = [10, 0, 0, 2];

fn bound(n: u64, local: SocketAddr, reuse_address: bool, reuse_port: bool) -> Bound {
    Bound { socket: SocketId(n), local, reuse_address, reuse_port, listening: false }
}

fn ports() -> Ports {
    Ports::new([3; 16], (32_768, 60_999))
}

#[test]
fn one_owner_unless_both_share() {
    let clash = Err(SocketError::AddressInUse);
    for (first, second, expected) in [
        (bound(1, at(A, 80), false, false), bound(2, at(A, 80), false, false), clash),
        (bound(1, at(A, 80), false, false), bound(2, at(ANY, 80), false, false), clash),
        (bound(1, at(A, 80), false, false), bound(2, at(B, 80), false, false), Ok(at(B, 80))),
        (bound(1, at(A, 80), false, true), bound(2, at(A, 80), false, true), Ok(at(A, 80))),
        (bound(1, at(A, 80), false, true), bound(2, at(A, 80), false, false), clash),
        (bound(1, at(A, 80), true, false), bound(2, at(A, 80), true, false), Ok(at(A, 80))),
    ] {
        let mut ports = ports();
        assert_eq!(ports.bind(first), Ok(first.local));
        assert_eq!(ports.bind(second), expected);
    }
}

#[test]
fn old_connections_stand_in_the_way_without_reuse() {
    let mut ports = ports();
    ports.connected(80);
    assert_eq!(ports.bind(bound(1, at(A, 80), false, false)), Err(SocketError::AddressInUse));
    assert_eq!(ports.bind(bound(1, at(A, 80), true, false)), Ok(at(A, 80)));
    ports.unbind(SocketId(1), at(A, 80));
    ports.disconnected(80);
    assert_eq!(ports.bind(bound(1, at(A, 80), false, false)), Ok(at(A, 80)));
}

#[test]
fn the_specific_listener_goes_before_all() {
    let mut ports = ports();
    for (n, local) in [(1, at(ANY, 80)), (2, at(A, 80))] {
        ports.bind(bound(n, local, false, true)).expect("shared");
        ports.listen(SocketId(n), local).expect("shared");
    }
    assert_eq!(ports.listener(at(A, 80), 0), Some(SocketId(2)));
    assert_eq!(ports.listener(at(B, 80), 0), Some(SocketId(1)));
    assert_eq!(ports.listener(at(A, 81), 0), None);
}

// test: RFC 6056 3
// test: RFC 6056 3.2
#[test]
fn ephemeral_ports_show_no_pattern_and_cover_the_range() {
    let mut ports = ports();
    let given: Vec<u16> =
        (0..1000).map(|_| ports.ephemeral(at(A, 0), at(B, 80), |_| false).expect("free")).collect();
    assert!(given.iter().all(|port| (32_768..=60_999).contains(port)));
    let mut steps: Vec<u16> = given.windows(2).map(|w| w[1].wrapping_sub(w[0])).collect();
    steps.sort_unstable();
    steps.dedup();
    assert!(steps.len() > 900, "{} different steps", steps.len());
    let mut small = Ports::new([3; 16], (100, 104));
    let mut all: Vec<u16> = (0..5)
        .map(|n| small.bind(bound(n, at(ANY, 0), false, false)).expect("free").port())
        .collect();
    all.sort_unstable();
    assert_eq!(all, [100, 101, 102, 103, 104]);
    assert_eq!(small.bind(bound(9, at(ANY, 0), false, false)), Err(SocketError::AddressInUse));
    assert_eq!(small.ephemeral(at(A, 0), at(B, 80), |_| false), None);
}
