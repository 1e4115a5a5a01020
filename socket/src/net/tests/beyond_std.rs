//! What std's sockets lack: options, TCP_INFO, owned halves, bytes by reference, readiness as a
//! descriptor.

use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};

use bytes::Bytes;
use layer::Duration;
use layer::boundary::TcpState;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::super::{Interest, KeepAlive, ReadyFd, TcpListener, TcpSocket, TcpStream, UdpSocket};
use super::{ANY, World, at, pattern, stacks};
use crate::hub::SocketOption;

/// A connection from client to server, and the world it is in.
fn connection() -> (TcpStream, TcpStream, std::sync::Arc<World>) {
    let (client, server, world) = stacks();
    let listener = TcpListener::bind(&server, (ANY, 7)).unwrap();
    let stream = TcpStream::connect(&client, at(7)).unwrap();
    (stream, listener.accept().unwrap().0, world)
}

fn is_ready(fd: &ReadyFd) -> bool {
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&at_once)).unwrap() == 1
}

#[test]
fn what_a_listener_has_set_its_connections_start_with() {
    let (client, server, _) = stacks();
    let socket = TcpSocket::new(&server).unwrap();
    let times =
        KeepAlive { idle: Duration::from_secs(60), interval: Duration::from_secs(10), probes: 3 };
    socket.set_keepalive(true).unwrap();
    socket.set_keepalive_times(times).unwrap();
    socket.set_congestion("reno").unwrap();
    socket.set_user_timeout(Some(Duration::from_millis(1500))).unwrap();
    assert_eq!(socket.set_congestion("none such").unwrap_err().kind(), ErrorKind::NotFound);
    socket.bind((ANY, 7).into()).unwrap();
    let listener = socket.listen(1).unwrap();
    let stream = TcpStream::connect(&client, at(7)).unwrap();
    let (accepted, _) = listener.accept().unwrap();
    assert!(accepted.keepalive().unwrap());
    assert_eq!(accepted.keepalive_times().unwrap(), times);
    assert_eq!(accepted.congestion().unwrap(), "reno");
    assert_eq!(accepted.user_timeout().unwrap(), Some(Duration::from_millis(1500)));
    assert_eq!(accepted.option(SocketOption::KeepIdle).unwrap().int(), Ok(60));
    // Those of the other end are its own.
    assert_eq!(stream.congestion().unwrap(), "cubic");
    assert!(!stream.keepalive().unwrap());
}

#[test]
fn a_backlog_bounds_those_who_wait_and_can_be_raised() {
    let (client, server, _) = stacks();
    let socket = TcpSocket::new(&server).unwrap();
    socket.bind((ANY, 7).into()).unwrap();
    // As on Linux one more than asked for may wait.
    let listener = socket.listen(1).unwrap();
    let connect = || TcpStream::connect_timeout(&client, &at(7), Duration::from_millis(2));
    let _two = [connect().unwrap(), connect().unwrap()];
    assert_eq!(connect().unwrap_err().kind(), ErrorKind::TimedOut, "its SYN finds no room");
    listener.set_backlog(2).unwrap();
    let _third = connect().unwrap();
    listener.set_nonblocking(true).unwrap();
    let waiting = listener.incoming().take_while(Result::is_ok).count();
    assert_eq!(waiting, 3);
}

#[test]
fn tcp_info_tells_of_the_connection_as_it_is_now() {
    let (stream, mut peer, _) = connection();
    peer.write_all(&[7; 5000]).unwrap();
    (&stream).read_exact(&mut [0; 5000]).unwrap();
    let info = peer.tcp_info().unwrap();
    assert_eq!((info.state, info.bytes_acked), (TcpState::Established, 5000));
    assert_eq!(info.remote, stream.local_addr().unwrap());
    assert_eq!(stream.tcp_info().unwrap().bytes_received, 5000);
}

#[test]
fn halves_are_used_apart_and_put_together_again() {
    let (stream, mut peer, _) = connection();
    let (mut read, mut write) = stream.into_split();
    peer.write_all(b"in").unwrap();
    let mut buffer = [0; 2];
    read.read_exact(&mut buffer).unwrap();
    write.write_all(b"out").unwrap();
    let mut stream = read.reunite(write).unwrap();
    stream.write_all(b"!").unwrap();
    let (mut read, write) = stream.into_split();
    drop(write);
    let mut all = Vec::new();
    peer.read_to_end(&mut all).unwrap();
    assert_eq!(all, b"out!", "dropping the writing half finishes sending");
    peer.write_all(b"still").unwrap();
    drop(peer);
    all.clear();
    read.read_to_end(&mut all).unwrap();
    assert_eq!(all, b"still");
    let (_, other) = connection().0.into_split();
    assert!(read.reunite(other).is_err(), "halves of two connections");
}

#[test]
fn bytes_go_out_and_come_in_by_reference() {
    let (stream, peer, _) = connection();
    let sent = Bytes::from(pattern(300_000));
    let received = std::thread::scope(|scope| {
        let sending = sent.clone();
        scope.spawn(move || {
            stream.send_bytes(sending).unwrap();
            drop(stream);
        });
        let mut received = Vec::new();
        loop {
            let chunk = peer.recv_chunk().unwrap();
            if chunk.is_empty() {
                return received;
            }
            received.extend_from_slice(&chunk);
        }
    });
    assert!(received == sent);
}

#[test]
fn vectors_are_gathered_and_scattered() {
    let (mut stream, mut peer, _) = connection();
    let pieces = [IoSlice::new(b"one"), IoSlice::new(b""), IoSlice::new(b"two")];
    assert_eq!(stream.write_vectored(&pieces).unwrap(), 6);
    let (mut first, mut second) = ([0; 4], [0; 9]);
    let mut targets = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
    assert_eq!(peer.read_vectored(&mut targets).unwrap(), 6);
    assert_eq!((&first[..], &second[..2]), (&b"onet"[..], &b"wo"[..]));
    let (long, longer) = (pattern(20_000), pattern(30_000));
    let sent = stream.write_vectored(&[IoSlice::new(&long), IoSlice::new(&longer)]).unwrap();
    assert_eq!(sent, 50_000, "there is room for all of it");
    let mut received = vec![0; 50_000];
    peer.read_exact(&mut received).unwrap();
    assert!(received == [long, longer].concat());
}

#[test]
fn an_aborted_connection_is_reset_for_both() {
    let (stream, mut peer, _) = connection();
    let clone = stream.try_clone().unwrap();
    stream.abort().unwrap();
    assert_eq!(peer.read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    (&clone).read(&mut [0; 1]).unwrap_err();
}

#[test]
fn a_descriptor_is_readable_while_the_socket_is_ready() {
    let (client, server, world) = stacks();
    let listener = TcpListener::bind(&server, (ANY, 7)).unwrap();
    let incoming = listener.ready_fd(Interest::Readable).unwrap();
    assert!(!is_ready(&incoming));
    let mut stream = TcpStream::begin_connect(&client, at(7)).unwrap();
    assert!(is_ready(&incoming));
    let (peer, _) = listener.accept().unwrap();
    assert!(!is_ready(&incoming), "nobody else waits");
    stream.connected().unwrap();
    let (readable, writable) =
        (peer.ready_fd(Interest::Readable).unwrap(), peer.ready_fd(Interest::Writable).unwrap());
    assert_eq!((is_ready(&readable), is_ready(&writable)), (false, true));
    stream.write_all(b"hello").unwrap();
    assert!(is_ready(&readable));
    (&peer).read_exact(&mut [0; 3]).unwrap();
    assert!(is_ready(&readable), "level-triggered: there is more");
    (&peer).read_exact(&mut [0; 2]).unwrap();
    assert!(!is_ready(&readable));
    drop(stream);
    assert!(is_ready(&readable), "the end is to be read");
    let udp = UdpSocket::bind(&client, (ANY, 0)).unwrap();
    let received = udp.ready_fd(Interest::Both).unwrap();
    assert!(is_ready(&received), "writable");
    let received = udp.ready_fd(Interest::Readable).unwrap();
    assert!(!is_ready(&received));
    world.state.lock().ended = true;
    world.wakers[0].wake_all();
    assert!(is_ready(&received), "the stack has ended");
}

#[test]
fn a_connect_that_was_begun_tells_its_outcome_once() {
    let (client, server, _) = stacks();
    let refused = TcpStream::begin_connect(&client, at(9)).unwrap();
    assert_eq!(refused.connected().unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert!(refused.take_error().unwrap().is_none());
    let _listener = TcpListener::bind(&server, (ANY, 9)).unwrap();
    let silent = TcpStream::begin_connect(&client, ([10, 9, 0, 77], 9).into()).unwrap();
    assert_eq!(silent.connected().unwrap_err().kind(), ErrorKind::WouldBlock);
}

/// recv(2): MSG_WAITALL waits for all that was asked for; less comes at the end, at a timeout, and
/// before an error, which the next call tells.
#[test]
fn a_full_read_waits_for_all_of_it() {
    let (mut stream, peer, _world) = connection();
    let (more, wanted) = std::sync::mpsc::channel();
    let writer = std::thread::spawn(move || {
        for piece in [&b"one "[..], b"two ", b"three", b" and a rest"] {
            wanted.recv().unwrap();
            (&peer).write_all(piece).unwrap();
        }
        wanted.recv().unwrap();
        // With what the client sent unread, this is a reset.
        drop(peer);
    });
    let mut buffer = [0; 13];
    more.send(()).unwrap();
    more.send(()).unwrap();
    more.send(()).unwrap();
    assert_eq!(stream.read_full(&mut buffer).unwrap(), 13);
    assert_eq!(&buffer, b"one two three");
    stream.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
    assert_eq!(stream.read_full(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
    stream.set_read_timeout(None).unwrap();
    stream.write_all(b"nobody reads this").unwrap();
    more.send(()).unwrap();
    more.send(()).unwrap();
    writer.join().unwrap();
    assert_eq!(stream.read_full(&mut buffer).unwrap(), 11, "and the error is kept");
    assert_eq!(&buffer[..11], b" and a rest");
    assert_eq!(stream.read_full(&mut buffer).unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(stream.read_full(&mut buffer).unwrap(), 0);
}

/// Writes until nobody takes more; returns how much that was.
fn fill(stream: &mut TcpStream) -> usize {
    stream.set_nonblocking(true).unwrap();
    let mut written = 0;
    loop {
        match stream.write(&[7; 10_000]) {
            Ok(n) => written += n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    stream.set_nonblocking(false).unwrap();
    written
}

/// socket(7), SO_LINGER: close waits until everything was sent and acknowledged.
#[test]
fn a_close_that_lingers_waits_for_a_slow_reader() {
    let (mut stream, mut peer, _world) = connection();
    let written = fill(&mut stream);
    stream.set_linger(Some(Duration::from_secs(1000))).unwrap();
    let closing = std::thread::spawn(move || drop(stream));
    // Time goes on, some 15 s of it, and the close does not end.
    for _ in 0..100 {
        peer.peer_addr().unwrap();
    }
    assert!(!closing.is_finished(), "nobody has read");
    let mut read = Vec::new();
    peer.read_to_end(&mut read).unwrap();
    assert_eq!(read.len(), written);
    closing.join().unwrap();
}

/// When the time is over, what was not sent is given up with a reset.
#[test]
fn a_close_that_lingers_ends_with_its_time() {
    let (mut stream, mut peer, _world) = connection();
    fill(&mut stream);
    stream.set_linger(Some(Duration::from_secs(3))).unwrap();
    let closing = std::thread::spawn(move || drop(stream));
    while !closing.is_finished() {
        // Time goes on with every call.
        let _ = peer.peer_addr();
    }
    closing.join().unwrap();
    let mut read = Vec::new();
    let end = peer.read_to_end(&mut read);
    assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset);
}
