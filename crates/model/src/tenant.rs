//! Tenants, as they are stored.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::TenantId;
use crate::time::Timestamp;

/// Whether a tenant can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TenantState {
    /// Its keys work.
    Active,
    /// Its keys do not work; its ledger stays. The name is never given again.
    Deleted,
}

impl TenantState {
    /// The state as an index value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Deleted => "deleted",
        }
    }
}

/// What is known of a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TenantInfo {
    /// Its name.
    pub id: TenantId,
    /// Whether it can be used.
    pub state: TenantState,
    /// When it was created.
    pub created_at: Timestamp,
}

/// A tenant as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantRecord {
    /// What is known of it.
    #[serde(flatten)]
    pub info: TenantInfo,
    /// The tenant's own keys, sealed under a key-encryption key that the text names.
    pub sealed_keys: String,
    /// The key under which the tenant's secrets are sealed, sealed like the others, but apart
    /// from them: without it the secrets are gone, and the ledger is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed_data_key: Option<String>,
}
