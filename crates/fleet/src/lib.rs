//! Agents, their versions, grants and endpoints.
//!
//! Must not know HTTP, policy, or how boxes are built.

mod agent;
pub mod bundle;
mod code;
mod deploy;
mod endpoint;
pub mod session;
mod tiers;
mod version;

use std::sync::Arc;

use aegis_ledger::journal::Journal;
use aegis_model::agent::{Agent, AgentState};
use aegis_model::port::{Objects, Store};
use aegis_model::record::{Change, Expect, Kind, Put, Record, RecordKey};
use aegis_model::{AgentName, Code, Fault, TenantId};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use code::CodeDirectories;
pub use deploy::Deployment;
pub use tiers::Tiers;

/// A document and the version it was read at.
type Found<T> = Option<(T, u64)>;

/// The agents of every tenant.
pub struct Fleet {
    journal: Arc<Journal>,
    objects: Arc<dyn Objects>,
}

impl Fleet {
    /// A fleet over the journal's store; bundles are kept as objects.
    pub fn new(journal: Arc<Journal>, objects: Arc<dyn Objects>) -> Self {
        Self { journal, objects }
    }

    fn store(&self) -> &Arc<dyn Store> {
        self.journal.store()
    }

    async fn find<T: DeserializeOwned>(&self, key: RecordKey) -> Result<Found<T>, Fault> {
        match self.store().get(&key).await? {
            Some(record) => Ok(Some((read(&record)?, record.version))),
            None => Ok(None),
        }
    }

    /// The agent, if it is there and not deleted.
    async fn live_agent(&self, tenant: &TenantId, name: &AgentName) -> Result<(Agent, u64), Fault> {
        let found = self.find::<Agent>(agent_key(tenant, name)).await?;
        found
            .filter(|(agent, _)| agent.state == AgentState::Active)
            .ok_or_else(|| Fault::not_found("agent", name.as_str()))
    }
}

/// A document in its type; one that cannot be read was altered.
fn read<T: DeserializeOwned>(record: &Record) -> Result<T, Fault> {
    serde_json::from_slice(&record.body)
        .map_err(|error| Fault::new(Code::Tampered, "stored data was altered; refusing to use it").caused_by(error))
}

fn agent_key(tenant: &TenantId, name: &AgentName) -> RecordKey {
    RecordKey::new(Kind::Agent, tenant.clone(), name.as_str())
}

/// The id of what belongs to a version; padded, so that ids sort by number.
fn version_id(name: &AgentName, number: u64) -> String {
    format!("{name}/{number:010}")
}

/// A change that writes `document`.
fn put(
    key: RecordKey,
    expect: Expect,
    document: &impl Serialize,
    index: Vec<(&'static str, String)>,
) -> Result<Put, Fault> {
    let body = serde_json::to_vec(document).map_err(Fault::internal)?.into();
    Ok(Put { key, expect, body, index, terminal: false })
}

/// A change that writes `document` for the last time.
fn put_final(
    key: RecordKey,
    expect: Expect,
    document: &impl Serialize,
    index: Vec<(&'static str, String)>,
) -> Result<Change, Fault> {
    Ok(Change::Put(Put { terminal: true, ..put(key, expect, document, index)? }))
}

fn put_agent(agent: &Agent, tenant: &TenantId, expect: Expect) -> Result<Change, Fault> {
    let index = vec![("state", agent.state.as_str().to_owned())];
    Ok(Change::Put(put(agent_key(tenant, &agent.name), expect, agent, index)?))
}
