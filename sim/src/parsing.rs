//! Any bytes as a TCP segment: what is read must be what an independent parser reads, and reading
//! what was written gives the same again. Run by a fuzzer (`cargo xtask fuzz`) and over its corpus.

use core::net::{IpAddr, SocketAddr};

use etherparse::TcpSlice;
use layer::boundary::{Cast, Datagram, protocol};
use layer::{ChecksumState, InterfaceId, PacketBuf};
use tcp::Segment;

use crate::promises::View;

/// RFC 9293 3.1: a data offset of 15 words less those of the fixed header, bytes.
const MOST_OPTIONS: usize = 40;
const SOURCE: [u8; 4] = [10, 9, 0, 1];
const DESTINATION: [u8; 4] = [10, 9, 0, 2];

/// Reads `input` as a segment whose checksum somebody vouches for.
///
/// # Errors
///
/// What differs from what it should be.
pub fn run(input: &[u8]) -> Result<(), String> {
    let Some(segment) = read(PacketBuf::copy_from(input)) else {
        // RFC 9293 3.1: only a header that is not all there, or a port or offset that cannot be.
        return match TcpSlice::from_slice(input) {
            Ok(strict) if strict.source_port() != 0 && strict.destination_port() != 0 => {
                Err("a whole header was refused".to_owned())
            }
            Ok(_) | Err(_) => Ok(()),
        };
    };
    let view = View::read(input).map_err(|what| format!("taken, but {what}"))?;
    same(&segment, &view)?;
    if segment.payload.to_vec() != view.text {
        return Err("other text".to_owned());
    }
    let (seq, flags, options) = (segment.seq, segment.flags, segment.options);
    // Read is also what nobody writes: padded as we pad, it would be more than a header holds.
    if options.len() > MOST_OPTIONS {
        return Ok(());
    }
    let mut written = segment.write();
    written.offload_mut().checksum = ChecksumState::Verified;
    let again = read(written).ok_or("what was written is not read")?;
    if (again.seq, again.flags, again.options) != (seq, flags, options) {
        return Err(format!("written and read again: {:?}, was {options:?}", again.options));
    }
    if again.payload.to_vec() != view.text {
        return Err("other text when written and read again".to_owned());
    }
    Ok(())
}

fn read(mut packet: PacketBuf) -> Option<Segment> {
    packet.offload_mut().checksum = ChecksumState::Verified;
    let datagram = Datagram {
        interface: InterfaceId(0),
        source: IpAddr::from(SOURCE),
        destination: IpAddr::from(DESTINATION),
        cast: Cast::Unicast,
        protocol: protocol::TCP,
        ttl: 64,
        tos: 0,
        mtu: 1500,
        header_len: 0,
        packet,
    };
    Segment::read(datagram).ok()
}

fn same(segment: &Segment, view: &View) -> Result<(), String> {
    let ack = view.ack.unwrap_or(segment.ack.0);
    let numbers = (segment.seq.0, segment.ack.0, segment.window) == (view.seq, ack, view.window);
    let from = segment.source.ip() == SocketAddr::from((SOURCE, 1)).ip();
    let len = u64::from(segment.len()) == u64::from(view.space());
    if numbers && from && len { Ok(()) } else { Err(format!("{segment:?} is not {view}")) }
}
