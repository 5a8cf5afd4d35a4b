//! What a client of SOCKS says: no bytes bring the readers down.
#![no_main]

use aegis_egress::socks::{Greeting, Login, Request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for used in [
        Greeting::read(bytes).ok().flatten().map(|(_, used)| used),
        Login::read(bytes).ok().flatten().map(|(_, used)| used),
        Request::read(bytes).ok().flatten().map(|(_, used)| used),
    ] {
        assert!(used.is_none_or(|used| used <= bytes.len()));
    }
});
