//! Heads and bodies of answers: no bytes bring the reader down, however they are cut.
#![no_main]

use aegis_egress::http::{BodyReader, HeadScanner, Limits, RequestKind, parse_response};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits::default();
    let kind = RequestKind::default();
    let Ok(Some((head, used))) = parse_response(bytes, &limits, &kind, &mut HeadScanner::new()) else { return };
    let mut body = BodyReader::from(head.framing);
    let mut rest = &bytes[used..];
    while !rest.is_empty() && !body.is_ended() {
        let Ok(decoded) = body.decode(rest) else { return };
        assert!(decoded.data.end <= rest.len() && decoded.consumed <= rest.len() && decoded.consumed > 0);
        rest = &rest[decoded.consumed..];
    }
});
