//! Issuers that answer, do not answer, lie, and change their keys; in a time of the test's own.

use std::collections::HashMap;
use std::sync::Mutex as StdMutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use aegis_identity::jwt::{SpiffeId, Workload, WorkloadKey};
use aegis_model::port::FetchError;
use async_trait::async_trait;
use bytes::Bytes;

use super::*;

const ISSUER: &str = "https://issuer.example";
const KEYS: &str = "https://issuer.example/keys";

#[derive(Default)]
struct World {
    now_ns: AtomicU64,
    /// What is published, by its address.
    published: StdMutex<HashMap<String, Result<Bytes, FetchError>>>,
    asked: AtomicUsize,
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_000_000)
    }

    fn elapsed_ns(&self) -> u64 {
        self.now_ns.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Fetch for World {
    async fn get(&self, address: &str) -> Result<Bytes, FetchError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let published = self.published.lock().unwrap();
        published.get(address).cloned().unwrap_or(Err(FetchError::Status(404)))
    }
}

impl World {
    fn publish(&self, address: &str, what: Result<String, FetchError>) {
        self.published.lock().unwrap().insert(address.to_owned(), what.map(Bytes::from));
    }

    fn publish_keys(&self, keys: &[&WorkloadKey]) {
        self.publish(KEYS, Ok(serde_json::to_string(&WorkloadKey::public_set(keys)).unwrap()));
    }

    fn pass(&self, time: Duration) {
        self.now_ns.fetch_add(u64::try_from(time.as_nanos()).unwrap(), Ordering::Relaxed);
    }

    fn asked(&self) -> usize {
        self.asked.swap(0, Ordering::Relaxed)
    }
}

fn issuer() -> (Arc<Issuer>, Arc<World>) {
    let world = Arc::new(World::default());
    world.pass(Duration::from_secs(1));
    let discovery = format!(r#"{{"issuer":"{ISSUER}","jwks_uri":"{KEYS}"}}"#);
    world.publish(&format!("{ISSUER}{DISCOVERY}"), Ok(discovery));
    let trust = Trust { expected: Expected::new(ISSUER, "aegis"), keys_at: None, rules: ClaimRules::default() };
    let (fetch, clock) = (Arc::clone(&world) as Arc<dyn Fetch>, Arc::clone(&world) as Arc<dyn Clock>);
    let issuers = Issuers::new(vec![trust], &fetch, &clock);
    (Arc::clone(issuers.of(ISSUER).unwrap()), world)
}

fn key(seed: u8) -> WorkloadKey {
    WorkloadKey::from_seed(&[seed; 32]).unwrap()
}

fn token(key: &WorkloadKey) -> String {
    let subject = SpiffeId::new("house.example", &["agent", "a"]).unwrap();
    let workload = Workload {
        issuer: ISSUER,
        subject: &subject,
        audience: "aegis",
        token_id: "t",
        issued_at: Timestamp::from_millis(1_000_000),
        lifetime_s: 600,
    };
    key.sign(&workload).unwrap()
}

async fn check(issuer: &Arc<Issuer>, key: &WorkloadKey) -> Result<(), Code> {
    let now = Timestamp::from_millis(1_000_000);
    issuer.verified(&token(key), now).await.map(drop).map_err(|fault| fault.code())
}

#[tokio::test]
async fn keys_are_found_kept_and_read_anew_when_a_token_names_another() {
    let (issuer, world) = issuer();
    world.publish_keys(&[&key(1)]);
    for _ in 0..3 {
        assert_eq!(check(&issuer, &key(1)).await, Ok(()));
    }
    assert_eq!(world.asked(), 2, "one look for the address, one for the keys");
    world.publish_keys(&[&key(1), &key(2)]);
    // Whoever makes up names of keys does not make this server ask for each.
    assert_eq!(check(&issuer, &key(2)).await, Err(Code::CredentialInvalid));
    assert_eq!(world.asked(), 0);
    world.pass(PAUSE_AFTER_SUCCESS);
    assert_eq!(check(&issuer, &key(2)).await, Ok(()));
    assert_eq!(world.asked(), 2);
}

#[tokio::test]
async fn an_issuer_that_does_not_answer_is_left_alone_for_a_while() {
    let (issuer, world) = issuer();
    world.publish(KEYS, Err(FetchError::Unreachable("nobody".to_owned())));
    for _ in 0..5 {
        assert_eq!(check(&issuer, &key(1)).await, Err(Code::IssuerUnreachable));
    }
    assert_eq!(world.asked(), 2);
    world.publish_keys(&[&key(1)]);
    world.pass(PAUSE_FIRST);
    assert_eq!(check(&issuer, &key(1)).await, Ok(()));
    // What is known goes on counting while it is away, for a day.
    world.publish(KEYS, Err(FetchError::Status(500)));
    world.pass(STALE_MAX);
    assert_eq!(check(&issuer, &key(1)).await, Ok(()));
    world.pass(Duration::from_secs(90));
    assert_eq!(check(&issuer, &key(1)).await, Err(Code::IssuerUnreachable));
}

#[tokio::test]
async fn old_keys_are_read_anew_beside_requests() {
    let (issuer, world) = issuer();
    world.publish_keys(&[&key(1)]);
    assert_eq!(check(&issuer, &key(1)).await, Ok(()));
    world.publish_keys(&[&key(2)]);
    world.pass(FRESH + Duration::from_secs(1));
    assert_eq!(check(&issuer, &key(1)).await, Ok(()), "this one does not wait");
    while check(&issuer, &key(1)).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert_eq!(check(&issuer, &key(2)).await, Ok(()));
}

#[tokio::test]
async fn an_issuer_that_lies_is_not_believed() {
    for said in ["{}", "[", r#"{"issuer":"https://other.example","jwks_uri":"https://issuer.example/keys"}"#] {
        let (issuer, world) = issuer();
        world.publish_keys(&[&key(1)]);
        world.publish(&format!("{ISSUER}{DISCOVERY}"), Ok(said.to_owned()));
        assert_eq!(check(&issuer, &key(1)).await, Err(Code::IssuerUnreachable), "{said}");
    }
    let (inner, world) = issuer();
    world.publish("http://127.0.0.1/keys", Ok(serde_json::to_string(&WorkloadKey::public_set(&[&key(1)])).unwrap()));
    let inside = format!(r#"{{"issuer":"{ISSUER}","jwks_uri":"http://127.0.0.1/keys"}}"#);
    world.publish(&format!("{ISSUER}{DISCOVERY}"), Ok(inside));
    assert_eq!(check(&inner, &key(1)).await, Err(Code::IssuerUnreachable), "it leads this server to itself");
    for keys in ["", "{}", r#"{"keys":1}"#] {
        let (issuer, world) = issuer();
        world.publish(KEYS, Ok(keys.to_owned()));
        assert_eq!(check(&issuer, &key(1)).await, Err(Code::IssuerUnreachable), "{keys}");
    }
    let (issuer, world) = issuer();
    world.publish_keys(&[&key(2)]);
    assert_eq!(check(&issuer, &key(1)).await, Err(Code::CredentialInvalid));
}
