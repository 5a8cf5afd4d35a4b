//! Questions for names and their answers: no bytes bring either reader down.
#![no_main]

use aegis_door::dns::{Answers, Kind, Query, reply};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match Query::read(bytes) {
        Ok(query) => {
            let told = reply::address(&query, std::net::Ipv4Addr::LOCALHOST, 5);
            if let (Some(name), Kind::A) = (&query.name, query.kind) {
                let answers = Answers::read(&told, query.id, name, Kind::A).unwrap();
                assert_eq!(answers.addresses.len(), 1);
            }
            assert!(reply::no_such_name(&query, Some("why")).len() <= 512);
        }
        Err(problem) => drop(problem.reply()),
    }
    if let [high, low, rest @ ..] = bytes {
        let _ = Answers::read(rest, u16::from_be_bytes([*high, *low]), "api.example.com", Kind::A);
    }
});
