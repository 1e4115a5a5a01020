//! A station whose TCP is smoltcp's: one socket, one conversation, all bytes checked.

use std::collections::VecDeque;

use layer::boundary::Frame;
use layer::{Duration, Instant, InterfaceId, PacketBuf};
use sim::application::talk::Script;
use sim::frame::Address;
use sim::station::Station;
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{self, DeviceCapabilities, Medium};
use smoltcp::socket::tcp::{RecvError, Socket, SocketBuffer, State};
use smoltcp::time::Instant as Tick;
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpAddress, IpCidr};

/// Who opens.
#[derive(Clone, Copy, Debug)]
pub enum Role {
    /// Listens on this port.
    Listens(u16),
    /// Calls port and station then.
    Calls(Address, u16, Instant),
}

/// The wire's end as smoltcp sees it.
#[derive(Default)]
struct Port {
    received: VecDeque<Vec<u8>>,
    sent: Vec<Vec<u8>>,
}

struct Received(Vec<u8>);
struct Sent<'a>(&'a mut Vec<Vec<u8>>);

impl phy::RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl phy::TxToken for Sent<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut frame = vec![0; len];
        let result = f(&mut frame);
        self.0.push(frame);
        result
    }
}

impl phy::Device for Port {
    type RxToken<'a> = Received;
    type TxToken<'a> = Sent<'a>;

    fn receive(&mut self, _now: Tick) -> Option<(Received, Sent<'_>)> {
        Some((Received(self.received.pop_front()?), Sent(&mut self.sent)))
    }

    fn transmit(&mut self, _now: Tick) -> Option<Sent<'_>> {
        Some(Sent(&mut self.sent))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = 1514;
        capabilities
    }
}

/// A smoltcp host with one TCP socket that follows a [`Script`].
pub struct Peer {
    port: Port,
    interface: Interface,
    sockets: SocketSet<'static>,
    handle: SocketHandle,
    role: Role,
    script: Script,
    /// Aborts once it has received so much.
    aborts_at: Option<u64>,
    /// The end that it waits for is a reset by us.
    expects_reset: bool,
    opened: bool,
    sent: u64,
    received: u64,
    peer_finished: bool,
    write_shut: bool,
    over: bool,
    counts: (u64, u64),
    next: Option<Instant>,
}

const BUFFER: usize = 64 * 1024;

fn tick(now: Instant) -> Tick {
    Tick::from_micros(i64::try_from(now.as_nanos() / 1000).unwrap_or(i64::MAX))
}

impl Peer {
    /// At `address`, with this part in the conversation.
    pub fn new(address: Address, role: Role, script: Script) -> Self {
        let mac = HardwareAddress::Ethernet(EthernetAddress(address.mac.0));
        let mut config = Config::new(mac);
        config.random_seed = 1;
        let mut port = Port::default();
        let mut interface = Interface::new(config, &mut port, Tick::ZERO);
        interface.update_ip_addrs(|addresses| {
            let ours = IpCidr::new(IpAddress::Ipv4(address.ip), 24);
            addresses.push(ours).expect("room for one address");
        });
        let buffer = || SocketBuffer::new(vec![0; BUFFER]);
        let mut sockets = SocketSet::new(Vec::new());
        let handle = sockets.add(Socket::new(buffer(), buffer()));
        Self {
            port,
            interface,
            sockets,
            handle,
            role,
            script,
            aborts_at: None,
            expects_reset: false,
            opened: false,
            sent: 0,
            received: 0,
            peer_finished: false,
            write_shut: false,
            over: false,
            counts: (0, 0),
            next: Some(Instant::ZERO),
        }
    }

    /// It resets the connection once it has received so much.
    #[must_use]
    pub fn aborting_at(self, received: u64) -> Self {
        Self { aborts_at: Some(received), ..self }
    }

    /// It is content once we have reset the connection.
    #[must_use]
    pub fn expecting_reset(self) -> Self {
        Self { expects_reset: true, ..self }
    }

    fn socket(&mut self) -> &mut Socket<'static> {
        self.sockets.get_mut(self.handle)
    }

    fn open(&mut self, now: Instant) -> Result<(), String> {
        match self.role {
            Role::Listens(port) => {
                self.socket().listen(port).map_err(|error| format!("listen: {error:?}"))?;
            }
            Role::Calls(_, _, at) if now < at => return Ok(()),
            Role::Calls(to, port, _) => {
                let socket = self.sockets.get_mut::<Socket<'_>>(self.handle);
                let remote = (IpAddress::Ipv4(to.ip), port);
                let called = socket.connect(self.interface.context(), remote, 49_152);
                called.map_err(|error| format!("connect: {error:?}"))?;
            }
        }
        self.opened = true;
        Ok(())
    }

    /// What its program does. True if anything was done.
    fn act(&mut self) -> Result<bool, String> {
        let before = (self.sent, self.received, self.peer_finished, self.write_shut, self.over);
        self.read()?;
        if self.aborts_at.is_some_and(|at| self.received >= at) && !self.over {
            self.socket().abort();
            self.over = true;
        }
        self.write()?;
        if self.expects_reset && self.sent > 0 && self.socket().state() == State::Closed {
            self.over = true;
        }
        let ended = self.write_shut && self.peer_finished;
        if ended && !self.over {
            self.over = true;
            if let Some(expected) = self.script.expects
                && expected != self.received
            {
                return Err(format!("smoltcp received {} of {expected} bytes", self.received));
            }
        }
        Ok(before != (self.sent, self.received, self.peer_finished, self.write_shut, self.over))
    }

    fn read(&mut self) -> Result<(), String> {
        let mut chunk = [0; 4096];
        while !self.over && !self.peer_finished {
            match self.socket().recv_slice(&mut chunk) {
                Ok(0) => break,
                Ok(n) => {
                    let fits = self.script.receives.check(self.received, &chunk[..n]);
                    fits.map_err(|wrong| format!("smoltcp received: {wrong}"))?;
                    self.received += n as u64;
                }
                Err(RecvError::Finished) => self.peer_finished = true,
                // Not open yet; or reset, which the end of the conversation shows.
                Err(RecvError::InvalidState) => break,
            }
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), String> {
        let mut chunk = [0; 4096];
        let Script { plan, sends, .. } = self.script;
        while !self.over && !self.write_shut && self.socket().can_send() {
            let left = plan.allowance(self.received, self.peer_finished).saturating_sub(self.sent);
            let n = usize::try_from(left).unwrap_or(4096).min(4096);
            if n == 0 {
                break;
            }
            sends.fill(self.sent, &mut chunk[..n]);
            let taken = self.socket().send_slice(&chunk[..n]);
            self.sent += taken.map_err(|error| format!("send: {error:?}"))? as u64;
        }
        let done = plan.is_sent(self.sent, self.received, self.peer_finished);
        let open = matches!(self.socket().state(), State::Established | State::CloseWait);
        if done && open && !self.write_shut {
            self.write_shut = true;
            self.socket().close();
        }
        Ok(())
    }
}

impl Station for Peer {
    fn receive(&mut self, _now: Instant, _interface: InterfaceId, packet: PacketBuf) {
        self.counts.0 += 1;
        self.port.received.push_back(packet.to_vec());
    }

    fn settle(&mut self, now: Instant, out: &mut Vec<Frame>) -> Result<(), String> {
        if !self.opened {
            self.open(now)?;
        }
        loop {
            self.interface.poll(tick(now), &mut self.port, &mut self.sockets);
            if !self.act()? {
                break;
            }
        }
        self.counts.1 += self.port.sent.len() as u64;
        out.extend(self.port.sent.drain(..).map(|frame| Frame {
            interface: InterfaceId(0),
            packet: PacketBuf::copy_from(&frame),
        }));
        let due = self.interface.poll_at(tick(now), &self.sockets);
        let due = due.and_then(|at| u64::try_from(at.total_micros()).ok()).map(|us| us * 1000);
        // Its clock ticks in microseconds: what it wants now, it gets at the next tick.
        let tick = Duration::from_micros(1);
        self.next = due.map(|nanos| (Instant::ZERO + Duration::from_nanos(nanos)).max(now + tick));
        Ok(())
    }

    fn next_at(&self) -> Option<Instant> {
        match self.role {
            Role::Calls(_, _, at) if !self.opened => Some(at),
            Role::Calls(..) | Role::Listens(_) => self.next,
        }
    }

    fn is_done(&self) -> bool {
        self.over
    }

    fn is_at_rest(&self) -> bool {
        let state = self.sockets.get::<Socket<'_>>(self.handle).state();
        matches!(state, State::Closed | State::TimeWait | State::Listen)
            && self.port.received.is_empty()
    }

    fn progress(&self) -> u64 {
        self.sent + self.received + u64::from(self.peer_finished) + u64::from(self.over)
    }

    fn audit(&self, received: u64, sent: u64) -> Result<(), String> {
        let same = self.counts == (received, sent);
        if same { Ok(()) } else { Err("smoltcp's port and the world disagree".to_owned()) }
    }

    fn describe(&self) -> String {
        let socket = self.sockets.get::<Socket<'_>>(self.handle);
        let Self { sent, received, peer_finished, write_shut, .. } = self;
        format!(
            "    smoltcp {}: sent {sent} (FIN {write_shut}, {} not acked), received {received} \
             (FIN {peer_finished}), next at {:?}",
            socket.state(),
            socket.send_queue(),
            self.next
        )
    }
}
