//! [`Link`]: Ethernet II as a layer (RFC 894; RFC 1122 2.3.3 asks hosts for exactly this).
//!
//! ```text
//!    0             6             12     14
//!    | destination | source      | type | payload, padded by the sender to 46 bytes on a wire
//! ```
//!
//! Upward it drops what cannot be meant for us and strips the header; downward it prepends one. It
//! holds nothing and allocates nothing. Left out: padding to the minimum of 60 bytes, which is the
//! business of hardware that has a wire (drivers pad; a TAP has no minimum), and the frame check
//! sequence, which no device hands up.

use etherparse::Ethernet2HeaderSlice;
use layer::boundary::{Cast, EthIn, EthOut, Frame, ethertype};
use layer::{
    Accounted, ChecksumState, Counted, Instant, InterfaceId, Layer, MacAddr, Offload, Out,
    PacketBuf, Reason, Segmentation, SegmentationKind,
};

/// Bytes of an Ethernet II header.
pub(crate) const HEADER: usize = 14;

/// IEEE 802.3 3.2.6: a type/length field below this is a length.
const FIRST_TYPE: u16 = 0x600;

/// How a [`Link`] is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which interface this is; items in both directions carry it.
    pub interface: InterfaceId,
    /// Our own address.
    pub mac: MacAddr,
    /// Largest payload of a frame, bytes. Super-segments are held to it by their segments.
    pub mtu: u32,
    /// What is spoken above; frames of other types are dropped here.
    pub ethertypes: Vec<u16>,
    /// The groups to listen to besides broadcast. `None`: all, and IP filters.
    pub groups: Option<Vec<MacAddr>>,
}

impl Config {
    /// IPv4 and ARP, all groups.
    pub fn new(interface: InterfaceId, mac: MacAddr, mtu: u32) -> Self {
        let ethertypes = vec![ethertype::IPV4, ethertype::ARP];
        Self { interface, mac, mtu, ethertypes, groups: None }
    }
}

/// Ethernet II as a layer.
#[derive(Debug)]
pub struct Link {
    config: Config,
    in_frames: u64,
    in_bytes: u64,
    out_frames: u64,
    out_bytes: u64,
}

impl Link {
    /// A link that speaks as `config.mac`.
    pub fn new(config: Config) -> Self {
        debug_assert!(config.mac.is_unicast(), "a station's address is neither zero nor a group");
        Self { config, in_frames: 0, in_bytes: 0, out_frames: 0, out_bytes: 0 }
    }

    /// How it was set up.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Replaces the list of groups to listen to; `None` takes all.
    pub fn set_groups(&mut self, groups: Option<Vec<MacAddr>>) {
        self.config.groups = groups;
    }

    /// The checks of a received frame in order: the first that fails names the drop.
    fn admit(&self, packet: &mut PacketBuf) -> Result<Admitted, Reason> {
        // RFC 894 runt: what is too short for its header has no meaning.
        if !packet.pull(HEADER) {
            return Err(Reason::LinkRunt);
        }
        let header =
            Ethernet2HeaderSlice::from_slice(packet.head()).map_err(|_| Reason::LinkRunt)?;
        let cast = self.cast(MacAddr(header.destination())).ok_or(Reason::LinkOtherHost)?;
        let source = MacAddr(header.source());
        if !source.is_unicast() || source == self.config.mac {
            return Err(Reason::LinkBadSource);
        }
        let ethertype = header.ether_type().0;
        // RFC 894 length, RFC 1122 2.3.3: IEEE 802.3 encapsulation (RFC 1042) is optional, and we
        // do not speak it.
        if ethertype < FIRST_TYPE {
            return Err(Reason::LinkLengthFrame);
        }
        // RFC 894 type. RFC 1122 2.3.1: trailers (types 0x1000 to 0x100f) were never negotiated.
        if !self.config.ethertypes.contains(&ethertype) {
            return Err(Reason::LinkUnknownType);
        }
        check_offload(packet)?;
        if !self.fits(packet.len() - HEADER, packet.offload().segmentation) {
            return Err(Reason::LinkOversize);
        }
        Ok(Admitted { source, cast, ethertype })
    }

    /// How a frame to `destination` is meant; `None` if not for us.
    fn cast(&self, destination: MacAddr) -> Option<Cast> {
        // RFC 894 destination.
        if destination == self.config.mac {
            Some(Cast::Unicast)
        } else if destination.is_broadcast() {
            Some(Cast::Broadcast)
        } else if destination.is_multicast() {
            let listening =
                self.config.groups.as_ref().is_none_or(|groups| groups.contains(&destination));
            listening.then_some(Cast::Multicast)
        } else {
            None
        }
    }

    /// RFC 894 mtu: neither a frame nor a segment of a super-segment is larger than the MTU.
    fn fits(&self, payload: usize, segmentation: Option<Segmentation>) -> bool {
        let size = match segmentation {
            None => payload,
            // The options are not looked at: whoever cuts holds each piece to the device's limit.
            Some(Segmentation { kind: SegmentationKind::TcpV4, size, .. }) => {
                usize::from(size) + 40
            }
            Some(Segmentation { kind: SegmentationKind::TcpV6, size, .. }) => {
                usize::from(size) + 60
            }
            Some(Segmentation { kind: SegmentationKind::Udp, size, .. }) => usize::from(size) + 28,
        };
        u32::try_from(size).is_ok_and(|size| size <= self.config.mtu)
    }
}

struct Admitted {
    source: MacAddr,
    cast: Cast,
    ethertype: u16,
}

/// Metadata that points outside the frame, or into its Ethernet header, is a lie.
fn check_offload(packet: &PacketBuf) -> Result<(), Reason> {
    let Offload { checksum, segmentation } = packet.offload();
    let placed = match checksum {
        ChecksumState::Complete | ChecksumState::Verified => true,
        ChecksumState::Partial { start, field } => {
            let (start, field) = (usize::from(start), usize::from(field));
            start >= HEADER && start + field + 2 <= packet.len()
        }
    };
    let cut = segmentation.is_none_or(|segmentation| segmentation.size > 0);
    if placed && cut { Ok(()) } else { Err(Reason::LinkBadOffload) }
}

impl Layer for Link {
    type FromBelow = Frame;
    type ToAbove = EthIn;
    type FromAbove = EthOut;
    type ToBelow = Frame;

    fn receive(&mut self, _now: Instant, frame: Frame, out: &mut Out<'_, Self>) {
        let Frame { interface, mut packet } = frame;
        debug_assert_eq!(interface, self.config.interface, "wired to another interface");
        self.in_frames += 1;
        self.in_bytes += packet.len() as u64;
        match self.admit(&mut packet) {
            Ok(Admitted { source, cast, ethertype }) => {
                packet.advance(HEADER);
                // RFC 1122 2.4: whether a frame was a broadcast is told upward.
                out.up.push(EthIn { interface, source, cast, ethertype, packet });
            }
            Err(reason) => out.drop(reason, packet),
        }
    }

    fn send(&mut self, _now: Instant, item: EthOut, out: &mut Out<'_, Self>) {
        let EthOut { interface, destination, ethertype, mut packet } = item;
        debug_assert_eq!(interface, self.config.interface, "wired to another interface");
        if !self.fits(packet.len(), packet.offload().segmentation) {
            return out.drop(Reason::LinkOversize, packet);
        }
        let header = packet.prepend(HEADER);
        header[..6].copy_from_slice(&destination.0);
        header[6..12].copy_from_slice(&self.config.mac.0);
        header[12..].copy_from_slice(&ethertype.to_be_bytes());
        self.out_frames += 1;
        self.out_bytes += packet.len() as u64;
        out.down.push(Frame { interface, packet });
    }

    fn poll(&mut self, _now: Instant, _out: &mut Out<'_, Self>) {}

    fn poll_at(&self) -> Option<Instant> {
        None
    }
}

impl Accounted for Link {
    fn held_items(&self) -> usize {
        0
    }
}

impl Counted for Link {
    fn counters(&self, each: &mut dyn FnMut(&'static str, u64)) {
        each("LinkInFrames", self.in_frames);
        each("LinkInBytes", self.in_bytes);
        each("LinkOutFrames", self.out_frames);
        each("LinkOutBytes", self.out_bytes);
    }
}

#[cfg(test)]
mod tests;
