//! What is remembered of connections between two notes.

use super::*;

fn ends(port: u16) -> (SocketAddr, SocketAddr) {
    (([10, 0, 0, 1], 80).into(), ([10, 0, 0, 2], port).into())
}

fn state(id: u64, port: u16, from: TcpState, to: TcpState) -> Note {
    let (local, remote) = ends(port);
    Note::TcpState { socket: SocketId(id), local, remote, from, to }
}

#[test]
fn a_connection_is_known_from_its_first_state_to_its_last() {
    let mut known = Known::default();
    let (local, remote) = ends(5);
    known.note(&state(1, 5, TcpState::SynReceived, TcpState::Established));
    known.note(&Note::TcpCwnd { socket: SocketId(1), cwnd: 14_480, ssthresh: u32::MAX });
    known.note(&Note::TcpRecovery { socket: SocketId(1), entered: true });
    known.note(&state(1, 5, TcpState::Established, TcpState::CloseWait));
    let connection = known.between(local, remote).unwrap();
    assert_eq!(connection.state, TcpState::CloseWait);
    assert_eq!(connection.cwnd, Some((14_480, u32::MAX)));
    assert!(connection.in_recovery);
    let mut event = json!({});
    known.ends(SocketId(1), &mut event);
    assert_eq!(event, json!({ "id": 1, "local": "10.0.0.1:80", "remote": "10.0.0.2:5" }));
    known.note(&state(1, 5, TcpState::LastAck, TcpState::Closed));
    assert!(known.between(local, remote).is_none());
    assert!(known.by_id.is_empty() && known.by_ends.is_empty());
}

#[test]
fn a_new_connection_between_the_same_ends_takes_the_place_of_the_old_one() {
    let mut known = Known::default();
    let (local, remote) = ends(5);
    known.note(&state(1, 5, TcpState::SynReceived, TcpState::TimeWait));
    known.note(&state(2, 5, TcpState::SynReceived, TcpState::Established));
    known.note(&state(1, 5, TcpState::TimeWait, TcpState::Closed));
    assert_eq!(known.between(local, remote).unwrap().state, TcpState::Established);
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut known = Known::default();
    for id in 0..REMEMBERED as u64 + 10 {
        let port = (id % 60_000) as u16;
        known.note(&state(id, port, TcpState::SynReceived, TcpState::Established));
    }
    assert_eq!(known.by_id.len(), REMEMBERED);
}
