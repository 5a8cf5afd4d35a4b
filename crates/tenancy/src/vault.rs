//! A tenant's own keys: made once, kept sealed under the installation's key-encryption key,
//! opened when they are needed. Must not know: what that key is, or where it lies.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use aegis_identity::MasterKey;
use aegis_model::port::{Entropy, KeyWrap, Store, TenantKeys, TenantSecrets, WrappedKey};
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

/// What is stored of a tenant, sealed.
#[derive(Clone, Copy)]
enum Stored {
    Keys,
    DataKey,
}

/// Opens and makes tenants' keys.
pub struct Vault {
    store: Arc<dyn Store>,
    entropy: Arc<dyn Entropy>,
    wrapping: Arc<dyn KeyWrap>,
    opened: RwLock<HashMap<TenantId, Arc<TenantSecrets>>>,
    data_keys: RwLock<HashMap<TenantId, Arc<MasterKey>>>,
    /// Opens what nobody needs.
    decoy_key: MasterKey,
    decoy: String,
    /// Counts how often something was forgotten: what was read before is not remembered after.
    forgotten: AtomicU64,
}

impl Vault {
    /// A vault whose keys are sealed by `wrapping`.
    pub fn new(store: Arc<dyn Store>, entropy: Arc<dyn Entropy>, wrapping: Arc<dyn KeyWrap>) -> Self {
        let decoy_key = MasterKey::new([0; 32]);
        let decoy = STANDARD.encode(decoy_key.seal([0; 24], DECOY, &[0; 40]));
        Self {
            store,
            entropy,
            wrapping,
            opened: RwLock::default(),
            data_keys: RwLock::default(),
            decoy_key,
            decoy,
            forgotten: AtomicU64::new(0),
        }
    }

    /// What seals the keys.
    pub(crate) fn wrapping(&self) -> &dyn KeyWrap {
        &*self.wrapping
    }

    /// Makes new keys for `tenant`, sealed, as text.
    pub(crate) async fn make(&self, tenant: &TenantId) -> Result<String, Fault> {
        let keys: Zeroizing<[u8; 64]> = Zeroizing::new(random(&*self.entropy)?);
        self.wrap(tenant.as_str(), &*keys).await
    }

    /// The tenant's keys, sealed, with a new one for signing and the present one behind it.
    pub(crate) async fn with_new_signing_key(&self, tenant: &TenantId, now: &TenantSecrets) -> Result<String, Fault> {
        let new: Zeroizing<[u8; 32]> = Zeroizing::new(random(&*self.entropy)?);
        let keys = Zeroizing::new([now.mac_key, *new, now.signing_seed].concat());
        self.wrap(tenant.as_str(), &keys).await
    }

    /// Makes a new data key for `tenant`, sealed, as text.
    pub(crate) async fn make_data_key(&self, tenant: &TenantId) -> Result<String, Fault> {
        let key: Zeroizing<[u8; 32]> = Zeroizing::new(random(&*self.entropy)?);
        self.wrap(&data_place(tenant), &*key).await
    }

    /// Seals the tenant's keys anew where they are not under the key of that name; says whether
    /// there was anything to do.
    pub(crate) async fn rewrap(&self, tenant: &mut TenantRecord, current: &str) -> Result<bool, Fault> {
        let id = tenant.info.id.clone();
        let keys = self.rewrapped(id.as_str(), &tenant.sealed_keys, current).await?;
        let data_key = match &tenant.sealed_data_key {
            Some(sealed) => self.rewrapped(&data_place(&id), sealed, current).await?,
            None => None,
        };
        let due = keys.is_some() || data_key.is_some();
        tenant.sealed_keys = keys.unwrap_or(std::mem::take(&mut tenant.sealed_keys));
        tenant.sealed_data_key = data_key.or(tenant.sealed_data_key.take());
        Ok(due)
    }

    async fn rewrapped(&self, place: &str, sealed: &str, current: &str) -> Result<Option<String>, Fault> {
        if wrapped(sealed)?.under == current {
            return Ok(None);
        }
        let key = self.unwrap(place, sealed).await?;
        self.wrap(place, &key).await.map(Some)
    }

    async fn wrap(&self, place: &str, key: &[u8]) -> Result<String, Fault> {
        Ok(self.wrapping.wrap(place, key).await?.to_string())
    }

    /// Opens what is stored. If it was sealed under another key since it was read, the key that
    /// it was under may be gone: then it is read again.
    async fn unwrap_stored(&self, tenant: &TenantId, what: Stored) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let (place, sealed) = self.stored(tenant, what).await?;
        let opened = self.unwrap(&place, &sealed).await;
        if opened.is_ok() {
            return opened;
        }
        let (_, again) = self.stored(tenant, what).await?;
        if again == sealed { opened } else { self.unwrap(&place, &again).await }
    }

    /// Where it lies, and what lies there.
    async fn stored(&self, tenant: &TenantId, what: Stored) -> Result<(String, String), Fault> {
        match what {
            Stored::Keys => Ok((tenant.to_string(), self.record(tenant).await?.0.sealed_keys)),
            Stored::DataKey => Ok((data_place(tenant), self.stored_data_key(tenant).await?)),
        }
    }

    async fn unwrap(&self, place: &str, sealed: &str) -> Result<Zeroizing<Vec<u8>>, Fault> {
        self.wrapping.unwrap(place, &wrapped(sealed)?).await
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
        drop(std::hint::black_box(self.decoy_key.open(DECOY, &sealed)));
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
        let forgotten = self.forgotten.load(Ordering::Acquire);
        let bytes = self.unwrap_stored(tenant, Stored::DataKey).await?;
        let key = Arc::new(MasterKey::new(bytes.as_slice().try_into().map_err(|_| no_key())?));
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
        let made = self.make_data_key(tenant).await?;
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
    pub(crate) async fn open(&self, tenant: &TenantId, sealed: &str) -> Result<TenantSecrets, Fault> {
        secrets(&self.unwrap(tenant.as_str(), sealed).await?)
    }
}

/// A tenant's keys, as they were sealed.
fn secrets(keys: &[u8]) -> Result<TenantSecrets, Fault> {
    let (mac_key, rest) = keys.split_first_chunk().ok_or_else(no_key)?;
    let (signing_seed, rest) = rest.split_first_chunk().ok_or_else(no_key)?;
    let previous_signing_seed = match rest {
        [] => None,
        rest => Some(rest.try_into().map_err(|_| no_key())?),
    };
    Ok(TenantSecrets { mac_key: *mac_key, signing_seed: *signing_seed, previous_signing_seed })
}

fn no_key() -> Fault {
    Fault::new(Code::Tampered, "what is sealed is no key of a tenant")
}

/// A sealed key in its type.
fn wrapped(sealed: &str) -> Result<WrappedKey, Fault> {
    sealed.parse().map_err(|error| Fault::new(Code::Tampered, "a tenant's sealed key was altered").caused_by(error))
}

/// Under which keys the tenant's keys and its data key are sealed. In the middle of a rotation
/// they differ.
pub(crate) fn under(tenant: &TenantRecord) -> Result<(String, Option<String>), Fault> {
    let data_key = tenant.sealed_data_key.as_deref().map(wrapped).transpose()?;
    Ok((wrapped(&tenant.sealed_keys)?.under, data_key.map(|key| key.under)))
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
        let keys = Arc::new(secrets(&self.unwrap_stored(tenant, Stored::Keys).await?)?);
        let mut opened = self.opened.write().unwrap_or_else(PoisonError::into_inner);
        if self.forgotten.load(Ordering::Acquire) == forgotten {
            opened.insert(tenant.clone(), Arc::clone(&keys));
        }
        Ok(keys)
    }
}
