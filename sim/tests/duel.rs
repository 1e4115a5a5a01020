//! Fuzz targets on inputs that were kept, and on those that proptest thinks of. The same cases
//! every time; PROPTEST_CASES and PROPTEST_RNG_SEED ask for others.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use sim::search::{OPENING, Target};

/// Inputs that the fuzzer kept for a target.
fn corpus(target: &str) -> Vec<PathBuf> {
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("sim stands in the tree");
    let folder = tree.join("fuzz/corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    assert!(files.len() >= 10, "only {} files in {}", files.len(), folder.display());
    files
}

fn run(input: &[u8]) -> Result<sim::duel::Report, String> {
    sim::duel::run(input).map_err(|what| format!("{what}\n{}", sim::duel::explain(input)))
}

#[test]
fn the_corpus_is_survived() {
    let mut read = 0;
    for path in corpus("connection") {
        let input = fs::read(&path).expect("it can be read");
        let report = run(&input).unwrap_or_else(|what| panic!("{}: {what}", path.display()));
        read += report.read;
    }
    assert!(read > 1_000_000, "only {read} bytes were read: the corpus shows nothing");
}

#[test]
fn every_segment_of_the_corpus_is_read_as_it_is() {
    for path in corpus("segment") {
        let input = fs::read(&path).expect("it can be read");
        assert_eq!(sim::parsing::run(&input), Ok(()), "{}", path.display());
    }
}

/// A failure is told with its input, and the seed is always the same one.
fn config() -> ProptestConfig {
    let default = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let rng_seed = match default.rng_seed {
        RngSeed::Random => RngSeed::Fixed(0x5eed),
        RngSeed::Fixed(seed) => RngSeed::Fixed(seed),
    };
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { default.cases } else { 300 };
    ProptestConfig { rng_seed, cases, ..default }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn promises_are_kept_whatever_happens(
        assault in any::<bool>(),
        setting in any::<[u8; 4]>(),
        rest in prop::collection::vec(any::<[u8; 4]>(), 0..200),
    ) {
        let mut input = setting.to_vec();
        input[0] = input[0] & !1 | u8::from(assault);
        // A connection first: the rest has something to work on.
        input.extend(OPENING);
        input.extend(rest.concat());
        prop_assert_eq!(run(&input).err(), None);
    }

    #[test]
    fn a_segment_is_read_as_it_is_and_comes_back(seed in any::<u64>(), number in any::<u64>()) {
        let input = Target::Segment.input(seed, number, &[]);
        prop_assert_eq!(sim::parsing::run(&input), Ok(()), "{:02x?}", input);
    }
}
