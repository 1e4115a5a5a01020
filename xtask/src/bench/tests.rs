//! Tests of what can be wrong without a network: statistics, parsing, choice of rows, the looks.

use std::path::PathBuf;

use super::cpu::{self, CpuTime};
use super::load::{RoundTrips, Sample, retransmitted_in};
use super::outcome::{self, Outcome};
use super::plan::{self, Measure, Peer, Placement, Row, Setup};
use super::stats::{Spread, percentile};
use super::{build, chart, other_program, table};
use crate::netns::case::Pipeline;

fn row(measure: Measure, peer: Peer) -> Row {
    Row { measure, setup: Setup { peer, offload: true, mtu: 1500 } }
}

/// A bulk sample of a second; 1 Gbit/s is 125,000,000 bytes.
fn bulk(gigabits: u64, foreign_share: f64) -> Sample {
    Sample {
        bytes: gigabits * 125_000_000,
        seconds: 1.0,
        cpu: CpuTime { stack: 0.5, load: 0.25, foreign_share },
        retransmitted: 3,
        round_trips: None,
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

#[test]
fn filters_narrow_and_the_kernel_comes_along() {
    let peers = [Peer::Kernel, Peer::Stackd(Pipeline::Inline), Peer::Stackd(Pipeline::Layers)];
    let names = |filters: &[&str], cpus| {
        let filters: Vec<String> = filters.iter().map(|f| (*f).to_owned()).collect();
        let rows = plan::rows(&peers, 1500, &filters, cpus);
        rows.iter().map(Row::name).collect::<Vec<_>>()
    };
    assert_eq!(names(&[], 2).len(), 4 * 2 * 3);
    // Round trips across two CPUs need two.
    assert_eq!(names(&[], 1).len(), 3 * 2 * 3);
    let expected = ["bulk-in/offload/kernel-over-veth", "bulk-in/offload/stackd-inline"];
    assert_eq!(names(&["bulk-in/offload", "inline"], 2), expected);
    assert_eq!(names(&["nonsense"], 2).len(), 0);
}

#[test]
fn a_setup_stands_once_for_all_its_rows() {
    let peers = [Peer::Kernel, Peer::Stackd(Pipeline::Inline)];
    let setups = plan::setups(&plan::rows(&peers, 9000, &[], 2));
    let found: Vec<_> = setups.iter().map(|s| (s.peer.name(), s.offload, s.mtu)).collect();
    let expected = [
        ("kernel over veth".to_owned(), true, 9000),
        ("stackd inline".to_owned(), true, 9000),
        ("kernel over veth".to_owned(), false, 9000),
        ("stackd inline".to_owned(), false, 9000),
    ];
    assert_eq!(found, expected);
}

#[test]
fn ratios_are_to_the_kernel_of_the_same_group() {
    let inline = || Peer::Stackd(Pipeline::Inline);
    let outcomes = [
        outcome(Measure::BulkIn, inline(), &[bulk(20, 0.0)]),
        outcome(Measure::BulkIn, Peer::Kernel, &[bulk(80, 0.0)]),
        outcome(Measure::BulkOut, inline(), &[bulk(20, 0.0)]),
    ];
    let groups = outcome::groups(&outcomes);
    let ratio = |group: usize, row: usize| groups[group].rows[row].1.as_ref().unwrap().ratio;
    assert_eq!(groups.len(), 2);
    assert_eq!((ratio(0, 0), ratio(0, 1)), (Some(0.25), Some(1.0)));
    assert_eq!(ratio(1, 0), None);
}

#[test]
fn rounds_with_foreign_load_count_only_for_want_of_others() {
    let figures =
        |samples: &[Sample]| outcome(Measure::BulkIn, Peer::Kernel, samples).figures().unwrap();
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
    let figures = outcome(Measure::BulkIn, inline(), &[bulk(8, 0.0)]).figures().unwrap();
    assert_eq!((figures.cpu_stack, figures.cpu_both), (0.5, 0.75));
    let same = Measure::RoundTrip(Placement::Same);
    let figures = outcome(same, inline(), &[ping(5.5)]).figures().unwrap();
    assert_eq!((figures.cpu_stack, figures.cpu_both), (5.0, 7.5));
    assert_eq!((figures.value.median, figures.p99_us), (5.5, Some(11.0)));
}

#[test]
fn the_table_aligns_and_tells_failures() {
    let mut failed = outcome(Measure::BulkIn, Peer::Stackd(Pipeline::Layers), &[]);
    failed.failures.push("no progress\nmore".to_owned());
    let outcomes = [
        outcome(Measure::BulkIn, Peer::Kernel, &[bulk(80, 0.0), bulk(82, 0.0)]),
        outcome(Measure::BulkIn, Peer::Stackd(Pipeline::Inline), &[bulk(9, 0.31)]),
        failed,
    ];
    let expected = "
Bulk, kernel -> stack, MTU 1500, offload on; CPU time in s/GB
                       Gbit/s                   ratio           stack    both  foreign
  kernel over veth       81.0 [80.0 - 82.0]      1.00           0.049   0.074      0 %   6 resent
  stackd inline          9.00 [9.00 - 9.00]      0.11           0.444   0.667     31 %*  3 resent
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
    let also = other_program("a<b=prog --offload {offload}").unwrap();
    let outcomes = [
        outcome(Measure::BulkIn, Peer::Kernel, &[bulk(80, 0.0)]),
        outcome(Measure::BulkIn, Peer::Stackd(Pipeline::Inline), &[bulk(40, 0.0)]),
        outcome(Measure::BulkIn, also, &[]),
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
    assert_eq!(other_program("p=prog --offload {offload}"), Ok(expected));
    assert!(other_program("prog").is_err() && other_program("=prog").is_err());
    assert!(other_program("p= ").is_err());
}
