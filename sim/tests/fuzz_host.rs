//! Hostile frames for a whole host. `SIM_FUZZ_FRAMES` and `SIM_FUZZ_SEED` override how many and
//! which; `cargo xtask sim --fuzz` throws a million.

use sim::fuzz::Fuzz;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().expect(name))
}

#[test]
fn a_host_survives_a_storm_of_hostile_frames() {
    let frames = number("SIM_FUZZ_FRAMES", 200_000);
    let first = number("SIM_FUZZ_SEED", 1);
    for seed in first..first + 2 {
        // A panic is shown with what was printed before it.
        println!("seed {seed}: again with SIM_FUZZ_SEED={seed} SIM_FUZZ_FRAMES={frames}");
        let report = Fuzz::new(seed).run(frames / 2).unwrap_or_else(|what| panic!("{what}"));
        println!("{report:#?}");
        // The storm gets in: else it would prove little.
        assert!(report.connections > 20 && report.read > 1000 && report.sent > frames / 20);
        assert!(report.drops.len() > 30, "few reasons to drop: {:?}", report.drops);
    }
}

#[test]
fn the_same_seed_is_the_same_storm() {
    let [one, again, other] = [3, 3, 4].map(|seed| Fuzz::new(seed).run(2_000).unwrap());
    assert_eq!(one, again);
    assert_ne!(one, other);
}
