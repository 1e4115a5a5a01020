//! The parts of the runner that decide, without namespaces.

use std::time::Duration;

use super::case::{Case, Pipeline};
use super::helper::content::{Check, Content};
use super::helper::impair::{Faults, corrupt};
use super::{namespace, run};

static CASES: [Case; 3] = [
    Case::new("a/one", |_| Ok(())).core(),
    Case::new("a/one-more", |_| Ok(())),
    Case::new("b/two", |_| Ok(())),
];

fn chosen(filter: Option<&str>, pipelines: &[Pipeline], full: bool) -> Vec<String> {
    let turns = run::choose(CASES.iter(), filter, pipelines, full);
    turns.iter().map(|(case, on)| format!("{} {}", case.name, on.name())).collect()
}

#[test]
fn core_cases_run_on_every_pipeline() {
    let expected =
        ["a/one layers", "a/one-more layers", "b/two layers", "a/one stages", "a/one inline"];
    assert_eq!(chosen(None, &[], false), expected);
}

#[test]
fn full_is_the_product() {
    assert_eq!(chosen(None, &[], true).len(), 9);
}

#[test]
fn a_pipeline_asked_for_runs_all() {
    let expected = ["a/one inline", "a/one-more inline", "b/two inline"];
    assert_eq!(chosen(None, &[Pipeline::Inline], false), expected);
}

#[test]
fn a_whole_name_is_that_case_alone() {
    assert_eq!(chosen(Some("a/one"), &[Pipeline::Layers], false), ["a/one layers"]);
    assert_eq!(chosen(Some("a/on"), &[Pipeline::Layers], false).len(), 2);
}

#[test]
fn names_of_cases_are_unique() {
    let mut names: Vec<_> = super::cases::all().map(|case| case.name).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn programs_of_cases_have_a_package() {
    for program in super::cases::all().flat_map(|case| case.needs) {
        let mut known = crate::install::PROGRAMS.iter().chain(crate::install::OPTIONAL);
        assert!(known.any(|(name, _)| name == program), "{program}");
    }
}

#[test]
fn only_names_of_runs_are_swept() {
    assert_eq!(namespace::owner("st-123-4"), Some(123));
    for name in ["st-123", "st-x-4", "st-123-", "other-123-4", "st-1-2-3"] {
        assert_eq!(namespace::owner(name), None, "{name}");
    }
}

const ROUGH: Faults =
    Faults { seed: 7, loss: 2.0, delay_ms: 20, reorder: 2.0, duplicate: 1.0, corrupt: 0.5 };

#[test]
fn faults_are_as_frequent_as_asked_and_the_same_again() {
    let fates: Vec<_> = (0..100_000).map(|index| ROUGH.fate(0, index)).collect();
    let count = |of: fn(&super::helper::impair::Fate) -> bool| {
        fates.iter().filter(|fate| of(fate)).count() as f64 / 1000.0
    };
    // Three standard deviations of 100,000 draws at 2 % are 0.13 %.
    assert!((count(|fate| fate.lost) - 2.0).abs() < 0.15);
    assert!((count(|fate| !fate.late.is_zero()) - 2.0).abs() < 0.15);
    assert!((count(|fate| fate.duplicated) - 1.0).abs() < 0.15);
    assert!((count(|fate| fate.corrupted.is_some()) - 0.5).abs() < 0.1);
    assert!(fates.iter().all(|fate| fate.late <= Duration::from_millis(20)));
    assert!((0..1000).all(|index| ROUGH.fate(0, index) == fates[index as usize]));
    assert!((0..1000).any(|index| ROUGH.fate(1, index) != fates[index as usize]));
}

#[test]
fn corruption_flips_one_bit_of_ip_and_none_of_arp() {
    let mut frame = [0; 64];
    frame[12] = 0x08;
    for choice in 0..1000 {
        let mut corrupted = frame;
        assert!(corrupt(&mut corrupted, choice));
        assert_eq!(corrupted[..14], frame[..14]);
        let flipped: u32 = corrupted.iter().zip(frame).map(|(a, b)| (a ^ b).count_ones()).sum();
        assert_eq!(flipped, 1);
    }
    frame[13] = 0x06;
    assert!(!corrupt(&mut frame, 5));
    assert!(!corrupt(&mut frame[..13], 5));
}

#[test]
fn the_sources_pattern_is_the_documented_one() {
    let mut bytes = vec![0; 10_000];
    Content::Source.fill(1_000_007, &mut bytes);
    assert!((1_000_007..).zip(&bytes).all(|(at, byte)| at * 31 % 251 == u32::from(*byte)));
}

#[test]
fn noise_is_the_same_however_it_is_cut() {
    let mut whole = vec![0; 1000];
    Content::Noise(3).fill(0, &mut whole);
    let mut pieces = vec![0; 1000];
    for (index, piece) in pieces.chunks_mut(13).enumerate() {
        Content::Noise(3).fill(index as u64 * 13, piece);
    }
    assert_eq!(whole, pieces);
}

#[test]
fn the_first_wrong_byte_is_named() {
    let mut bytes = vec![0; 1000];
    Content::Source.fill(0, &mut bytes);
    let mut check = Check::new(Content::Source);
    check.take(&bytes[..600]).unwrap();
    bytes[700] ^= 1;
    let error = check.take(&bytes[600..]).unwrap_err().to_string();
    assert!(error.starts_with("byte 700 "), "{error}");
    assert!(Check::new(Content::Source).close(1).is_err());
}
