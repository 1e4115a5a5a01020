//! Probing, announcing and defending, through the layer.

use layer::boundary::NextHop;
use layer::{Accounted, Layer, Note, Reason};

use super::*;
use crate::tests::{Bench, INTERFACE, config, ip, station};

const NOTHING: [&str; 0] = [];

/// What goes down until `seconds` after the start, with the times in ms after the start.
fn timeline(bench: &mut Bench, seconds: u64) -> Vec<(u64, String)> {
    let start = bench.now;
    let mut seen = Vec::new();
    for _ in 0..seconds * 1000 {
        bench.pass(0);
        let at = bench.now.since(start);
        let at = u64::try_from(at.as_millis()).unwrap();
        seen.extend(bench.down().into_iter().map(|line| (at, line)));
        bench.pass(1);
    }
    seen
}

fn conflict_note(mac: u8, defended: bool) -> Note {
    let (interface, address, mac) = (INTERFACE, ip(2).into(), station(mac));
    Note::AddressConflict { interface, address, mac, defended }
}

fn fresh(acd: Acd) -> Bench {
    let mut bench = Bench::new(config(acd));
    bench.pass(0);
    bench
}

// test: RFC 5227 1.1
// test: RFC 5227 2.1.1
// test: RFC 5227 2.3
#[test]
fn three_probes_then_two_announcements_at_the_standards_times() {
    // Times are random within bounds: look at several hosts.
    for key in 0..32 {
        let mut bench = Bench::new(Config { key: [key; 16], ..config(Acd::Strict) });
        let seen = timeline(&mut bench, 12);
        let lines: Vec<&str> = seen.iter().map(|(_, line)| line.as_str()).collect();
        let (probe, announce) = ("probe .2 -> all", "announce .2 -> all");
        assert_eq!(lines, [probe, probe, probe, announce, announce]);
        let at: Vec<u64> = seen.iter().map(|(at, _)| *at).collect();
        // PROBE_WAIT, PROBE_MIN to PROBE_MAX, ANNOUNCE_WAIT, ANNOUNCE_INTERVAL; 1 ms of ours.
        assert!(at[0] <= 1001, "{at:?}");
        assert!((1000..=2001).contains(&(at[1] - at[0])), "{at:?}");
        assert!((1000..=2001).contains(&(at[2] - at[1])), "{at:?}");
        assert!((2000..=2001).contains(&(at[3] - at[2])), "{at:?}");
        assert!((2000..=2001).contains(&(at[4] - at[3])), "{at:?}");
    }
}

#[test]
fn hosts_addresses_and_probes_wait_differently() {
    let claims = |key: u8| Claims::new(&Config { key: [key; 16], ..config(Acd::Strict) });
    let second = Duration::from_secs(1);
    let wait = |key, n, nth| claims(key).random(ip(n), nth, second, 2 * second);
    let waits = [wait(1, 2, 1), wait(2, 2, 1), wait(1, 3, 1), wait(1, 2, 2)];
    for (n, one) in waits.iter().enumerate() {
        assert!((second..2 * second).contains(one), "{waits:?}");
        assert!(!waits[n + 1..].contains(one), "{waits:?}");
    }
    assert_eq!(wait(1, 2, 1), waits[0], "the same host waits the same again");
}

// test: RFC 5227 2.1
#[test]
fn strictly_nothing_leaves_from_an_address_before_it_is_ready() {
    let mut bench = fresh(Acd::Strict);
    assert_eq!(bench.up(), ["tentative 10.9.0.2"]);
    bench.send(9, 1);
    bench.send_from(ip(2), NextHop::Broadcast, 2);
    assert_eq!(bench.arp.held_items(), 2);
    // It is not answered for either, and asks no questions.
    bench.hear_request(9, 9, 2);
    assert_eq!(bench.down(), NOTHING);
    // The probes end 4 to 7 s after the start.
    while bench.driver.up.is_empty() {
        bench.pass(100);
        assert!(bench.now < Instant::from_secs(108), "never ready");
    }
    assert_eq!(bench.up(), ["ready 10.9.0.2"]);
    let down = bench.down();
    let rest: Vec<&String> = down.iter().filter(|line| !line.starts_with("probe")).collect();
    let announce = "announce .2 -> all";
    let question = "who-has .9 tell .2 -> all";
    assert_eq!(rest[..3], [question, "packet 2 -> all", announce]);
    assert_eq!(
        bench.notes().first(),
        Some(&Note::AddressReady { interface: INTERFACE, address: ip(2).into() })
    );
}

#[test]
fn optimistically_an_address_is_used_and_announced_at_once() {
    let mut bench = fresh(Acd::Optimistic);
    assert_eq!(bench.up(), ["tentative 10.9.0.2"]);
    assert_eq!(bench.down(), ["announce .2 -> all"]);
    bench.hear_request(9, 9, 2);
    bench.send(9, 1);
    assert_eq!(bench.down(), [".2 is-at us tell .9 -> m9", "packet 1 -> m9"]);
    let seen = timeline(&mut bench, 12);
    assert_eq!(seen.iter().filter(|(_, line)| line == "probe .2 -> all").count(), 3);
    assert_eq!(seen.iter().filter(|(_, line)| line == "announce .2 -> all").count(), 2);
    assert_eq!(bench.up(), ["ready 10.9.0.2"]);
}

#[test]
fn without_detection_an_address_is_announced_and_conflicts_are_only_reported() {
    let mut bench = fresh(Acd::Off);
    assert_eq!(bench.up(), ["ready 10.9.0.2"]);
    bench.pass(20_000);
    assert_eq!(bench.down(), ["announce .2 -> all", "announce .2 -> all"]);
    bench.notes();
    bench.hear_request(9, 2, 2);
    assert_eq!(bench.notes(), [conflict_note(9, false)]);
    assert_eq!((bench.down(), bench.up()), (vec![], vec![]));
}

// test: RFC 5227 2.1.1
#[test]
fn an_answer_while_probing_takes_the_address_away() {
    for acd in [Acd::Strict, Acd::Optimistic] {
        for millis in [0, 500, 1500, 2500] {
            let mut bench = fresh(acd);
            bench.pass(millis);
            if acd == Acd::Strict {
                bench.send(9, 1);
            }
            bench.up();
            bench.notes();
            // Who has it answers our probe: the sender address is ours.
            bench.hear(Message::probe(crate::tests::US, ip(2)).reply(station(9)));
            assert_eq!(bench.up(), ["conflict 10.9.0.2"], "{acd:?} after {millis} ms");
            assert_eq!(bench.notes(), [conflict_note(9, false)]);
            assert_eq!(bench.arp.held_items(), 0);
            bench.down();
            // From now on it is theirs: not answered for, not sent from, not probed for.
            bench.hear_request(8, 8, 2);
            bench.send_from(ip(2), NextHop::Broadcast, 2);
            bench.pass(60_000);
            assert_eq!((bench.down(), bench.up()), (vec![], vec![]));
            let held_before = u64::from(acd == Acd::Strict);
            assert_eq!(bench.drops(Reason::ArpAddressConflict), 1 + held_before);
            let states: Vec<_> = bench.arp.addresses().collect();
            assert_eq!(states, [(ip(2).into(), AddressState::Conflict)]);
        }
    }
}

// test: RFC 5227 2.1.1
#[test]
fn a_rival_probe_while_probing_is_a_conflict() {
    let mut bench = fresh(Acd::Strict);
    bench.pass(1500);
    bench.up();
    bench.hear(Message::probe(station(9), ip(3)));
    assert_eq!(bench.up(), NOTHING, "a probe for another address is none of our business");
    // Our own probe, sent back by a bridge, is no rival either.
    bench.hear(Message::probe(crate::tests::US, ip(2)));
    assert_eq!(bench.up(), NOTHING);
    bench.hear(Message::probe(station(9), ip(2)));
    assert_eq!(bench.up(), ["conflict 10.9.0.2"]);
}

// test: RFC 5227 2.2
#[test]
fn an_address_is_probed_once_and_not_periodically() {
    let mut bench = Bench::optimistic();
    bench.pass(86_400_000);
    assert_eq!(bench.down(), NOTHING);
    assert_eq!(bench.arp.poll_at(), None);
}

// test: RFC 5227 2.4
#[test]
fn a_conflict_is_defended_once_in_ten_seconds() {
    let mut bench = Bench::optimistic();
    bench.hear_request(9, 2, 8);
    assert_eq!(bench.down(), ["announce .2 -> all"]);
    assert_eq!(bench.notes(), [conflict_note(9, true)]);
    bench.pass(9_999);
    bench.hear_request(9, 2, 8);
    assert_eq!(bench.down(), NOTHING);
    assert_eq!(bench.notes(), [conflict_note(9, false)]);
    bench.pass(1);
    bench.hear_reply(9, 2);
    assert_eq!(bench.down(), ["announce .2 -> all"]);
    assert_eq!(bench.notes(), [conflict_note(9, true)]);
    // The intruder is not learnt as a neighbour, and we keep the address.
    assert_eq!(bench.knows(2), None);
    assert_eq!(bench.up(), NOTHING);
}

// test: RFC 5227 2.4
#[test]
fn strictly_a_second_conflict_within_ten_seconds_takes_the_address_away() {
    let mut bench = Bench::settled(config(Acd::Strict));
    bench.hear_request(9, 2, 8);
    assert_eq!(bench.down(), ["announce .2 -> all"]);
    bench.pass(10_000);
    bench.hear_request(9, 2, 8);
    assert_eq!(bench.down(), ["announce .2 -> all"], "ten seconds later it starts anew");
    bench.pass(9_999);
    bench.notes();
    bench.hear_request(9, 2, 8);
    assert_eq!((bench.down(), bench.up()), (vec![], vec!["conflict 10.9.0.2".to_owned()]));
    assert_eq!(bench.notes(), [conflict_note(9, false)]);
    // Now the other is a neighbour like any other, at the address that was ours.
    bench.hear_request(9, 2, 2);
    assert_eq!(bench.down(), NOTHING);
}

// test: RFC 5227 2.5
#[test]
fn a_probe_is_answered_and_teaches_nothing() {
    for acd in [Acd::Strict, Acd::Optimistic, Acd::Off] {
        let mut bench = Bench::settled(config(acd));
        bench.hear(Message::probe(station(9), ip(2)));
        assert_eq!(bench.down(), [".2 is-at us tell nobody -> m9"], "{acd:?}");
        assert_eq!(bench.arp.neighbours(bench.now).count(), 0);
        assert_eq!((bench.up(), bench.notes()), (vec![], vec![]), "a probe is no conflict");
    }
}

#[test]
fn packets_that_wait_for_a_neighbour_do_not_outlive_their_source() {
    let mut bench = fresh(Acd::Optimistic);
    bench.send(9, 1);
    bench.down();
    bench.hear_reply(8, 2);
    assert_eq!(bench.up(), ["tentative 10.9.0.2", "conflict 10.9.0.2"]);
    bench.hear_request(9, 9, 9);
    assert_eq!(bench.down(), NOTHING);
    assert_eq!(bench.drops(Reason::ArpAddressConflict), 1);
}

#[test]
fn one_address_in_conflict_leaves_the_others_alone() {
    let mut config = config(Acd::Strict);
    config.addresses = vec![ip(2), ip(3)];
    let mut bench = Bench::new(config);
    bench.pass(500);
    bench.hear_reply(9, 2);
    bench.pass(20_000);
    bench.down();
    bench.send_from(ip(3), NextHop::Neighbour(ip(9).into()), 1);
    assert_eq!(bench.down(), ["who-has .9 tell .3 -> all"]);
    let states: Vec<_> = bench.arp.addresses().map(|(_, state)| state).collect();
    assert_eq!(states, [AddressState::Conflict, AddressState::Ready]);
    // A packet from elsewhere is asked for by the address that is left.
    bench.send_from(ip(77), NextHop::Neighbour(ip(8).into()), 2);
    assert_eq!(bench.down(), ["who-has .8 tell .3 -> all"]);
}
