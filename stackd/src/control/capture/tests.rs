//! Comments, and the moment that frames wait for them.

use layer::boundary::{SocketId, TcpState};
use layer::{InterfaceId, PacketBuf};

use super::*;

fn session() -> Session {
    let (known, waiting, reasons) = (Known::default(), VecDeque::new(), HashMap::new());
    Session { known, waiting, reasons }
}

/// A TCP segment from 10.0.0.2:5000 to our 10.0.0.1:80.
fn segment(unix_ns: u64, serial: u32) -> Seen {
    let mut bytes = vec![2; 12];
    bytes.extend([8, 0, 0x45, 0, 0, 40, 0, 1, 0, 0, 64, 6, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1]);
    bytes.extend([5000_u16.to_be_bytes(), 80_u16.to_be_bytes()].concat());
    let mut packet = PacketBuf::copy_from(&bytes);
    packet.set_serial(serial);
    let (interface, direction) = (InterfaceId(0), Direction::In);
    Seen::Frame(Box::new(SeenFrame { unix_ns, interface, direction, packet }))
}

fn note(note: Note) -> Seen {
    Seen::Note { unix_ns: 0, stage: "toy", note }
}

fn established() -> Note {
    Note::TcpState {
        socket: SocketId(1),
        local: ([10, 0, 0, 1], 80).into(),
        remote: ([10, 0, 0, 2], 5000).into(),
        from: TcpState::SynReceived,
        to: TcpState::Established,
    }
}

#[test]
fn a_frame_says_how_its_connection_was_when_it_crossed() {
    let mut session = session();
    session.take(segment(1, 1));
    session.take(note(established()));
    session.take(note(Note::TcpCwnd { socket: SocketId(1), cwnd: 14_480, ssthresh: u32::MAX }));
    session.take(segment(2, 2));
    session.take(note(Note::TcpCwnd { socket: SocketId(1), cwnd: 7240, ssthresh: 7240 }));
    session.take(note(Note::TcpRecovery { socket: SocketId(1), entered: true }));
    session.take(segment(3, 3));
    let said: Vec<Option<String>> =
        core::iter::from_fn(|| session.ripe(u64::MAX)).map(|waiting| waiting.comment).collect();
    let last = "ESTAB, cwnd 7240, ssthresh 7240, in recovery";
    assert_eq!(said, [None, Some("ESTAB, cwnd 14480".into()), Some(last.into())]);
}

#[test]
fn the_reason_of_a_drop_reaches_the_frame_it_is_about() {
    let mut session = session();
    session.take(note(established()));
    session.take(segment(1, 7));
    session.take(segment(2, 8));
    let reason = Reason::TcpDuplicate;
    session.take(note(Note::DroppedFrame { serial: 8, reason }));
    let said: Vec<Option<String>> =
        core::iter::from_fn(|| session.ripe(u64::MAX)).map(|waiting| waiting.comment).collect();
    assert_eq!(said, [Some("ESTAB".into()), Some("dropped: tcp.duplicate; ESTAB".into())]);
}

#[test]
fn frames_wait_their_moment_and_no_longer_than_there_is_place() {
    let mut session = session();
    session.take(segment(100, 1));
    assert!(session.ripe(99).is_none());
    assert!(session.ripe(100).is_some());
    for n in 0..WAITING as u64 + 1 {
        session.take(segment(200 + n, 0));
    }
    assert!(session.ripe(99).is_some());
    assert!(session.ripe(99).is_none());
}

#[test]
fn losses_are_told_in_a_comment() {
    assert_eq!(comment_with_loss(None, 0), None);
    assert!(comment_with_loss(None, 3).unwrap().starts_with("3 frames"));
    assert!(comment_with_loss(Some("ESTAB".into()), 3).unwrap().starts_with("ESTAB; 3 frames"));
}
