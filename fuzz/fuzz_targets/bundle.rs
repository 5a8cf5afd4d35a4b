//! Any bytes are a bundle within its limits or are refused. The first byte says whether the
//! rest is compressed already, so that the fuzzer reaches the archive behind the compression.
#![no_main]

use aegis_fleet::bundle::{BundleLimits, inspect, inspect_archive};
use libfuzzer_sys::fuzz_target;

const LIMITS: BundleLimits = BundleLimits {
    bundle_bytes_max: 1 << 20,
    unpacked_bytes_max: 4 << 20,
    entries_max: 1_000,
    ratio_max: 200,
    window_bytes_max: 1 << 20,
};

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, rest)) = bytes.split_first() else { return };
    let result = if kind % 2 == 0 { inspect(rest, &LIMITS) } else { inspect_archive(rest, &LIMITS) };
    match result {
        Ok(report) => {
            assert!(report.unpacked_bytes <= LIMITS.unpacked_bytes_max);
            assert!(report.files <= LIMITS.entries_max);
        }
        Err(error) => {
            let text = error.to_string();
            assert!(text.len() < 1_024 && !text.contains(['\n', '\0', '\u{1b}']), "{text:?}");
        }
    }
});
