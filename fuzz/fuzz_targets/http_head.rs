//! Heads of requests: no bytes bring the reader down, and what was read is read the same again
//! after it was written anew.
#![no_main]

use aegis_egress::http::{HeadScanner, Limits, parse_request, write_request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits::default();
    let Ok(Some((head, used))) = parse_request(bytes, &limits, &mut HeadScanner::new()) else { return };
    assert!(used <= bytes.len());
    let host = head.authority.host.clone();
    let port = head.authority.port.unwrap_or(80);
    let Ok(written) = write_request(&head, &host, port, head.keep_alive) else { return };
    let (again, used) = parse_request(&written, &limits, &mut HeadScanner::new()).unwrap().unwrap();
    assert_eq!(used, written.len());
    assert_eq!(again.method, head.method);
    assert_eq!(again.target.path(), head.target.path());
    assert_eq!(again.headers, head.headers);
    assert_eq!(again.framing, head.framing);
});
