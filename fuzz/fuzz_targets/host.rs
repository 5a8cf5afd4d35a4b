//! Names of hosts and their patterns: a name that is read is read the same again, and lies below
//! no domain that it does not end in.
#![no_main]

use aegis_egress::host_name::HostName;
use aegis_model::manifest::HostPattern;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (name, pattern) = text.split_once(' ').unwrap_or((text, "*.example.com"));
    let Ok(name) = HostName::read(name) else { return };
    assert_eq!(HostName::read(name.as_str()).as_ref(), Ok(&name));
    assert!(aegis_egress::address::literal(name.as_str()).is_none());
    let Ok(pattern) = pattern.parse::<HostPattern>() else { return };
    if pattern.covers(name.as_str()) {
        match pattern.as_str().strip_prefix("*.") {
            None => assert_eq!(pattern.as_str(), name.as_str()),
            Some(domain) => assert!(name.as_str().ends_with(&format!(".{domain}"))),
        }
    }
});
