//! TCP: the behaviours that std's own tests of `net::tcp` look at, and what programs rely on.

use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use crate::Told;
use crate::backend::{Listener, Net, Stream};

/// A free port of the loopback.
fn anywhere() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

/// A listener and where it is.
fn listen<N: Net>(net: &N) -> (N::Listener, SocketAddr) {
    let listener = net.listen(anywhere()).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A connection: the side that opened it, and the side that accepted it.
fn connection<N: Net>(net: &N) -> (N::Stream, N::Stream) {
    let (listener, address) = listen(net);
    let stream = net.connect(address).unwrap();
    (stream, listener.accept().unwrap().0)
}

/// A result without what differs from run to run.
fn told<T>(result: io::Result<T>) -> String {
    match result {
        Ok(_) => "ok".to_owned(),
        Err(error) => format!("{:?} {:?}", error.kind(), error.raw_os_error()),
    }
}

pub(crate) fn an_address_that_is_not_ours_is_refused<N: Net>(net: &N) -> Told {
    let error = net.listen(([1, 1, 1, 1], 9999).into()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
    vec![told::<()>(Err(error))]
}

pub(crate) fn nobody_listens<N: Net>(net: &N) -> Told {
    let (listener, address) = listen(net);
    drop(listener);
    let error = net.connect(address).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    let within = net.connect_timeout(address, Duration::from_secs(9)).unwrap_err();
    assert_eq!(within.kind(), ErrorKind::ConnectionRefused);
    // Any address means this host, as ever.
    let any = net.connect(([0, 0, 0, 0], address.port()).into());
    let port_zero = net.connect(([127, 0, 0, 1], 0).into());
    vec![told::<()>(Err(error)), told::<()>(Err(within)), told(any), told(port_zero)]
}

pub(crate) fn a_timeout_of_zero_is_refused<N: Net>(net: &N) -> Told {
    let (stream, _peer) = connection(net);
    let address = stream.peer_addr().unwrap();
    let connect = net.connect_timeout(address, Duration::ZERO).map(drop);
    let read = stream.set_read_timeout(Some(Duration::ZERO));
    let write = stream.set_write_timeout(Some(Duration::ZERO));
    for result in [connect, read, write] {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    vec![]
}

pub(crate) fn a_listener_has_its_port_to_itself<N: Net>(net: &N) -> Told {
    let (_listener, address) = listen(net);
    let second = net.listen(address).unwrap_err();
    assert_eq!(second.kind(), ErrorKind::AddrInUse);
    let everywhere = net.listen(([0, 0, 0, 0], address.port()).into());
    vec![told::<()>(Err(second)), told(everywhere)]
}

pub(crate) fn a_byte_comes_and_then_the_end<N: Net>(net: &N) -> Told {
    let (mut stream, mut peer) = connection(net);
    stream.write_all(&[144]).unwrap();
    drop(stream);
    let mut buffer = [0; 9];
    assert_eq!(peer.read(&mut buffer).unwrap(), 1);
    assert_eq!(buffer[0], 144);
    assert_eq!(peer.read(&mut buffer).unwrap(), 0, "the end");
    assert_eq!(peer.read(&mut buffer).unwrap(), 0, "and again");
    vec![]
}

pub(crate) fn both_ends_know_both_addresses<N: Net>(net: &N) -> Told {
    let (listener, address) = listen(net);
    assert_eq!(address.ip(), anywhere().ip());
    assert_ne!(address.port(), 0);
    let stream = net.connect(address).unwrap();
    let (peer, from) = listener.accept().unwrap();
    assert_eq!(stream.peer_addr().unwrap(), address);
    assert_eq!(peer.local_addr().unwrap(), address);
    assert_eq!(peer.peer_addr().unwrap(), stream.local_addr().unwrap());
    assert_eq!(from, stream.local_addr().unwrap());
    assert_eq!(from.ip(), address.ip());
    vec![]
}

pub(crate) fn writing_to_a_peer_that_is_gone_fails<N: Net>(net: &N) -> Told {
    let (mut stream, peer) = connection(net);
    drop(peer);
    // The first writes may go before the reset comes back.
    let error = loop {
        if let Err(error) = stream.write(&[0; 10]) {
            break error;
        }
    };
    assert!(
        matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
        "{error:?}"
    );
    vec![]
}

pub(crate) fn a_reset_is_told_once<N: Net>(net: &N) -> Told {
    let (mut stream, mut peer) = connection(net);
    // Closing with unread data is a reset.
    stream.write_all(b"unread").unwrap();
    peer.read_exact(&mut [0; 1]).unwrap();
    drop(peer);
    let mut buffer = [0; 9];
    let reset = stream.read(&mut buffer).unwrap_err();
    assert_eq!(reset.kind(), ErrorKind::ConnectionReset);
    let then = stream.read(&mut buffer);
    assert_eq!(*then.as_ref().unwrap(), 0);
    let written = stream.write(&buffer).unwrap_err();
    assert_eq!(written.kind(), ErrorKind::BrokenPipe);
    let no_error = stream.take_error().unwrap();
    assert!(no_error.is_none());
    let (peer, local) = (stream.peer_addr(), stream.local_addr());
    vec![told(peer), told(local), told(stream.shutdown(Shutdown::Both))]
}

pub(crate) fn many_connections_one_after_the_other<N: Net>(net: &N) -> Told {
    const MANY: u8 = 10;
    let (listener, address) = listen(net);
    thread::scope(|scope| {
        scope.spawn(|| {
            for i in 0..MANY {
                net.connect(address).unwrap().write_all(&[i]).unwrap();
            }
        });
        for (i, stream) in (0..MANY).zip(listener.incoming()) {
            let mut buffer = [0; 1];
            stream.unwrap().read_exact(&mut buffer).unwrap();
            assert_eq!(buffer, [i]);
        }
    });
    vec![]
}

pub(crate) fn many_connections_at_once<N: Net>(net: &N) -> Told {
    const MANY: usize = 12;
    let (listener, address) = listen(net);
    thread::scope(|scope| {
        for i in 0..MANY {
            scope.spawn(move || {
                let mut stream = net.connect(address).unwrap();
                let sent = vec![u8::try_from(i).unwrap(); 10_000 + i];
                stream.write_all(&sent).unwrap();
                stream.shutdown(Shutdown::Write).unwrap();
                let mut received = Vec::new();
                stream.read_to_end(&mut received).unwrap();
                assert!(received == sent);
            });
        }
        for _ in 0..MANY {
            let (mut stream, _) = listener.accept().unwrap();
            scope.spawn(move || {
                let mut all = Vec::new();
                stream.read_to_end(&mut all).unwrap();
                stream.write_all(&all).unwrap();
            });
        }
    });
    vec![]
}

pub(crate) fn a_long_message_is_read_in_parts<N: Net>(net: &N) -> Told {
    let (mut stream, mut peer) = connection(net);
    stream.write_all(&[1, 2, 3, 4]).unwrap();
    let mut part = [0; 1];
    for expected in 1..=4 {
        assert_eq!(peer.read(&mut part).unwrap(), 1);
        assert_eq!(part[0], expected);
    }
    vec![]
}

pub(crate) fn buffers_are_gathered_and_scattered<N: Net>(net: &N) -> Told {
    let (mut stream, mut peer) = connection(net);
    let (empty, one, two) = ([], [10, 11, 12], [20, 21]);
    let sent = stream
        .write_vectored(&[IoSlice::new(&empty), IoSlice::new(&one), IoSlice::new(&two)])
        .unwrap();
    assert_eq!(sent, 5);
    peer.peek(&mut [0; 5]).unwrap();
    let (mut first, mut none, mut rest) = ([0; 2], [0; 0], [0; 9]);
    let read = peer
        .read_vectored(&mut [
            IoSliceMut::new(&mut first),
            IoSliceMut::new(&mut none),
            IoSliceMut::new(&mut rest),
        ])
        .unwrap();
    assert_eq!((read, first, &rest[..3]), (5, [10, 11], &[12, 20, 21][..]));
    vec![]
}

pub(crate) fn clones_are_the_same_connection<N: Net>(net: &N) -> Told {
    let (mut stream, mut peer) = connection(net);
    let mut clone = stream.try_clone().unwrap();
    let mut buffer = [0; 2];
    clone.write_all(&[1]).unwrap();
    stream.write_all(&[2]).unwrap();
    peer.read_exact(&mut buffer).unwrap();
    assert_eq!(buffer, [1, 2]);
    drop(stream);
    peer.write_all(&[3, 4]).unwrap();
    clone.read_exact(&mut buffer).unwrap();
    assert_eq!(buffer, [3, 4]);
    vec![]
}

pub(crate) fn two_clones_read_and_two_write<N: Net>(net: &N) -> Told {
    let (stream, peer) = connection(net);
    thread::scope(|scope| {
        let mut clone = stream.try_clone().unwrap();
        scope.spawn(move || clone.write_all(&[1]).unwrap());
        let mut stream = stream;
        scope.spawn(move || stream.write_all(&[2]).unwrap());
        let (sender, bytes) = channel();
        for mut reader in [peer.try_clone().unwrap(), peer] {
            let sender = sender.clone();
            scope.spawn(move || {
                let mut byte = [0; 1];
                reader.read_exact(&mut byte).unwrap();
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

pub(crate) fn shutdown_of_writing_is_the_end_for_the_peer<N: Net>(net: &N) -> Told {
    let (mut stream, mut peer) = connection(net);
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(stream.write(&[0]).unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert_eq!(peer.read(&mut [0; 1]).unwrap(), 0);
    peer.write_all(&[7]).unwrap();
    drop(peer);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, [7], "the other direction stays open");
    vec![]
}

pub(crate) fn shutdown_holds_for_every_clone<N: Net>(net: &N) -> Told {
    let (mut stream, _peer) = connection(net);
    let mut clone = stream.try_clone().unwrap();
    let mut byte = [0; 1];
    stream.shutdown(Shutdown::Write).unwrap();
    stream.write(&byte).unwrap_err();
    stream.shutdown(Shutdown::Read).unwrap();
    assert_eq!(stream.read(&mut byte).unwrap(), 0);
    clone.write(&byte).unwrap_err();
    assert_eq!(clone.read(&mut byte).unwrap(), 0);
    let mut later = stream.try_clone().unwrap();
    later.write(&byte).unwrap_err();
    assert_eq!(later.read(&mut byte).unwrap(), 0);
    vec![told(clone.shutdown(Shutdown::Read)), told(later.shutdown(Shutdown::Write))]
}

pub(crate) fn shutdown_of_reading_wakes_a_reader<N: Net>(net: &N) -> Told {
    let (stream, _peer) = connection(net);
    thread::scope(|scope| {
        let mut clone = stream.try_clone().unwrap();
        // Whether it reads before or after, the answer is the same.
        let reading = scope.spawn(move || clone.read(&mut [0; 1]));
        stream.shutdown(Shutdown::Read).unwrap();
        assert_eq!(reading.join().unwrap().unwrap(), 0);
    });
    vec![]
}

pub(crate) fn shutdown_twice_and_after_the_end<N: Net>(net: &N) -> Told {
    let (stream, mut peer) = connection(net);
    let mut answers = vec![
        told(stream.shutdown(Shutdown::Write)),
        told(stream.shutdown(Shutdown::Write)),
        told(stream.shutdown(Shutdown::Read)),
        told(stream.shutdown(Shutdown::Both)),
    ];
    assert_eq!(peer.read(&mut [0; 1]).unwrap(), 0);
    answers.push(told(peer.shutdown(Shutdown::Read)));
    answers
}

pub(crate) fn accepting_by_clones<N: Net>(net: &N) -> Told {
    let (listener, address) = listen(net);
    thread::scope(|scope| {
        for acceptor in [listener.try_clone().unwrap(), listener] {
            scope.spawn(move || acceptor.accept().unwrap().0.write_all(&[9]).unwrap());
        }
        for _ in 0..2 {
            let mut byte = [0; 1];
            net.connect(address).unwrap().read_exact(&mut byte).unwrap();
            assert_eq!(byte, [9]);
        }
    });
    vec![]
}

pub(crate) fn timeouts_are_kept_and_end_reading<N: Net>(net: &N) -> Told {
    let (mut stream, mut peer) = connection(net);
    let long = Some(Duration::from_secs(15));
    assert_eq!((stream.read_timeout().unwrap(), stream.write_timeout().unwrap()), (None, None));
    stream.set_read_timeout(long).unwrap();
    stream.set_write_timeout(long).unwrap();
    assert_eq!((stream.read_timeout().unwrap(), stream.write_timeout().unwrap()), (long, long));
    stream.set_write_timeout(None).unwrap();
    assert_eq!(stream.write_timeout().unwrap(), None);
    stream.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
    let late = stream.read(&mut [0; 9]).unwrap_err();
    assert_eq!(late.kind(), ErrorKind::WouldBlock);
    peer.write_all(b"hello").unwrap();
    stream.set_read_timeout(long).unwrap();
    let mut buffer = [0; 5];
    stream.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"hello");
    // With nobody reading, a writer with a timeout comes to an end.
    peer.set_write_timeout(Some(Duration::from_millis(10))).unwrap();
    let full = loop {
        if let Err(error) = peer.write(&[0; 65_536]) {
            break error;
        }
    };
    assert_eq!(full.kind(), ErrorKind::WouldBlock);
    vec![told::<()>(Err(late)), told::<()>(Err(full))]
}

pub(crate) fn a_connect_within_its_time<N: Net>(net: &N) -> Told {
    let (listener, address) = listen(net);
    let mut stream = net.connect_timeout(address, Duration::from_secs(9)).unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    stream.write_all(&[1]).unwrap();
    peer.read_exact(&mut [0; 1]).unwrap();
    vec![]
}

pub(crate) fn options_are_kept<N: Net>(net: &N) -> Told {
    let (listener, _) = listen(net);
    let (stream, _peer) = connection(net);
    assert!(!stream.nodelay().unwrap());
    stream.set_nodelay(true).unwrap();
    assert!(stream.nodelay().unwrap());
    stream.set_nodelay(false).unwrap();
    assert!(!stream.nodelay().unwrap());
    listener.set_ttl(100).unwrap();
    assert_eq!(listener.ttl().unwrap(), 100);
    stream.set_ttl(200).unwrap();
    assert_eq!(stream.ttl().unwrap(), 200);
    assert!(stream.take_error().unwrap().is_none());
    assert!(listener.take_error().unwrap().is_none());
    vec![told(stream.set_ttl(0)), told(stream.set_ttl(256)), told(stream.set_ttl(u32::MAX))]
}

pub(crate) fn without_blocking<N: Net>(net: &N) -> Told {
    let (listener, address) = listen(net);
    listener.set_nonblocking(true).unwrap();
    let nobody = listener.accept().unwrap_err();
    assert_eq!(nobody.kind(), ErrorKind::WouldBlock);
    listener.set_nonblocking(false).unwrap();
    let mut stream = net.connect(address).unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    stream.set_nonblocking(true).unwrap();
    let early = stream.read(&mut [0; 1]).unwrap_err();
    assert_eq!(early.kind(), ErrorKind::WouldBlock);
    let peeked = stream.peek(&mut [0; 1]).unwrap_err();
    assert_eq!(peeked.kind(), ErrorKind::WouldBlock);
    let full = loop {
        if let Err(error) = stream.write(&[0; 65_536]) {
            break error;
        }
    };
    assert_eq!(full.kind(), ErrorKind::WouldBlock);
    // A connection accepted is blocking, whatever the listener was.
    listener.set_nonblocking(true).unwrap();
    peer.read_exact(&mut [0; 9]).unwrap();
    stream.set_nonblocking(false).unwrap();
    peer.write_all(&[1]).unwrap();
    stream.read_exact(&mut [0; 1]).unwrap();
    vec![told::<()>(Err(nobody)), told::<()>(Err(early)), told::<()>(Err(full))]
}

pub(crate) fn peeking_takes_nothing<N: Net>(net: &N) -> Told {
    let (mut stream, mut peer) = connection(net);
    stream.write_all(&[1, 3, 3, 7]).unwrap();
    let mut buffer = [0; 4];
    for _ in 0..2 {
        // The bytes come together: they were written in one.
        assert_eq!(peer.peek(&mut buffer).unwrap(), 4);
        assert_eq!(buffer, [1, 3, 3, 7]);
    }
    assert_eq!(peer.read(&mut buffer).unwrap(), 4);
    peer.set_nonblocking(true).unwrap();
    assert_eq!(peer.peek(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
    drop(stream);
    peer.set_nonblocking(false).unwrap();
    assert_eq!(peer.peek(&mut buffer).unwrap(), 0, "the end can be peeked at");
    vec![]
}

pub(crate) fn megabytes_both_ways_at_once<N: Net>(net: &N) -> Told {
    const SIZE: usize = 3_000_000;
    let byte = |i: usize, salt: usize| (i.wrapping_mul(2_654_435_761) >> 13) as u8 ^ salt as u8;
    let (stream, peer) = connection(net);
    thread::scope(|scope| {
        for (salt, [writer, reader]) in [[&stream, &peer], [&peer, &stream]].into_iter().enumerate()
        {
            scope.spawn(move || {
                let sent: Vec<u8> = (0..SIZE).map(|i| byte(i, salt)).collect();
                let mut rest = &sent[..];
                while !rest.is_empty() {
                    let n = writer.write_shared(rest).unwrap();
                    rest = &rest[n..];
                }
                writer.shutdown(Shutdown::Write).unwrap();
            });
            scope.spawn(move || {
                let (mut received, mut buffer) = (Vec::new(), vec![0; 50_000]);
                loop {
                    match reader.read_shared(&mut buffer).unwrap() {
                        0 => break,
                        n => received.extend_from_slice(&buffer[..n]),
                    }
                }
                assert_eq!(received.len(), SIZE);
                assert!(received.iter().enumerate().all(|(i, got)| *got == byte(i, salt)));
            });
        }
    });
    vec![]
}

pub(crate) fn the_port_of_a_closed_listener_is_free<N: Net>(net: &N) -> Told {
    let (listener, address) = listen(net);
    let stream = net.connect(address).unwrap();
    let (peer, _) = listener.accept().unwrap();
    // This side ends first, and its connection stays in TIME-WAIT: a server that starts again is
    // not kept waiting (std sets SO_REUSEADDR).
    drop(peer);
    drop(stream);
    drop(listener);
    let again = net.listen(address);
    assert!(again.is_ok(), "{again:?}");
    vec![]
}

pub(crate) fn unread_data_resets_the_peer<N: Net>(net: &N) -> Told {
    let (mut stream, peer) = connection(net);
    stream.write_all(&[1; 100]).unwrap();
    peer.peek(&mut [0; 1]).unwrap();
    drop(peer);
    let reset = stream.read(&mut [0; 1]).unwrap_err();
    vec![told::<()>(Err(reset))]
}

pub(crate) fn an_empty_buffer_takes_nothing<N: Net>(net: &N) -> Told {
    let (mut stream, mut peer) = connection(net);
    assert_eq!(stream.write(&[]).unwrap(), 0);
    peer.write_all(&[5]).unwrap();
    stream.peek(&mut [0; 1]).unwrap();
    assert_eq!(stream.read(&mut []).unwrap(), 0);
    stream.read_exact(&mut [0; 1]).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    vec![told(stream.write(&[]))]
}
