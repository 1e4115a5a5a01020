//! The rules of the receiver as a whole: how much of what is early it keeps.

use super::*;

/// A window of 4 MiB whose first segment is missing: all 2,871 others are kept, though no more
/// than 64 pieces may be if they are small.
// test: RFC 9293 SHLD-31
#[test]
fn a_hole_at_the_front_of_a_large_window_costs_nothing_behind_it() {
    const MSS: u32 = 1460;
    let capacity = 4 << 20;
    let mut receiver = Receiver::new(Seq(0), capacity, capacity, 7, MSS);
    let segments = capacity / MSS;
    let text = PacketBuf::copy_from(&[7; MSS as usize]);
    for n in 1..segments {
        let kept = receiver.text(Seq(1 + n * MSS), text.clone(), 64);
        assert_eq!(kept, Text::Early, "segment {n} of {segments}");
    }
    let filled = receiver.text(Seq(1), text, 64);
    assert_eq!(filled, Text::InOrder { bytes: segments * MSS, hole: true });
}

#[test]
fn small_pieces_are_bounded_by_the_setting() {
    let mut receiver = Receiver::new(Seq(0), 65_536, 65_536, 0, 1460);
    let refused = (0..1000)
        .filter(|n| {
            let text = PacketBuf::copy_from(b"x");
            receiver.text(Seq(3 + 2 * n), text, 100) == Text::Refused
        })
        .count();
    assert_eq!(refused, 900);
}
