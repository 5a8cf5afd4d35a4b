//! From what a manifest asks for to the policies that grant it.
//!
//! A grant's text is quoted, never pasted; a form that Cedar cannot keep exactly is refused;
//! what is in doubt when it is used is denied. Must not know who approves a grant, or when.

mod asked;
mod path;
mod writer;

use aegis_model::{AgentName, TenantId};
use serde::Serialize;

use crate::set::PolicySource;
use writer::Writer;

/// How a granted host is spoken to. In policies: `context.protocol`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// `http`: judged request by request, TLS opened on the way.
    Http,
    /// `passthrough`: TLS that is not opened, judged by name and port only.
    Passthrough,
    /// `tcp`: bytes, judged by name and port only.
    Tcp,
}

impl Transport {
    /// The transport as it is written in policies.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Passthrough => "passthrough",
            Self::Tcp => "tcp",
        }
    }
}

/// A host that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkGrant {
    /// The host, or `*.` and a domain for every host below it.
    pub host: String,
    /// Which ports; none when empty.
    pub ports: Vec<u16>,
    /// Which methods; all when absent, none when empty.
    pub methods: Option<Vec<String>>,
    /// Which paths; all when absent, none when empty. `*` is a part of a segment, `/**` at the
    /// end everything below.
    pub paths: Option<Vec<String>>,
    /// Whether a connection may become a WebSocket.
    pub websocket: bool,
    /// How it is spoken to.
    pub transport: Transport,
    /// A private range that the host's address may lie in.
    pub cidr: Option<String>,
}

/// What is asked for on a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathAccess {
    /// Reading.
    Read,
    /// Reading and writing.
    Write,
}

/// A volume that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathGrant {
    /// Where it appears in the box; everything below is granted with it.
    pub path: String,
    /// For what.
    pub access: PathAccess,
    /// Which volume.
    pub volume: String,
}

/// A secret that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretGrant {
    /// Which secret.
    pub name: String,
    /// To which host it may go.
    pub host: String,
    /// To which port.
    pub port: u16,
}

/// Everything a manifest asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrantRequest {
    /// Hosts.
    pub network: Vec<NetworkGrant>,
    /// Volumes.
    pub filesystem: Vec<PathGrant>,
    /// Tools: `name`, `mcp:server/name`, or patterns with `*`.
    pub tools: Vec<String>,
    /// Models, or patterns with `*`.
    pub models: Vec<String>,
    /// Agents.
    pub agents: Vec<String>,
    /// Secrets.
    pub secrets: Vec<SecretGrant>,
}

/// Why something that is asked for cannot be granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("`{pointer}` cannot be granted: {message}")]
pub struct GrantProblem {
    /// Where, below the permissions, as a JSON pointer.
    pub pointer: String,
    /// Why.
    pub message: String,
}

/// The policies that grant what is asked for, to this agent of this tenant only.
///
/// # Errors
/// Every entry that cannot be granted exactly.
pub fn grant_policies(
    agent: &AgentName,
    tenant: &TenantId,
    request: &GrantRequest,
) -> Result<Vec<PolicySource>, Vec<GrantProblem>> {
    Writer::new(agent, tenant).write(request)
}
