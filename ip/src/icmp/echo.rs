//! Echo (RFC 1122 3.2.2.6): every host answers a ping.
//!
//! The answer is as long as the question and goes to a single host that is not us, so it can
//! neither amplify nor loop; its data is shared with the request, not copied.

use core::net::IpAddr;

use layer::boundary::{Cast, Reachability, Send, protocol};
use layer::{Instant, Out, PacketBuf, Reason};

use super::message::{HEADER, Message, kind};
use crate::Ip;
use crate::receive::Arrival;

impl Ip {
    pub(super) fn answer_echo(
        &mut self,
        now: Instant,
        arrival: &Arrival,
        message: Message,
        packet: PacketBuf,
        out: &mut Out<'_, Self>,
    ) {
        self.counters.icmp_in_echos += 1;
        match arrival.cast {
            Cast::Unicast => {}
            // RFC 1122 3.2.2.6: a request to broadcast or a group may be ignored, and is: one
            // packet must not draw the answers of a whole subnet.
            Cast::Broadcast | Cast::Multicast => return out.drop(Reason::IcmpIgnored, packet),
        }
        if !self.icmp.echo.take(now, 1) {
            self.counters.icmp_out_rate_limited += 1;
            return out.drop(Reason::IcmpRateLimited, packet);
        }
        // RFC 1122 3.2.2.6: all data comes back, with the same identifier and sequence number, from
        // the address that was asked. RFC 792 echo.
        let mut reply = packet.share(HEADER, packet.len() - HEADER);
        Message { kind: kind::ECHO_REPLY, code: 0, rest: message.rest }.prepend_to(&mut reply);
        let (source, destination) = (arrival.header.destination, arrival.header.source);
        let sent = self.send_icmp(
            Send {
                interface: None,
                source: Some(IpAddr::V4(source)),
                destination: IpAddr::V4(destination),
                protocol: protocol::ICMP,
                ttl: None,
                // The class of service comes back, not a mark of congestion (RFC 3168).
                tos: arrival.header.tos & !3,
                dont_fragment: false,
                reachability: Reachability::Unknown,
                packet: reply,
            },
            out,
        );
        if sent {
            self.counters.icmp_out_echo_replies += 1;
            out.consume(packet);
        } else {
            out.drop(Reason::IpNoRoute, packet);
        }
    }

    /// Sends a message of ours; false if there is no way to its receiver.
    pub(super) fn send_icmp(&mut self, send: Send, out: &mut Out<'_, Self>) -> bool {
        self.counters.out_requests += 1;
        match self.plan(send.interface, send.source, send.destination) {
            Ok(plan) => {
                self.counters.icmp_out_messages += 1;
                self.emit(plan, send, out);
                true
            }
            Err(_) => {
                self.counters.out_no_routes += 1;
                false
            }
        }
    }
}
