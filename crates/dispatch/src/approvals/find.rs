//! Whether an act is approved, and asking for it where it is not.

use aegis_model::approval::{APPROVALS_PENDING_MAX, Approval, ApprovalState, Asked, Standing};
use aegis_model::operation::Operation;
use aegis_model::record::{Change, Expect, Kind, ListQuery};
use aegis_model::{Caller, Code, DecisionId, Fault, TenantId, Timestamp};

use tokio::sync::SemaphorePermit;

use super::{Approvals, Stored, key, stored, written};

/// What the MAC of an exact act is for.
const ACTION: &str = "approval action";
/// What the MAC of everything that a standing approval covers is for.
const SCOPE: &str = "approval scope";
/// Standing approvals of one scope that are looked at.
const STANDING_MAX: usize = 16;

/// An act that needs somebody's approval.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Who wants it.
    pub caller: &'a Caller,
    /// The act.
    pub operation: Operation,
    /// What it acts on, as the ledger writes it.
    pub resource: &'a str,
    /// SHA-256 over the request.
    pub request_digest: [u8; 32],
    /// When.
    pub at: Timestamp,
    /// The revision of the tenant's policies that is in force.
    pub policy_revision: u64,
}

/// What became of the approval before, where it has to be asked anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// There was none.
    Nothing,
    /// It was asked for, or approved, under other policies.
    Stale,
    /// It ended like that.
    Ended(ApprovalState),
}

/// What people have said about an act.
#[derive(Clone, Debug)]
pub enum Found {
    /// It may pass by this one.
    Approved(Stored),
    /// Nobody has decided.
    Pending(Approval),
    /// Somebody said no, and that still holds.
    Rejected(Approval),
    /// It has to be asked for.
    Unasked(Before),
}

/// Somebody asks: nobody else does, until this is dropped.
#[derive(Debug)]
pub struct Asking<'a> {
    /// What is asked for.
    pub approval: Approval,
    /// The change that asks for it; none when somebody has asked already.
    pub change: Option<Change>,
    _alone: SemaphorePermit<'a>,
}

impl Approvals {
    /// What people have said about an act.
    ///
    /// # Errors
    /// When the store or the tenant's key cannot be asked.
    pub async fn find(&self, wanted: &Wanted<'_>) -> Result<Found, Fault> {
        let tenant = &wanted.caller.tenant;
        let newest = self.indexed(tenant, ("action", self.action_mac(wanted).await?), 1).await?.pop();
        match newest.map(|newest| judged(newest, wanted)).unwrap_or(Found::Unasked(Before::Nothing)) {
            found @ (Found::Approved(_) | Found::Rejected(_)) => Ok(found),
            other => Ok(self.standing(wanted).await?.map_or(other, Found::Approved)),
        }
    }

    /// Asks for the act; where somebody did so meanwhile, that one counts.
    ///
    /// # Errors
    /// `Overloaded` when as many wait as may.
    pub async fn ask(&self, wanted: &Wanted<'_>, (asked, sentence): (Asked, String)) -> Result<Asking<'_>, Fault> {
        let alone = self.asking.acquire().await.map_err(Fault::internal)?;
        if let Found::Pending(approval) = self.find(wanted).await? {
            return Ok(Asking { approval, change: None, _alone: alone });
        }
        self.require_room(wanted).await?;
        let approval = Approval {
            id: self.new_id(wanted.at)?,
            state: ApprovalState::Pending,
            principal: wanted.caller.principal.name(),
            operation: wanted.operation,
            resource: wanted.resource.to_owned(),
            asked,
            action_mac: self.action_mac(wanted).await?,
            policy_revision: wanted.policy_revision,
            sentence,
            correlation_id: wanted.caller.correlation_id.clone(),
            requested_at: wanted.at,
            expires_at: wanted.at.plus_ms(self.parts.expires_after_ms),
            decided_by: None,
            decided_at: None,
            reason: String::new(),
            standing: None,
            used_by: None,
        };
        let change = written(&wanted.caller.tenant, &approval, None, Expect::Absent)?;
        Ok(Asking { approval, change: Some(change), _alone: alone })
    }

    /// The change by which the act passes: it holds only if nobody else passes by the same one, and
    /// nobody has taken it back.
    ///
    /// # Errors
    /// When the tenant's key cannot be had.
    pub async fn used(&self, wanted: &Wanted<'_>, found: Stored, by: &DecisionId) -> Result<Change, Fault> {
        let Stored { approval, version } = found;
        let tenant = &wanted.caller.tenant;
        let expect = Expect::Version(version);
        let standing = match approval.standing {
            Some(Standing { uses_left: None, .. }) => {
                return Ok(Change::Require { key: key(tenant, &approval.id), expect });
            }
            Some(Standing { until, uses_left: Some(left) }) => {
                Some(Standing { until, uses_left: Some(left.saturating_sub(1)) })
            }
            None => None,
        };
        let is_left = standing.and_then(|standing| standing.uses_left).is_some_and(|left| left > 0);
        let state = if is_left { ApprovalState::Approved } else { ApprovalState::Used };
        let scope = self.scope_of(tenant, &approval).await?;
        let approval = Approval { state, standing, used_by: Some(by.clone()), ..approval };
        written(tenant, &approval, Some(&scope), expect)
    }

    /// Names everything that a standing approval like this one covers.
    pub(super) async fn scope_of(&self, tenant: &TenantId, approval: &Approval) -> Result<String, Fault> {
        let scope = (approval.principal.as_str(), approval.operation, approval.resource.as_str());
        self.scope(tenant, scope).await
    }

    async fn scope(
        &self,
        tenant: &TenantId,
        (principal, operation, resource): (&str, Operation, &str),
    ) -> Result<String, Fault> {
        let parts = [principal.as_bytes(), operation.as_str().as_bytes(), resource.as_bytes()];
        self.parts.journal.seal(tenant, SCOPE, &parts).await
    }

    async fn action_mac(&self, wanted: &Wanted<'_>) -> Result<String, Fault> {
        let principal = wanted.caller.principal.name();
        let (operation, resource) = (wanted.operation.as_str(), wanted.resource);
        let parts = [principal.as_bytes(), operation.as_bytes(), resource.as_bytes(), &wanted.request_digest];
        self.parts.journal.seal(&wanted.caller.tenant, ACTION, &parts).await
    }

    /// A standing approval that covers it.
    async fn standing(&self, wanted: &Wanted<'_>) -> Result<Option<Stored>, Fault> {
        let tenant = &wanted.caller.tenant;
        let principal = wanted.caller.principal.name();
        let scope = self.scope(tenant, (&principal, wanted.operation, wanted.resource)).await?;
        let covering = self.indexed(tenant, ("standing", scope), STANDING_MAX).await?;
        let holds = |found: &Stored| {
            let approval = found.approval.clone().as_of(wanted.at, wanted.policy_revision);
            approval.state == ApprovalState::Approved
        };
        Ok(covering.into_iter().find(holds))
    }

    /// The newest ones of that index value.
    async fn indexed(
        &self,
        tenant: &TenantId,
        index: (&'static str, String),
        limit: usize,
    ) -> Result<Vec<Stored>, Fault> {
        let query = ListQuery {
            kind: Kind::Approval,
            tenant: tenant.clone(),
            index: Some(index),
            after: None,
            newest_first: true,
            limit,
        };
        self.parts.journal.store().list(&query).await?.iter().map(stored).collect()
    }

    /// Refuses to ask when as many wait as may. What has waited too long is not counted.
    async fn require_room(&self, wanted: &Wanted<'_>) -> Result<(), Fault> {
        let index = ("state", ApprovalState::Pending.as_str().to_owned());
        let waiting = self.indexed(&wanted.caller.tenant, index, APPROVALS_PENDING_MAX).await?;
        let waits = |found: &&Stored| {
            let approval = found.approval.clone().as_of(wanted.at, wanted.policy_revision);
            approval.state == ApprovalState::Pending
        };
        if waiting.iter().filter(waits).count() < APPROVALS_PENDING_MAX {
            return Ok(());
        }
        let rule = format!("{APPROVALS_PENDING_MAX} approvals wait to be decided; no more are taken");
        Err(Fault::new(Code::Overloaded, rule))
    }
}

/// What the newest approval of an act says about it now.
fn judged(newest: Stored, wanted: &Wanted<'_>) -> Found {
    let is_stale = newest.approval.is_stale(wanted.policy_revision);
    let was_open = newest.approval.state.is_open();
    let approval = newest.approval.clone().as_of(wanted.at, wanted.policy_revision);
    match approval.state {
        ApprovalState::Approved => Found::Approved(newest),
        ApprovalState::Pending => Found::Pending(approval),
        ApprovalState::Rejected if approval.expires_at > wanted.at && !is_stale => Found::Rejected(approval),
        ApprovalState::Expired if was_open && is_stale => Found::Unasked(Before::Stale),
        ended => Found::Unasked(Before::Ended(ended)),
    }
}
