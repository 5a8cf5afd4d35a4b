//! The world of this room's tests: a real store, a real key ring, and a machine that is none.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use aegis_adapters::key_ring::{KeyRingFile, LocalKeys};
use aegis_identity::MasterKey;
use aegis_ledger::Sealer;
use aegis_ledger::journal::Journal;
use aegis_model::act::DecisionMark;
use aegis_model::port::{Clock, Entropy, EntropyError, Fetch, FetchError, KeyWrap, Store};
use aegis_model::{
    Act, Caller, CorrelationId, DecisionId, Operation, Principal, ReasonClass, Role, TenantId, Timestamp,
};
use aegis_store::{Cached, SqliteStore};
use async_trait::async_trait;

use crate::{Issuers, Roots, Tenancy, Vault, WorkloadNames};

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

pub(crate) fn acme() -> TenantId {
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
        beside: Vec::new(),
        counted: None,
    }
}

/// What lies in `dir`, as a server that starts finds it.
pub(crate) struct Disk {
    pub store: Arc<dyn Store>,
    pub keys: Arc<dyn KeyWrap>,
    entropy: Arc<dyn Entropy>,
}

impl Disk {
    pub(crate) fn open(dir: &Path, first_random: u8) -> Self {
        let sqlite = SqliteStore::open(dir, Arc::new(Sealer::new(&[7; 32]))).unwrap();
        let entropy: Arc<dyn Entropy> = Arc::new(Counting(AtomicU8::new(first_random)));
        let file = KeyRingFile::at(dir.join("master.key"));
        let keys = match file.find() {
            Ok(found) => LocalKeys::open(found, None, Arc::clone(&entropy), at(0)),
            Err(_) => LocalKeys::create(file, None, Arc::clone(&entropy), at(0)),
        };
        Self { store: Arc::new(Cached::new(Arc::new(sqlite))), keys: Arc::new(keys.unwrap()), entropy }
    }

    /// The same disk, seen through others.
    pub(crate) fn over(store: Arc<dyn Store>, keys: Arc<dyn KeyWrap>) -> Self {
        Self { store, keys, entropy: Arc::new(Counting(AtomicU8::new(200))) }
    }

    /// The room over it.
    pub(crate) fn tenancy(&self) -> Tenancy {
        let vault = Vault::new(Arc::clone(&self.store), Arc::clone(&self.entropy), Arc::clone(&self.keys));
        let vault = Arc::new(vault);
        let journal = Arc::new(Journal::new(Arc::clone(&self.store), Arc::clone(&vault) as Arc<_>));
        let (fetch, clock): (Arc<dyn Fetch>, Arc<dyn Clock>) = (Arc::new(Nobody), Arc::new(Nobody));
        let issuers = Issuers::new(Vec::new(), &fetch, &clock);
        let names =
            WorkloadNames { issuer: "https://aegis.example".to_owned(), trust_domain: "aegis.example".to_owned() };
        let roots = Roots { master: &MasterKey::new([5; 32]), region: "us-east-1", issuers, names };
        Tenancy::new(journal, vault, Arc::clone(&self.entropy), roots)
    }
}

/// The room over what lies in `dir`, as a server that starts makes it.
pub(crate) fn rooms(dir: &Path, first_random: u8) -> (Tenancy, Arc<dyn Store>) {
    let disk = Disk::open(dir, first_random);
    (disk.tenancy(), disk.store)
}
