//! Any bytes are a manifest or are refused with places inside the text; what is a manifest
//! reads back the same from its JSON.
#![no_main]

use aegis_model::manifest::{PROBLEMS_MAX, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match parse(bytes) {
        Ok(parsed) => {
            let text = serde_json::to_vec(&parsed.manifest).expect("a manifest is JSON");
            let again = parse(&text).expect("a manifest reads back");
            assert_eq!(again.manifest, parsed.manifest);
            assert!(again.notes.is_empty());
        }
        Err(problems) => {
            assert!(!problems.is_empty() && problems.len() <= PROBLEMS_MAX + 1);
            for problem in problems {
                assert!(problem.line >= 1 && problem.column >= 1);
                let text = problem.to_string();
                assert!(text.len() < 4_096 && !text.contains(['\n', '\0', '\u{1b}']), "{text:?}");
            }
        }
    }
});
