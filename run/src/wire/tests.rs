//! Every message there and back, and messages that make no sense.

use std::os::unix::net::UnixStream;

use super::*;

fn wires() -> (Wire, Wire) {
    let (a, b) = UnixStream::pair().unwrap();
    (Wire::new(a.into()).unwrap(), Wire::new(b.into()).unwrap())
}

fn requests() -> Vec<Asked> {
    let (end, to) = (End(77), "192.0.2.1:80".parse().unwrap());
    let requests = [
        Request::Open(Kind::Tcp),
        Request::Open(Kind::Udp),
        Request::Bind(end, to),
        Request::Listen(end, 4096),
        Request::Accept { end, wait: true },
        Request::Ring(end),
        Request::Connect { end, to: Some(to), wait: false },
        Request::Connect { end, to: None, wait: true },
        Request::Filled(end, 200_000),
        Request::Local(end),
        Request::Peer(end),
        Request::Set { end, level: -1, name: i32::MAX, value: vec![1, 2, 3] },
        Request::Get { end, level: 6, name: 1 },
        Request::Shutdown(end, Shutdown::Read),
        Request::Shutdown(end, Shutdown::Write),
        Request::Shutdown(end, Shutdown::Both),
        Request::Send { end, to: None, data: vec![9; 65_507], wait: true },
        Request::Source(end),
        Request::Await(end),
        Request::Break(end),
    ];
    let numbered = requests.into_iter().zip(u64::MAX - 100..);
    let mut asked: Vec<Asked> = numbered.map(|(r, ticket)| Asked::Request(ticket, r)).collect();
    asked.push(Asked::Cancel(5, end));
    asked.push(Asked::Hello("0.1.0".to_owned(), Some(to)));
    asked
}

#[test]
fn every_request_arrives_as_it_was_asked() {
    let (mut here, mut there) = wires();
    for asked in requests() {
        here.ask(&asked).unwrap();
        assert!(there.fill().unwrap());
        assert_eq!(there.next_asked(), Ok(Some(asked)));
        assert_eq!(there.next_asked(), Ok(None));
    }
    drop(here);
    assert!(!there.fill().unwrap(), "the end is told");
}

#[test]
fn every_answer_arrives_with_its_descriptor() {
    let (mut here, mut there) = wires();
    let remote: SocketAddr = "192.0.2.1:80".parse().unwrap();
    let descriptor = || OwnedFd::from(UnixStream::pair().unwrap().0);
    let inode = |fd: &OwnedFd| rustix::fs::fstat(fd).unwrap().st_ino;
    let (first, second) = (descriptor(), descriptor());
    let inodes = [inode(&first), inode(&second)];
    let answers = [
        Err(Errno::CONNREFUSED),
        Ok(Answer::Done),
        Ok(Answer::Opened { end: End(1), descriptor: first }),
        Ok(Answer::Name(remote)),
        Ok(Answer::Accepted { end: End(2), descriptor: second, remote }),
        Ok(Answer::Value(vec![1, 0, 0, 0])),
        Ok(Answer::Sent(65_507)),
        Ok(Answer::Native),
    ];
    let said: Vec<String> = answers.iter().map(|answer| format!("{answer:?}")).collect();
    for answer in answers {
        here.tell(Told::Event(Event::Answer(3, answer))).unwrap();
    }
    here.tell(Told::Event(Event::Notice(Notice::Reset(End(9))))).unwrap();
    assert!(there.fill().unwrap());
    let mut seen = Vec::new();
    for expected in said {
        let Ok(Some(Told::Event(Event::Answer(3, answer)))) = there.next_told() else {
            panic!("no {expected}")
        };
        let blank = |text: &str| text.split("fd: ").next().unwrap().to_owned();
        assert_eq!(blank(&format!("{answer:?}")), blank(&expected));
        let carries = |answer: Answer| match answer {
            Answer::Opened { descriptor, .. } => Some(descriptor),
            Answer::Accepted { descriptor, .. } => Some(descriptor),
            Answer::Done
            | Answer::Name(_)
            | Answer::Value(_)
            | Answer::Sent(_)
            | Answer::Native => None,
        };
        seen.extend(answer.ok().and_then(carries).map(|descriptor| inode(&descriptor)));
    }
    assert_eq!(seen, inodes);
    let last = there.next_told();
    assert!(matches!(last, Ok(Some(Told::Event(Event::Notice(Notice::Reset(End(9))))))));
}

#[test]
fn a_message_may_arrive_byte_by_byte() {
    let (here, mut there) = wires();
    let asked = Asked::Request(1, Request::Get { end: End(3), level: 6, name: 1 });
    let bytes = asked.write();
    for (i, byte) in bytes.iter().enumerate() {
        assert_eq!(there.next_asked(), Ok(None), "after {i} bytes");
        rustix::io::write(&here, &[*byte]).unwrap();
        there.fill().unwrap();
    }
    assert_eq!(there.next_asked(), Ok(Some(asked)));
}

#[test]
fn nonsense_is_refused_and_never_believed() {
    for asked in requests() {
        let bytes = asked.write();
        for cut in 4..bytes.len().min(100) {
            // A shorter message is either refused or, where only a length was cut, not the same.
            if let Ok(read) = Asked::read(&bytes[4..cut]) {
                assert_ne!(read, asked);
            }
        }
    }
    let (here, mut there) = wires();
    rustix::io::write(&here, &u32::MAX.to_le_bytes()).unwrap();
    there.fill().unwrap();
    assert_eq!(there.next_asked(), Err(Nonsense));
    // An answer that speaks of a descriptor, and none came.
    let mut message = vec![12];
    message.extend_from_slice(&[0; 16]);
    assert!(Told::read(&message, &mut VecDeque::new()).is_err());
    // A field that claims more than there is.
    let mut message = vec![15];
    message.extend_from_slice(&[0; 8]);
    message.extend_from_slice(&u64::MAX.to_le_bytes());
    assert!(Told::read(&message, &mut VecDeque::new()).is_err());
}
