//! Versions: list, view, and the approval of the grants they ask for.

use aegis_ledger::journal::{Answer, Deed};
use aegis_model::agent::{Grant, GrantState, Version};
use aegis_model::api::VersionView;
use aegis_model::record::{Change, Expect, Kind, ListQuery, RecordKey};
use aegis_model::{Act, AgentName, EndpointName, Fault, TenantId};

use crate::{Fleet, agent_key, read, version_id};

impl Fleet {
    /// The versions of an agent, newest first.
    ///
    /// # Errors
    /// `NotFound` when the tenant has no such agent.
    pub async fn version_list(
        &self,
        tenant: &TenantId,
        name: &AgentName,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<VersionView>, Fault> {
        let (agent, _) = self.live_agent(tenant, name).await?;
        let query = ListQuery {
            kind: Kind::Version,
            tenant: tenant.clone(),
            index: Some(("agent", name.as_str().to_owned())),
            after: after.map(|number| version_id(name, number)),
            newest_first: true,
            limit,
        };
        let mut views = Vec::new();
        for record in self.store().list(&query).await? {
            let version: Version = read(&record)?;
            if version.number >= agent.first_version {
                views.push(self.with_grant(tenant, version).await?);
            }
        }
        Ok(views)
    }

    /// One version.
    ///
    /// # Errors
    /// `NotFound` when the agent has no such version.
    pub async fn version_view(&self, tenant: &TenantId, name: &AgentName, number: u64) -> Result<VersionView, Fault> {
        let (agent, _) = self.live_agent(tenant, name).await?;
        let missing = || Fault::not_found("version", &number.to_string());
        if number < agent.first_version {
            return Err(missing());
        }
        let (version, _) = self.find::<Version>(version_key(tenant, name, number)).await?.ok_or_else(missing)?;
        self.with_grant(tenant, version).await
    }

    /// Approves the grants of a version; `default` moves to it if that is forward.
    ///
    /// # Errors
    /// `NotFound` when the agent has no such version.
    pub async fn version_approve(&self, act: &Act, name: &AgentName, number: u64) -> Result<VersionView, Fault> {
        let tenant = &act.caller.tenant;
        let (_, agent_at) = self.live_agent(tenant, name).await?;
        let mut view = self.version_view(tenant, name, number).await?;
        if view.grants == GrantState::Approved {
            return Ok(view);
        }
        let key = grant_key(tenant, name, number);
        let (_, at) = self.find::<Grant>(key).await?.ok_or_else(|| Fault::not_found("version", &number.to_string()))?;
        let grant = approved(act, name, number);
        view.grants = grant.state;
        view.approved_by.clone_from(&grant.approved_by);
        view.approved_at = grant.approved_at;
        let there = Change::Require { key: agent_key(tenant, name), expect: Expect::Version(agent_at) };
        let mut changes = vec![there, put_grant(&grant, tenant, Expect::Version(at))?];
        changes.extend(self.default_follows(act, name, number).await?);
        let deed = Deed {
            subject: format!("agent/{name}/version/{number}"),
            stream: "agents",
            changes,
            answer: Answer::shown(200, &view)?,
            also: None,
        };
        self.journal.commit(act, deed).await?;
        Ok(view)
    }

    /// Takes the approval of a version's grants back: they are pending again, and none holds.
    ///
    /// # Errors
    /// `NotFound` when the agent has no such version.
    pub async fn version_revoke(&self, act: &Act, name: &AgentName, number: u64) -> Result<VersionView, Fault> {
        let tenant = &act.caller.tenant;
        let mut view = self.version_view(tenant, name, number).await?;
        let found = self.find::<Grant>(grant_key(tenant, name, number)).await?;
        let Some((_, at)) = found.filter(|(grant, _)| grant.state == GrantState::Approved) else { return Ok(view) };
        let grant = pending(name, number);
        (view.grants, view.approved_by, view.approved_at) = (grant.state, None, None);
        let deed = Deed {
            subject: format!("agent/{name}/version/{number}"),
            stream: "agents",
            changes: vec![put_grant(&grant, tenant, Expect::Version(at))?],
            answer: Answer::shown(200, &view)?,
            also: None,
        };
        self.journal.commit(act, deed).await?;
        Ok(view)
    }

    /// The manifest that an agent acts by: of a given version, or of the one that `default`
    /// points to; with whether its grants hold.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub async fn version_in_force(
        &self,
        tenant: &TenantId,
        name: &AgentName,
        number: Option<u64>,
    ) -> Result<VersionView, Fault> {
        let number = match number {
            Some(number) => number,
            None => self.endpoint_view(tenant, name, &EndpointName::default_name()).await?.version,
        };
        self.version_view(tenant, name, number).await
    }

    async fn with_grant(&self, tenant: &TenantId, version: Version) -> Result<VersionView, Fault> {
        let grant = self.find::<Grant>(grant_key(tenant, &version.agent, version.number)).await?;
        Ok(view(version, grant.map(|(grant, _)| grant)))
    }
}

/// What a caller sees of a version. Without an approval on record its grants are pending.
pub(crate) fn view(version: Version, grant: Option<Grant>) -> VersionView {
    let (state, by, at) =
        grant.map_or((GrantState::Pending, None, None), |grant| (grant.state, grant.approved_by, grant.approved_at));
    VersionView {
        agent: version.agent,
        version: version.number,
        grants: state,
        approved_by: by,
        approved_at: at,
        deployed_by: version.deployed_by,
        created_at: version.created_at,
        notes: version.notes,
        bundle: version.bundle,
        manifest: version.manifest,
    }
}

/// The approval that `act` gives.
pub(crate) fn approved(act: &Act, name: &AgentName, version: u64) -> Grant {
    Grant {
        agent: name.clone(),
        version,
        state: GrantState::Approved,
        approved_by: Some(act.caller.principal.name()),
        approved_at: Some(act.at),
    }
}

/// Nobody has approved them.
pub(crate) fn pending(name: &AgentName, version: u64) -> Grant {
    Grant { agent: name.clone(), version, state: GrantState::Pending, approved_by: None, approved_at: None }
}

pub(crate) fn version_key(tenant: &TenantId, name: &AgentName, number: u64) -> RecordKey {
    RecordKey::new(Kind::Version, tenant.clone(), version_id(name, number))
}

pub(crate) fn grant_key(tenant: &TenantId, name: &AgentName, number: u64) -> RecordKey {
    RecordKey::new(Kind::Grant, tenant.clone(), version_id(name, number))
}

/// Writes an approval, or that there is none.
pub(crate) fn put_grant(grant: &Grant, tenant: &TenantId, expect: Expect) -> Result<Change, Fault> {
    let key = grant_key(tenant, &grant.agent, grant.version);
    let index = vec![("agent", grant.agent.as_str().to_owned()), ("state", grant.state.as_str().to_owned())];
    Ok(Change::Put(crate::put(key, expect, grant, index)?))
}
