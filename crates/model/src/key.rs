//! API keys, as they are stored: never the secret, only a keyed hash of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::caller::Role;
use crate::id::{KeyId, TenantId};
use crate::time::Timestamp;

/// What is known of an API key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeyInfo {
    /// Its id, which is also a part of the key.
    pub id: KeyId,
    /// What it is for, said by whoever created it.
    pub label: String,
    /// Whose.
    pub tenant: TenantId,
    /// As what its holder acts.
    pub role: Role,
    /// When it was created.
    pub created_at: Timestamp,
    /// Who created it.
    pub created_by: String,
    /// From when on it is worthless.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}

/// An API key as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRecord {
    /// What is known of it.
    #[serde(flatten)]
    pub info: KeyInfo,
    /// HMAC-SHA-256 of the secret, in hexadecimal.
    pub secret_mac: String,
}
