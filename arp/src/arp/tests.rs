//! Resolution, answers and learning, rule by rule.

use layer::boundary::{Reachability, ethertype};
use layer::{InterfaceId, PacketBuf};

use super::*;
use crate::tests::{Bench, US, config, ip, packet, station};
use crate::{Acd, Limits};

const NOTHING: [&str; 0] = [];

fn known(state: NeighbourState, mac: u8) -> Option<(NeighbourState, Option<MacAddr>)> {
    Some((state, Some(station(mac))))
}

// test: RFC 826 request
#[test]
fn a_packet_waits_for_the_answer_and_leaves() {
    let mut bench = Bench::optimistic();
    bench.send(9, 1);
    assert_eq!(bench.down(), ["who-has .9 tell .2 -> all"]);
    assert_eq!(bench.arp.held_items(), 1);
    bench.hear_reply(9, 9);
    assert_eq!(bench.down(), ["packet 1 -> m9"]);
    assert_eq!(bench.arp.held_items(), 0);
    bench.send(9, 2);
    assert_eq!(bench.down(), ["packet 2 -> m9"]);
    assert_eq!(bench.up(), NOTHING);
}

#[test]
fn the_address_that_asks_is_that_of_the_packet() {
    let mut config = config(Acd::Off);
    config.addresses = vec![ip(2), ip(3)];
    let mut bench = Bench::settled(config);
    bench.send_from(ip(3), NextHop::Neighbour(ip(9).into()), 1);
    assert_eq!(bench.down(), ["who-has .9 tell .3 -> all"]);
    bench.pass(1000);
    assert_eq!(bench.down(), ["who-has .9 tell .3 -> all"]);
    // Somebody else's source: ours that comes first asks.
    bench.send_from(ip(77), NextHop::Neighbour(ip(8).into()), 1);
    assert_eq!(bench.down(), ["who-has .8 tell .2 -> all"]);
}

// test: RFC 826 answer
#[test]
fn a_request_for_us_is_answered_once_to_the_asker() {
    let mut bench = Bench::optimistic();
    bench.hear_request(9, 9, 2);
    assert_eq!(bench.down(), [".2 is-at us tell .9 -> m9"]);
    bench.pass(60_000);
    assert_eq!(bench.down(), NOTHING);
}

// test: RFC 826 ignore
#[test]
fn a_request_for_another_is_not_answered() {
    let mut bench = Bench::optimistic();
    bench.hear_request(9, 9, 8);
    assert_eq!(bench.down(), NOTHING);
    assert_eq!(bench.drops(Reason::ArpNotForUs), 1);
}

// test: RFC 826 merge
#[test]
fn only_who_speaks_to_us_is_taken_in_and_everybody_known_is_updated() {
    let mut bench = Bench::optimistic();
    // Unknown, and not for us: neither a request nor a gratuitous one teaches.
    bench.hear_request(9, 9, 8);
    bench.hear_request(9, 9, 9);
    assert_eq!(bench.knows(9), None);
    // Unknown, for us: learnt, so our packets need no question.
    bench.hear_request(9, 9, 2);
    assert_eq!(bench.knows(9), known(NeighbourState::Reachable, 9));
    // Known, not for us: updated.
    bench.hear_request(10, 9, 8);
    assert_eq!(bench.knows(9), known(NeighbourState::Reachable, 10));
    bench.down();
    bench.send(9, 1);
    assert_eq!(bench.down(), ["packet 1 -> m10"]);
    // Unknown, a reply for us that nobody asked for: learnt too, says the rule.
    bench.hear_reply(7, 7);
    assert_eq!(bench.knows(7), known(NeighbourState::Reachable, 7));
}

// test: RFC 826 merge
#[test]
fn a_neighbour_whose_address_changes_is_followed() {
    let mut bench = Bench::optimistic();
    bench.hear_reply(9, 9);
    assert_eq!(
        bench.notes(),
        [Note::Neighbour {
            interface: InterfaceId(3),
            address: ip(9).into(),
            mac: Some(station(9))
        }]
    );
    // It announces its new network card.
    bench.hear_request(10, 9, 9);
    assert_eq!(
        bench.notes(),
        [Note::Neighbour {
            interface: InterfaceId(3),
            address: ip(9).into(),
            mac: Some(station(10))
        }]
    );
    bench.send(9, 1);
    assert_eq!(bench.down(), ["packet 1 -> m10"]);
}

#[test]
fn a_question_of_the_one_we_ask_is_an_answer_too() {
    let mut bench = Bench::optimistic();
    bench.send(9, 1);
    bench.down();
    bench.hear_request(9, 9, 8);
    assert_eq!(bench.down(), ["packet 1 -> m9"]);
}

// test: RFC 826 format
#[test]
fn malformed_messages_are_counted_and_change_nothing() {
    let mut bench = Bench::optimistic();
    let good = Message::request(station(9), ip(9), ip(2)).to_packet().to_vec();
    for at in 0..8 {
        let mut bytes = good.clone();
        bytes[at] ^= 0x40;
        bench.receive(ethertype::ARP, PacketBuf::copy_from(&bytes));
    }
    bench.receive(ethertype::ARP, PacketBuf::copy_from(&good[..27]));
    assert_eq!(bench.drops(Reason::ArpMalformed), 9);
    assert_eq!(bench.down(), NOTHING);
    assert_eq!(bench.knows(9), None);
}

#[test]
fn impossible_senders_are_refused() {
    let mut bench = Bench::optimistic();
    let ask = |mac, from| Message::request(mac, from, ip(2));
    bench.hear(ask(MacAddr::BROADCAST, ip(9)));
    bench.hear(ask(MacAddr([1, 0, 0x5e, 0, 0, 1]), ip(9)));
    bench.hear(ask(MacAddr::ZERO, ip(9)));
    bench.hear(ask(US, ip(9)));
    bench.hear(ask(station(9), Ipv4Addr::BROADCAST));
    bench.hear(ask(station(9), Ipv4Addr::new(224, 0, 0, 1)));
    bench.hear(ask(station(9), Ipv4Addr::LOCALHOST));
    assert_eq!(bench.drops(Reason::ArpBadSender), 7);
    bench.hear(Message { operation: Operation::Reply, ..ask(station(9), Ipv4Addr::UNSPECIFIED) });
    assert_eq!(bench.drops(Reason::ArpBadSender), 8);
    assert_eq!(bench.down(), NOTHING);
}

// test: RFC 1122 2.3.2.1
#[test]
fn three_questions_a_second_apart_then_unreachable() {
    let mut bench = Bench::optimistic();
    let asked = "who-has .9 tell .2 -> all";
    for number in 1..=5 {
        bench.send(9, number);
    }
    assert_eq!(bench.down(), [asked], "one question however many packets");
    bench.pass(999);
    bench.send(9, 6);
    assert_eq!(bench.down(), NOTHING);
    bench.pass(1);
    assert_eq!(bench.down(), [asked]);
    bench.pass(1000);
    assert_eq!(bench.down(), [asked]);
    bench.pass(999);
    assert_eq!(bench.up(), NOTHING);
    bench.pass(1);
    let back: Vec<String> = (1..=6).map(|n| format!("unreachable 10.9.0.9 {n}")).collect();
    assert_eq!(bench.up(), back);
    assert_eq!(bench.arp.held_items(), 0);
    // Held down: refused at once, nobody is asked.
    bench.send(9, 7);
    assert_eq!(bench.up(), ["unreachable 10.9.0.9 7"]);
    bench.pass(3000);
    assert_eq!(bench.down(), NOTHING);
    // After that a packet asks again.
    bench.send(9, 8);
    assert_eq!(bench.down(), [asked]);
}

#[test]
fn a_neighbour_that_wakes_up_ends_the_hold_down() {
    let mut bench = Bench::optimistic();
    bench.send(9, 1);
    bench.pass(3000);
    bench.down();
    assert_eq!(bench.knows(9), Some((NeighbourState::Failed, None)));
    bench.hear_request(9, 9, 9);
    bench.send(9, 2);
    assert_eq!(bench.down(), ["packet 2 -> m9"]);
}

// test: RFC 1122 2.3.2.2
#[test]
fn the_newest_packets_wait_in_order() {
    let mut config = config(Acd::Off);
    config.limits.held_per_neighbour = 2;
    let mut bench = Bench::settled(config);
    for number in 1..=4 {
        bench.send(9, number);
    }
    assert_eq!(bench.drops(Reason::ArpQueueFull), 2);
    bench.down();
    bench.hear_reply(9, 9);
    assert_eq!(bench.down(), ["packet 3 -> m9", "packet 4 -> m9"]);
}

// test: RFC 1122 2.3.2.1
#[test]
fn a_stale_neighbour_stays_in_use_while_it_is_asked_by_unicast() {
    let mut bench = Bench::optimistic();
    bench.hear_reply(9, 9);
    bench.pass(44_999);
    bench.send(9, 1);
    assert_eq!(bench.down(), ["packet 1 -> m9"]);
    bench.pass(1);
    assert_eq!(bench.knows(9), known(NeighbourState::Stale, 9));
    assert_eq!(bench.down(), NOTHING, "nobody is asked while nothing is sent");
    bench.send(9, 2);
    assert_eq!(bench.down(), ["packet 2 -> m9", "who-has .9 tell .2 -> m9"]);
    bench.send(9, 3);
    assert_eq!(bench.down(), ["packet 3 -> m9"]);
    bench.hear_reply(9, 9);
    assert_eq!(bench.knows(9), known(NeighbourState::Reachable, 9));
    bench.pass(10_000);
    assert_eq!(bench.down(), NOTHING);
}

// test: RFC 1122 2.3.2.1
#[test]
fn a_wrong_entry_is_mended_within_a_minute() {
    let mut bench = Bench::optimistic();
    // The station moves to m10 right after we heard of it at m9, and says nothing.
    bench.hear_reply(9, 9);
    let moved = bench.now;
    let mut found = None;
    for number in 0..60 {
        bench.send(9, number);
        let asked_all = bench.down().contains(&"who-has .9 tell .2 -> all".to_owned());
        if asked_all {
            bench.hear_reply(10, 9);
            found = Some(bench.now.since(moved));
            assert_eq!(bench.down(), [format!("packet {number} -> m10")]);
            break;
        }
        bench.pass(1000);
    }
    let took = found.expect("the broadcast that finds it again");
    assert!(took <= Duration::from_secs(60), "took {took:?}");
}

#[test]
fn a_neighbour_unseen_for_long_is_asked_for_anew() {
    let mut bench = Bench::optimistic();
    bench.hear_reply(9, 9);
    bench.pass(345_000);
    assert_eq!(bench.knows(9), None);
    bench.send(9, 1);
    assert_eq!(bench.down(), ["who-has .9 tell .2 -> all"]);
}

// test: RFC 1122 2.3.2.1
#[test]
fn the_transports_word_keeps_an_entry_alive() {
    let mut bench = Bench::optimistic();
    bench.hear_reply(9, 9);
    for number in 0..10 {
        bench.pass(40_000);
        bench.send_hinted(Reachability::Confirmed, 9, number);
        assert_eq!(bench.down(), [format!("packet {number} -> m9")]);
    }
    // Also once it is stale, or being probed.
    bench.pass(50_000);
    bench.send(9, 11);
    assert_eq!(bench.down().len(), 2);
    assert_eq!(bench.knows(9), known(NeighbourState::Probing, 9));
    bench.send_hinted(Reachability::Confirmed, 9, 12);
    assert_eq!(bench.knows(9), known(NeighbourState::Reachable, 9));
}

// RFC 9293 3.8.3: the transport's doubt has a neighbour asked again that was heard just now; while
// it is asked, it is used, and it stays if it answers.
// test: RFC 9293 MUST-20
#[test]
fn the_transports_doubt_has_the_neighbour_asked_again() {
    let mut bench = Bench::optimistic();
    bench.hear_reply(9, 9);
    bench.pass(5000);
    bench.send(9, 1);
    assert_eq!(bench.down(), ["packet 1 -> m9"]);
    bench.send_hinted(Reachability::Doubted, 9, 2);
    assert_eq!(bench.down(), ["packet 2 -> m9", "who-has .9 tell .2 -> m9"]);
    assert_eq!(bench.knows(9), known(NeighbourState::Probing, 9));
    bench.hear_reply(9, 9);
    assert_eq!(bench.knows(9), known(NeighbourState::Reachable, 9));
    // Doubted again and silent now: three questions, and it is forgotten.
    bench.send_hinted(Reachability::Doubted, 9, 3);
    bench.pass(10_000);
    bench.down();
    bench.send(9, 4);
    assert_eq!(bench.down(), ["who-has .9 tell .2 -> all"]);
}

#[test]
fn static_neighbours_neither_expire_nor_change() {
    let mut bench = Bench::optimistic();
    bench.arp.add_static(bench.now, ip(9), station(9)).unwrap();
    bench.hear_request(10, 9, 2);
    assert_eq!(bench.down(), [".2 is-at us tell .9 -> m10"]);
    bench.pass(1_000_000);
    bench.send(9, 1);
    assert_eq!(bench.down(), ["packet 1 -> m9"]);
    assert_eq!(bench.knows(9), known(NeighbourState::Static, 9));
    assert!(bench.arp.remove(ip(9)));
    assert!(!bench.arp.remove(ip(9)));
    assert_eq!(bench.knows(9), None);
}

#[test]
fn a_neighbour_set_while_packets_wait_lets_them_go() {
    let mut bench = Bench::optimistic();
    bench.send(9, 1);
    assert!(!bench.arp.remove(ip(9)), "packets wait for it");
    bench.down();
    bench.arp.add_static(bench.now, ip(9), station(9)).unwrap();
    assert_eq!(bench.arp.poll_at(), Some(Instant::ZERO));
    assert!(!bench.arp.remove(ip(9)), "packets still wait for it");
    bench.pass(0);
    assert_eq!(bench.down(), ["packet 1 -> m9"]);
    bench.pass(10_000);
    assert_eq!(bench.down(), NOTHING);
}

#[test]
fn a_full_table_makes_room_for_what_is_used_and_refuses_what_it_cannot_place() {
    let mut config = config(Acd::Off);
    config.limits.neighbours = 4;
    let mut bench = Bench::settled(config);
    bench.arp.add_static(bench.now, ip(100), station(100)).unwrap();
    bench.hear_reply(9, 9);
    bench.send(9, 1);
    // A flood of made-up neighbours pushes out its own kind only.
    for n in 20..60 {
        bench.hear_request(n, n, 2);
    }
    assert_eq!(bench.arp.neighbours(bench.now).count(), 4);
    assert_eq!(bench.knows(9), known(NeighbourState::Reachable, 9));
    assert_eq!(bench.knows(100), known(NeighbourState::Static, 100));
    // Neighbours being asked for may not go: the sixth finds no place.
    bench.pass(1);
    for n in 60..63 {
        bench.send(n, n);
    }
    bench.send(63, 63);
    assert_eq!(bench.drops(Reason::ArpTableFull), 1);
    assert_eq!(bench.arp.add_static(bench.now, ip(101), station(1)), Err(TableFull));
}

// test: RFC 1112 mapping
#[test]
fn groups_and_broadcast_need_no_answer() {
    let mut bench = Bench::optimistic();
    bench.send_from(ip(2), NextHop::Broadcast, 1);
    bench.send_from(ip(2), NextHop::Group(Ipv4Addr::new(224, 0, 0, 251).into()), 2);
    // The low 23 bits: 239.129.2.3 loses the top bit of its second byte.
    bench.send_from(ip(2), NextHop::Group(Ipv4Addr::new(239, 129, 2, 3).into()), 3);
    bench.send_from(ip(2), NextHop::Group("ff02::1:ff00:9".parse().unwrap()), 4);
    assert_eq!(
        bench.down(),
        [
            "packet 1 -> all",
            "packet 2 -> 01:00:5e:00:00:fb",
            "packet 3 -> 01:00:5e:01:02:03",
            "packet 4 -> 33:33:ff:00:00:09",
        ]
    );
}

#[test]
fn next_hops_that_cannot_be_resolved_are_counted() {
    let mut bench = Bench::optimistic();
    for next_hop in [
        NextHop::Neighbour(Ipv4Addr::UNSPECIFIED.into()),
        NextHop::Neighbour(Ipv4Addr::BROADCAST.into()),
        NextHop::Neighbour(Ipv4Addr::new(224, 0, 0, 1).into()),
        NextHop::Neighbour(ip(2).into()),
        NextHop::Neighbour("fe80::1".parse().unwrap()),
        NextHop::Group(ip(9).into()),
        NextHop::Group("fe80::1".parse().unwrap()),
    ] {
        bench.send_from(ip(2), next_hop, 1);
    }
    assert_eq!(bench.drops(Reason::ArpUnresolvable), 7);
    assert_eq!(bench.down(), NOTHING);
}

#[test]
fn without_an_address_nobody_is_asked() {
    let mut config = config(Acd::Off);
    config.addresses = vec![];
    let mut bench = Bench::settled(config);
    bench.send_from(Ipv4Addr::UNSPECIFIED, NextHop::Neighbour(ip(9).into()), 1);
    assert_eq!(bench.drops(Reason::ArpUnresolvable), 1);
    bench.send_from(Ipv4Addr::UNSPECIFIED, NextHop::Broadcast, 2);
    assert_eq!(bench.down(), ["packet 2 -> all"]);
}

#[test]
fn ip_packets_pass_up_and_other_types_do_not() {
    let mut bench = Bench::optimistic();
    bench.receive(ethertype::IPV4, packet(ip(9), 1));
    bench.receive(ethertype::IPV6, packet(ip(9), 2));
    bench.receive(0x88cc, packet(ip(9), 3));
    assert_eq!(bench.up(), ["packet 0800 1", "packet 86dd 2"]);
    assert_eq!(bench.drops(Reason::LinkUnknownType), 1);
    // An IP packet teaches nothing: only ARP does.
    assert_eq!(bench.knows(9), None);
}

#[test]
fn a_full_outlet_delays_questions_and_loses_none() {
    let mut bench = Bench::optimistic();
    for n in 10..20 {
        bench.send(n, n);
    }
    bench.down();
    bench.driver.down.set_capacity(1);
    bench.now += Duration::from_secs(1);
    let mut asked = Vec::new();
    for _ in 0..10 {
        bench.arp.poll(bench.now, &mut bench.driver.out());
        assert_eq!(bench.driver.down.len(), 1, "as many as there is room for");
        asked.extend(bench.down());
    }
    let all: Vec<String> = (10..20).map(|n| format!("who-has .{n} tell .2 -> all")).collect();
    asked.sort();
    assert_eq!(asked, all);
}

/// L7: a thousand neighbours, none of them due.
#[test]
fn an_idle_poll_touches_no_neighbour() {
    let limits = Limits { neighbours: 2000, ..Limits::default() };
    let mut bench = Bench::settled(Config { limits, ..config(Acd::Off) });
    for n in 0..1000_u16 {
        let [high, low] = n.to_be_bytes();
        let target = Ipv4Addr::new(10, 9, 1 + high, low);
        bench.send_from(ip(2), NextHop::Neighbour(target.into()), 1);
    }
    laws::idle_poll_touches_nothing(&mut bench.arp, bench.now, Arp::entries_examined);
}

#[test]
fn counters_tell_what_happened() {
    let mut bench = Bench::optimistic();
    bench.send(9, 1);
    bench.hear_reply(9, 9);
    bench.hear_request(9, 9, 2);
    bench.send(8, 1);
    bench.pass(3000);
    let mut seen = Vec::new();
    bench.arp.counters(&mut |name, value| seen.push((name, value)));
    for (name, value) in [
        ("ArpInRequests", 1),
        ("ArpInReplies", 1),
        ("ArpOutRequests", 4),
        ("ArpOutReplies", 1),
        ("ArpOutProbes", 3),
        ("ArpOutAnnouncements", 3),
        ("ArpNeighboursLearnt", 1),
        ("ArpResolutionsFailed", 1),
        ("ArpConflicts", 0),
    ] {
        assert!(seen.contains(&(name, value)), "{name} {value} in {seen:?}");
    }
}
