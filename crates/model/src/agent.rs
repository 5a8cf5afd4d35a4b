//! Agents, versions, grants and endpoints, as they are stored.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{AgentName, EndpointName};
use crate::manifest::Manifest;
use crate::time::Timestamp;

/// Whether an agent is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AgentState {
    /// It can be used.
    Active,
    /// It was deleted. Its name may be deployed again; version numbers go on.
    Deleted,
}

impl AgentState {
    /// The state as an index value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Deleted => "deleted",
        }
    }
}

/// A named thing that can be invoked; has versions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Agent {
    /// The name.
    pub name: AgentName,
    /// Whether it is there.
    pub state: AgentState,
    /// The highest version number ever given.
    pub latest_version: u64,
    /// The first version that counts: versions before a deletion are not shown.
    pub first_version: u64,
    /// When it was first deployed.
    pub created_at: Timestamp,
    /// When it was last deployed or deleted.
    pub updated_at: Timestamp,
}

/// The code of a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BundleInfo {
    /// SHA-256 of the bundle, in hexadecimal.
    pub digest: String,
    /// Size as it was sent.
    pub size_bytes: u64,
    /// Size of the archive without its compression.
    pub unpacked_bytes: u64,
    /// Number of files.
    pub files: u64,
}

/// An immutable, numbered snapshot of a manifest and its code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Version {
    /// The agent.
    pub agent: AgentName,
    /// From 1.
    pub number: u64,
    /// The manifest in its present form.
    pub manifest: Manifest,
    /// What was changed on the way from an older form of the manifest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The code, where the version has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<BundleInfo>,
    /// Who deployed it.
    pub deployed_by: String,
    /// When.
    pub created_at: Timestamp,
}

/// What became of the grants that a version asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GrantState {
    /// Nobody has approved them yet; none of them holds.
    Pending,
    /// An admin of the tenant approved them.
    Approved,
}

impl GrantState {
    /// The state as an index value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
        }
    }
}

/// The approval of a version's grants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Grant {
    /// The agent.
    pub agent: AgentName,
    /// The version.
    pub version: u64,
    /// Pending or approved.
    pub state: GrantState,
    /// Who approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_at: Option<Timestamp>,
}

/// A name that points to a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Endpoint {
    /// The agent.
    pub agent: AgentName,
    /// The name.
    pub name: EndpointName,
    /// The version it points to.
    pub version: u64,
    /// When it was last set.
    pub updated_at: Timestamp,
}
