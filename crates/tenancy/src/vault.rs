//! A tenant's own keys: made once, kept sealed under the installation's master key, opened
//! when they are needed.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use aegis_identity::MasterKey;
use aegis_model::port::{Entropy, Store, TenantKeys, TenantSecrets};
use aegis_model::record::{Kind, RecordKey};
use aegis_model::tenant::TenantRecord;
use aegis_model::{Code, Fault, TenantId};
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::{random, read};

/// Opens and makes tenants' keys.
pub struct Vault {
    store: Arc<dyn Store>,
    entropy: Arc<dyn Entropy>,
    master: MasterKey,
    opened: RwLock<HashMap<TenantId, Arc<TenantSecrets>>>,
}

impl Vault {
    /// A vault under `master`.
    pub fn new(store: Arc<dyn Store>, entropy: Arc<dyn Entropy>, master: MasterKey) -> Self {
        Self { store, entropy, master, opened: RwLock::default() }
    }

    /// Makes new keys for `tenant`, sealed, in base64.
    pub(crate) fn make(&self, tenant: &TenantId) -> Result<String, Fault> {
        let keys: [u8; 64] = random(&*self.entropy)?;
        let nonce: [u8; 24] = random(&*self.entropy)?;
        let sealed = self.master.seal(nonce, tenant.as_str().as_bytes(), &keys);
        Ok(STANDARD.encode(sealed))
    }

    fn open(&self, tenant: &TenantId, sealed: &str) -> Result<TenantSecrets, Fault> {
        let altered = || Fault::new(Code::Tampered, "the tenant's keys cannot be opened with this master key");
        let sealed = STANDARD.decode(sealed).map_err(|error| altered().caused_by(error))?;
        let keys = self.master.open(tenant.as_str().as_bytes(), &sealed).map_err(|error| altered().caused_by(error))?;
        let (mac_key, signing_seed) = keys.split_at_checked(32).ok_or_else(altered)?;
        Ok(TenantSecrets {
            mac_key: mac_key.try_into().map_err(|_| altered())?,
            signing_seed: signing_seed.try_into().map_err(|_| altered())?,
        })
    }
}

#[async_trait]
impl TenantKeys for Vault {
    async fn of(&self, tenant: &TenantId) -> Result<Arc<TenantSecrets>, Fault> {
        if let Some(keys) = self.opened.read().unwrap_or_else(PoisonError::into_inner).get(tenant) {
            return Ok(Arc::clone(keys));
        }
        let key = RecordKey::new(Kind::Tenant, TenantId::platform(), tenant.as_str());
        let record = self.store.get(&key).await?.ok_or_else(|| Fault::not_found("tenant", tenant.as_str()))?;
        let stored: TenantRecord = read(&record)?;
        let keys = Arc::new(self.open(tenant, &stored.sealed_keys)?);
        self.opened.write().unwrap_or_else(PoisonError::into_inner).insert(tenant.clone(), Arc::clone(&keys));
        Ok(keys)
    }
}
