//! Endpoints: names that point to versions. `default` follows every deployment whose grants
//! are approved; all others move only when told to.

use aegis_ledger::journal::{Answer, Deed};
use aegis_model::agent::{Agent, Endpoint, Grant, GrantState};
use aegis_model::record::{Change, Expect, Kind, ListQuery, RecordKey};
use aegis_model::{Act, AgentName, Code, EndpointName, Fault, TenantId};

use crate::agent::ENDPOINTS_MAX;
use crate::version::grant_key;
use crate::{Fleet, put, read};

impl Fleet {
    /// The endpoints of an agent, in the order of their names.
    ///
    /// # Errors
    /// `NotFound` when the tenant has no such agent.
    pub async fn endpoint_list(
        &self,
        tenant: &TenantId,
        name: &AgentName,
        after: Option<String>,
        limit: usize,
    ) -> Result<Vec<Endpoint>, Fault> {
        self.live_agent(tenant, name).await?;
        let query = ListQuery {
            kind: Kind::Endpoint,
            tenant: tenant.clone(),
            index: Some(("agent", name.as_str().to_owned())),
            after: after.map(|endpoint| format!("{name}/{endpoint}")),
            newest_first: false,
            limit,
        };
        self.store().list(&query).await?.iter().map(read).collect()
    }

    /// One endpoint.
    ///
    /// # Errors
    /// `NotFound` when the agent has none of that name.
    pub async fn endpoint_view(
        &self,
        tenant: &TenantId,
        name: &AgentName,
        endpoint: &EndpointName,
    ) -> Result<Endpoint, Fault> {
        self.live_agent(tenant, name).await?;
        let found = self.find::<Endpoint>(endpoint_key(tenant, name, endpoint)).await?;
        found.map(|(endpoint, _)| endpoint).ok_or_else(|| Fault::not_found("endpoint", endpoint.as_str()))
    }

    /// Points an endpoint to a version, and makes it if need be.
    ///
    /// # Errors
    /// `NotFound` when there is no such version, `StateInvalid` when its grants are pending.
    pub async fn endpoint_set(
        &self,
        act: &Act,
        name: &AgentName,
        endpoint: &EndpointName,
        version: u64,
    ) -> Result<Endpoint, Fault> {
        let tenant = &act.caller.tenant;
        let (agent, agent_version) = self.live_agent(tenant, name).await?;
        self.version_is_usable(tenant, &agent, version).await?;
        let expect = self.endpoint_place(tenant, name, endpoint).await?;
        let pointed = Endpoint { agent: name.clone(), name: endpoint.clone(), version, updated_at: act.at };
        let unchanged = Change::Require { key: crate::agent_key(tenant, name), expect: Expect::Version(agent_version) };
        let deed = Deed {
            subject: format!("agent/{name}/endpoint/{endpoint}"),
            stream: "agents",
            changes: vec![unchanged, put_endpoint(&pointed, tenant, expect)?],
            answer: Answer::shown(200, &pointed)?,
            also: None,
        };
        self.journal.commit(act, deed).await?;
        Ok(pointed)
    }

    /// What must be true of the endpoint's document, and whether there is room for a new one.
    async fn endpoint_place(
        &self,
        tenant: &TenantId,
        name: &AgentName,
        endpoint: &EndpointName,
    ) -> Result<Expect, Fault> {
        if let Some((_, version)) = self.find::<Endpoint>(endpoint_key(tenant, name, endpoint)).await? {
            return Ok(Expect::Version(version));
        }
        if self.endpoint_list(tenant, name, None, ENDPOINTS_MAX).await?.len() >= ENDPOINTS_MAX {
            return Err(Fault::new(
                Code::StateInvalid,
                format!("agent `{name}` has {ENDPOINTS_MAX} endpoints already"),
            ));
        }
        Ok(Expect::Absent)
    }

    async fn version_is_usable(&self, tenant: &TenantId, agent: &Agent, version: u64) -> Result<(), Fault> {
        if !(agent.first_version..=agent.latest_version).contains(&version) {
            return Err(Fault::not_found("version", &version.to_string()).at("/version"));
        }
        let grant = self.find::<Grant>(grant_key(tenant, &agent.name, version)).await?;
        match grant {
            Some((Grant { state: GrantState::Approved, .. }, _)) => Ok(()),
            _ => Err(Fault::new(Code::StateInvalid, format!("the grants of version {version} are not approved"))
                .at("/version")),
        }
    }

    /// Deletes an endpoint.
    ///
    /// # Errors
    /// `StateInvalid` for `default`, which every agent keeps.
    pub async fn endpoint_delete(&self, act: &Act, name: &AgentName, endpoint: &EndpointName) -> Result<(), Fault> {
        let tenant = &act.caller.tenant;
        self.live_agent(tenant, name).await?;
        if *endpoint == EndpointName::default_name() {
            return Err(Fault::new(Code::StateInvalid, "every agent keeps its endpoint `default`"));
        }
        let key = endpoint_key(tenant, name, endpoint);
        let found = self.find::<Endpoint>(key.clone()).await?;
        let (_, version) = found.ok_or_else(|| Fault::not_found("endpoint", endpoint.as_str()))?;
        let deed = Deed {
            subject: format!("agent/{name}/endpoint/{endpoint}"),
            stream: "agents",
            changes: vec![Change::Delete { key, expect: Expect::Version(version) }],
            answer: Answer::empty(),
            also: None,
        };
        self.journal.commit(act, deed).await.map(drop)
    }

    /// The change that makes `default` point to `version`, if that is forward.
    pub(crate) async fn default_follows(
        &self,
        act: &Act,
        name: &AgentName,
        version: u64,
    ) -> Result<Option<Change>, Fault> {
        let tenant = &act.caller.tenant;
        let endpoint = EndpointName::default_name();
        let present = self.find::<Endpoint>(endpoint_key(tenant, name, &endpoint)).await?;
        let expect = match present {
            Some((present, _)) if present.version >= version => return Ok(None),
            Some((_, at)) => Expect::Version(at),
            None => Expect::Absent,
        };
        let pointed = Endpoint { agent: name.clone(), name: endpoint, version, updated_at: act.at };
        put_endpoint(&pointed, tenant, expect).map(Some)
    }
}

pub(crate) fn endpoint_key(tenant: &TenantId, name: &AgentName, endpoint: &EndpointName) -> RecordKey {
    RecordKey::new(Kind::Endpoint, tenant.clone(), format!("{name}/{endpoint}"))
}

fn put_endpoint(endpoint: &Endpoint, tenant: &TenantId, expect: Expect) -> Result<Change, Fault> {
    let key = endpoint_key(tenant, &endpoint.agent, &endpoint.name);
    let index = vec![("agent", endpoint.agent.as_str().to_owned())];
    Ok(Change::Put(put(key, expect, endpoint, index)?))
}
