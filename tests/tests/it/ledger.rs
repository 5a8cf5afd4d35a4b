//! The ledger through the API: what is in it, and proofs that anybody can check.

use aegis_ledger::proof::Growth;
use aegis_ledger::{Checkpoint, TlogProof, VerifierKey, verify_consistency, verify_inclusion};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use it::TestServer;
use serde_json::Value;

fn hash(value: &Value) -> [u8; 32] {
    STANDARD.decode(value.as_str().unwrap()).unwrap().try_into().unwrap()
}

fn hashes(value: &Value) -> Vec<[u8; 32]> {
    value.as_array().unwrap().iter().map(hash).collect()
}

#[test]
fn a_new_key_signs_checkpoints_and_the_one_before_signs_along() {
    let server = TestServer::start();
    let (exported, key) = (server.home().join("before"), |text: &str| text.trim().to_owned());
    let export = |to: &std::path::Path| server.aegis(&["audit", "export", "--out", to.to_str().unwrap()]);
    let verify = |from: &std::path::Path, key: &str| {
        server.aegis(&["audit", "verify", from.to_str().unwrap(), "--key", key]).status.success()
    };
    let first = key(server.admin("GET", "/api/v1/ledger/checkpoint", "").json()["verifier_key"].as_str().unwrap());
    assert!(export(&exported).status.success());
    let rotate = || {
        let rotated = server.aegis(&["audit", "rotate-key"]);
        assert!(rotated.status.success(), "{}", String::from_utf8_lossy(&rotated.stderr));
        key(&String::from_utf8(rotated.stdout).unwrap())
    };
    let second = rotate();
    assert_ne!(first, second);
    let after = server.home().join("after");
    assert!(export(&after).status.success());
    assert!(verify(&exported, &first), "what was signed before stays signed");
    assert!(verify(&after, &first) && verify(&after, &second), "either key is enough");
    assert!(!verify(&exported, &second), "the new key signed nothing before it was there");
    let third = rotate();
    let last = server.home().join("last");
    assert!(export(&last).status.success());
    assert!(verify(&last, &second) && verify(&last, &third) && !verify(&last, &first));
    assert!(server.admin("GET", "/api/v1/ledger/entries?limit=100", "").text.contains("ledger_key_rotate"));
}

#[test]
fn every_entry_is_proved_against_the_signed_head() {
    let server = TestServer::start();
    for number in 0..9 {
        server.deploy(&server.admin, &format!("agent-{number}"));
    }
    let head = server.admin("GET", "/api/v1/ledger/checkpoint", "").json();
    let key: VerifierKey = head["verifier_key"].as_str().unwrap().parse().unwrap();
    let checkpoint = Checkpoint::open(head["checkpoint"].as_str().unwrap().as_bytes(), &key).unwrap();
    assert_eq!((checkpoint.size, checkpoint.origin.as_str()), (10, "aegis/default"));
    let entries = server.admin("GET", "/api/v1/ledger/entries?from=0&limit=500", "").json();
    for position in 0..10 {
        let proof = server.admin("GET", &format!("/api/v1/ledger/proof?position={position}"), "").json();
        let path = hashes(&proof["path"]);
        verify_inclusion(&hash(&proof["leaf"]), position, 10, &path, &checkpoint.root).unwrap();
        let bytes = STANDARD.decode(entries["items"][position as usize]["bytes"].as_str().unwrap()).unwrap();
        let text = TlogProof::parse(proof["tlog_proof"].as_str().unwrap().as_bytes()).unwrap();
        text.verify(&bytes, &key).unwrap();
        assert!(text.verify(b"another entry", &key).is_err());
    }
}

#[test]
fn a_later_ledger_extends_every_earlier_one() {
    let server = TestServer::start();
    for number in 0..6 {
        server.deploy(&server.admin, &format!("agent-{number}"));
    }
    for from in 0..=7 {
        let view = server.admin("GET", &format!("/api/v1/ledger/consistency?from={from}"), "").json();
        let growth = Growth { from, from_root: hash(&view["from_root"]), to: 7, to_root: hash(&view["to_root"]) };
        verify_consistency(&growth, &hashes(&view["path"])).unwrap();
    }
    for bad in ["from=8", "from=3&to=2", "from=0&to=9"] {
        assert_eq!(server.admin("GET", &format!("/api/v1/ledger/consistency?{bad}"), "").status, 422, "{bad}");
    }
    assert_eq!(server.admin("GET", "/api/v1/ledger/proof?position=7", "").status, 404);
    assert_eq!(server.admin("GET", "/api/v1/ledger/proof?position=0&size=8", "").status, 422);
}

#[test]
fn what_changes_state_is_recorded_and_what_looks_is_not() {
    let server = TestServer::start();
    let size = || server.admin("GET", "/api/v1/ledger/checkpoint", "").json()["size"].as_u64().unwrap();
    server.deploy(&server.admin, "triage");
    let before = size();
    for path in ["/agents", "/agents/triage", "/keys", "/policies", "/ledger/entries", "/freeze", "/tenants"] {
        assert_eq!(server.admin("GET", &format!("/api/v1{path}"), "").status, 200, "{path}");
    }
    assert_eq!(size(), before);
    server.admin("PUT", "/api/v1/agents/triage/endpoints/prod", r#"{"version":1}"#);
    server.admin("DELETE", "/api/v1/agents/triage", "");
    assert_eq!(size(), before + 2);
}

#[test]
fn a_failed_change_leaves_no_entry() {
    let server = TestServer::start();
    server.admin("POST", "/api/v1/tenants", r#"{"id":"acme"}"#);
    server.admin("POST", "/api/v1/tenants", r#"{"id":"acme"}"#);
    server.admin("DELETE", "/api/v1/agents/none", "");
    assert_eq!(server.admin("GET", "/api/v1/ledger/checkpoint", "").json()["size"], 2);
}
