//! Any bytes as a TCP segment; see `sim::parsing` for what is checked.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Err(what) = sim::parsing::run(input) {
        panic!("{what}: {input:02x?}");
    }
});
