//! The keys that belong to a tenant.

use std::sync::Arc;

use async_trait::async_trait;
use zeroize::Zeroize;

use crate::error::Fault;
use crate::id::TenantId;

/// A tenant's own keys. Never printed; wiped from memory when dropped.
pub struct TenantSecrets {
    /// For MACs of requests and results in the ledger.
    pub mac_key: [u8; 32],
    /// The Ed25519 seed that signs the tenant's checkpoints.
    pub signing_seed: [u8; 32],
    /// The seed that it took the place of, which signs along.
    pub previous_signing_seed: Option<[u8; 32]>,
}

impl std::fmt::Debug for TenantSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TenantSecrets(…)")
    }
}

impl Drop for TenantSecrets {
    fn drop(&mut self) {
        self.mac_key.zeroize();
        self.signing_seed.zeroize();
        self.previous_signing_seed.zeroize();
    }
}

/// Gives a tenant's keys to the rooms that sign and seal for it.
#[async_trait]
pub trait TenantKeys: Send + Sync {
    /// The keys of `tenant`.
    ///
    /// # Errors
    /// `NotFound` if there is no such tenant; other faults when they cannot be opened.
    async fn of(&self, tenant: &TenantId) -> Result<Arc<TenantSecrets>, Fault>;
}
