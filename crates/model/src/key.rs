//! Keys of callers, as they are stored: of an API key only a keyed hash, of an access key the
//! secret, sealed, because whoever verifies a signature needs it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::caller::Role;
use crate::id::{KeyId, TenantId};
use crate::time::Timestamp;

/// How the holder of a key proves that he has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    /// By showing it.
    #[default]
    Api,
    /// By signing with it, as clients of AWS do.
    Aws,
}

/// What is known of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeyInfo {
    /// Its id, which is also a part of the key.
    pub id: KeyId,
    /// What it is for, said by whoever created it.
    pub label: String,
    /// How its holder proves that he has it.
    #[serde(default)]
    pub kind: KeyKind,
    /// The name it has in signatures, if it signs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_key_id: Option<String>,
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
    /// When it was used last, to about a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}

/// A key as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRecord {
    /// What is known of it.
    #[serde(flatten)]
    pub info: KeyInfo,
    /// What its secret is compared with, or signatures are.
    #[serde(flatten)]
    pub secret: KeySecret,
}

/// What is kept of the secret of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum KeySecret {
    /// Of an API key.
    Hashed {
        /// HMAC-SHA-256 of the secret, in hexadecimal.
        secret_mac: String,
    },
    /// Of an access key.
    Sealed {
        /// The secret, sealed under the tenant's data key, in base64.
        sealed_secret: String,
    },
}
