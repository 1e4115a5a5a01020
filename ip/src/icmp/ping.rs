//! Asking another host whether it is there: echo requests of our own, and what came of them.
//!
//! RFC 1122 3.2.2.6 wants every host to have this for diagnosis. Answers and failures are stated as
//! notes, because nobody's data is in them. An answer counts once, and only if it was asked for: a
//! stranger's is ignored like any other message that we have no use for.

use core::net::{IpAddr, Ipv4Addr};
use std::collections::VecDeque;

use bytes::Bytes;
use layer::boundary::{Cast, IpErrorKind, Reachability, Send, protocol};
use layer::{Instant, Note, Out, PacketBuf, Reason};

use super::message::{HEADER, Message, kind};
use crate::Ip;
use crate::receive::Arrival;

/// Questions that may be open; the oldest gives way.
const OPEN: usize = 1024;

/// A question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ping {
    /// To whom.
    pub destination: IpAddr,
    /// Who asks: one number for each run of `ping`.
    pub identifier: u16,
    /// Which of its questions this is.
    pub sequence: u16,
    /// Bytes behind the ICMP header; the answer has as many.
    pub length: u16,
}

/// A question without an answer yet.
#[derive(Clone, Copy, Debug)]
struct Open {
    destination: Ipv4Addr,
    identifier: u16,
    sequence: u16,
    at: Instant,
}

/// The open questions, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Pings(VecDeque<Open>);

impl Pings {
    fn ask(&mut self, open: Open) {
        if self.0.len() >= OPEN {
            self.0.pop_front();
        }
        self.0.push_back(open);
    }

    /// Takes out the question that a message with these four bytes is about.
    fn close(&mut self, destination: Ipv4Addr, rest: [u8; 4]) -> Option<Open> {
        let [a, b, c, d] = rest;
        let (identifier, sequence) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        let fits = |open: &Open| {
            open.destination == destination
                && open.identifier == identifier
                && open.sequence == sequence
        };
        let place = self.0.iter().position(fits)?;
        self.0.remove(place)
    }
}

impl Ip {
    /// Sends an echo request. What comes of it is a note: [`Note::EchoReply`],
    /// [`Note::EchoFailed`], or nothing.
    ///
    /// # Errors
    ///
    /// Why it cannot be sent. Only a single host can be asked.
    pub fn ping(
        &mut self,
        now: Instant,
        ping: Ping,
        out: &mut Out<'_, Self>,
    ) -> Result<(), IpErrorKind> {
        let Ping { destination, identifier, sequence, length } = ping;
        let plan = self.plan(None, None, destination)?;
        let IpAddr::V4(to) = destination else { return Err(IpErrorKind::NoRoute) };
        if plan.cast != Cast::Unicast {
            return Err(IpErrorKind::Prohibited);
        }
        let [a, b] = identifier.to_be_bytes();
        let [c, d] = sequence.to_be_bytes();
        let mut packet = PacketBuf::new();
        // As Linux's ping fills it: each byte is its place.
        packet.append(Bytes::from_iter((0..length).map(|place| (place & 0xff) as u8)));
        Message { kind: kind::ECHO, code: 0, rest: [a, b, c, d] }.prepend_to(&mut packet);
        self.icmp.pings.ask(Open { destination: to, identifier, sequence, at: now });
        self.counters.out_requests += 1;
        self.counters.icmp_out_messages += 1;
        self.counters.icmp_out_echos += 1;
        let send = Send {
            interface: None,
            source: None,
            destination,
            protocol: protocol::ICMP,
            ttl: None,
            tos: 0,
            dont_fragment: false,
            reachability: Reachability::Unknown,
            packet,
        };
        self.emit(plan, send, out);
        Ok(())
    }

    /// An echo reply arrived.
    pub(super) fn take_reply(
        &mut self,
        now: Instant,
        arrival: &Arrival,
        message: Message,
        packet: PacketBuf,
        out: &mut Out<'_, Self>,
    ) {
        self.counters.icmp_in_echo_replies += 1;
        let peer = arrival.header.source;
        let Some(open) = self.icmp.pings.close(peer, message.rest) else {
            return out.drop(Reason::IcmpIgnored, packet);
        };
        let Open { identifier, sequence, at, .. } = open;
        let (ttl, rtt) = (arrival.header.ttl, now.since(at));
        let bytes = u32::try_from(packet.len().saturating_sub(HEADER)).unwrap_or(u32::MAX);
        out.note(|| Note::EchoReply { peer: peer.into(), identifier, sequence, bytes, ttl, rtt });
        out.consume(packet);
    }

    /// An echo request did not arrive, says `reporter`, or we do. `quote` begins with its ICMP
    /// header. False if no question of ours is meant.
    pub(crate) fn ping_failed(
        &mut self,
        destination: Ipv4Addr,
        reporter: Option<IpAddr>,
        error: IpErrorKind,
        quote: &mut PacketBuf,
        out: &mut Out<'_, Self>,
    ) -> bool {
        let question = Message::read(quote).filter(|message| message.kind == kind::ECHO);
        let open = question.and_then(|it| self.icmp.pings.close(destination, it.rest));
        let Some(Open { identifier, sequence, .. }) = open else { return false };
        out.note(|| Note::EchoFailed {
            peer: destination.into(),
            reporter,
            identifier,
            sequence,
            kind: error,
        });
        true
    }
}
