//! Agents: list, view, delete.

use aegis_ledger::journal::{Answer, Deed};
use aegis_model::agent::{Agent, AgentState, Endpoint};
use aegis_model::api::AgentView;
use aegis_model::record::{Change, Expect, Kind, ListQuery};
use aegis_model::{Act, AgentName, Fault, TenantId};

use crate::endpoint::endpoint_key;
use crate::{Fleet, put_agent, read};

/// An agent has at most so many endpoints.
pub(crate) const ENDPOINTS_MAX: usize = 100;

impl Fleet {
    /// The tenant's agents, in the order of their names.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn agent_list(
        &self,
        tenant: &TenantId,
        after: Option<String>,
        limit: usize,
    ) -> Result<Vec<AgentView>, Fault> {
        let query = ListQuery {
            kind: Kind::Agent,
            tenant: tenant.clone(),
            index: Some(("state", AgentState::Active.as_str().to_owned())),
            after,
            newest_first: false,
            limit,
        };
        let records = self.store().list(&query).await?;
        records.iter().map(|record| read::<Agent>(record).map(view)).collect()
    }

    /// One agent.
    ///
    /// # Errors
    /// `NotFound` when the tenant has none of that name.
    pub async fn agent_view(&self, tenant: &TenantId, name: &AgentName) -> Result<AgentView, Fault> {
        let (agent, _) = self.live_agent(tenant, name).await?;
        Ok(view(agent))
    }

    /// Deletes an agent and its endpoints. Its versions stay, for the record, and are no
    /// longer shown; a later deployment of the same name goes on counting.
    ///
    /// # Errors
    /// `NotFound` when the tenant has none of that name.
    pub async fn agent_delete(&self, act: &Act, name: &AgentName) -> Result<(), Fault> {
        let tenant = &act.caller.tenant;
        let (mut agent, version) = self.live_agent(tenant, name).await?;
        agent.state = AgentState::Deleted;
        agent.updated_at = act.at;
        let mut changes = vec![put_agent(&agent, tenant, Expect::Version(version))?];
        changes.extend(self.endpoints_removed(tenant, name).await?);
        let deed =
            Deed { subject: format!("agent/{name}"), stream: "agents", changes, answer: Answer::empty(), also: None };
        self.journal.commit(act, deed).await.map(drop)
    }

    async fn endpoints_removed(&self, tenant: &TenantId, name: &AgentName) -> Result<Vec<Change>, Fault> {
        let query = ListQuery {
            kind: Kind::Endpoint,
            tenant: tenant.clone(),
            index: Some(("agent", name.as_str().to_owned())),
            after: None,
            newest_first: false,
            limit: ENDPOINTS_MAX,
        };
        let records = self.store().list(&query).await?;
        let removed = |record| {
            let endpoint: Endpoint = read(record)?;
            let key = endpoint_key(tenant, name, &endpoint.name);
            Ok(Change::Delete { key, expect: Expect::Version(record.version) })
        };
        records.iter().map(removed).collect()
    }
}

fn view(agent: Agent) -> AgentView {
    AgentView {
        name: agent.name,
        latest_version: agent.latest_version,
        created_at: agent.created_at,
        updated_at: agent.updated_at,
    }
}
