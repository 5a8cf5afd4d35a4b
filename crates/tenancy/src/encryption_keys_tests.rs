//! Rotations over a real store and a real key ring: complete, cut short at every step, and with
//! everything else that goes on meanwhile.

use std::sync::Arc;

use aegis_conformance::key_wrap::{FaultyKeys, KeyFault};
use aegis_conformance::store::{Fault as StoreFault, FaultyStore};
use aegis_model::api::{SecretRotate, SecretSet};
use aegis_model::port::{KeyWrap, TenantKeys};
use aegis_model::secret::SecretValue;
use tempfile::TempDir;

use super::*;
use crate::vault;
use crate::world::{Disk, acme, act, at};

const TENANTS: [&str; 4] = ["acme", "beta", "default", "platform"];

/// An installation with tenants and a secret, on a disk of its own.
struct World {
    dir: TempDir,
    /// Of each tenant: its MAC key, as it was at first.
    before: Vec<[u8; 32]>,
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let tenancy = Disk::open(dir.path(), 1).tenancy();
        let start = tenancy.first_start(at(1)).await.unwrap().unwrap();
        tenancy.complete(start).await.unwrap();
        for id in ["acme", "beta"] {
            let act = act("default", Operation::TenantCreate, 2);
            tenancy.tenant_create(&act, id.parse().unwrap()).await.unwrap();
        }
        let wish = SecretSet { value: SecretValue::new("kept".to_owned()), description: None, rotate_every_ms: None };
        tenancy.secret_set(&act("acme", Operation::SecretSet, 3), &"token".parse().unwrap(), wish).await.unwrap();
        let mut before = Vec::new();
        for id in TENANTS {
            before.push(tenancy.vault.of(&id.parse().unwrap()).await.unwrap().mac_key);
        }
        Self { dir, before }
    }

    /// As the next start finds it.
    fn disk(&self) -> Disk {
        Disk::open(self.dir.path(), 100)
    }

    /// Everything opens, nothing is what it was not before.
    async fn check_all_opens(&self, tenancy: &Tenancy) {
        for (id, before) in TENANTS.iter().zip(&self.before) {
            let keys = tenancy.vault.of(&id.parse().unwrap()).await.unwrap();
            assert_eq!(keys.mac_key, *before, "{id}");
        }
        let read = tenancy.secret_read(&acme(), &"token".parse().unwrap(), None, at(50)).await.unwrap();
        assert_eq!(read.to_vec(), b"kept");
    }
}

/// The one key that everything of the tenant is sealed under.
async fn under_of(tenancy: &Tenancy, id: &str) -> String {
    let (tenant, _) = tenancy.tenant_find(&id.parse().unwrap()).await.unwrap().unwrap();
    let (keys, data_key) = vault::under(&tenant).unwrap();
    assert!(data_key.is_none_or(|data_key| data_key == keys), "{id} is sealed under two keys");
    keys
}

/// A new signing key that comes between the new key-encryption key and the tenant leaves it
/// sealed under both; the next change meets the sealing of the rest.
#[tokio::test]
async fn a_tenant_that_is_sealed_under_two_keys_is_changed_all_the_same() {
    let world = World::new().await;
    world.disk().keys.rotate(at(9)).await.unwrap();
    let disk = world.disk();
    let rotate_signing = act("acme", Operation::LedgerKeyRotate, 10);
    disk.tenancy().ledger_key_rotate(&rotate_signing).await.unwrap();
    drop(disk);
    let tenancy = world.meanwhile();
    tenancy.ledger_key_rotate(&rotate_signing).await.unwrap();
    assert_eq!(under_of(&tenancy, "acme").await, "2");
}

async fn rotate(tenancy: &Tenancy, ms: u64) -> Result<EncryptionKeyRotated, Fault> {
    tenancy.encryption_key_rotate(&act("default", Operation::EncryptionKeyRotate, ms)).await
}

fn rotated(key: &str, tenants: u64) -> EncryptionKeyRotated {
    EncryptionKeyRotated { key: key.to_owned(), tenants }
}

#[tokio::test]
async fn after_a_rotation_everything_opens_and_the_key_before_is_gone() {
    let world = World::new().await;
    let disk = world.disk();
    let tenancy = disk.tenancy();
    let old: TenantRecord = tenancy.tenant_find(&acme()).await.unwrap().unwrap().0;
    assert_eq!(rotate(&tenancy, 10).await.unwrap(), rotated("2", 4));
    world.check_all_opens(&tenancy).await;
    drop((tenancy, disk));
    let disk = world.disk();
    let tenancy = disk.tenancy();
    world.check_all_opens(&tenancy).await;
    for id in TENANTS {
        assert_eq!(under_of(&tenancy, id).await, "2");
    }
    assert_eq!(disk.keys.keys().await.unwrap(), WrapKeys { current: "2".to_owned(), older: Vec::new() });
    // What a copy of the database from before holds, this key ring does not open any more.
    assert!(tenancy.vault.open(&acme(), &old.sealed_keys).await.is_err());
    assert_eq!(rotate(&tenancy, 11).await.unwrap(), rotated("3", 4));
    assert_eq!(tenancy.encryption_key_go_on(at(12)).await.unwrap(), None);
}

#[tokio::test]
async fn every_tenants_ledger_tells_of_a_rotation() {
    let world = World::new().await;
    let disk = world.disk();
    let mut before = Vec::new();
    for id in TENANTS {
        before.push(disk.store.tree_head(&id.parse().unwrap()).await.unwrap().size);
    }
    rotate(&disk.tenancy(), 10).await.unwrap();
    for (id, before) in TENANTS.iter().zip(before) {
        let entries = disk.store.entries(&id.parse().unwrap(), before, 10).await.unwrap();
        let told: Vec<String> = entries.iter().map(|entry| String::from_utf8(entry.bytes.to_vec()).unwrap()).collect();
        // The caller's tells of the beginning and of the act, too.
        assert_eq!(told.len(), if *id == "default" { 3 } else { 1 }, "{told:?}");
        assert!(told.iter().all(|entry| entry.contains("\"encryption_key_rotate\"")), "{told:?}");
        assert!(told.iter().any(|entry| entry.contains(&format!("\"tenant/{id}\""))), "{told:?}");
    }
}

/// The steps that commit: the epoch, four tenants, and what the caller is told.
const COMMITS: usize = 6;

/// Cuts a rotation short by these faults, and goes on after a restart in both ways.
async fn check_cut_short(name: &str, keys: &[KeyFault], store: &[StoreFault]) {
    for by_start in [true, false] {
        let world = World::new().await;
        let mut disk = world.disk();
        disk.keys = Arc::new(FaultyKeys::scripted(Arc::clone(&disk.keys), keys.iter().copied()));
        disk.store = Arc::new(FaultyStore::scripted(Arc::clone(&disk.store), store.iter().copied()));
        let tenancy = disk.tenancy();
        assert!(rotate(&tenancy, 10).await.is_err(), "{name}: it was not cut short");
        world.check_all_opens(&tenancy).await;
        drop((tenancy, disk));
        let disk = world.disk();
        let tenancy = disk.tenancy();
        world.check_all_opens(&tenancy).await;
        match by_start {
            true => drop(tenancy.encryption_key_go_on(at(20)).await.unwrap()),
            false => drop(rotate(&tenancy, 20).await.unwrap()),
        }
        let keys = disk.keys.keys().await.unwrap();
        assert!(keys.older.is_empty(), "{name}: {keys:?}");
        for id in TENANTS {
            assert_eq!(under_of(&tenancy, id).await, keys.current, "{name}");
        }
        drop((tenancy, disk));
        world.check_all_opens(&world.disk().tenancy()).await;
    }
}

#[tokio::test]
async fn a_rotation_that_is_cut_short_at_any_step_loses_nothing_and_is_completed() {
    for fault in [KeyFault::NotDone, KeyFault::AnswerLost] {
        check_cut_short(&format!("new key, {fault:?}"), &[fault], &[]).await;
        check_cut_short(&format!("older keys, {fault:?}"), &[KeyFault::Pass, fault], &[]).await;
    }
    for step in 0..COMMITS {
        for fault in [StoreFault::Full, StoreFault::AnswerLost, StoreFault::Torn { kept: 0 }] {
            let mut script = vec![StoreFault::Pass; step];
            script.push(fault);
            check_cut_short(&format!("commit {step}, {fault:?}"), &[], &script).await;
        }
    }
}

#[tokio::test]
async fn a_rotation_goes_on_with_the_one_that_was_cut_short_instead_of_beginning_another() {
    let world = World::new().await;
    let disk = world.disk();
    let tenancy = disk.tenancy();
    disk.keys.rotate(at(9)).await.unwrap();
    assert_eq!(rotate(&tenancy, 10).await.unwrap(), rotated("2", 4));
}

#[tokio::test]
async fn somebody_elses_change_in_between_is_kept_and_sealed_anew() {
    let world = World::new().await;
    let mut disk = world.disk();
    // The epoch holds; the first tenant meets somebody else's change.
    let script = [StoreFault::Pass, StoreFault::Conflict, StoreFault::Conflict];
    disk.store = Arc::new(FaultyStore::scripted(Arc::clone(&disk.store), script));
    assert_eq!(rotate(&disk.tenancy(), 10).await.unwrap(), rotated("2", 4));
}

/// Wraps keys, and lets a rotation begin while something is being wrapped.
struct Meanwhile {
    inner: Arc<dyn KeyWrap>,
    store: Arc<dyn aegis_model::port::Store>,
    begun: std::sync::atomic::AtomicBool,
}

#[async_trait::async_trait]
impl KeyWrap for Meanwhile {
    async fn wrap(&self, context: &str, key: &[u8]) -> Result<aegis_model::port::WrappedKey, Fault> {
        let wrapped = self.inner.wrap(context, key).await;
        if !self.begun.swap(true, std::sync::atomic::Ordering::SeqCst) {
            // Another room over the same store, as another request has it.
            let disk = Disk::over(Arc::clone(&self.store), Arc::clone(&self.inner));
            rotate(&disk.tenancy(), 20).await.unwrap();
        }
        wrapped
    }

    async fn unwrap(
        &self,
        context: &str,
        wrapped: &aegis_model::port::WrappedKey,
    ) -> Result<zeroize::Zeroizing<Vec<u8>>, Fault> {
        self.inner.unwrap(context, wrapped).await
    }

    async fn keys(&self) -> Result<WrapKeys, Fault> {
        self.inner.keys().await
    }

    async fn rotate(&self, at: Timestamp) -> Result<String, Fault> {
        self.inner.rotate(at).await
    }

    async fn retire(&self, current: &str) -> Result<(), Fault> {
        self.inner.retire(current).await
    }
}

impl World {
    /// A room in which a rotation happens from beginning to end as soon as a key was wrapped.
    fn meanwhile(&self) -> Tenancy {
        let disk = self.disk();
        let begun = std::sync::atomic::AtomicBool::new(false);
        let keys = Meanwhile { inner: Arc::clone(&disk.keys), store: Arc::clone(&disk.store), begun };
        Disk::over(disk.store, Arc::new(keys)).tenancy()
    }
}

#[tokio::test]
async fn a_tenant_whose_keys_were_sealed_just_before_a_rotation_is_sealed_anew() {
    let world = World::new().await;
    let tenancy = world.meanwhile();
    let id: TenantId = "newcomer".parse().unwrap();
    tenancy.tenant_create(&act("default", Operation::TenantCreate, 10), id.clone()).await.unwrap();
    assert_eq!(under_of(&tenancy, "newcomer").await, "2");
    drop(tenancy);
    assert!(world.disk().tenancy().vault.of(&id).await.is_ok());
}

#[tokio::test]
async fn a_new_signing_key_and_a_rotation_at_once_are_both_kept() {
    let world = World::new().await;
    let tenancy = world.meanwhile();
    let before = tenancy.vault.of(&acme()).await.unwrap().signing_seed;
    tenancy.ledger_key_rotate(&act("acme", Operation::LedgerKeyRotate, 10)).await.unwrap();
    let after = tenancy.vault.of(&acme()).await.unwrap();
    assert_eq!(after.previous_signing_seed, Some(before), "one new key, not two and not none");
    assert_eq!(under_of(&tenancy, "acme").await, "2");
    drop(tenancy);
    world.check_all_opens(&world.disk().tenancy()).await;
}

#[tokio::test]
async fn a_deleted_tenants_ledger_key_is_sealed_anew_and_its_data_key_stays_destroyed() {
    let world = World::new().await;
    let disk = world.disk();
    let tenancy = disk.tenancy();
    tenancy.tenant_delete(&act("default", Operation::TenantDelete, 10), &acme()).await.unwrap();
    assert_eq!(rotate(&tenancy, 11).await.unwrap(), rotated("2", 4));
    let (record, _) = tenancy.tenant_find(&acme()).await.unwrap().unwrap();
    assert_eq!(record.sealed_data_key, None);
    assert!(tenancy.vault.open(&acme(), &record.sealed_keys).await.is_ok());
}

#[tokio::test]
async fn a_tenant_whose_keys_do_not_open_keeps_the_older_key_alive() {
    let world = World::new().await;
    let disk = world.disk();
    let tenancy = disk.tenancy();
    // Remembered, so that its ledger can be written although what is stored does not open.
    tenancy.vault.of(&acme()).await.unwrap();
    let (mut record, version) = tenancy.tenant_find(&acme()).await.unwrap().unwrap();
    let whole = std::mem::replace(&mut record.sealed_keys, "1.AAAA".to_owned());
    let put = put_tenant(&record, Expect::Version(version)).unwrap();
    let batch = aegis_model::record::Batch { at: at(9), changes: vec![put] };
    disk.store.commit_many(vec![batch]).await.pop().unwrap().unwrap();
    let fault = rotate(&tenancy, 10).await.unwrap_err();
    assert_eq!(fault.code(), Code::Tampered);
    assert!(fault.message().contains("`acme`"), "{}", fault.message());
    assert_eq!(disk.keys.keys().await.unwrap().older, ["1"]);
    assert!(tenancy.vault.open(&acme(), &whole).await.is_ok());
}

#[tokio::test]
async fn the_values_of_secrets_are_not_sealed_anew() {
    let world = World::new().await;
    let disk = world.disk();
    let tenancy = disk.tenancy();
    let name = "token".parse().unwrap();
    let key = RecordKey::new(Kind::Secret, acme(), "token");
    let before = disk.store.get(&key).await.unwrap().unwrap();
    rotate(&tenancy, 10).await.unwrap();
    assert_eq!(disk.store.get(&key).await.unwrap().unwrap(), before);
    let wish = SecretRotate { value: SecretValue::new("another".to_owned()), overlap_ms: None };
    tenancy.secret_rotate(&act("acme", Operation::SecretRotate, 20), &name, wish).await.unwrap();
}
