//! Paths of requests: made normal once, and no way out is left in them.
#![no_main]

use aegis_egress::http::RequestPath;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(path) = RequestPath::parse(text) else { return };
    let whole = match path.query() {
        Some(query) => format!("{}?{query}", path.path()),
        None => path.path().to_owned(),
    };
    assert_eq!(RequestPath::parse(&whole).as_ref(), Ok(&path));
    assert!(path.path().starts_with('/'));
    assert!(path.path().split('/').all(|segment| segment != "." && segment != ".."));
});
