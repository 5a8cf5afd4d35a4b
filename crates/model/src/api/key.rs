//! Keys: what is asked for, and what is shown once.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::caller::Role;
use crate::id::{KeyId, TenantId};
use crate::key::KeyKind;
use crate::time::Timestamp;

/// A new API key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyCreate {
    /// As what its holder acts; `viewer` when absent. Never more than the creator's own role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Whose; the creator's own tenant when absent. Others only for a platform admin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// How its holder proves that he has it: `api`, by showing it, when absent; `aws`, by
    /// signing with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<KeyKind>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 200))]
    pub label: String,
    /// For how long it works; without end when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub expires_in_ms: Option<u64>,
}

/// A key that was just created. The only time its secret is shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeyCreated {
    /// Its id.
    pub key_id: KeyId,
    /// The whole key, if it is to be shown. Keep it; it is not shown again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key: Option<String>,
    /// The key, if it is to sign. Keep it; it is not shown again.
    #[serde(default, flatten, skip_serializing_if = "Option::is_none")]
    pub aws: Option<AwsKey>,
    /// As what its holder acts.
    pub role: Role,
    /// Whose.
    pub tenant: TenantId,
    /// From when on it is worthless.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// A key that signs, as clients of AWS take it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AwsKey {
    /// Names the key in signatures.
    pub access_key_id: String,
    /// Signs.
    pub secret_access_key: String,
    /// The region to sign for.
    pub region: String,
}

/// A rotation of the key-encryption key that is complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EncryptionKeyRotated {
    /// The name of the key under which the tenants' keys are sealed now; the ones before it
    /// are destroyed.
    pub key: String,
    /// For how many tenants, deleted ones and the platform's own among them, keys were sealed
    /// anew.
    pub tenants: u64,
}

impl std::fmt::Debug for AwsKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AwsKey({})", self.access_key_id)
    }
}

impl std::fmt::Debug for KeyCreated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyCreated({})", self.key_id)
    }
}
