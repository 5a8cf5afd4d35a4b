//! The first message of TLS: no bytes bring the reader down, and more bytes never change what a
//! whole hello says.
#![no_main]

use aegis_egress::client_hello::read;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(Some(hello)) = read(bytes) else { return };
    let longer = [bytes, b"more"].concat();
    assert_eq!(read(&longer).ok().flatten(), Some(hello));
});
