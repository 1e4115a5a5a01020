//! The stack's side without any program: requests by hand, the program's ends of pairs in the
//! test's own hands, and on the other end of a cable another stack with sockets.

#![expect(clippy::unwrap_used, reason = "helpers of tests count as no test")]

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::thread;

use layer::Duration;
use link::cable;
use run::Exchange;
use run::request::{Answer, End, Event, Notice, Request, Side};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvFlags, SendFlags};
use socket::net::{TcpListener, TcpStream, UdpSocket};
use socket::{Errno, Kind, SocketOption};
use stackd::{Acd, Interface, Pipeline, Stack};

const OURS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const FAR: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

/// Waits that long end a hang; they say nothing about time.
const HANG: Duration = Duration::from_secs(20);

fn stack(device: link::Device, address: Ipv4Addr) -> Stack {
    let interface = Interface::device(device).address(format!("{address}/24").parse().unwrap());
    Stack::builder().interface(interface).acd(Acd::Off).pipeline(Pipeline::Inline).start().unwrap()
}

/// The exchange, its stack, and the stack it talks to.
struct Bench {
    exchange: Exchange,
    far: Stack,
    _ours: Stack,
    next: u64,
    notices: Vec<Notice>,
}

impl Bench {
    fn new(dns: Option<SocketAddr>) -> Self {
        let (a, b) = cable::pair(cable::Options::default()).unwrap();
        let (ours, far) = (stack(a, OURS), stack(b, FAR));
        let exchange = Exchange::new(ours.sockets().clone(), dns).unwrap();
        Self { exchange, far, _ours: ours, next: 0, notices: Vec::new() }
    }

    /// Drives the exchange until `found` finds an answer among what it says.
    fn until<R>(&mut self, mut found: impl FnMut(&mut Self, Event) -> Option<R>) -> R {
        loop {
            while let Some(event) = self.exchange.take_event() {
                if let Some(result) = found(self, event) {
                    return result;
                }
            }
            self.exchange.wait(&mut Vec::new(), Some(HANG)).unwrap();
        }
    }

    fn submit(&mut self, request: Request) -> u64 {
        self.next += 1;
        self.exchange.submit(self.next, request);
        self.next
    }

    fn answer(&mut self, ticket: u64) -> Result<Answer, Errno> {
        self.until(|bench, event| match event {
            Event::Answer(this, result) if this == ticket => Some(result),
            Event::Answer(..) => None,
            Event::Notice(notice) => {
                bench.notices.push(notice);
                None
            }
        })
    }

    fn ask(&mut self, request: Request) -> Result<Answer, Errno> {
        let ticket = self.submit(request);
        self.answer(ticket)
    }

    fn done(&mut self, request: Request) {
        assert!(matches!(self.ask(request), Ok(Answer::Done)));
    }

    fn open(&mut self, kind: Kind) -> (End, OwnedFd) {
        match self.ask(Request::Open(kind)).unwrap() {
            Answer::Opened { end, descriptor } => (end, descriptor),
            other => panic!("{other:?}"),
        }
    }

    fn notice(&mut self) -> Notice {
        if let Some(notice) = self.notices.pop() {
            return notice;
        }
        self.until(|_, event| match event {
            Event::Notice(notice) => Some(notice),
            Event::Answer(..) => None,
        })
    }

    /// Drives the exchange until the program's end shows one of `flags`.
    fn shows(&mut self, end: &OwnedFd, flags: PollFlags) -> PollFlags {
        loop {
            let shown = shown(end, flags);
            if shown.intersects(flags) {
                return shown;
            }
            self.exchange.wait(&mut Vec::new(), Some(Duration::from_millis(20))).unwrap();
        }
    }

    fn connected(&mut self, port: u16) -> (End, OwnedFd) {
        let (end, descriptor) = self.open(Kind::Tcp);
        let to = Some((FAR, port).into());
        self.done(Request::Connect { end, to, wait: true });
        (end, descriptor)
    }
}

fn shown(end: &OwnedFd, flags: PollFlags) -> PollFlags {
    let mut polled = [PollFd::new(end, flags)];
    poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap();
    polled[0].revents()
}

fn fill(end: &OwnedFd) -> usize {
    let mut filled = 0;
    while let Ok(n) = rustix::net::send(end, &[0; 20_000], SendFlags::DONTWAIT) {
        filled += n;
    }
    filled
}

#[test]
fn what_a_program_writes_comes_back_from_an_echo_and_ends_with_its_end() {
    let mut bench = Bench::new(None);
    let listener = TcpListener::bind(bench.far.sockets(), (FAR, 7)).unwrap();
    let (_, descriptor) = bench.connected(7);
    let sent: Vec<u8> =
        (0..40_000_000u32).map(|i| (i.wrapping_mul(0x9e37_79b9) >> 24) as u8).collect();
    let mut writer = UnixStream::from(descriptor);
    let mut reader = writer.try_clone().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut buffer = vec![0; 300_000];
            loop {
                match stream.read(&mut buffer).unwrap() {
                    0 => return stream.shutdown(Shutdown::Write).unwrap(),
                    n => stream.write_all(&buffer[..n]).unwrap(),
                }
            }
        });
        scope.spawn(|| {
            writer.write_all(&sent).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        let reading = scope.spawn(|| {
            let mut came = Vec::new();
            reader.read_to_end(&mut came).unwrap();
            came
        });
        while !reading.is_finished() {
            bench.exchange.wait(&mut Vec::new(), Some(Duration::from_millis(20))).unwrap();
        }
        assert!(reading.join().unwrap() == sent, "not what was sent");
    });
}

/// More than one turn takes is there at once, and nothing new is said about it.
#[test]
fn a_turn_that_stopped_for_others_goes_on() {
    let mut bench = Bench::new(None);
    let listener = TcpListener::bind(bench.far.sockets(), (FAR, 7)).unwrap();
    let (end, descriptor) = bench.open(Kind::Tcp);
    // SOL_SOCKET, SO_RCVBUF.
    let value = 4_000_000i32.to_ne_bytes().to_vec();
    bench.done(Request::Set { end, level: 1, name: 8, value });
    bench.done(Request::Connect { end, to: Some((FAR, 7).into()), wait: true });
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_option(SocketOption::SendBuffer, 4_000_000).unwrap();
    // The program reads no more: what comes is thrown away, so the pair never is what stops.
    rustix::net::shutdown(&descriptor, rustix::net::Shutdown::Read).unwrap();
    stream.set_nonblocking(true).unwrap();
    let (mut sent, mut refused) = (0, 0);
    while refused < 10_000 {
        match stream.write(&[7; 50_000]) {
            Ok(n) => sent += n,
            Err(_) => {
                refused += 1;
                thread::yield_now();
            }
        }
    }
    assert!(sent > 600_000, "{sent} bytes are no more than a turn takes");
    stream.set_nonblocking(false).unwrap();
    thread::scope(|scope| {
        let sending = scope.spawn(|| {
            stream.set_write_timeout(Some(HANG)).unwrap();
            stream.write_all(&vec![7; 10_000_000])
        });
        while !sending.is_finished() {
            bench.exchange.wait(&mut Vec::new(), Some(Duration::from_millis(20))).unwrap();
        }
        sending.join().unwrap().unwrap();
    });
}

#[test]
fn a_listener_is_readable_while_connections_wait_and_not_longer() {
    let mut bench = Bench::new(None);
    let (end, listener) = bench.open(Kind::Tcp);
    bench.done(Request::Bind(end, (OURS, 80).into()));
    bench.done(Request::Listen(end, 8));
    assert_eq!(bench.ask(Request::Accept { end, wait: false }).unwrap_err(), Errno::AGAIN);
    assert!(shown(&listener, PollFlags::IN).is_empty());
    let clients: Vec<TcpStream> =
        (0..2).map(|_| TcpStream::connect(bench.far.sockets(), (OURS, 80)).unwrap()).collect();
    for client in &clients {
        bench.shows(&listener, PollFlags::IN);
        let accepted = bench.ask(Request::Accept { end, wait: false }).unwrap();
        let Answer::Accepted { remote, .. } = accepted else { panic!("{accepted:?}") };
        assert_eq!(remote, client.local_addr().unwrap());
        // What the supervisor does; and what it wakes, puts another in.
        rustix::net::recv(&listener, &mut [0u8; 1][..], RecvFlags::DONTWAIT).unwrap();
    }
    let waiting = bench.submit(Request::Accept { end, wait: true });
    assert!(shown(&listener, PollFlags::IN).is_empty());
    let late = TcpStream::connect(bench.far.sockets(), (OURS, 80)).unwrap();
    assert!(matches!(bench.answer(waiting), Ok(Answer::Accepted { .. })));
    assert!(shown(&listener, PollFlags::IN).is_empty(), "who waits in accept comes first");
    drop(late);
}

#[test]
fn a_connect_that_nobody_waits_for_is_writable_when_it_has_come_about() {
    let mut bench = Bench::new(None);
    let _listener = TcpListener::bind(bench.far.sockets(), (FAR, 7)).unwrap();
    let (end, descriptor) = bench.open(Kind::Tcp);
    let connect = Request::Connect { end, to: Some((FAR, 7).into()), wait: false };
    assert_eq!(bench.ask(connect.clone()).unwrap_err(), Errno::INPROGRESS);
    let filled = fill(&descriptor);
    assert!(shown(&descriptor, PollFlags::OUT).is_empty());
    bench.done(Request::Filled(end, filled));
    bench.shows(&descriptor, PollFlags::OUT);
    bench.done(connect.clone());
    assert_eq!(bench.ask(connect).unwrap_err(), Errno::ISCONN);
    assert!(
        matches!(bench.ask(Request::Peer(end)), Ok(Answer::Name(peer)) if peer == (FAR, 7).into())
    );
}

#[test]
fn a_refusal_is_told_by_so_error_or_by_connect() {
    let mut bench = Bench::new(None);
    let (end, descriptor) = bench.open(Kind::Tcp);
    let to = Some((FAR, 1).into());
    let refused = bench.ask(Request::Connect { end, to, wait: true });
    assert_eq!(refused.unwrap_err(), Errno::CONNREFUSED);
    let begun = bench.ask(Request::Connect { end, to, wait: false });
    assert_eq!(begun.unwrap_err(), Errno::INPROGRESS, "the same socket may try again");
    let filled = fill(&descriptor);
    bench.done(Request::Filled(end, filled));
    let shown = bench.shows(&descriptor, PollFlags::OUT | PollFlags::ERR | PollFlags::HUP);
    assert!(shown.contains(PollFlags::OUT | PollFlags::ERR | PollFlags::HUP), "{shown:?}");
    // SOL_SOCKET, SO_ERROR.
    for expected in [111i32, 0] {
        let error = bench.ask(Request::Get { end, level: 1, name: 4 });
        assert!(matches!(error, Ok(Answer::Value(value)) if value == expected.to_ne_bytes()));
    }
}

#[test]
fn a_reset_is_a_reset_after_what_came_before_it() {
    let mut bench = Bench::new(None);
    let listener = TcpListener::bind(bench.far.sockets(), (FAR, 7)).unwrap();
    let (end, descriptor) = bench.connected(7);
    let (stream, _) = listener.accept().unwrap();
    (&stream).write_all(b"last words").unwrap();
    bench.shows(&descriptor, PollFlags::IN);
    stream.set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
    assert_eq!(bench.notice(), Notice::Reset(end));
    rustix::net::send(&descriptor, &[0], SendFlags::DONTWAIT).unwrap();
    bench.done(Request::Break(end));
    let mut program = UnixStream::from(descriptor);
    let mut words = [0; 10];
    program.read_exact(&mut words).unwrap();
    assert_eq!(&words, b"last words");
    assert_eq!(program.read(&mut words).unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[test]
fn closing_with_something_unread_resets_and_otherwise_finishes() {
    let mut bench = Bench::new(None);
    let listener = TcpListener::bind(bench.far.sockets(), (FAR, 7)).unwrap();
    for (unread, kind) in [(true, Some(ErrorKind::ConnectionReset)), (false, None)] {
        let (end, descriptor) = bench.connected(7);
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"x").unwrap();
        bench.shows(&descriptor, PollFlags::IN);
        if !unread {
            rustix::net::recv(&descriptor, &mut [0u8; 9][..], RecvFlags::DONTWAIT).unwrap();
        }
        drop(descriptor);
        assert_eq!(bench.notice(), Notice::Gone(end));
        assert_eq!(stream.read(&mut [0; 9]).map_err(|error| error.kind()).err(), kind);
    }
}

#[test]
fn datagrams_come_one_by_one_with_their_senders_and_dns_goes_where_it_is_sent() {
    let server: SocketAddr = (FAR, 53).into();
    let mut bench = Bench::new(Some(server));
    let far = UdpSocket::bind(bench.far.sockets(), server).unwrap();
    let (end, descriptor) = bench.open(Kind::Udp);
    let asked: SocketAddr = "192.0.2.53:53".parse().unwrap();
    for data in [b"one".to_vec(), b"two".to_vec()] {
        let request = Request::Send { end, to: Some(asked), data, wait: true };
        assert!(matches!(bench.ask(request), Ok(Answer::Sent(3))));
    }
    for _ in 0..2 {
        let mut buffer = [0; 9];
        let (n, from) = far.recv_from(&mut buffer).unwrap();
        far.send_to(&buffer[..n], from).unwrap();
    }
    for expected in [b"one", b"two"] {
        bench.done(Request::Await(end));
        let mut buffer = [0u8; 9];
        let (n, _) = rustix::net::recv(&descriptor, &mut buffer[..], RecvFlags::DONTWAIT).unwrap();
        assert_eq!(&buffer[..n], expected);
        let source = bench.ask(Request::Source(end));
        assert!(matches!(source, Ok(Answer::Name(from)) if from == asked), "{source:?}");
    }
}
