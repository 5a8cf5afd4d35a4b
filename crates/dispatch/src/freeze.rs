//! The kill switch: what is frozen, in memory for every request and in the store for the
//! next start. Frozen means: new work is refused; looking and thawing stay possible, except
//! for a frozen key, which can do nothing at all.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use aegis_ledger::journal::{Answer, Deed, Journal};
use aegis_model::api::FreezeRequest;
use aegis_model::freeze::{Freeze, FreezeTarget};
use aegis_model::operation::Effect;
use aegis_model::record::{Change, Expect, Kind, ListQuery, Put, RecordKey};
use aegis_model::{Act, AgentName, Caller, Code, Fault, Operation, Principal, Role, TenantId};

/// How many freezes are read at once.
const PAGE: usize = 500;
/// Longest reason.
const REASON_LENGTH_MAX: usize = 1_000;

/// What a freeze covers, named so that no two tenants' agents or keys are the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Place {
    /// Whose agent or key; the platform for what has no owner of its own.
    owner: TenantId,
    target: FreezeTarget,
}

impl Place {
    fn of(caller: &TenantId, target: &FreezeTarget) -> Self {
        let owner = match target {
            FreezeTarget::All | FreezeTarget::Tenant(_) => TenantId::platform(),
            FreezeTarget::Agent(_) | FreezeTarget::Key(_) => caller.clone(),
        };
        Self { owner, target: target.clone() }
    }

    fn key(&self) -> RecordKey {
        RecordKey::new(Kind::Freeze, TenantId::platform(), format!("{}/{}", self.owner, self.target))
    }

    fn read(id: &str, freeze: &Freeze) -> Option<Self> {
        let (owner, _) = id.split_once('/')?;
        Some(Self { owner: owner.parse().ok()?, target: freeze.target.clone() })
    }
}

/// Everything that is frozen.
pub struct Freezes {
    journal: Arc<Journal>,
    frozen: RwLock<HashMap<Place, (Freeze, u64)>>,
}

impl Freezes {
    /// Reads what is frozen. A server that cannot read it does not start.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn load(journal: Arc<Journal>) -> Result<Self, Fault> {
        let mut frozen = HashMap::new();
        let mut after = None;
        loop {
            let query = ListQuery {
                kind: Kind::Freeze,
                tenant: TenantId::platform(),
                index: None,
                after: after.take(),
                newest_first: false,
                limit: PAGE,
            };
            let records = journal.store().list(&query).await?;
            for record in &records {
                let unreadable = || Fault::new(Code::Tampered, "a freeze cannot be read; refusing to start");
                let freeze: Freeze =
                    serde_json::from_slice(&record.body).map_err(|error| unreadable().caused_by(error))?;
                let place = Place::read(&record.key.id, &freeze).ok_or_else(unreadable)?;
                frozen.insert(place, (freeze, record.version));
            }
            match records.last() {
                Some(last) if records.len() == PAGE => after = Some(last.key.id.clone()),
                _ => return Ok(Self { journal, frozen: RwLock::new(frozen) }),
            }
        }
    }

    /// Refuses what a freeze stops.
    ///
    /// # Errors
    /// `Frozen`, naming what is frozen.
    pub fn check(&self, caller: &Caller, operation: Operation) -> Result<(), Fault> {
        if self.is_empty() {
            return Ok(());
        }
        if let Principal::Key { id } = &caller.principal {
            self.require_thawed(&caller.tenant, FreezeTarget::Key(id.clone()))?;
        }
        if operation.effect() != Effect::Change {
            return Ok(());
        }
        self.require_thawed(&caller.tenant, FreezeTarget::All)?;
        self.require_thawed(&caller.tenant, FreezeTarget::Tenant(caller.tenant.clone()))
    }

    /// Refuses new work for a frozen agent.
    ///
    /// # Errors
    /// `Frozen`, naming the agent.
    pub fn check_agent(&self, caller: &Caller, agent: &AgentName) -> Result<(), Fault> {
        if self.is_empty() {
            return Ok(());
        }
        self.require_thawed(&caller.tenant, FreezeTarget::Agent(agent.clone()))
    }

    /// Whether an agent is frozen, by a freeze of whatever kind but that of a key.
    pub fn is_frozen(&self, tenant: &TenantId, agent: &AgentName) -> bool {
        if self.is_empty() {
            return false;
        }
        let targets = [FreezeTarget::All, FreezeTarget::Tenant(tenant.clone()), FreezeTarget::Agent(agent.clone())];
        targets.into_iter().any(|target| self.require_thawed(tenant, target).is_err())
    }

    /// Refuses work of an agent that a freeze of whatever kind stops.
    ///
    /// # Errors
    /// `Frozen`, naming what is frozen.
    pub fn check_work(&self, caller: &Caller, agent: &AgentName) -> Result<(), Fault> {
        self.check(caller, Operation::AgentInvoke)?;
        self.check_agent(caller, agent)
    }

    fn is_empty(&self) -> bool {
        self.frozen.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    fn require_thawed(&self, tenant: &TenantId, target: FreezeTarget) -> Result<(), Fault> {
        let place = Place::of(tenant, &target);
        let frozen = self.frozen.read().unwrap_or_else(PoisonError::into_inner);
        match frozen.get(&place) {
            None => Ok(()),
            Some((freeze, _)) => {
                Err(Fault::new(Code::Frozen, format!("`{target}` is frozen since {}", freeze.frozen_at))
                    .with("target", target.to_string())
                    .with("reason", freeze.reason.clone()))
            }
        }
    }

    /// What is frozen and concerns the caller.
    pub fn list(&self, caller: &Caller) -> Vec<Freeze> {
        let frozen = self.frozen.read().unwrap_or_else(PoisonError::into_inner);
        let concerns = |place: &Place| match &place.target {
            FreezeTarget::All => true,
            FreezeTarget::Tenant(tenant) => *tenant == caller.tenant || caller.role == Role::PlatformAdmin,
            FreezeTarget::Agent(_) | FreezeTarget::Key(_) => place.owner == caller.tenant,
        };
        let mut found: Vec<Freeze> =
            frozen.iter().filter(|(place, _)| concerns(place)).map(|(_, (freeze, _))| freeze.clone()).collect();
        found.sort_by_key(|freeze| freeze.target.to_string());
        found
    }

    /// Freezes. From the moment this answers, new work is refused, also after a restart.
    ///
    /// # Errors
    /// `Denied` when the target is not the caller's to freeze.
    pub async fn freeze(&self, act: &Act, wish: FreezeRequest) -> Result<Freeze, Fault> {
        may_switch(&act.caller, &wish.target)?;
        if wish.reason.chars().count() > REASON_LENGTH_MAX || wish.reason.chars().any(char::is_control) {
            let rule = "the reason has at most 1000 characters and no control characters";
            return Err(Fault::new(Code::Validation, rule).at("/reason"));
        }
        let place = Place::of(&act.caller.tenant, &wish.target);
        let present = self.frozen.read().unwrap_or_else(PoisonError::into_inner).get(&place).cloned();
        if let Some((freeze, _)) = present {
            return Ok(freeze);
        }
        let freeze = Freeze {
            target: wish.target,
            reason: wish.reason,
            frozen_by: act.caller.principal.name(),
            frozen_as: act.caller.role,
            frozen_at: act.at,
        };
        let deed = Deed {
            subject: freeze.target.to_string(),
            stream: "freezes",
            changes: vec![put(&place, &freeze)?],
            answer: Answer::shown(200, &freeze)?,
            also: also(&act.caller, &freeze.target),
        };
        let committed = self.journal.commit(act, deed).await?;
        let version = committed.versions.first().copied().unwrap_or(1);
        self.frozen.write().unwrap_or_else(PoisonError::into_inner).insert(place, (freeze.clone(), version));
        Ok(freeze)
    }

    /// Lifts a freeze.
    ///
    /// # Errors
    /// `NotFound` when it is not frozen, `Denied` when it is not the caller's to thaw.
    pub async fn thaw(&self, act: &Act, target: FreezeTarget) -> Result<(), Fault> {
        may_switch(&act.caller, &target)?;
        let place = Place::of(&act.caller.tenant, &target);
        let present = self.frozen.read().unwrap_or_else(PoisonError::into_inner).get(&place).cloned();
        let (freeze, version) = present.ok_or_else(|| Fault::not_found("freeze", &target.to_string()).at("/target"))?;
        if freeze.frozen_as > act.caller.role {
            return Err(Fault::new(Code::Denied, "it was frozen by somebody of a stronger role").at("/target"));
        }
        let deed = Deed {
            subject: target.to_string(),
            stream: "freezes",
            changes: vec![Change::Delete { key: place.key(), expect: Expect::Version(version) }],
            answer: Answer::empty(),
            also: also(&act.caller, &target),
        };
        self.journal.commit(act, deed).await?;
        self.frozen.write().unwrap_or_else(PoisonError::into_inner).remove(&place);
        Ok(())
    }
}

/// Whether the target is the caller's to freeze and thaw.
fn may_switch(caller: &Caller, target: &FreezeTarget) -> Result<(), Fault> {
    let platform = caller.role == Role::PlatformAdmin;
    match target {
        FreezeTarget::All if !platform => {
            Err(Fault::new(Code::Denied, "only a platform admin freezes and thaws everything").at("/target"))
        }
        FreezeTarget::Tenant(tenant) if *tenant != caller.tenant && !platform => {
            Err(Fault::not_found("tenant", tenant.as_str()).at("/target"))
        }
        FreezeTarget::Key(id) if caller.principal == (Principal::Key { id: id.clone() }) => {
            Err(Fault::new(Code::StateInvalid, "a key cannot freeze itself; use another one").at("/target"))
        }
        _ => Ok(()),
    }
}

/// The other tenant that a freeze concerns.
fn also(caller: &Caller, target: &FreezeTarget) -> Option<TenantId> {
    match target {
        FreezeTarget::Tenant(tenant) if *tenant != caller.tenant => Some(tenant.clone()),
        _ => None,
    }
}

fn put(place: &Place, freeze: &Freeze) -> Result<Change, Fault> {
    Ok(Change::Put(Put {
        key: place.key(),
        expect: Expect::Absent,
        body: serde_json::to_vec(freeze).map_err(Fault::internal)?.into(),
        index: Vec::new(),
        terminal: false,
    }))
}
