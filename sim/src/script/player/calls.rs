//! The calls of a script, made on the host's sockets.

use layer::Counted;
use layer::boundary::ConnectionInfo;
use socket::{OptionValue, Readiness, SocketOption};

use super::*;

impl Player<'_> {
    pub(super) fn call(&mut self, call: &Call) -> Result<(), String> {
        let now = self.now;
        match call {
            Call::Listen(port) => self.listen(*port),
            Call::Connect(port) => self.connect(*port),
            Call::Connected(errno) => {
                let socket = self.current()?;
                expect_errno(self.host.completed(now, socket), errno.as_deref())
            }
            Call::Accept => {
                let listener = self.listener.ok_or("nothing listens")?;
                let accepted = self.host.accept(now, listener);
                self.socket = Some(accepted.map_err(|errno| format!("{errno:?}"))?.socket);
                Ok(())
            }
            Call::Write(bytes, errno) => self.write(*bytes, errno.as_deref()),
            Call::Urgent(bytes) => {
                let data = WRITTEN.bytes(self.written, *bytes);
                let taken = self.host.send_urgent(now, self.current()?, &data);
                self.written += *bytes as u64;
                expect_equal(*bytes, taken)
            }
            Call::Mark(expected) => {
                let socket = self.current()?;
                expect_equal(*expected, self.host.at_mark(now, socket))
            }
            Call::Writable(expected) => self.is_ready(*expected, |readiness| readiness.writable),
            Call::Cork(_) | Call::NoDelay(_) | Call::QuickAck(_) | Call::Congestion(_) => {
                self.set_option(call)
            }
            Call::Answer(rtt, span, losses) => self.answer(*rtt, *span, *losses),
            Call::Cwnd(low, high) => self.is_between(*low, *high, |info| info.cwnd),
            Call::Ssthresh(low, high) => self.is_between(*low, *high, |info| info.ssthresh),
            Call::Priority(expected) => self.is_ready(*expected, |readiness| readiness.priority),
            Call::ReadOf(bytes, most) => self.read(&Ok(*bytes), *most),
            Call::Read(expected) => {
                let wanted = expected.as_ref().map_or(1, |bytes| (*bytes).max(1));
                self.read(expected, wanted)
            }
            Call::Shutdown => {
                let socket = self.current()?;
                let shut = self.host.shutdown(now, socket, Shutdown::Write);
                shut.map_err(|errno| format!("{errno:?}"))
            }
            Call::Close => self.close(),
            Call::Abort => {
                let socket = self.current()?;
                self.socket = None;
                let aborted = self.host.with_hub(now, |hub, out| hub.abort(socket, out));
                aborted.map_err(|errno| format!("{errno:?}"))
            }
            Call::State(expected) => self.state(expected),
            Call::Counter(name, expected) => self.counter(name, *expected),
            Call::Icmp(kind, at) => {
                self.icmp(*kind, *at);
                Ok(())
            }
            Call::Error(expected) => self.error(expected.as_deref()),
            Call::Quiet => Ok(()),
            Call::Flow(port) => {
                self.turn_to(*port);
                Ok(())
            }
            Call::Again => {
                self.flows.entry(self.flow).or_default().iss = None;
                (self.written, self.read) = (0, 0);
                Ok(())
            }
        }
    }

    /// Segments of this port of the peer from here on.
    fn turn_to(&mut self, port: u16) {
        let ours = self.flows.get(&self.flow).map_or(OUR_PORT, |flow| flow.port);
        self.flow = port;
        self.flows.entry(port).or_insert(Flow { port: ours, ..Flow::default() });
    }

    fn close(&mut self) -> Result<(), String> {
        let socket = self.socket.take().or_else(|| self.listener.take());
        match self.host.close(self.now, socket.ok_or("nothing to close")?) {
            // It lingers; the script looks at the segments.
            Ok(()) | Err(Errno::INPROGRESS) => Ok(()),
            Err(errno) => Err(fault(errno)),
        }
    }

    /// SO_ERROR.
    fn error(&mut self, expected: Option<&str>) -> Result<(), String> {
        let socket = self.current()?;
        let pending = self.host.option(self.now, socket, SocketOption::Error);
        let number = pending.and_then(|value| value.int()).map_err(fault)?;
        let pending = if number == 0 { Ok(()) } else { Err(Errno::from_raw(number)) };
        expect_errno(pending, expected)
    }

    /// An ICMP error about the host's segment that begins at `at`.
    fn icmp(&mut self, (kind, code): (u8, u8), at: u32) {
        let Flow { port, iss, .. } = self.flows.get(&self.flow).copied().unwrap_or_default();
        let seq = iss.unwrap_or(0).wrapping_add(at);
        let header =
            TcpHeader { source: port, destination: self.flow, seq, ..TcpHeader::default() };
        let quoted = frame::tcp(OURS.ip, PEER.ip, &header, &[]);
        let quoted = frame::ipv4(OURS.ip, PEER.ip, protocol::TCP, 0, &quoted);
        let message = frame::icmp_error(kind, code, 0, &quoted);
        self.receive(&PEER.packet(&OURS, protocol::ICMP, 0, &message));
    }

    pub(super) fn current(&self) -> Result<SocketId, String> {
        self.socket.ok_or_else(|| "there is no connection".to_owned())
    }

    fn listen(&mut self, port: u16) -> Result<(), String> {
        let any = SocketAddr::from(([0, 0, 0, 0], port));
        let listening = self.host.listen(self.now, any, self.settings.backlog);
        let listener = listening.map_err(|errno| format!("{errno:?}"))?;
        self.configure(listener)?;
        self.listener = Some(listener);
        self.flows.entry(self.flow).or_default().port = port;
        Ok(())
    }

    fn connect(&mut self, port: u16) -> Result<(), String> {
        let socket = self.host.with_hub(self.now, |hub, _| hub.socket(Kind::Tcp)).map_err(fault)?;
        self.configure(socket)?;
        let remote = SocketAddr::from((PEER.ip, port));
        match self.host.with_hub(self.now, |hub, out| hub.connect(socket, remote, out)) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(errno) => return Err(fault(errno)),
        }
        self.flow = port;
        self.flows.insert(port, Flow::default());
        self.socket = Some(socket);
        Ok(())
    }

    fn configure(&mut self, socket: SocketId) -> Result<(), String> {
        let Settings { nodelay, quickack, receive_buffer, send_buffer, .. } = *self.settings;
        let Settings { cork, notsent_lowat, .. } = *self.settings;
        let Settings { keepalive, user_timeout, linger, receive_errors, .. } = *self.settings;
        let change = |options: &mut TcpOptions| {
            (options.nodelay, options.quickack) = (nodelay, quickack);
            (options.cork, options.notsent_lowat) = (cork, notsent_lowat);
            (options.receive_buffer, options.send_buffer) = (receive_buffer, send_buffer);
            (options.user_timeout, options.linger) = (user_timeout, linger);
            options.keepalive = keepalive.is_some();
            if let Some((idle, interval, probes)) = keepalive {
                (options.keepalive_idle, options.keepalive_interval) = (idle, interval);
                options.keepalive_probes = probes;
            }
        };
        let set = self.host.with_hub(self.now, |hub, out| {
            let told = OptionValue::from(receive_errors);
            hub.set_option(socket, SocketOption::ReceiveErrors, &told, out)?;
            hub.set_tcp_options(socket, change, out)
        });
        set.map_err(|errno| format!("{errno:?}"))
    }

    fn is_ready(&self, expected: bool, how: impl Fn(Readiness) -> bool) -> Result<(), String> {
        expect_equal(expected, self.host.readiness(self.current()?).map(how))
    }

    /// One of the options that change while a connection is open.
    fn set_option(&mut self, call: &Call) -> Result<(), String> {
        self.set_options(|options| match call {
            Call::Cork(on) => options.cork = *on,
            Call::NoDelay(on) => options.nodelay = *on,
            Call::QuickAck(on) => options.quickack = *on,
            Call::Congestion(name) => options.congestion = Some(*name),
            _ => {}
        })
    }

    fn set_options(&mut self, change: impl FnOnce(&mut TcpOptions)) -> Result<(), String> {
        let socket = self.current()?;
        let set = self.host.with_hub(self.now, |hub, out| hub.set_tcp_options(socket, change, out));
        set.map_err(|errno| format!("{errno:?}"))
    }

    /// A number of the current connection, bytes.
    fn is_between(
        &self,
        low: u32,
        high: u32,
        what: impl Fn(&ConnectionInfo) -> u32,
    ) -> Result<(), String> {
        let connections = self.host.connections();
        let current = connections.iter().find(|one| one.remote.port() == self.flow);
        match current.map(what) {
            Some(value) if (low..=high).contains(&value) => Ok(()),
            value => Err(format!("it is {value:?}")),
        }
    }

    fn write(&mut self, bytes: usize, errno: Option<&str>) -> Result<(), String> {
        let socket = self.current()?;
        let data = WRITTEN.bytes(self.written, bytes);
        match self.host.send(self.now, socket, &data) {
            Ok(taken) if taken == bytes && errno.is_none() => {
                self.written += taken as u64;
                Ok(())
            }
            Ok(taken) => Err(format!("{taken} bytes were taken")),
            Err(got) => expect_errno(Err(got), errno),
        }
    }

    /// One call must get exactly so much, or this errno.
    fn read(&mut self, expected: &Result<usize, String>, wanted: usize) -> Result<(), String> {
        let socket = self.current()?;
        let mut buffer = vec![0; wanted];
        match (self.host.recv(self.now, socket, &mut buffer), expected) {
            (Ok(got), Ok(bytes)) if got == *bytes => {
                READ.check(self.read, &buffer[..got]).map_err(|wrong| wrong.to_string())?;
                self.read += got as u64;
                Ok(())
            }
            (Ok(got), _) => Err(format!("{got} bytes were read")),
            (Err(errno), Err(expected)) => expect_errno(Err(errno), Some(expected)),
            (Err(errno), Ok(_)) => Err(format!("{errno:?}")),
        }
    }

    fn counter(&self, wanted: &str, expected: u64) -> Result<(), String> {
        let mut got = None;
        self.host.counters(&mut |name, value| {
            if name == wanted {
                got = Some(value);
            }
        });
        match got {
            Some(value) if value == expected => Ok(()),
            Some(value) => Err(format!("it is {value}")),
            None => Err("there is no such counter".to_owned()),
        }
    }

    fn state(&self, expected: &str) -> Result<(), String> {
        let connections = self.host.connections();
        let current = connections.iter().find(|c| c.remote.port() == self.flow);
        let got = current.map_or("CLOSED", |connection| connection.state.name());
        if got == expected { Ok(()) } else { Err(format!("the state is {got}")) }
    }
}

fn expect_equal<T: PartialEq + core::fmt::Debug>(
    expected: T,
    got: Result<T, Errno>,
) -> Result<(), String> {
    if got == Ok(expected) { Ok(()) } else { Err(format!("the answer is {got:?}")) }
}

/// How an error that no line expects is shown.
fn fault(errno: Errno) -> String {
    format!("{errno:?}")
}

/// `None` expects success.
fn expect_errno(result: Result<(), Errno>, expected: Option<&str>) -> Result<(), String> {
    match (result, expected) {
        (Ok(()), None) => Ok(()),
        (Err(errno), Some(name)) if errno.name() == name => Ok(()),
        (Ok(()), Some(name)) => Err(format!("succeeded, E{name} was expected")),
        (Err(errno), _) => Err(format!("{errno:?}")),
    }
}
