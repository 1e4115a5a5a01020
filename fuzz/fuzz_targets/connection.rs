//! A connection under a list of actions; see `sim::duel` for what is done and what is checked.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Err(what) = sim::duel::run(input) {
        panic!("{what}\n{}", sim::duel::explain(input));
    }
});
