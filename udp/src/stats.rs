//! Counters, under the names of Linux `nstat`.

/// What a UDP layer has counted since construction.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stats {
    /// Datagrams delivered to sockets.
    pub(crate) in_datagrams: u64,
    /// Datagrams for ports without a socket.
    pub(crate) no_ports: u64,
    /// Datagrams that failed a check or found their receive buffer full.
    pub(crate) in_errors: u64,
    /// Datagrams handed to IP.
    pub(crate) out_datagrams: u64,
    /// Of the errors: receive buffer full.
    pub(crate) rcvbuf_errors: u64,
    /// Of the errors: checksum.
    pub(crate) in_csum_errors: u64,
}

impl Stats {
    pub(crate) fn each(&self, each: &mut dyn FnMut(&'static str, u64)) {
        each("UdpInDatagrams", self.in_datagrams);
        each("UdpNoPorts", self.no_ports);
        each("UdpInErrors", self.in_errors);
        each("UdpOutDatagrams", self.out_datagrams);
        each("UdpRcvbufErrors", self.rcvbuf_errors);
        each("UdpInCsumErrors", self.in_csum_errors);
    }
}
