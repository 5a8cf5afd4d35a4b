//! Any text is an API key or is refused; what is a key reads back the same.
#![no_main]

use aegis_identity::ApiKey;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(key) = ApiKey::parse(text) {
        assert_eq!(key.reveal().as_str(), text, "there is one spelling of a key");
    }
});
