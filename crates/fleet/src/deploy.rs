//! Deployment: a manifest, with or without a bundle, becomes the next version of its agent.
//! A deployment by an admin approves its grants; anyone else's leaves them pending.

use bytes::Bytes;

use aegis_ledger::journal::{Answer, Deed};
use aegis_model::agent::{Agent, AgentState, BundleInfo, Grant, GrantState, Version};
use aegis_model::api::VersionView;
use aegis_model::manifest::Parsed;
use aegis_model::port::ObjectError;
use aegis_model::record::{Change, Expect};
use aegis_model::{Act, AgentName, Code, Fault, Role};

use crate::bundle::{BundleLimits, inspect};
use crate::version::{approved, pending, put_grant, version_key, view};
use crate::{Fleet, agent_key, put_agent, put_final};

/// How often a deployment gives way to another one of the same agent before it gives up.
const TRIES_MAX: usize = 16;

/// What is deployed.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// The manifest.
    pub parsed: Parsed,
    /// The code, as tar.zst.
    pub bundle: Option<Bytes>,
}

impl Fleet {
    /// Makes the next version of the agent that the manifest names.
    ///
    /// # Errors
    /// `BundleInvalid` when the bundle is damaged or hostile; nothing is stored then.
    pub async fn agent_deploy(&self, act: &Act, deployment: Deployment) -> Result<VersionView, Fault> {
        let bundle = self.keep_bundle(&deployment).await?;
        for _ in 1..TRIES_MAX {
            match self.deploy_once(act, &deployment.parsed, bundle.clone()).await {
                Err(fault) if fault.code() == Code::Conflict => {}
                done => return done,
            }
        }
        self.deploy_once(act, &deployment.parsed, bundle).await
    }

    async fn keep_bundle(&self, deployment: &Deployment) -> Result<Option<BundleInfo>, Fault> {
        let source = deployment.parsed.manifest.spec.runtime.source.is_some();
        let Some(bytes) = &deployment.bundle else {
            if source {
                let rule = "`source` names code, but no bundle came with the manifest";
                return Err(Fault::new(Code::BundleInvalid, rule).at("/spec/runtime/source"));
            }
            return Ok(None);
        };
        let judged = bytes.clone();
        let report = tokio::task::spawn_blocking(move || inspect(&judged, &BundleLimits::default()))
            .await
            .map_err(Fault::internal)??;
        let size_bytes = bytes.len() as u64;
        let digest = self.objects.put(bytes.clone()).await.map_err(object_fault)?;
        Ok(Some(BundleInfo { digest, size_bytes, unpacked_bytes: report.unpacked_bytes, files: report.files }))
    }

    async fn deploy_once(&self, act: &Act, parsed: &Parsed, bundle: Option<BundleInfo>) -> Result<VersionView, Fault> {
        let tenant = &act.caller.tenant;
        let name = &parsed.manifest.metadata.name;
        let present = self.find::<Agent>(agent_key(tenant, name)).await?;
        let expect = present.as_ref().map_or(Expect::Absent, |(_, version)| Expect::Version(*version));
        let agent = next(act, name, present.map(|(agent, _)| agent));
        let version = Version {
            agent: name.clone(),
            number: agent.latest_version,
            manifest: parsed.manifest.clone(),
            notes: parsed.notes.clone(),
            bundle,
            deployed_by: act.caller.principal.name(),
            created_at: act.at,
        };
        let grant = first_grant(act, name, version.number);
        let index = vec![("agent", name.as_str().to_owned())];
        let mut changes = vec![
            put_agent(&agent, tenant, expect)?,
            put_final(version_key(tenant, name, version.number), Expect::Absent, &version, index)?,
            put_grant(&grant, tenant, Expect::Absent)?,
        ];
        changes.extend(self.default_moves(act, &grant).await?);
        let view = view(version, Some(grant));
        let deed = Deed {
            subject: format!("agent/{name}/version/{}", view.version),
            stream: "agents",
            changes,
            answer: Answer::shown(201, &view)?,
            also: None,
        };
        self.journal.commit(act, deed).await?;
        Ok(view)
    }

    async fn default_moves(&self, act: &Act, grant: &Grant) -> Result<Option<Change>, Fault> {
        match grant.state {
            GrantState::Approved => self.default_follows(act, &grant.agent, grant.version).await,
            GrantState::Pending => Ok(None),
        }
    }
}

/// The agent with one more version; one that was deleted begins anew behind its old versions.
fn next(act: &Act, name: &AgentName, present: Option<Agent>) -> Agent {
    let before = present.as_ref().map_or(0, |agent| agent.latest_version);
    match present {
        Some(agent) if agent.state == AgentState::Active => {
            Agent { latest_version: before + 1, updated_at: act.at, ..agent }
        }
        _ => Agent {
            name: name.clone(),
            state: AgentState::Active,
            latest_version: before + 1,
            first_version: before + 1,
            created_at: act.at,
            updated_at: act.at,
        },
    }
}

fn first_grant(act: &Act, name: &AgentName, version: u64) -> Grant {
    if act.caller.role >= Role::Admin {
        return approved(act, name, version);
    }
    pending(name, version)
}

pub(crate) fn object_fault(error: ObjectError) -> Fault {
    let (code, message) = match &error {
        ObjectError::Full(_) => (Code::StorageFull, "the disk is full; nothing was changed"),
        ObjectError::Damaged { .. } => (Code::Tampered, "stored data was altered; refusing to use it"),
        ObjectError::Unavailable(_) => (Code::StoreUnavailable, "the store cannot answer now"),
    };
    Fault::new(code, message).caused_by(error)
}
