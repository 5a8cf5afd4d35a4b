//! A tenant's own keys: made once, kept sealed under the installation's master key, opened
//! when they are needed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use aegis_identity::MasterKey;
use aegis_model::port::{Entropy, Store, TenantKeys, TenantSecrets};
use aegis_model::record::{Batch, Expect, Kind, RecordKey};
use aegis_model::tenant::{TenantRecord, TenantState};
use aegis_model::{Code, Fault, TenantId};
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::tenants::put_tenant;
use crate::{only, random, read};

/// Where what nobody needs lies.
const DECOY: &[u8] = b"decoy";

/// Opens and makes tenants' keys.
pub struct Vault {
    store: Arc<dyn Store>,
    entropy: Arc<dyn Entropy>,
    master: MasterKey,
    opened: RwLock<HashMap<TenantId, Arc<TenantSecrets>>>,
    data_keys: RwLock<HashMap<TenantId, Arc<MasterKey>>>,
    decoy: String,
    /// Counts how often something was forgotten: what was read before is not remembered after.
    forgotten: AtomicU64,
}

impl Vault {
    /// A vault under `master`.
    pub fn new(store: Arc<dyn Store>, entropy: Arc<dyn Entropy>, master: MasterKey) -> Self {
        let decoy = STANDARD.encode(master.seal([0; 24], DECOY, &[0; 40]));
        Self {
            store,
            entropy,
            master,
            opened: RwLock::default(),
            data_keys: RwLock::default(),
            decoy,
            forgotten: AtomicU64::new(0),
        }
    }

    /// Makes new keys for `tenant`, sealed, in base64.
    pub(crate) fn make(&self, tenant: &TenantId) -> Result<String, Fault> {
        let keys: Zeroizing<[u8; 64]> = Zeroizing::new(random(&*self.entropy)?);
        self.seal_keys(tenant, &*keys)
    }

    /// The tenant's keys, sealed, with a new one for signing and the present one behind it.
    pub(crate) fn with_new_signing_key(&self, tenant: &TenantId, now: &TenantSecrets) -> Result<String, Fault> {
        let new: Zeroizing<[u8; 32]> = Zeroizing::new(random(&*self.entropy)?);
        let keys = Zeroizing::new([now.mac_key, *new, now.signing_seed].concat());
        self.seal_keys(tenant, &keys)
    }

    fn seal_keys(&self, tenant: &TenantId, keys: &[u8]) -> Result<String, Fault> {
        let nonce: [u8; 24] = random(&*self.entropy)?;
        Ok(STANDARD.encode(self.master.seal(nonce, tenant.as_str().as_bytes(), keys)))
    }

    /// Makes a new data key for `tenant`, sealed, in base64.
    pub(crate) fn make_data_key(&self, tenant: &TenantId) -> Result<String, Fault> {
        let key: Zeroizing<[u8; 32]> = Zeroizing::new(random(&*self.entropy)?);
        let nonce: [u8; 24] = random(&*self.entropy)?;
        Ok(STANDARD.encode(self.master.seal(nonce, data_place(tenant).as_bytes(), &*key)))
    }

    /// Seals bytes for their place among what the tenant has, in base64.
    pub(crate) async fn seal(&self, tenant: &TenantId, place: &str, plain: &[u8]) -> Result<String, Fault> {
        let nonce: [u8; 24] = random(&*self.entropy)?;
        Ok(STANDARD.encode(self.data_key(tenant).await?.seal(nonce, place.as_bytes(), plain)))
    }

    /// Opens what [`Vault::seal`] made for the same place.
    pub(crate) async fn unseal(
        &self,
        tenant: &TenantId,
        place: &str,
        sealed: &str,
    ) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let altered = || Fault::new(Code::Tampered, "what is sealed cannot be opened with the tenant's data key");
        let sealed = STANDARD.decode(sealed).map_err(|error| altered().caused_by(error))?;
        let key = self.data_key(tenant).await?;
        key.open(place.as_bytes(), &sealed).map_err(|error| altered().caused_by(error))
    }

    /// Does the work of [`Vault::unseal`] for nothing, so that what is not there takes as long
    /// as what is.
    pub(crate) fn unseal_nothing(&self) {
        let sealed = STANDARD.decode(std::hint::black_box(&self.decoy)).unwrap_or_default();
        drop(std::hint::black_box(self.master.open(DECOY, &sealed)));
    }

    /// Forgets the keys of a tenant that was deleted.
    pub(crate) fn forget(&self, tenant: &TenantId) {
        self.forget_signing(tenant);
        let mut data_keys = self.data_keys.write().unwrap_or_else(PoisonError::into_inner);
        self.forgotten.fetch_add(1, Ordering::AcqRel);
        data_keys.remove(tenant);
    }

    /// Forgets what signs for a tenant, because something else does now.
    pub(crate) fn forget_signing(&self, tenant: &TenantId) {
        let mut opened = self.opened.write().unwrap_or_else(PoisonError::into_inner);
        self.forgotten.fetch_add(1, Ordering::AcqRel);
        opened.remove(tenant);
    }

    async fn data_key(&self, tenant: &TenantId) -> Result<Arc<MasterKey>, Fault> {
        if let Some(key) = self.data_keys.read().unwrap_or_else(PoisonError::into_inner).get(tenant) {
            return Ok(Arc::clone(key));
        }
        let altered = || Fault::new(Code::Tampered, "the tenant's data key cannot be opened with this master key");
        let forgotten = self.forgotten.load(Ordering::Acquire);
        let stored = self.stored_data_key(tenant).await?;
        let sealed = STANDARD.decode(stored).map_err(|error| altered().caused_by(error))?;
        let opened = self.master.open(data_place(tenant).as_bytes(), &sealed);
        let bytes = opened.map_err(|error| altered().caused_by(error))?;
        let key = Arc::new(MasterKey::new(bytes.as_slice().try_into().map_err(|_| altered())?));
        let mut data_keys = self.data_keys.write().unwrap_or_else(PoisonError::into_inner);
        if self.forgotten.load(Ordering::Acquire) == forgotten {
            data_keys.insert(tenant.clone(), Arc::clone(&key));
        }
        Ok(key)
    }

    /// The sealed data key. A tenant that is older than data keys gets one when it first needs it.
    async fn stored_data_key(&self, tenant: &TenantId) -> Result<String, Fault> {
        let (mut record, version) = self.record(tenant).await?;
        if let Some(stored) = record.sealed_data_key {
            return Ok(stored);
        }
        if record.info.state != TenantState::Active {
            return Err(Fault::new(Code::StateInvalid, "the tenant's data key was destroyed"));
        }
        let made = self.make_data_key(tenant)?;
        record.sealed_data_key = Some(made.clone());
        let batch = Batch { at: record.info.created_at, changes: vec![put_tenant(&record, Expect::Version(version))?] };
        only(self.store.commit_many(vec![batch]).await)?;
        Ok(made)
    }

    async fn record(&self, tenant: &TenantId) -> Result<(TenantRecord, u64), Fault> {
        let key = RecordKey::new(Kind::Tenant, TenantId::platform(), tenant.as_str());
        let record = self.store.get(&key).await?.ok_or_else(|| Fault::not_found("tenant", tenant.as_str()))?;
        Ok((read(&record)?, record.version))
    }

    /// Opens what [`Vault::make`] sealed.
    pub(crate) fn open(&self, tenant: &TenantId, sealed: &str) -> Result<TenantSecrets, Fault> {
        let altered = || Fault::new(Code::Tampered, "the tenant's keys cannot be opened with this master key");
        let sealed = STANDARD.decode(sealed).map_err(|error| altered().caused_by(error))?;
        let keys = self.master.open(tenant.as_str().as_bytes(), &sealed).map_err(|error| altered().caused_by(error))?;
        let (mac_key, rest) = keys.split_first_chunk().ok_or_else(altered)?;
        let (signing_seed, rest) = rest.split_first_chunk().ok_or_else(altered)?;
        let previous_signing_seed = match rest {
            [] => None,
            rest => Some(rest.try_into().map_err(|_| altered())?),
        };
        Ok(TenantSecrets { mac_key: *mac_key, signing_seed: *signing_seed, previous_signing_seed })
    }
}

/// Where the data key of a tenant lies, as it is sealed for.
fn data_place(tenant: &TenantId) -> String {
    format!("data-key/{tenant}")
}

#[async_trait]
impl TenantKeys for Vault {
    async fn of(&self, tenant: &TenantId) -> Result<Arc<TenantSecrets>, Fault> {
        if let Some(keys) = self.opened.read().unwrap_or_else(PoisonError::into_inner).get(tenant) {
            return Ok(Arc::clone(keys));
        }
        let forgotten = self.forgotten.load(Ordering::Acquire);
        let (stored, _) = self.record(tenant).await?;
        let keys = Arc::new(self.open(tenant, &stored.sealed_keys)?);
        let mut opened = self.opened.write().unwrap_or_else(PoisonError::into_inner);
        if self.forgotten.load(Ordering::Acquire) == forgotten {
            opened.insert(tenant.clone(), Arc::clone(&keys));
        }
        Ok(keys)
    }
}
