//! Who somebody is: what the server says of a caller, and tokens by which a session proves to
//! others who it is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::caller::{Principal, Role};
use crate::id::{SessionId, TenantId};
use crate::time::Timestamp;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Identity {
    /// Whose everything is that it can see.
    pub tenant: TenantId,
    /// Who.
    pub principal: Principal,
    /// As what; absent for an agent, which has no role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Where it asks from, if it asks at the door of its box.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<WorkloadIdentity>,
    /// From when on the credential is worthless, if it says so itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// A session in its box.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WorkloadIdentity {
    /// Its name among workloads: `spiffe://TRUST-DOMAIN/tenant/T/agent/A/session/S`.
    pub subject: String,
    /// The version of the agent.
    pub version: u64,
    /// The session.
    pub session: SessionId,
}

/// For whom a token is to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentityTokenWish {
    /// The only one who may take the token: 1 to 256 visible ASCII characters, as he calls
    /// himself.
    #[schemars(length(min = 1, max = 256))]
    pub audience: String,
    /// For how many seconds it is good; 300 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3_600))]
    pub lifetime_s: Option<u32>,
}

/// A token by which a session proves who it is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IdentityToken {
    /// The token, a JWT. Whoever has it can pass for the session until it expires.
    pub token: String,
    /// Whom it names.
    pub subject: String,
    /// Who may take it.
    pub audience: String,
    /// From when on it is worthless.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for IdentityToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IdentityToken({}, for {})", self.subject, self.audience)
    }
}
