//! Counters under the names of Linux `nstat`, so that both ends of a test read alike.

use layer::Counted;

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $field:ident = $name:literal,)+) => {
        /// What IP and ICMP have done since construction.
        #[derive(Clone, Debug, Default)]
        pub struct Counters { $($(#[doc = $doc])+ pub $field: u64,)+ }

        impl Counted for Counters {
            fn counters(&self, each: &mut dyn FnMut(&'static str, u64)) {
                $(each($name, self.$field);)+
            }
        }
    };
}

counters! {
    /// Packets from below.
    in_receives = "IpInReceives",
    /// Dropped for a header that is no IPv4 header.
    in_header_errors = "IpInHdrErrors",
    /// Dropped for an address: martian, or not ours.
    in_address_errors = "IpInAddrErrors",
    /// Dropped because nobody above speaks the protocol.
    in_unknown_protocols = "IpInUnknownProtos",
    /// Dropped for want of memory.
    in_discards = "IpInDiscards",
    /// Datagrams delivered, ICMP included.
    in_delivers = "IpInDelivers",
    /// Packets delivered that were not ECN-capable.
    in_no_ect = "IpExtInNoECTPkts",
    /// Packets delivered with ECT(1).
    in_ect1 = "IpExtInECT1Pkts",
    /// Packets delivered with ECT(0).
    in_ect0 = "IpExtInECT0Pkts",
    /// Packets delivered that met congestion.
    in_ce = "IpExtInCEPkts",
    /// Datagrams that transports and ICMP asked to be sent.
    out_requests = "IpOutRequests",
    /// Not sent for want of memory or because they made no sense.
    out_discards = "IpOutDiscards",
    /// Not sent for want of a route.
    out_no_routes = "IpOutNoRoutes",
    /// Datagrams whose fragments did not all come in time.
    reassembly_timeouts = "IpReasmTimeout",
    /// Fragments received.
    reassembly_required = "IpReasmReqds",
    /// Datagrams reassembled.
    reassembly_oks = "IpReasmOKs",
    /// Datagrams given up.
    reassembly_fails = "IpReasmFails",
    /// Datagrams cut into fragments.
    fragment_oks = "IpFragOKs",
    /// Datagrams that needed cutting and must not be cut.
    fragment_fails = "IpFragFails",
    /// Fragments made.
    fragment_creates = "IpFragCreates",
    /// Datagrams given up for overlapping fragments.
    reassembly_overlaps = "IpExtReasmOverlaps",
    /// ICMP messages received.
    icmp_in_messages = "IcmpInMsgs",
    /// ICMP messages received that were broken or of no use.
    icmp_in_errors = "IcmpInErrors",
    /// ICMP messages received with a wrong checksum.
    icmp_in_checksum_errors = "IcmpInCsumErrors",
    /// Destination unreachable received.
    icmp_in_unreachables = "IcmpInDestUnreachs",
    /// Time exceeded received.
    icmp_in_time_exceeded = "IcmpInTimeExcds",
    /// Parameter problem received.
    icmp_in_parameter_problems = "IcmpInParmProbs",
    /// Source quench received, and ignored.
    icmp_in_source_quenches = "IcmpInSrcQuenchs",
    /// Redirect received, and ignored.
    icmp_in_redirects = "IcmpInRedirects",
    /// Echo request received.
    icmp_in_echos = "IcmpInEchos",
    /// Echo reply received.
    icmp_in_echo_replies = "IcmpInEchoReps",
    /// ICMP messages sent.
    icmp_out_messages = "IcmpOutMsgs",
    /// ICMP errors and replies held back by a rate limit.
    icmp_out_rate_limited = "IcmpOutRateLimitGlobal",
    /// Destination unreachable sent.
    icmp_out_unreachables = "IcmpOutDestUnreachs",
    /// Time exceeded sent.
    icmp_out_time_exceeded = "IcmpOutTimeExcds",
    /// Parameter problem sent.
    icmp_out_parameter_problems = "IcmpOutParmProbs",
    /// Echo request sent.
    icmp_out_echos = "IcmpOutEchos",
    /// Echo reply sent.
    icmp_out_echo_replies = "IcmpOutEchoReps",
}

impl Counters {
    /// Counts the ECN field of a packet that is delivered (RFC 3168 5).
    pub(crate) fn count_ecn(&mut self, tos: u8) {
        match tos & 3 {
            0 => self.in_no_ect += 1,
            1 => self.in_ect1 += 1,
            2 => self.in_ect0 += 1,
            _ => self.in_ce += 1,
        }
    }
}
