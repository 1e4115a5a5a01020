//! ICMP (RFC 792, RFC 1122 3.2.2): an integral part of IP.
//!
//! Here: what a received message is, and who deals with it. Redirects (3.2.2.2), source quench
//! (RFC 6633), information, timestamp and address mask messages (3.2.2.7 to 3.2.2.9) are counted
//! and ignored.

mod echo;
mod errors;
mod limit;
mod message;
mod ping;

use layer::{Instant, Out, PacketBuf, Reason, checksum::Sum, checksum::add_packet};

pub(crate) use errors::Complaint;
pub use ping::Ping;
use ping::Pings;

use crate::Ip;
use crate::config::Limits;
use crate::receive::Arrival;
use limit::Bucket;
use message::{Message, kind};

/// What ICMP remembers: how much it may still say.
#[derive(Debug)]
pub(crate) struct Icmp {
    key: [u8; 16],
    /// Errors sent, for the jitter of their limit.
    errors_sent: u64,
    errors: Bucket,
    echo: Bucket,
    pings: Pings,
}

impl Icmp {
    pub(crate) fn new(key: [u8; 16], limits: Limits) -> Self {
        Self {
            key,
            errors_sent: 0,
            errors: Bucket::new(limits.icmp_errors_per_second, limits.icmp_errors_burst),
            echo: Bucket::new(limits.echo_per_second, limits.echo_burst),
            pings: Pings::default(),
        }
    }
}

impl Ip {
    /// An ICMP message for us, from its own header on.
    pub(crate) fn receive_icmp(
        &mut self,
        now: Instant,
        arrival: &Arrival,
        mut packet: PacketBuf,
        out: &mut Out<'_, Self>,
    ) {
        self.counters.icmp_in_messages += 1;
        let Some(message) = Message::read(&mut packet) else {
            self.counters.icmp_in_errors += 1;
            return out.drop(Reason::IcmpTruncated, packet);
        };
        // RFC 792 checksum: a wrong one is dropped and counted.
        if !packet.offload().vouched() {
            let mut sum = Sum::new();
            add_packet(&mut sum, &packet, 0);
            if !sum.is_valid() {
                self.counters.icmp_in_errors += 1;
                self.counters.icmp_in_checksum_errors += 1;
                return out.drop(Reason::IcmpBadChecksum, packet);
            }
        }
        match message.kind {
            kind::ECHO => self.answer_echo(now, arrival, message, packet, out),
            kind::ECHO_REPLY => self.take_reply(now, arrival, message, packet, out),
            kind::UNREACHABLE | kind::TIME_EXCEEDED | kind::PARAMETER_PROBLEM => {
                self.receive_error(arrival, message, packet, out);
            }
            other => {
                match other {
                    // RFC 6633 receive: source quench is dropped in silence.
                    // RFC 1122 3.2.2.3: and RFC 5927 6.2: it has no effect on anything.
                    kind::SOURCE_QUENCH => self.counters.icmp_in_source_quenches += 1,
                    // RFC 1122 3.2.2.2: redirects are ignored; routes are configured.
                    kind::REDIRECT => self.counters.icmp_in_redirects += 1,
                    // RFC 1122 3.2.2: unknown types are dropped in silence.
                    _unknown => self.counters.icmp_in_errors += 1,
                }
                out.drop(Reason::IcmpIgnored, packet);
            }
        }
    }
}

#[cfg(test)]
mod tests;
