//! UDP: the behaviours that std's own tests of `net::udp` look at, and what programs rely on.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use crate::Told;
use crate::backend::{Net, Udp};

/// Ends the hang of a test whose datagram does not come.
const LONG: Duration = Duration::from_secs(20);

fn bind<N: Net>(net: &N) -> (N::Udp, SocketAddr) {
    let socket = net.udp(([127, 0, 0, 1], 0).into()).unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// A result without what differs from run to run.
fn told<T>(result: io::Result<T>) -> String {
    match result {
        Ok(_) => "ok".to_owned(),
        Err(error) => format!("{:?} {:?}", error.kind(), error.raw_os_error()),
    }
}

pub(crate) fn an_address_that_is_not_ours_is_refused<N: Net>(net: &N) -> Told {
    let error = net.udp(([1, 1, 1, 1], 9999).into()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
    vec![told::<()>(Err(error))]
}

pub(crate) fn a_socket_has_its_port_to_itself<N: Net>(net: &N) -> Told {
    let (socket, address) = bind(net);
    let second = net.udp(address).unwrap_err();
    assert_eq!(second.kind(), ErrorKind::AddrInUse);
    let everywhere = net.udp(([0, 0, 0, 0], address.port()).into());
    let answers = vec![told::<()>(Err(second)), told(everywhere)];
    drop(socket);
    net.udp(address).unwrap();
    answers
}

pub(crate) fn a_datagram_comes_with_its_sender<N: Net>(net: &N) -> Told {
    let ((a, at_a), (b, at_b)) = (bind(net), bind(net));
    assert_eq!(a.send_to(&[99, 100], at_b).unwrap(), 2);
    let mut buffer = [0; 10];
    assert_eq!(b.recv_from(&mut buffer).unwrap(), (2, at_a));
    assert_eq!(buffer[..2], [99, 100]);
    vec![]
}

pub(crate) fn names_of_both_ends<N: Net>(net: &N) -> Told {
    let ((a, at_a), (b, at_b)) = (bind(net), bind(net));
    assert_ne!(at_a.port(), 0);
    let nobody = a.peer_addr().unwrap_err();
    assert_eq!(nobody.kind(), ErrorKind::NotConnected);
    a.connect(at_b).unwrap();
    assert_eq!((a.peer_addr().unwrap(), a.local_addr().unwrap()), (at_b, at_a));
    drop(b);
    // Connected, a socket of any address has one.
    let open = net.udp(([0, 0, 0, 0], 0).into()).unwrap();
    assert!(open.local_addr().unwrap().ip().is_unspecified());
    open.connect(at_a).unwrap();
    assert_eq!(open.local_addr().unwrap().ip(), at_a.ip());
    vec![told::<()>(Err(nobody))]
}

pub(crate) fn clones_are_the_same_socket<N: Net>(net: &N) -> Told {
    let ((a, at_a), (b, at_b)) = (bind(net), bind(net));
    let clone = a.try_clone().unwrap();
    assert_eq!(clone.local_addr().unwrap(), at_a);
    clone.send_to(&[1], at_b).unwrap();
    drop(a);
    let mut buffer = [0; 10];
    assert_eq!(b.recv_from(&mut buffer).unwrap(), (1, at_a));
    b.send_to(&[2], at_a).unwrap();
    assert_eq!(clone.recv_from(&mut buffer).unwrap(), (1, at_b));
    assert_eq!(buffer[0], 2);
    vec![]
}

pub(crate) fn two_clones_read_and_two_write<N: Net>(net: &N) -> Told {
    let ((a, _), (b, at_b)) = (bind(net), bind(net));
    thread::scope(|scope| {
        for (value, writer) in [(1, a.try_clone().unwrap()), (2, a)] {
            scope.spawn(move || writer.send_to(&[value], at_b).unwrap());
        }
        let (sender, bytes) = channel();
        for reader in [b.try_clone().unwrap(), b] {
            let sender = sender.clone();
            scope.spawn(move || {
                let mut byte = [0; 1];
                reader.recv(&mut byte).unwrap();
                sender.send(byte[0]).unwrap();
            });
        }
        drop(sender);
        let mut all: Vec<u8> = bytes.into_iter().collect();
        all.sort_unstable();
        assert_eq!(all, [1, 2]);
    });
    vec![]
}

pub(crate) fn timeouts_are_kept_and_end_receiving<N: Net>(net: &N) -> Told {
    let (socket, _) = bind(net);
    let long = Some(Duration::from_secs(15));
    assert_eq!(socket.write_timeout().unwrap(), None);
    socket.set_read_timeout(long).unwrap();
    socket.set_write_timeout(long).unwrap();
    assert_eq!((socket.read_timeout().unwrap(), socket.write_timeout().unwrap()), (long, long));
    socket.set_write_timeout(None).unwrap();
    assert_eq!(socket.write_timeout().unwrap(), None);
    socket.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
    let late = socket.recv_from(&mut [0; 9]).unwrap_err();
    assert_eq!(late.kind(), ErrorKind::WouldBlock);
    vec![told::<()>(Err(late)), told(socket.peek_from(&mut [0; 9]))]
}

pub(crate) fn a_timeout_of_zero_is_refused<N: Net>(net: &N) -> Told {
    let (socket, _) = bind(net);
    let read = socket.set_read_timeout(Some(Duration::ZERO)).unwrap_err();
    let write = socket.set_write_timeout(Some(Duration::ZERO)).unwrap_err();
    assert_eq!((read.kind(), write.kind()), (ErrorKind::InvalidInput, ErrorKind::InvalidInput));
    vec![]
}

pub(crate) fn connected_sockets_hear_their_peer_alone<N: Net>(net: &N) -> Told {
    let ((a, at_a), (b, at_b), (stranger, _)) = (bind(net), bind(net), bind(net));
    a.connect(at_b).unwrap();
    stranger.send_to(b"stranger", at_a).unwrap();
    b.send_to(b"friend", at_a).unwrap();
    let mut buffer = [0; 20];
    let n = a.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..n], b"friend");
    assert_eq!(a.send(b"back").unwrap(), 4);
    assert_eq!(b.recv_from(&mut buffer).unwrap(), (4, at_a));
    a.set_nonblocking(true).unwrap();
    vec![told(a.recv(&mut buffer)), told(a.send_to(b"other", at_b))]
}

pub(crate) fn peeking_takes_nothing<N: Net>(net: &N) -> Told {
    let ((a, at_a), (b, at_b)) = (bind(net), bind(net));
    a.send_to(b"hello", at_b).unwrap();
    let mut buffer = [0; 10];
    for _ in 0..2 {
        assert_eq!(b.peek_from(&mut buffer).unwrap(), (5, at_a));
    }
    b.connect(at_a).unwrap();
    assert_eq!(b.peek(&mut buffer[..2]).unwrap(), 2, "a part of it");
    assert_eq!(b.recv(&mut buffer).unwrap(), 5, "is still whole");
    b.set_nonblocking(true).unwrap();
    vec![told(b.peek(&mut buffer)), told(b.recv(&mut buffer))]
}

pub(crate) fn options_are_kept<N: Net>(net: &N) -> Told {
    let (socket, _) = bind(net);
    socket.set_ttl(100).unwrap();
    assert_eq!(socket.ttl().unwrap(), 100);
    assert!(!socket.broadcast().unwrap());
    socket.set_broadcast(true).unwrap();
    assert!(socket.broadcast().unwrap());
    assert!(socket.take_error().unwrap().is_none());
    vec![told(socket.set_ttl(0)), told(socket.set_ttl(256))]
}

pub(crate) fn without_blocking<N: Net>(net: &N) -> Told {
    let ((a, at_a), (b, at_b)) = (bind(net), bind(net));
    b.set_nonblocking(true).unwrap();
    let early = b.recv_from(&mut [0; 1]).unwrap_err();
    assert_eq!(early.kind(), ErrorKind::WouldBlock);
    b.set_nonblocking(false).unwrap();
    a.send_to(&[1], at_b).unwrap();
    assert_eq!(b.recv_from(&mut [0; 9]).unwrap(), (1, at_a));
    vec![told::<()>(Err(early))]
}

pub(crate) fn empty_long_and_too_long<N: Net>(net: &N) -> Told {
    let ((a, at_a), (b, at_b)) = (bind(net), bind(net));
    let mut buffer = vec![0; 65_536];
    for size in [0, 1, 1472, 1473, 8192, 65_507] {
        let sent: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
        assert_eq!(a.send_to(&sent, at_b).unwrap(), size);
        assert_eq!(b.recv_from(&mut buffer).unwrap(), (size, at_a));
        assert!(buffer[..size] == sent);
    }
    a.send_to(&[1, 2, 3, 4], at_b).unwrap();
    a.send_to(&[5], at_b).unwrap();
    assert_eq!(b.recv(&mut buffer[..2]).unwrap(), 2, "the rest is lost");
    assert_eq!(b.recv(&mut buffer).unwrap(), 1);
    vec![told(a.send_to(&vec![0; 65_508], at_b))]
}

pub(crate) fn nobody_there<N: Net>(net: &N) -> Told {
    let ((a, _), (b, at_b)) = (bind(net), bind(net));
    drop(b);
    a.connect(at_b).unwrap();
    a.send(b"anybody?").unwrap();
    let refused = a.recv(&mut [0; 9]).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    assert!(a.take_error().unwrap().is_none(), "told once");
    // One that is not connected hears nothing of it.
    let (open, _) = bind(net);
    open.send_to(b"anybody?", at_b).unwrap();
    open.set_nonblocking(true).unwrap();
    vec![told(open.recv(&mut [0; 9]))]
}

pub(crate) fn nowhere_to_send<N: Net>(net: &N) -> Told {
    let (a, _) = bind(net);
    let unconnected = a.send(b"x").unwrap_err();
    let port_zero = a.send_to(b"x", ([127, 0, 0, 1], 0).into());
    vec![told::<()>(Err(unconnected)), told(port_zero)]
}
