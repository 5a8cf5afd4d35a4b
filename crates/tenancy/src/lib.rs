//! Who owns what: tenants, their own keys, and the API keys that speak for them.
//!
//! Must not know HTTP, policy, or what the tenants do with Aegis.

mod access_keys;
mod encryption_keys;
mod first_start;
mod issuers;
mod keys;
mod rotation;
mod secret_versions;
mod secrets;
mod tenants;
mod uses;
mod vault;
mod workloads;
#[cfg(test)]
mod world;

use std::sync::Arc;

use aegis_identity::{MasterKey, Pepper};
use aegis_ledger::journal::Journal;
use aegis_model::port::{Entropy, Store, StoreError};
use aegis_model::record::Record;
use aegis_model::{Code, Fault};
use serde::de::DeserializeOwned;

pub use access_keys::Signer;
pub use first_start::FirstStart;
pub use issuers::{Issuers, Trust};
pub use keys::Authenticated;
pub use vault::Vault;
pub use workloads::WorkloadNames;

/// What is the same for the whole installation.
pub struct Roots<'a> {
    /// The secret from which its keys follow.
    pub master: &'a MasterKey,
    /// The region that requests are signed for.
    pub region: &'a str,
    /// Whose tokens are believed.
    pub issuers: Issuers,
    /// By which names it vouches for sessions.
    pub names: WorkloadNames,
}

/// Tenants and keys.
pub struct Tenancy {
    journal: Arc<Journal>,
    vault: Arc<Vault>,
    entropy: Arc<dyn Entropy>,
    pepper: Pepper,
    /// What signed requests are signed for.
    region: String,
    issuers: Issuers,
    uses: uses::Uses,
    workloads: workloads::Workloads,
    /// Held by whoever rotates the key-encryption key, from the first tenant to the last.
    rotating: tokio::sync::Mutex<()>,
}

impl Tenancy {
    /// Tenancy over the journal's store, under the installation's keys.
    pub fn new(journal: Arc<Journal>, vault: Arc<Vault>, entropy: Arc<dyn Entropy>, roots: Roots<'_>) -> Self {
        let pepper = Pepper::new(roots.master.derive("api-key-pepper"));
        Self {
            journal,
            vault,
            entropy,
            pepper,
            region: roots.region.to_owned(),
            issuers: roots.issuers,
            uses: uses::Uses::default(),
            workloads: workloads::Workloads::new(roots.names),
            rotating: tokio::sync::Mutex::default(),
        }
    }

    fn store(&self) -> &Arc<dyn Store> {
        self.journal.store()
    }

    fn random<const N: usize>(&self) -> Result<[u8; N], Fault> {
        random(&*self.entropy)
    }
}

/// Bytes nobody can guess.
fn random<const N: usize>(entropy: &dyn Entropy) -> Result<[u8; N], Fault> {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes).map_err(Fault::internal)?;
    Ok(bytes)
}

/// A document in its type; one that cannot be read was altered.
fn read<T: DeserializeOwned>(record: &Record) -> Result<T, Fault> {
    serde_json::from_slice(&record.body)
        .map_err(|error| Fault::new(Code::Tampered, "stored data was altered; refusing to use it").caused_by(error))
}

/// The first store result of a call with one batch.
fn only<T>(mut results: Vec<Result<T, StoreError>>) -> Result<T, Fault> {
    let missing = || Err(StoreError::Unavailable("the store gave no result".to_owned()));
    results.pop().unwrap_or_else(missing).map_err(Fault::from)
}
