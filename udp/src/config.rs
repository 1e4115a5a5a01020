//! What a UDP layer is told at construction.

use core::ops::RangeInclusive;

/// Settings of [`crate::Udp`].
#[derive(Clone, Debug)]
pub struct Config {
    /// Secret behind free ports and hash tables.
    pub key: [u8; 16],
    /// Where free ports are taken from.
    pub ephemeral_ports: RangeInclusive<u16>,
    /// What a socket may leave unread, bytes with [`Config::OVERHEAD`] a datagram.
    pub receive_buffer: u32,
    /// Sockets at once; more are told [`layer::boundary::SocketError::NoBuffers`].
    pub max_sockets: usize,
}

impl Config {
    /// Charged for a datagram besides its payload, bytes: what its bookkeeping costs, so that
    /// empty datagrams are bounded too.
    pub const OVERHEAD: u32 = 256;

    /// Usual settings with this secret.
    pub fn new(key: [u8; 16]) -> Self {
        Self {
            key,
            // RFC 6056 3.2: the range should be as large as possible, 1024 to 65535.
            ephemeral_ports: 1024..=65_535,
            // Linux's net.core.rmem_default.
            receive_buffer: 212_992,
            // Every port once; connected sockets that share one count as well.
            max_sockets: 65_536,
        }
    }
}
