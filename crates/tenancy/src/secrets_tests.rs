//! Secrets over a real store: what is read, and what cannot be.

use std::sync::Arc;

use aegis_model::Operation;
use aegis_model::port::Store;
use aegis_model::record::Batch;
use tempfile::TempDir;

use super::*;
use crate::world::{acme, act, at, rooms};

pub(crate) fn name() -> SecretName {
    "token".parse().unwrap()
}

/// An installation with a tenant, on a disk of its own.
pub(crate) struct World {
    pub(crate) tenancy: Tenancy,
    store: Arc<dyn Store>,
    dir: TempDir,
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
    // Not even the vault of a new server, which has the key ring, opens what is still stored.
    let World { tenancy, store, dir: _dir } = world.restarted();
    let stored = store.get(&key).await.unwrap().unwrap();
    assert_eq!(stored.body, kept.body, "the sealed bytes are still there");
    let record: SecretRecord = read(&stored).unwrap();
    let version = versions::current(&record).unwrap();
    let sealed = versions::readable(version, at(30)).unwrap();
    let opened = tenancy.vault.unseal(&acme(), &place(&name(), version.number), sealed).await;
    assert_eq!(opened.unwrap_err().code(), Code::StateInvalid);
}
