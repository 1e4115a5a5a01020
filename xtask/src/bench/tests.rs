//! Tests of what can be wrong without a network: statistics, parsing, choice of rows, the looks.

use std::path::PathBuf;

use super::cpu::{self, CpuTime};
use super::load::{RoundTrips, Sample, found_by_iperf, resident_in, retransmitted_in};
use super::outcome::{self, Outcome};
use super::plan::{self, Choice, Measure, Peer, Placement, Row, Setup, Way};
use super::stats::{Spread, percentile};
use super::targets::{self, Check, Verdict};
use super::{build, chart, choose, table};
use crate::netns::case::Pipeline;

const IN: Measure = Measure::Bulk { way: Way::In, streams: 1 };
const OUT: Measure = Measure::Bulk { way: Way::Out, streams: 1 };

fn row(measure: Measure, peer: Peer) -> Row {
    Row { measure, setup: Setup { peer, offload: true, mtu: 1500 } }
}

/// A bulk sample of a second; 1 Gbit/s is 125,000,000 bytes.
fn bulk(gigabits: u64, foreign_share: f64) -> Sample {
    Sample {
        bytes: gigabits * 125_000_000,
        seconds: 1.0,
        cpu: CpuTime { stack: 0.5, load: 0.25, softirq: 0.125, foreign_share },
        retransmitted: 3,
        ..Sample::default()
    }
}

fn ping(p50_us: f64) -> Sample {
    let round_trips = RoundTrips { count: 100_000, p50_us, p99_us: 2.0 * p50_us, p999_us: 90.0 };
    Sample { bytes: 100_000, round_trips: Some(round_trips), ..bulk(0, 0.0) }
}

fn outcome(measure: Measure, peer: Peer, samples: &[Sample]) -> Outcome {
    Outcome { samples: samples.to_vec(), ..Outcome::new(row(measure, peer)) }
}

#[test]
fn the_median_is_the_middle_or_between_the_two_in_the_middle() {
    let spread = |values: &[f64]| Spread::of(values.iter().copied());
    let of = |median, lowest, highest| Some(Spread { median, lowest, highest });
    assert_eq!(spread(&[]), None);
    assert_eq!(spread(&[4.0]), of(4.0, 4.0, 4.0));
    assert_eq!(spread(&[9.0, 1.0, 2.0]), of(2.0, 1.0, 9.0));
    assert_eq!(spread(&[9.0, 1.0, 2.0, 4.0]), of(3.0, 1.0, 9.0));
}

#[test]
fn a_percentile_is_a_value_that_was_seen() {
    let hundred: Vec<u32> = (1..=100).collect();
    assert_eq!(percentile(&[], 0.5), None);
    assert_eq!(percentile(&[7], 0.999), Some(7));
    assert_eq!(percentile(&hundred, 0.5), Some(50));
    assert_eq!(percentile(&hundred, 0.99), Some(99));
    assert_eq!(percentile(&hundred, 0.999), Some(100));
    assert_eq!(percentile(&hundred, 0.0), Some(1));
}

#[test]
fn cpu_time_of_a_process_is_found_behind_an_odd_name() {
    let stat = "42 (odd) name) S 1 42 42 0 -1 4194560 100 0 0 0 250 17 5 6 20 0 8 0 99 1 2";
    assert_eq!(cpu::process_ticks(stat), Some(267));
    assert_eq!(cpu::process_ticks("42 (cut) S 1 42"), None);
}

#[test]
fn the_machine_is_busy_when_it_is_neither_idle_nor_waiting_for_a_disk() {
    // user nice system idle iowait irq softirq steal guest guest_nice
    let stat = "cpu  1 20 300 7777 8888 4000 50000 600000 9 9\ncpu0 1 1\ncpu1 1 1\nintr 5\n";
    assert_eq!(cpu::machine_ticks(stat), Some((654_321, 2)));
    assert_eq!(cpu::machine_ticks("cpu0 1 1 1 1 1 1 1 1"), None);
}

#[test]
fn segments_sent_again_are_found_by_name() {
    let snmp = "Ip: Forwarding\nIp: 1\nTcp: RtoMin InSegs RetransSegs\nTcp: 200 5 66\nUdp: A\n";
    assert_eq!(retransmitted_in(snmp), Some(66));
    assert_eq!(retransmitted_in("Tcp: RtoMin\nTcp: 200\n"), None);
}

#[test]
fn cargo_names_the_program_it_built() {
    let messages = "{\"reason\":\"compiler-artifact\",\"executable\":null}\nnot json\n\
        {\"reason\":\"compiler-artifact\",\"executable\":\"/t/release/stackd\"}\n\
        {\"reason\":\"build-finished\",\"success\":true}\n";
    assert_eq!(build::executable(messages), Some(PathBuf::from("/t/release/stackd")));
    assert_eq!(build::executable("{}"), None);
}

fn names(peers: &[Peer], choice: &Choice) -> Vec<String> {
    plan::rows(peers, choice).iter().map(Row::name).collect()
}

fn choice(all: bool, filters: &[&str], cpus: usize) -> Choice {
    let mtus = if all { vec![1500, 9000, 65520] } else { vec![1500] };
    Choice { mtus, all, filters: filters.iter().map(|f| (*f).to_owned()).collect(), cpus }
}

#[test]
fn filters_narrow_and_the_kernel_comes_along() {
    let peers = [Peer::Kernel, Peer::Stackd(Pipeline::Inline), Peer::Stackd(Pipeline::Layers)];
    let names = |filters: &[&str], cpus| names(&peers, &choice(false, filters, cpus));
    // Of each: bulk 4 and 2, round trips 3, connections 3; and of a program memory and start 3.
    assert_eq!(names(&[], 2).len(), 3 * (6 + 3 + 3) + 2 * 3);
    // Round trips across two CPUs need two.
    assert_eq!(names(&[], 1).len(), 3 * (6 + 2 + 3) + 2 * 3);
    let expected = ["bulk-in/offload/1500/kernel-over-veth", "bulk-in/offload/1500/stackd-inline"];
    assert_eq!(names(&["bulk-in/offload", "inline"], 2), expected);
    assert_eq!(names(&["nonsense"], 2).len(), 0);
}

#[test]
fn all_is_every_size_with_and_without_offload() {
    let peers = [Peer::Kernel, Peer::Stackd(Pipeline::Inline)];
    // Of each: bulk 4 kinds, 3 sizes, 2 offloads; round trips 4 and connections 4 at one size.
    let names = names(&peers, &choice(true, &[], 2));
    assert_eq!(names.len(), 2 * (4 * 3 * 2 + (4 + 4) * 2) + 3);
    assert!(names.contains(&"bulk-out-16/plain/65520/stackd-inline".to_owned()));
    assert!(!names.contains(&"round-trip-same/plain/9000/stackd-inline".to_owned()));
}

#[test]
fn peers_without_offload_are_compared_in_latency_with_the_others_at_their_best() {
    let peers = [Peer::Kernel, Peer::Smoltcp { buffer: 1024 }, Peer::Lwip, Peer::Iperf3];
    let rows = plan::rows(&peers, &choice(true, &["round-trip-same/"], 2));
    let groups: Vec<_> = rows.iter().map(|row| (row.name(), row.group())).collect();
    let best = "Round trip of 1 byte, both on one CPU, MTU 1500";
    let expected = [
        ("round-trip-same/offload/1500/kernel-over-veth", best.to_owned()),
        ("round-trip-same/plain/1500/kernel-over-veth", format!("{best}, offload off")),
        ("round-trip-same/plain/1500/smoltcp-1-MiB", best.to_owned()),
        ("round-trip-same/plain/1500/lwip", best.to_owned()),
    ];
    assert_eq!(groups, expected.map(|(name, group)| (name.to_owned(), group)));
    let names = names(&peers, &choice(true, &["9000"], 2));
    assert!(names.iter().all(|name| !name.contains("lwip") && !name.contains("iperf3")));
}

#[test]
fn peers_are_chosen_by_parts_of_their_names() {
    let none: [&str; 0] = [];
    let slugs = |texts: &[&str]| {
        let texts: Vec<String> = texts.iter().map(|t| (*t).to_owned()).collect();
        let peers = choose::peers(&texts, &[]).unwrap_or_default();
        peers.iter().map(Peer::slug).collect::<Vec<_>>()
    };
    assert_eq!(slugs(&["inline", "ceil"]), ["kernel-over-veth", "stackd-inline", "ceiling"]);
    assert_eq!(slugs(&[]).len(), Peer::known().len());
    assert_eq!(slugs(&["nobody"]), none);
}

#[test]
fn a_setup_stands_once_for_all_its_rows() {
    let peers = [Peer::Kernel, Peer::Stackd(Pipeline::Inline)];
    let setups = plan::setups(&plan::rows(&peers, &choice(false, &[], 2)));
    let found: Vec<_> = setups.iter().map(|s| (s.peer.name(), s.offload, s.mtu)).collect();
    let expected = [
        ("kernel over veth".to_owned(), true, 1500),
        ("stackd inline".to_owned(), true, 1500),
        ("kernel over veth".to_owned(), false, 1500),
        ("stackd inline".to_owned(), false, 1500),
    ];
    assert_eq!(found, expected);
}

#[test]
fn each_measure_has_its_own_figure() {
    let sample = Sample { seconds: 2.0, connections: 90_000, memory: 9_000_000, ..bulk(1, 0.0) };
    let value = |measure| {
        let figures =
            outcome(measure, Peer::Stackd(Pipeline::Inline), &[sample]).figures().unwrap();
        (figures.value.median, figures.cpu_stack)
    };
    let churn = Measure::Connections { placement: Placement::Free, at_once: 16 };
    assert_eq!(value(churn), (45_000.0, Some(0.5e6 / 90_000.0)));
    assert_eq!(value(Measure::IdleConnection), (100.0, None));
    assert_eq!(value(Measure::StartUp), (2000.0, None));
    assert_eq!(value(Measure::RestMemory), (9_000_000.0 / 1_048_576.0, None));
}

#[test]
fn resident_memory_is_in_kib() {
    let rollup = "55d-7ff ---p 00000000 00:00 0 [rollup]\nRss:    2048 kB\nPss:   1 kB\n";
    assert_eq!(resident_in(rollup), Some(2_097_152));
    assert_eq!(resident_in("Pss: 1 kB\n"), None);
}

#[test]
fn iperf3_counts_what_was_received() {
    let said = r#"{"end":{"sum_sent":{"bytes":9,"retransmits":4},
        "sum_received":{"bytes":1000000000,"seconds":2.0}}}"#;
    let sample = found_by_iperf(said).unwrap();
    assert_eq!((sample.gigabits(), sample.retransmitted), (4.0, 4));
    assert!(found_by_iperf("{}").is_none());
}

#[test]
fn targets_are_met_reached_missed_or_not_measured() {
    let verdict = |inline: u64| {
        let outcomes = [
            outcome(IN, Peer::Kernel, &[bulk(100, 0.0)]),
            outcome(IN, Peer::Stackd(Pipeline::Inline), &[bulk(inline, 0.0)]),
        ];
        let checks = targets::checks(&outcome::groups(&outcomes));
        (checks[0].measured, checks[0].verdict, checks[1].verdict)
    };
    assert_eq!(verdict(86), (Some(0.86), Verdict::Reached, Verdict::NotMeasured));
    assert_eq!(verdict(70), (Some(0.70), Verdict::Met, Verdict::NotMeasured));
    assert_eq!(verdict(69), (Some(0.69), Verdict::Missed, Verdict::NotMeasured));
}

#[test]
fn the_list_of_targets_names_figure_aim_and_verdict() {
    let check = Check {
        figure: "MiB of a stack".to_owned(),
        measured: Some(6.04),
        target: Some(8.0),
        reach: None,
        verdict: Verdict::Met,
    };
    let text = targets::text(&[check]);
    let line = text.lines().last().unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words, ["MiB", "of", "a", "stack", "6.04", "8.00", "-", "met"]);
}

#[test]
fn ratios_are_to_the_kernel_of_the_same_group() {
    let inline = || Peer::Stackd(Pipeline::Inline);
    let outcomes = [
        outcome(IN, inline(), &[bulk(20, 0.0)]),
        outcome(IN, Peer::Kernel, &[bulk(80, 0.0)]),
        outcome(OUT, inline(), &[bulk(20, 0.0)]),
    ];
    let groups = outcome::groups(&outcomes);
    let ratio = |group: usize, row: usize| groups[group].rows[row].1.as_ref().unwrap().ratio;
    assert_eq!(groups.len(), 2);
    assert_eq!((ratio(0, 0), ratio(0, 1)), (Some(0.25), Some(1.0)));
    assert_eq!(ratio(1, 0), None);
}

#[test]
fn rounds_with_foreign_load_count_only_for_want_of_others() {
    let figures = |samples: &[Sample]| outcome(IN, Peer::Kernel, samples).figures().unwrap();
    let enough = [bulk(80, 0.01), bulk(10, 0.5), bulk(82, 0.02), bulk(84, 0.079)];
    let clean = figures(&enough);
    assert_eq!((clean.value.median, clean.value.lowest), (82.0, 80.0));
    assert_eq!((clean.clean, clean.rounds), (true, (3, 4)));
    let disturbed = figures(&enough[..3]);
    assert_eq!((disturbed.value.median, disturbed.value.lowest), (80.0, 10.0));
    assert_eq!((disturbed.clean, disturbed.rounds), (false, (3, 3)));
    // A single quiet round is all there can be with --quick.
    assert!(figures(&enough[..1]).clean);
    assert!(!figures(&enough[1..2]).clean);
}

#[test]
fn cpu_time_is_per_gigabyte_or_per_round_trip() {
    let inline = || Peer::Stackd(Pipeline::Inline);
    let figures = outcome(IN, inline(), &[bulk(8, 0.0)]).figures().unwrap();
    assert_eq!((figures.cpu_stack, figures.cpu_all), (Some(0.5), Some(0.875)));
    let same = Measure::RoundTrip { placement: Placement::Same, size: 1 };
    let figures = outcome(same, inline(), &[ping(5.5)]).figures().unwrap();
    assert_eq!((figures.cpu_stack, figures.cpu_all), (Some(5.0), Some(8.75)));
    assert_eq!((figures.value.median, figures.p99_us), (5.5, Some(11.0)));
}

#[test]
fn the_table_aligns_and_tells_failures() {
    let mut failed = outcome(IN, Peer::Stackd(Pipeline::Layers), &[]);
    failed.failures.push("no progress\nmore".to_owned());
    let outcomes = [
        outcome(IN, Peer::Kernel, &[bulk(80, 0.0), bulk(82, 0.0)]),
        outcome(IN, Peer::Stackd(Pipeline::Inline), &[bulk(9, 0.31)]),
        failed,
    ];
    let expected = "
Bulk, kernel -> stack, MTU 1500, offload on; CPU time in s/GB
                       Gbit/s                   ratio                   stack     all  foreign
  kernel over veth       81.0 [80.0 - 82.0]      1.00                   0.049   0.086      0 %   6 \
resent
  stackd inline          9.00 [9.00 - 9.00]      0.11                   0.444   0.778     31 %*  3 \
resent
  stackd layers             -
    1 round failed: no progress
";
    assert_eq!(table::text(&outcome::groups(&outcomes)), expected);
}

#[test]
fn numbers_have_three_digits_that_count() {
    let shown = [0.0496, 0.9994, 0.9996, 9.99, 9.996, 81.44, 99.96, 1234.5].map(table::number);
    assert_eq!(shown, ["0.050", "0.999", "1.00", "9.99", "10.0", "81.4", "100", "1234"]);
}

#[test]
fn the_chart_is_well_formed_and_to_scale() {
    let also = choose::also("a<b=prog --offload {offload}").unwrap();
    let outcomes = [
        outcome(IN, Peer::Kernel, &[bulk(80, 0.0)]),
        outcome(IN, Peer::Stackd(Pipeline::Inline), &[bulk(40, 0.0)]),
        outcome(IN, also, &[]),
    ];
    let svg = chart::svg("A & B", &outcome::groups(&outcomes));
    let count = |what: &str| svg.matches(what).count();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    assert_eq!(count("<text"), count("</text>"));
    // The background and two bars: the kernel's fills the scale, the other half of it.
    assert_eq!(count("<rect"), 3);
    assert_eq!((count("width=\"480.0\""), count("width=\"240.0\"")), (1, 1));
    assert!(svg.contains(">A &amp; B<") && svg.contains(">a&lt;b<") && svg.contains(">failed<"));
    assert!(svg.contains("40.0  (x 0.50)"));
}

#[test]
fn a_program_is_a_name_and_a_command() {
    let command = ["prog", "--offload", "{offload}"].map(str::to_owned).to_vec();
    let expected = Peer::Program { name: "p".to_owned(), command };
    assert_eq!(choose::also("p=prog --offload {offload}"), Ok(expected));
    assert!(choose::also("prog").is_err() && choose::also("=prog").is_err());
    assert!(choose::also("p= ").is_err());
    assert_eq!(choose::also("iperf3"), Ok(Peer::Iperf3));
}
