//! The table against a naive list, and its size.

use core::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;

fn tuple(n: u16) -> Tuple {
    let local = SocketAddr::from(([10, 9, 0, 2], 80));
    let remote = match n % 2 {
        0 => SocketAddr::from(([10, 9, 0, 1], n)),
        _ => SocketAddr::new(Ipv6Addr::from([0x20, 1, 0xd, 0xb8, 0, 0, 0, n]).into(), n),
    };
    Tuple { local, remote }
}

fn wait() -> Wait {
    Wait { snd_nxt: Seq(1), rcv_nxt: Seq(2), stamps: None, ttl: None, tos: 0 }
}

#[test]
fn addresses_of_both_families_survive_packing() {
    for n in 0..4 {
        assert_eq!(Packed::of(&tuple(n)).tuple(), tuple(n));
    }
    let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let tuple = Tuple { local: any, remote: any };
    assert_eq!(Packed::of(&tuple).tuple(), tuple);
}

#[test]
fn a_place_is_small() {
    assert!(size_of::<Place>() <= 96, "{}", size_of::<Place>());
}

proptest! {
    /// Against a list of tuples in order of expiry.
    #[test]
    fn behaves_like_a_queue_with_removal(
        steps in proptest::collection::vec((0_u8..4, 0_u16..12), 1..200),
    ) {
        let mut table = TimeWaits::new([3; 16]);
        let mut model: Vec<(Tuple, Instant)> = Vec::new();
        for (now, (step, n)) in steps.into_iter().enumerate() {
            let now = Instant::from_secs(now as u64);
            match step {
                0 | 1 => {
                    model.retain(|(known, _)| *known != tuple(n));
                    model.push((tuple(n), now + core::time::Duration::from_secs(9)));
                    table.insert(&tuple(n), wait(), now + core::time::Duration::from_secs(9));
                }
                2 => {
                    let known = model.iter().any(|(known, _)| *known == tuple(n));
                    model.retain(|(known, _)| *known != tuple(n));
                    prop_assert_eq!(table.remove(&tuple(n)), known);
                }
                _ => {
                    let due = model.first().filter(|(_, at)| *at <= now).map(|(first, _)| *first);
                    if due.is_some() {
                        model.remove(0);
                    }
                    prop_assert_eq!(table.pop_expired(now), due);
                }
            }
            prop_assert_eq!(table.len(), model.len());
            prop_assert_eq!(table.next(), model.first().map(|(_, at)| *at));
            let infos = table.infos(Instant::ZERO);
            let shown: Vec<SocketAddr> = infos.map(|info| info.remote).collect();
            let expected: Vec<SocketAddr> = model.iter().map(|(t, _)| t.remote).collect();
            prop_assert_eq!(shown, expected);
            for n in 0..12 {
                let known = model.iter().any(|(known, _)| *known == tuple(n));
                prop_assert_eq!(table.contains(&tuple(n)), known);
            }
        }
    }
}
