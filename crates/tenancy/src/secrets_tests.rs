//! Secrets over a real store: what is read, and what cannot be.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use aegis_identity::MasterKey;
use aegis_ledger::Sealer;
use aegis_ledger::journal::Journal;
use aegis_model::act::DecisionMark;
use aegis_model::port::{Clock, Entropy, EntropyError, Fetch, FetchError, Store};
use aegis_model::record::Batch;
use aegis_model::{Caller, CorrelationId, DecisionId, Operation, Principal, ReasonClass, Role};
use aegis_store::{Cached, SqliteStore};
use async_trait::async_trait;
use tempfile::TempDir;

use super::*;
use crate::{Issuers, Roots, Vault, WorkloadNames};

struct Counting(AtomicU8);

impl Entropy for Counting {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError> {
        buffer.fill(self.0.fetch_add(1, Ordering::Relaxed));
        Ok(())
    }
}

struct Nobody;

#[async_trait]
impl Fetch for Nobody {
    async fn get(&self, address: &str) -> Result<bytes::Bytes, FetchError> {
        Err(FetchError::Unreachable(address.to_owned()))
    }
}

impl Clock for Nobody {
    fn now(&self) -> Timestamp {
        at(0)
    }

    fn elapsed_ns(&self) -> u64 {
        0
    }
}

pub(crate) fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(ms)
}

pub(crate) fn name() -> SecretName {
    "token".parse().unwrap()
}

/// An installation with a tenant, on a disk of its own.
pub(crate) struct World {
    pub(crate) tenancy: Tenancy,
    store: Arc<dyn Store>,
    dir: TempDir,
}

/// The rooms over what lies in `dir`, as a server that starts makes them.
fn rooms(dir: &Path, first_random: u8) -> (Tenancy, Arc<dyn Store>) {
    let sqlite = SqliteStore::open(dir, Arc::new(Sealer::new(&[7; 32]))).unwrap();
    let store: Arc<dyn Store> = Arc::new(Cached::new(Arc::new(sqlite)));
    let entropy: Arc<dyn Entropy> = Arc::new(Counting(AtomicU8::new(first_random)));
    let master = MasterKey::new([5; 32]);
    let vault_key = MasterKey::new(master.derive("tenant-keys"));
    let vault = Arc::new(Vault::new(Arc::clone(&store), Arc::clone(&entropy), vault_key));
    let journal = Arc::new(Journal::new(Arc::clone(&store), Arc::clone(&vault) as Arc<_>));
    let (fetch, clock): (Arc<dyn Fetch>, Arc<dyn Clock>) = (Arc::new(Nobody), Arc::new(Nobody));
    let issuers = Issuers::new(Vec::new(), &fetch, &clock);
    let names = WorkloadNames { issuer: "https://aegis.example".to_owned(), trust_domain: "aegis.example".to_owned() };
    let roots = Roots { master: &master, region: "us-east-1", issuers, names };
    (Tenancy::new(journal, vault, entropy, roots), store)
}

impl World {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (tenancy, store) = rooms(dir.path(), 1);
        let start = tenancy.first_start(at(1)).await.unwrap().unwrap();
        tenancy.complete(start).await.unwrap();
        tenancy.tenant_create(&act("default", Operation::TenantCreate, 2), acme()).await.unwrap();
        Self { tenancy, store, dir }
    }

    /// As it is after the server was started again.
    pub(crate) fn restarted(self) -> Self {
        let Self { tenancy, store, dir } = self;
        drop((tenancy, store));
        let (tenancy, store) = rooms(dir.path(), 90);
        Self { tenancy, store, dir }
    }

    pub(crate) async fn set(&self, value: &str, ms: u64) -> Result<SecretInfo, Fault> {
        let wish = SecretSet { value: SecretValue::new(value.to_owned()), description: None, rotate_every_ms: None };
        self.tenancy.secret_set(&act("acme", Operation::SecretSet, ms), &name(), wish).await
    }

    async fn rotate(&self, value: &str, ms: u64) -> Result<SecretInfo, Fault> {
        let wish = SecretRotate { value: SecretValue::new(value.to_owned()), overlap_ms: Some(100) };
        self.tenancy.secret_rotate(&act("acme", Operation::SecretRotate, ms), &name(), wish).await
    }

    /// The value, or the code of why not.
    pub(crate) async fn read(&self, number: Option<u64>, ms: u64) -> Result<String, Code> {
        let read = self.tenancy.secret_read(&acme(), &name(), number, at(ms)).await;
        read.map(|value| String::from_utf8(value.to_vec()).unwrap()).map_err(|fault| fault.code())
    }

    /// Changes the stored document behind the domain's back.
    async fn alter(&self, change: impl FnOnce(String) -> String) {
        let key = secret_key(&acme(), &name());
        let record = self.store.get(&key).await.unwrap().unwrap();
        let body = change(String::from_utf8(record.body.to_vec()).unwrap());
        let index = vec![("state", LIVE.to_owned())];
        let put = Put { key, expect: Expect::Any, body: body.into(), index, terminal: false };
        let batch = Batch { at: at(9), changes: vec![Change::Put(put)] };
        self.store.commit_many(vec![batch]).await.pop().unwrap().unwrap();
    }
}

fn acme() -> TenantId {
    "acme".parse().unwrap()
}

pub(crate) fn act(tenant: &str, operation: Operation, ms: u64) -> Act {
    Act {
        caller: Caller {
            tenant: tenant.parse().unwrap(),
            principal: Principal::System,
            role: Role::PlatformAdmin,
            correlation_id: CorrelationId::generate(at(ms), [0; 10]),
        },
        operation,
        at: at(ms),
        decision: DecisionMark {
            id: DecisionId::generate(at(ms), [0; 10]),
            class: ReasonClass::Permitted,
            policy_hash: String::new(),
        },
        request_digest: [0; 32],
        idempotency: None,
    }
}

fn code(result: Result<SecretInfo, Fault>) -> Code {
    result.unwrap_err().code()
}

#[tokio::test]
async fn the_value_that_is_used_and_the_one_that_overlaps_are_read() {
    let world = World::new().await;
    assert_eq!(world.read(None, 10).await, Err(Code::NotFound));
    world.set("one", 10).await.unwrap();
    world.rotate("two", 20).await.unwrap();
    assert_eq!(world.read(None, 30).await, Ok("two".to_owned()));
    assert_eq!(world.read(Some(1), 119).await, Ok("one".to_owned()));
    assert_eq!(world.read(Some(1), 120).await, Err(Code::StateInvalid), "refused by the clock, before any write");
    assert_eq!(world.read(Some(3), 30).await, Err(Code::NotFound));
    world.set("three", 130).await.unwrap();
    assert_eq!(
        (world.read(None, 130).await, world.read(Some(2), 130).await),
        (Ok("three".to_owned()), Err(Code::StateInvalid))
    );
}

#[tokio::test]
async fn what_is_retired_is_dropped_with_the_next_write() {
    let world = World::new().await;
    world.set("one", 10).await.unwrap();
    world.rotate("two", 20).await.unwrap();
    let sealed = async || {
        let record = world.store.get(&secret_key(&acme(), &name())).await.unwrap().unwrap();
        String::from_utf8_lossy(&record.body).matches("\"sealed\"").count()
    };
    assert_eq!(sealed().await, 2);
    world.rotate("three", 500).await.unwrap();
    assert_eq!(sealed().await, 2, "`one` is gone");
    world.set("four", 510).await.unwrap();
    assert_eq!(sealed().await, 1);
    world.tenancy.secret_delete(&act("acme", Operation::SecretDelete, 520), &name()).await.unwrap();
    assert_eq!(sealed().await, 0);
    assert_eq!(world.read(None, 520).await, Err(Code::NotFound));
    assert_eq!(world.set("five", 530).await.unwrap().version, 5, "numbers go on counting");
}

#[tokio::test]
async fn a_rotation_to_the_same_value_is_refused() {
    let world = World::new().await;
    world.set("one", 10).await.unwrap();
    let refused = world.rotate("one", 20).await.unwrap_err();
    assert_eq!(refused.code(), Code::Validation);
    assert_eq!(world.tenancy.secret_view(&act("acme", Operation::SecretView, 30), &name()).await.unwrap().version, 1);
}

#[tokio::test]
async fn sizes_have_bounds() {
    let world = World::new().await;
    for bad in ["", &"x".repeat(SECRET_SIZE_MAX_BYTES + 1)] {
        assert_eq!(code(world.set(bad, 10).await), Code::Validation);
    }
    let long = "é".repeat(SECRET_SIZE_MAX_BYTES / 2);
    world.set(&long, 20).await.unwrap();
    assert_eq!(world.read(None, 20).await, Ok(long));
    assert_eq!(code(world.rotate("", 30).await), Code::Validation);
}

#[tokio::test]
async fn damaged_bytes_and_bytes_of_another_place_are_named_and_not_used() {
    let world = World::new().await;
    world.set("one", 10).await.unwrap();
    world.rotate("two", 20).await.unwrap();
    // The sealed bytes of both versions change places.
    let swap = |body: String| {
        let texts: Vec<String> =
            body.split("\"sealed\":\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect();
        body.replace(&texts[0], "first").replace(&texts[1], &texts[0]).replace("first", &texts[1])
    };
    world.alter(swap).await;
    assert_eq!((world.read(None, 30).await, world.read(Some(1), 30).await), (Err(Code::Tampered), Err(Code::Tampered)));
    let back = act("acme", Operation::SecretRollback, 30);
    assert_eq!(code(world.tenancy.secret_rollback(&back, &name()).await), Code::Tampered);
    world.alter(|body| body.replace("\"sealed\":\"", "\"sealed\":\"!")).await;
    assert_eq!(world.read(None, 30).await, Err(Code::Tampered));
    // Nobody is locked out: another value can be set.
    world.set("three", 40).await.unwrap();
    assert_eq!(world.read(None, 40).await, Ok("three".to_owned()));
}

#[tokio::test]
async fn another_tenants_secret_does_not_exist() {
    let world = World::new().await;
    world.set("one", 10).await.unwrap();
    let read = world.tenancy.secret_read(&TenantId::first(), &name(), None, at(20)).await;
    assert_eq!(read.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn with_the_tenant_its_secrets_are_gone_for_everybody() {
    let world = World::new().await;
    world.set("one", 10).await.unwrap();
    let key = secret_key(&acme(), &name());
    let kept = world.store.get(&key).await.unwrap().unwrap();
    let delete = act("default", Operation::TenantDelete, 20);
    world.tenancy.tenant_delete(&delete, &acme()).await.unwrap();
    assert_eq!(world.read(None, 30).await, Err(Code::NotFound));
    // Not even the vault of a new server, which has the master key, opens what is still stored.
    let World { tenancy, store, dir: _dir } = world.restarted();
    let stored = store.get(&key).await.unwrap().unwrap();
    assert_eq!(stored.body, kept.body, "the sealed bytes are still there");
    let record: SecretRecord = read(&stored).unwrap();
    let version = versions::current(&record).unwrap();
    let sealed = versions::readable(version, at(30)).unwrap();
    let opened = tenancy.vault.unseal(&acme(), &place(&name(), version.number), sealed).await;
    assert_eq!(opened.unwrap_err().code(), Code::StateInvalid);
}
