//! The table against a naive one that scans, and its bounds under pressure.

use core::time::Duration;
use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn mac(n: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 0, n])
}

/// One neighbour of the naive table, told as history instead of states.
#[derive(Clone, Copy, Debug, Default)]
struct Naive {
    fixed: Option<MacAddr>,
    /// Where it was last heard, and until when that is trusted.
    heard: Option<(MacAddr, Instant)>,
    /// Questions of the resolution under way, and when the next is due.
    asking: Option<(u32, Instant)>,
    refused_until: Option<Instant>,
}

/// The rules once more, by plain scanning: no slots, no hints, no hand.
#[derive(Debug)]
struct Model {
    limits: Limits,
    table: BTreeMap<u8, Naive>,
}

fn hint(confirmed: bool) -> Reachability {
    if confirmed { Reachability::Confirmed } else { Reachability::Unknown }
}

impl Model {
    fn consult(&mut self, now: Instant, address: u8, confirmed: bool) -> Advice {
        let Limits { request_interval, reachable, stale, .. } = self.limits;
        let entry = self.table.entry(address).or_default();
        if let Some(mac) = entry.fixed {
            return Advice::Send(mac);
        }
        if let Some((mac, until)) = entry.heard {
            if confirmed {
                entry.heard = Some((mac, now + reachable));
                entry.asking = None;
                return Advice::Send(mac);
            }
            if now < until || entry.asking.is_some() {
                return Advice::Send(mac);
            }
            let asking = Some((1, now + request_interval));
            if now < until + stale {
                entry.asking = asking;
                return Advice::SendAndAsk(mac);
            }
            *entry = Naive { asking, ..Naive::default() };
            return Advice::WaitAndAsk;
        }
        if entry.asking.is_some() {
            return Advice::Wait;
        }
        if entry.refused_until.is_some_and(|until| now < until) {
            return Advice::Unreachable;
        }
        *entry = Naive { asking: Some((1, now + request_interval)), ..Naive::default() };
        Advice::WaitAndAsk
    }

    fn heard(&mut self, now: Instant, address: u8, mac: MacAddr, take_in: bool) -> Heard {
        let reachable = self.limits.reachable;
        let heard = Some((mac, now + reachable));
        match self.table.get_mut(&address) {
            Some(entry) if entry.fixed.is_some() => Heard::Known { news: false },
            Some(entry) => {
                let news = entry.heard.is_none_or(|(before, _)| before != mac);
                *entry = Naive { heard, ..Naive::default() };
                Heard::Known { news }
            }
            None if take_in => {
                self.table.insert(address, Naive { heard, ..Naive::default() });
                Heard::Known { news: true }
            }
            None => Heard::Unknown,
        }
    }

    fn due(&mut self, now: Instant) -> Vec<Due<u8>> {
        let mut all = Vec::new();
        for (&target, entry) in &mut self.table {
            let Some((tries, at)) = entry.asking.filter(|&(_, at)| at <= now) else { continue };
            assert!(at <= now);
            let mac = entry.heard.map(|(mac, _)| mac);
            if tries < self.limits.tries {
                entry.asking = Some((tries + 1, now + self.limits.request_interval));
                all.push(Due::Ask { target, from: 0, mac });
            } else if mac.is_some() {
                all.push(Due::Gone(target));
            } else {
                let refused_until = Some(now + self.limits.hold_down);
                *entry = Naive { refused_until, ..Naive::default() };
                all.push(Due::Failed(target));
            }
        }
        self.table.retain(|&address, _| !all.contains(&Due::Gone(address)));
        all
    }

    fn poll_at(&self) -> Option<Instant> {
        self.table.values().filter_map(|entry| entry.asking.map(|(_, at)| at)).min()
    }
}

#[derive(Clone, Debug)]
enum Step {
    Consult(u8, bool),
    Heard(u8, u8, bool),
    Fix(u8, u8),
    Remove(u8),
    Advance(Duration),
}

fn steps(addresses: u8) -> impl Strategy<Value = Vec<Step>> {
    let address = move || 1..=addresses;
    let step = prop_oneof![
        6 => (address(), any::<bool>()).prop_map(|(a, confirmed)| Step::Consult(a, confirmed)),
        4 => (address(), 0_u8..3, any::<bool>()).prop_map(|(a, m, take)| Step::Heard(a, m, take)),
        1 => (address(), 0_u8..3).prop_map(|(a, m)| Step::Fix(a, m)),
        1 => address().prop_map(Step::Remove),
        4 => (1_u64..2000).prop_map(|ms| Step::Advance(Duration::from_millis(ms))),
        1 => (1_u64..400).prop_map(|s| Step::Advance(Duration::from_secs(s))),
    ];
    prop::collection::vec(step, 0..120)
}

fn drain(cache: &mut Cache<u8>, now: Instant) -> Vec<Due<u8>> {
    core::iter::from_fn(|| cache.due(now)).collect()
}

fn key(due: &Due<u8>) -> u8 {
    match due {
        Due::Ask { target, .. } | Due::Failed(target) | Due::Gone(target) => *target,
    }
}

proptest! {
    #![proptest_config(laws::config(512))]

    #[test]
    fn equals_a_table_that_scans(steps in steps(4)) {
        let limits = Limits::default();
        let mut cache = Cache::new(limits, [1; 16]);
        let mut model = Model { limits, table: BTreeMap::new() };
        let mut now = Instant::from_secs(1);
        for step in steps {
            match step {
                Step::Consult(address, confirmed) => {
                    let expected = Some(model.consult(now, address, confirmed));
                    prop_assert_eq!(cache.consult(now, address, 0, hint(confirmed)), expected);
                }
                Step::Heard(address, m, take_in) => {
                    let expected = model.heard(now, address, mac(m), take_in);
                    prop_assert_eq!(cache.heard(now, address, mac(m), take_in), expected);
                }
                Step::Fix(address, m) => {
                    let fixed = Naive { fixed: Some(mac(m)), ..Naive::default() };
                    model.table.insert(address, fixed);
                    prop_assert!(cache.fix(now, address, mac(m)));
                }
                Step::Remove(address) => {
                    let expected = model.table.remove(&address).is_some();
                    prop_assert_eq!(cache.remove(address).is_some(), expected);
                }
                Step::Advance(span) => {
                    now += span;
                    // The order among several that are due together is free.
                    let mut seen = drain(&mut cache, now);
                    seen.sort_by_key(key);
                    prop_assert_eq!(seen, model.due(now));
                }
            }
            // Hints may be early, never late.
            let (hinted, truth) = (cache.poll_at(), model.poll_at());
            let never_late = truth.is_none_or(|truth| hinted.is_some_and(|at| at <= truth));
            prop_assert!(never_late, "hinted {:?}, due {:?}", hinted, truth);
        }
    }

    /// With room for a few only: the table stays bounded, static entries stay, and nobody is asked
    /// twice within a second (RFC 1122 2.3.2.1), however entries come and go.
    #[test]
    fn pressure_breaks_no_bound(steps in steps(40)) {
        let limits = Limits { neighbours: 4, ..Limits::default() };
        let mut cache = Cache::new(limits, [1; 16]);
        let mut asked: BTreeMap<u8, Instant> = BTreeMap::new();
        let mut fixed: Vec<u8> = Vec::new();
        let mut now = Instant::from_secs(1);
        for step in steps {
            let mut asks = Vec::new();
            match step {
                Step::Consult(address, confirmed) => {
                    match cache.consult(now, address, 0, hint(confirmed)) {
                        Some(Advice::WaitAndAsk | Advice::SendAndAsk(_)) => asks.push(address),
                        Some(Advice::Send(_) | Advice::Wait | Advice::Unreachable) | None => {}
                    }
                }
                Step::Heard(address, m, take_in) => {
                    cache.heard(now, address, mac(m), take_in);
                }
                Step::Fix(address, m) => {
                    fixed.retain(|&a| a != address);
                    // What people do by hand is not rate limited.
                    asked.remove(&address);
                    if cache.fix(now, address, mac(m)) {
                        fixed.push(address);
                    }
                }
                Step::Remove(address) => {
                    fixed.retain(|&a| a != address);
                    asked.remove(&address);
                    cache.remove(address);
                }
                Step::Advance(span) => {
                    now += span;
                    for due in drain(&mut cache, now) {
                        match due {
                            Due::Ask { target, .. } => asks.push(target),
                            Due::Failed(_) | Due::Gone(_) => {}
                        }
                    }
                }
            }
            for target in asks {
                let before = asked.insert(target, now);
                let apart = before.is_none_or(|at| now.since(at) >= Duration::from_secs(1));
                prop_assert!(apart, "{} asked at {:?} and {}", target, before, now);
            }
            prop_assert!(cache.iter().count() <= 4);
            prop_assert!(fixed.iter().all(|&address| cache.get(address).is_some()));
            prop_assert_eq!(cache.iter().count(), cache.index.len());
        }
    }
}

/// Heap entries do not pile up while neighbours come, go and come again.
#[test]
fn hints_are_bounded_by_the_questions_under_way() {
    let limits = Limits { neighbours: 8, ..Limits::default() };
    let mut cache = Cache::new(limits, [1; 16]);
    let mut now = Instant::from_secs(1);
    for round in 0..10_000_u32 {
        cache.heard(now, round, mac(1), true);
        if round % 4 == 0 {
            cache.consult(now, round, 0, Reachability::Unknown);
        }
        now += Duration::from_micros(10);
        while cache.due(now).is_some() {}
        assert!(cache.deadlines.len() <= 16, "{} hints", cache.deadlines.len());
    }
    assert_eq!(cache.evicted(), 10_000 - 8);
}
