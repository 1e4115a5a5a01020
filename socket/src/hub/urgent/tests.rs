//! Urgent data as a program meets it, the transport scripted.

use bytes::Bytes;
use core::net::SocketAddr;
use layer::boundary::{SocketId, TcpCommand, TcpEvent};
use layer::outlet::Driver;
use layer::{Either, Instant, Layer};

use super::super::{Command, Config, Flags, Hub, Kind, Ready};
use crate::Errno;

struct Bench {
    hub: Hub,
    driver: Driver<Ready, Command>,
    id: SocketId,
}

impl Bench {
    /// A connection with room for 100 bytes.
    fn new() -> Self {
        let mut hub = Hub::new(Config::default());
        let mut driver = Driver::new(64);
        let id = hub.socket(Kind::Tcp).unwrap();
        let remote = SocketAddr::from(([10, 9, 0, 1], 4000));
        let local = SocketAddr::from(([10, 9, 0, 2], 80));
        assert_eq!(hub.connect(id, remote, &mut driver.out()), Err(Errno::INPROGRESS));
        let mut bench = Self { hub, driver, id };
        bench.event(TcpEvent::Established { socket: id, local, remote });
        bench.event(TcpEvent::Room { socket: id, bytes: 100 });
        bench.driver.down.drain().for_each(drop);
        bench.changes();
        bench
    }

    fn event(&mut self, event: TcpEvent) {
        self.hub.receive(Instant::ZERO, Either::A(event), &mut self.driver.out());
    }

    fn data(&mut self, bytes: &'static [u8]) {
        self.event(TcpEvent::Data { socket: self.id, chunk: Bytes::from_static(bytes) });
    }

    fn urgent(&mut self, end: u64) {
        self.event(TcpEvent::Urgent { socket: self.id, end });
    }

    fn read(&mut self, len: usize, flags: Flags) -> Result<Vec<u8>, Errno> {
        let mut buffer = vec![0; len];
        let n = self.hub.recv(self.id, &mut buffer, flags, &mut self.driver.out())?;
        buffer.truncate(n);
        Ok(buffer)
    }

    fn priority(&self) -> bool {
        self.hub.poll_socket(self.id).unwrap().priority
    }

    fn at_mark(&mut self) -> bool {
        self.hub.at_mark(self.id).unwrap()
    }

    /// How often the program was told since the last look that there is urgent data.
    fn changes(&mut self) -> usize {
        let told = self.driver.up.drain();
        told.filter(|r| matches!(r, Ready::Changed { readiness, .. } if readiness.priority)).count()
    }
}

// test: RFC 9293 MUST-33
#[test]
fn a_read_stops_at_the_mark_and_the_next_begins_with_the_urgent_byte() {
    let mut bench = Bench::new();
    bench.data(b"abc");
    bench.urgent(6);
    bench.data(b"deXyz");
    assert!(bench.priority() && !bench.at_mark());
    let peek = Flags { peek: true, ..Flags::default() };
    assert_eq!(bench.read(100, peek), Ok(b"abcde".to_vec()));
    assert_eq!(bench.read(2, Flags::default()), Ok(b"ab".to_vec()));
    assert_eq!(bench.read(100, Flags::default()), Ok(b"cde".to_vec()));
    // All that is before the mark is read: urgent data remains, and it is next.
    assert!(bench.priority() && bench.at_mark());
    assert_eq!(bench.read(100, Flags::default()), Ok(b"Xyz".to_vec()));
    assert!(!bench.priority() && !bench.at_mark());
}

// test: RFC 9293 MUST-32
#[test]
fn the_program_hears_of_urgent_data_before_it_is_there_and_when_it_moves_on() {
    let mut bench = Bench::new();
    bench.urgent(3);
    assert_eq!((bench.changes(), bench.priority()), (1, true));
    // Before a mark that is to come there may be nothing to read.
    assert_eq!(bench.read(10, Flags::default()), Err(Errno::AGAIN));
    bench.urgent(5);
    assert_eq!(bench.changes(), 1);
    // A mark behind the one that is known changes nothing.
    bench.data(b"abcd");
    bench.urgent(2);
    assert_eq!(bench.read(10, Flags::default()), Ok(b"abcd".to_vec()));
    assert!(bench.at_mark());
    // The peer ends without having sent it: nothing is urgent any more.
    bench.event(TcpEvent::Finished { socket: bench.id });
    assert!(!bench.priority());
    assert_eq!(bench.read(10, Flags::default()), Ok(vec![]));
}

#[test]
fn nothing_is_out_of_line() {
    let mut bench = Bench::new();
    bench.data(b"a");
    bench.urgent(1);
    let oob = Flags { oob: true, ..Flags::default() };
    assert_eq!(bench.read(1, oob), Err(Errno::INVAL));
    assert_eq!(bench.read(10, Flags::default()), Ok(b"a".to_vec()));
}

#[test]
fn what_is_sent_urgent_goes_down_as_such_as_far_as_there_is_room() {
    let mut bench = Bench::new();
    let id = bench.id;
    let sent = bench.hub.send_urgent(id, &[7; 150], &mut bench.driver.out());
    assert_eq!(sent, Ok(100));
    let data = Bytes::from_static(&[7; 100]);
    let expected = Either::A(TcpCommand::SendUrgent { socket: id, data });
    assert_eq!(bench.driver.down.pop(), Some(expected));
    let sent = bench.hub.send_urgent(id, b"x", &mut bench.driver.out());
    assert_eq!(sent, Err(Errno::AGAIN));
}

/// For old programs it is in the hub; what is offered to new ones knows nothing of it.
// test: RFC 9293 SHLD-13
#[test]
fn new_programs_are_not_led_to_urgent_data() {
    let offered = [
        include_str!("../../net.rs"),
        include_str!("../../net/tcp.rs"),
        include_str!("../../net/tcp/transfer.rs"),
        include_str!("../../net/poll.rs"),
        include_str!("../../net/handle.rs"),
    ];
    assert!(offered.iter().all(|source| !source.contains("urgent")));
    assert!(include_str!("../urgent.rs").contains("advised against"));
}
