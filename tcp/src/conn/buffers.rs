//! The buffers of one connection: how large they are, and what the hub may put in or has taken out.

use std::sync::Arc;

use layer::Instant;
use layer::boundary::TcpOptions;

use crate::cc;
use crate::config::Config;
use crate::conn::Open;
use crate::memory::Allowance;
use crate::segment::Segment;
use crate::send::room::Fill;

/// A send buffer under memory pressure is no larger than an initial one.
const SQUEEZED_ROOM: u32 = 65_536;

/// A send buffer when no memory is left: Linux's least.
const LEAST_ROOM: u32 = 4096;

impl Open {
    /// The options were changed.
    pub fn configure(&mut self, options: Arc<TcpOptions>) {
        if let Some(capacity) = options.receive_buffer {
            self.rcv.window.set_capacity(capacity);
            if self.rcv.window.update_due(self.rcv.nxt) {
                self.rcv.ack.demand();
            }
        }
        if let Some(capacity) = options.send_buffer {
            self.room.set_capacity(capacity);
        }
        if let Some(name) = options.congestion {
            self.control_by(name);
        }
        self.options = options;
        // Set anew from the new times.
        self.timers.keepalive = None;
    }

    /// TCP_CONGESTION: from here on another algorithm decides, on the window that there is.
    fn control_by(&mut self, name: &str) {
        let mut next = cc::by_name(name, self.snd.mss, false);
        if next.name() != self.cc.name() {
            next.take_over(self.cc.cwnd(), self.cc.ssthresh());
            self.cc = next;
        }
    }

    /// Text came: the receiver's only chance to learn of the round trip. `full` is the size of the
    /// segments in it.
    pub fn measure(&mut self, now: Instant, segment: &Segment, full: u32) {
        let nxt = self.rcv.nxt;
        self.rcv.tuning.arrived(now, nxt, nxt.plus(self.rcv.window.offered(nxt)));
        let echo = segment.options.timestamps.map(|stamps| stamps.echo);
        // A small segment may have waited for its sender's Nagle.
        if let (Some(stamps), Some(echo)) = (self.rcv.stamps, echo)
            && full >= self.rcv.ack.segment()
            && let Some(age) = stamps.round_trip(echo, now)
        {
            self.rcv.tuning.echoed(echo, age);
        }
    }

    /// The application has taken `bytes` of what was delivered: the window may open, and the buffer
    /// grow. True if the peer is to be told (RFC 9293 3.8.6.2.2 MUST-39: not of every byte).
    pub fn consumed(&mut self, now: Instant, bytes: u32, config: &Config) -> bool {
        self.rcv.consumed(bytes);
        let fitting = self.rcv.tuning.taken(now, bytes, self.rcv.ack.segment());
        if let (Some(fitting), None) = (fitting, self.options.receive_buffer)
            && !self.rcv.allowance.squeezed
        {
            self.rcv.window.grow(fitting.min(config.receive_buffer.most));
        }
        let due = self.rcv.window.update_due(self.rcv.nxt);
        if due {
            self.rcv.ack.demand();
        }
        // Where memory is short, what was read is what the window may open by.
        due || self.rcv.allowance.squeezed || self.rcv.allowance.exhausted
    }

    /// An acknowledgement came: a buffer that nobody sized holds two congestion windows, one that
    /// is out and one to follow.
    pub fn grow_send_buffer(&mut self, config: &Config) {
        let wanted = self.cc.cwnd().saturating_mul(2).min(config.send_buffer.most);
        let free = self.options.send_buffer.is_none() && !self.rcv.allowance.squeezed;
        if free && wanted > self.room.capacity() {
            self.room.set_capacity(wanted);
        }
    }

    /// Send buffer that the hub should be granted now, bytes.
    pub fn room_to_grant(&self) -> Option<u32> {
        let Allowance { more: _, squeezed, exhausted } = self.rcv.allowance;
        let limit = match (squeezed, exhausted) {
            (_, true) => LEAST_ROOM,
            (true, false) => SQUEEZED_ROOM,
            (false, false) => u32::MAX,
        };
        self.room.to_grant(Fill {
            held: u32::try_from(self.snd.buffer.len()).unwrap_or(u32::MAX),
            unsent: self.snd.unsent(),
            lowat: self.options.notsent_lowat,
            mss: self.snd.mss,
            limit,
        })
    }
}
