//! What is suggested for which records, and that it is a manifest whatever was recorded.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::*;
use crate::manifest;

/// A refusal for want of a grant, with these fields in place of its own.
fn record(fields: Value) -> OutwardRecord {
    let mut whole = json!({
        "id": crate::DecisionId::generate(crate::Timestamp::from_millis(1), [1; 10]), "at": "2026-07-31T10:00:00.000Z", "agent": "triage", "version": 1,
        "host": "api.example.com", "manner": "tls", "allowed": false, "state": "refused", "refusal": "not_permitted",
        "reasons": [], "policy_hash": "", "bytes_out": 0, "bytes_in": 0, "duration_ms": 0,
    });
    for (name, value) in fields.as_object().expect("a map") {
        whole[name] = value.clone();
    }
    serde_json::from_value(whole).expect("a record")
}

/// A grant on one line, without what says nothing.
fn line(grant: &NetworkGrant) -> String {
    let mut line = format!("{} {:?}", grant.host, grant.ports);
    if grant.protocol == NetworkProtocol::Tcp {
        line.push_str(" tcp");
    }
    for method in grant.methods.iter().flatten() {
        line.push_str(&format!(" {}", method.as_str()));
    }
    for path in grant.paths.iter().flatten() {
        line.push_str(&format!(" {path}"));
    }
    line
}

#[track_caller]
fn check(records: &[Value], network: &[&str]) {
    let records: Vec<OutwardRecord> = records.iter().cloned().map(record).collect();
    let suggestion = suggestion(&records);
    let lines: Vec<String> = suggestion.network.iter().map(line).collect();
    assert_eq!((lines, suggestion.left_out), (network.iter().map(ToString::to_string).collect(), Vec::new()));
}

#[track_caller]
fn check_left_out(fields: Value, why: &str) {
    let suggestion = suggestion(&[record(fields)]);
    assert_eq!(suggestion.network, []);
    let told: Vec<&str> = suggestion.left_out.iter().map(|left| left.why.as_str()).collect();
    assert_eq!(told.len(), 1);
    assert!(told.iter().all(|told| told.contains(why)), "{told:?}");
}

#[test]
fn each_host_has_one_entry_for_each_way_to_it() {
    check(&[], &[]);
    check(&[json!({"port": 443})], &["api.example.com [443]"]);
    check(&[json!({"port": 8443}), json!({"port": 443}), json!({"port": 443})], &["api.example.com [443, 8443]"]);
    check(&[json!({"port": 5432, "manner": "tcp"})], &["api.example.com [5432] tcp"]);
    check(
        &[json!({"port": 443, "host": "b.example.com"}), json!({"port": 443, "host": "a.example.com"})],
        &["a.example.com [443]", "b.example.com [443]"],
    );
}

#[test]
fn requests_that_were_read_are_granted_by_method_and_exact_path() {
    let request =
        |port: u16, method: &str, path: &str| json!({"port": port, "manner": "http", "method": method, "path": path});
    check(&[request(80, "GET", "/a")], &["api.example.com [80] GET /a"]);
    check(
        &[request(8080, "POST", "/b"), request(80, "GET", "/a"), request(80, "GET", "/a")],
        &["api.example.com [80, 8080] GET POST /a /b"],
    );
    // Nothing inside 443 can be judged.
    check(&[request(443, "GET", "/a")], &["api.example.com [443]"]);
    // A port on which requests were read is not opened for everything.
    check(&[json!({"port": 80}), request(80, "GET", "/a")], &["api.example.com [80] GET /a"]);
    check(&[json!({"port": 443}), request(80, "GET", "/a")], &["api.example.com [443]", "api.example.com [80] GET /a"]);
}

#[test]
fn a_port_is_guessed_only_where_nothing_but_the_name_is_known() {
    let named = || json!({"manner": "name"});
    check(&[named()], &["api.example.com [443]"]);
    check(&[named(), json!({"port": 22, "manner": "tcp"})], &["api.example.com [22] tcp"]);
    let guessed =
        |records: &[Value]| suggestion(&records.iter().cloned().map(record).collect::<Vec<_>>()).ports_guessed;
    assert_eq!(guessed(&[named()]), ["api.example.com"]);
    assert_eq!(guessed(&[named(), json!({"port": 443})]), Vec::<String>::new());
}

#[test]
fn what_passed_only_because_it_was_observed_is_suggested_and_what_was_granted_is_not() {
    check(&[json!({"port": 443, "observed": true, "state": "ended"})], &["api.example.com [443]"]);
    check(&[json!({"port": 443, "allowed": true, "state": "ended", "refusal": null})], &[]);
    check(&[json!({"port": 443, "allowed": true, "state": "failed", "refusal": null})], &[]);
}

#[test]
fn what_no_grant_would_allow_is_left_out_and_says_why() {
    let refused = |refusal: &str| json!({"port": 443, "refusal": refusal});
    check_left_out(refused("forbidden"), "a rule forbids it; no grant changes that");
    check_left_out(json!({"port": 443, "refusal": "forbidden", "observed": true, "state": "ended"}), "a rule forbids");
    check_left_out(refused("own_address"), "nothing opens it");
    check_left_out(refused("server_name"), "TLS names another host");
    check_left_out(refused("protocol"), "`protocol: tcp`");
    check_left_out(refused("hidden"), "without `methods`");
    check_left_out(refused("too_much"), "`[egress]`");
    let lies_at = |address: &str| json!({"port": 443, "refusal": "address", "address": address});
    check_left_out(lies_at("10.1.2.3"), "`cidr: 10.1.2.3/32`");
    check_left_out(lies_at("100.64.0.1"), "`cidr: 100.64.0.1/32`");
    check_left_out(lies_at("fd12::1"), "`cidr: fd12::1/128`");
    check_left_out(lies_at("169.254.169.254"), "nothing opens it");
    check_left_out(lies_at("127.0.0.1"), "nothing opens it");
    check_left_out(refused("address"), "`cidr`");
}

#[test]
fn what_cannot_be_written_exactly_is_not_written_more_widely() {
    let host = |host: &str| json!({"port": 443, "host": host});
    check_left_out(host("*.example.com"), "not the name of a host");
    check_left_out(host("under_score.example.com"), "not the name of a host");
    check_left_out(host("10.0.0.1"), "not the name of a host");
    let request = |method: &str, path: &str| json!({"port": 80, "manner": "http", "method": method, "path": path});
    check_left_out(request("PROPFIND", "/"), "the method `PROPFIND`");
    check_left_out(request("GET", "/a*"), "the path `/a*`");
    check_left_out(request("GET", "/a%2Fb"), "the path `/a%2Fb`");
    check_left_out(json!({"port": 0}), "the port 0");
}

fn any_record() -> impl Strategy<Value = OutwardRecord> {
    let host = prop_oneof!["[a-z0-9]{1,8}(\\.[a-z]{2,8}){1,3}", "\\PC{0,20}"];
    let port = option::of(prop_oneof![select(vec![0_u16, 1, 80, 443, 8080, 65_535]), any::<u16>()]);
    let manner = select(vec!["http", "tls", "tcp", "name"]);
    let method = option::of(prop_oneof![select(vec!["GET", "POST", "OPTIONS"]), Just("PROPFIND")]);
    let path = option::of(prop_oneof!["(/[a-z]{1,3}){1,3}", "/\\PC{0,20}"]);
    let refusal = option::of(select(vec!["not_permitted", "not_permitted", "forbidden", "address", "protocol"]));
    (host, port, manner, (method, path), refusal, any::<bool>()).prop_map(
        |(host, port, manner, (method, path), refusal, observed)| {
            record(json!({
                "host": host, "port": port, "manner": manner, "method": method, "path": path,
                "refusal": refusal, "observed": observed,
            }))
        },
    )
}

/// The manifest of an agent that is granted this.
fn granted(network: &[NetworkGrant]) -> String {
    let manifest = json!({
        "apiVersion": "aegis/v1", "kind": "Agent", "metadata": {"name": "x"},
        "spec": {
            "runtime": {"isolation": "process", "command": ["cat"]},
            "permissions": {"network": network},
        },
    });
    manifest.to_string()
}

proptest! {
    #[test]
    fn what_is_suggested_is_a_manifest_that_covers_what_was_not_left_out(records in vec(any_record(), 0..60)) {
        let suggestion = suggestion(&records);
        let parsed = manifest::parse(granted(&suggestion.network).as_bytes()).expect("a manifest");
        let network = parsed.manifest.spec.permissions.network;
        prop_assert_eq!(&network, &suggestion.network);
        let lacking = |record: &&OutwardRecord| match record.refusal {
            Some(refusal) => refusal == Refusal::NotPermitted,
            None => record.observed,
        };
        for record in records.iter().filter(lacking) {
            let left_out = suggestion.left_out.iter().any(|left| left.host == record.host && left.port == record.port);
            let fits = |grant: &&NetworkGrant| {
                let bytes = grant.protocol == NetworkProtocol::Tcp;
                grant.host.covers(&record.host)
                    && record.port.is_none_or(|port| grant.ports.contains(&port) && bytes == (record.manner == "tcp"))
            };
            prop_assert!(left_out || network.iter().any(|grant| fits(&grant)), "{:?} {:?}", record, network);
        }
        for grant in &network {
            let named = |record: &&OutwardRecord| record.host == grant.host.as_str();
            prop_assert!(records.iter().filter(lacking).any(|record| named(&record)), "{:?}", grant);
        }
    }

    #[test]
    fn many_ports_and_paths_are_several_entries(count in 1_u16..700) {
        let records: Vec<OutwardRecord> = (1..=count)
            .map(|n| record(json!({"port": n + 8_000, "manner": "http", "method": "GET", "path": format!("/{n}")})))
            .chain((1..=count).map(|port| record(json!({"port": port, "manner": "tcp"}))))
            .collect();
        let network = suggestion(&records).network;
        manifest::parse(granted(&network).as_bytes()).expect("a manifest");
        let bytes = network.iter().filter(|grant| grant.protocol == NetworkProtocol::Tcp);
        prop_assert_eq!(bytes.map(|grant| grant.ports.len()).sum::<usize>(), usize::from(count));
    }
}
