//! Reassembly against a naive model: an array of bytes per datagram, each with its writer.

use proptest::prelude::*;

use super::*;

const SOURCE: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);
const DESTINATION: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);

/// A fragment in units of 8 bytes, of one of few datagrams.
#[derive(Clone, Copy, Debug)]
struct Piece {
    identification: u16,
    start: usize,
    units: usize,
    more: bool,
    /// Whether its bytes are the datagram's or somebody else's.
    honest: bool,
}

fn piece() -> impl Strategy<Value = Piece> {
    // Mostly pieces of an honest cut of 6 units in twos, so that datagrams do become whole.
    let honest = (0_u16..3, 0_usize..3).prop_map(|(identification, n)| Piece {
        identification,
        start: n * 2,
        units: 2,
        more: n < 2,
        honest: true,
    });
    let any = (0_u16..3, 0_usize..8, 1_usize..4, any::<bool>(), any::<bool>()).prop_map(
        |(identification, start, units, more, honest)| Piece {
            identification,
            start,
            units,
            more,
            honest,
        },
    );
    prop_oneof![8 => honest, 1 => any]
}

fn payload(piece: Piece) -> Vec<u8> {
    let salt = if piece.honest { 0 } else { 0x80 };
    (piece.start * 8..(piece.start + piece.units) * 8).map(|n| n as u8 ^ salt).collect()
}

fn fragment(piece: Piece) -> (Header, PacketBuf) {
    let payload = payload(piece);
    let header = Header {
        header_len: HEADER,
        total_len: HEADER + payload.len(),
        tos: 0,
        identification: piece.identification,
        dont_fragment: false,
        more_fragments: piece.more,
        offset: piece.start * 8,
        ttl: 64,
        protocol: protocol::UDP,
        source: SOURCE,
        destination: DESTINATION,
    };
    let mut packet = PacketBuf::copy_from(&payload);
    header.prepend_to(&mut packet);
    (header, packet)
}

/// All pieces of a datagram so far, or nothing once they contradict each other.
#[derive(Clone, Debug, Default)]
struct Model {
    pieces: Vec<Piece>,
    poisoned: bool,
}

impl Model {
    /// What must become of a piece: `None` for dropped, an empty vector for held or repeated, the
    /// datagram's payload for whole.
    fn take(&mut self, new: Piece) -> Option<Vec<u8>> {
        if self.poisoned {
            return None;
        }
        let end = |piece: &Piece| piece.start + piece.units;
        let same = |old: &Piece| {
            (old.start, old.units, old.more, old.honest)
                == (new.start, new.units, new.more, new.honest)
        };
        if self.pieces.iter().any(same) {
            return Some(Vec::new());
        }
        let overlaps = |old: &Piece| old.start < end(&new) && new.start < end(old);
        let last = |old: &Piece| !old.more && (end(&new) >= end(old) || !new.more);
        let beyond = |old: &Piece| !new.more && end(old) > end(&new);
        if self.pieces.iter().any(|old| overlaps(old) || last(old) || beyond(old)) {
            self.poisoned = true;
            return None;
        }
        self.pieces.push(new);
        self.pieces.sort_by_key(|piece| piece.start);
        let mut next = 0;
        for piece in &self.pieces {
            if piece.start != next {
                return Some(Vec::new());
            }
            next = end(piece);
        }
        if self.pieces.last().is_some_and(|piece| piece.more) {
            return Some(Vec::new());
        }
        let bytes = self.pieces.drain(..).flat_map(payload).collect();
        Some(bytes)
    }
}

proptest! {
    #![proptest_config(laws::config(2048))]

    // test: RFC 815 3
    // test: RFC 5722 overlap
    #[test]
    fn reassembly_agrees_with_the_model(pieces in proptest::collection::vec(piece(), 1..40)) {
        let mut reassembly = Reassembly::new(Limits::default());
        let mut models = vec![Model::default(); 3];
        let (interface, now) = (InterfaceId(0), Instant::from_secs(1));
        for piece in pieces {
            let (header, packet) = fragment(piece);
            let taken = reassembly.take(now, interface, Cast::Unicast, &header, &packet);
            let expected = models[usize::from(piece.identification)].take(piece);
            let got = match taken {
                Taken::Held | Taken::Duplicate => Some(Vec::new()),
                Taken::Whole(whole) => Some(whole.packet.to_vec().split_off(HEADER)),
                Taken::Refused { .. } | Taken::GivenUp { .. } => None,
            };
            prop_assert_eq!(got, expected, "after {:?}", piece);
            let held: usize = models.iter().filter(|m| !m.poisoned).map(|m| m.pieces.len()).sum();
            prop_assert_eq!(reassembly.fragments(), held);
        }
        // After its time nothing is left of anything, in the tables or in the accounts.
        while reassembly.pop_expired(now + Limits::default().reassembly_timeout).is_some() {}
        prop_assert_eq!((reassembly.fragments(), reassembly.held_bytes()), (0, 0));
        prop_assert!(reassembly.entries.is_empty() && reassembly.order.is_empty());
    }
}

// test: RFC 3168 5.3
#[test]
fn a_mark_on_any_fragment_is_a_mark_on_the_whole() {
    const ECT: u8 = 2;
    const CE: u8 = 3;
    for (marks, expected) in
        [([ECT, ECT, ECT], ECT), ([CE, ECT, ECT], CE), ([ECT, CE, ECT], CE), ([ECT, ECT, CE], CE)]
    {
        let mut reassembly = Reassembly::new(Limits::default());
        let mut whole = None;
        for (start, tos) in marks.into_iter().enumerate() {
            let (more, honest) = (start < 2, true);
            let (header, mut packet) =
                fragment(Piece { identification: 1, start, units: 1, more, honest });
            let header = Header { tos, ..header };
            packet.advance(HEADER);
            header.prepend_to(&mut packet);
            let (interface, now) = (InterfaceId(0), Instant::from_secs(1));
            if let Taken::Whole(done) =
                reassembly.take(now, interface, Cast::Unicast, &header, &packet)
            {
                whole = Some(done.packet.to_vec()[1]);
            }
        }
        assert_eq!(whole, Some(expected), "{marks:?}");
    }
}
