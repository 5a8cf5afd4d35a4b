//! Deciding: approving, rejecting, taking back. Whoever asked never decides, nor does an agent.

use aegis_ledger::journal::{Answer, Deed};
use aegis_model::api::{ApprovalApprove, ApprovalDeny, StandingWish};
use aegis_model::approval::{APPROVAL_REASON_LENGTH_MAX, Approval, ApprovalState, Standing};
use aegis_model::governance::stays_on_its_line;
use aegis_model::record::Expect;
use aegis_model::{Act, ApprovalId, Code, Fault, Principal, Role};

use super::{Approvals, Stored, written};

/// The shortest and the longest time that an approval may stand.
const STANDING_MS: std::ops::RangeInclusive<u64> = 60_000..=30 * 24 * 60 * 60 * 1_000;
/// How often an approval may be used at most, where that is bounded.
const USES: std::ops::RangeInclusive<u32> = 1..=1_000_000;

impl Approvals {
    /// Lets the act pass.
    ///
    /// # Errors
    /// `Denied` to whoever asked, and to agents; `Immutable` when it was decided, `StateInvalid`
    /// when it expired.
    pub async fn approve(&self, act: &Act, id: &ApprovalId, wish: ApprovalApprove) -> Result<Approval, Fault> {
        let ApprovalApprove { reason, standing } = wish;
        let standing = standing.map(|wish| stands(act, &wish)).transpose()?;
        let found = self.to_be_decided(act, id, &reason).await?;
        let expires_at = standing.map_or(act.at.plus_ms(self.parts.expires_after_ms), |standing| standing.until);
        let approval = Approval { state: ApprovalState::Approved, reason, standing, expires_at, ..found.approval };
        self.commit(act, Stored { approval, version: found.version }).await
    }

    /// Rejects the act.
    ///
    /// # Errors
    /// As [`Approvals::approve`].
    pub async fn deny(&self, act: &Act, id: &ApprovalId, wish: ApprovalDeny) -> Result<Approval, Fault> {
        let ApprovalDeny { reason } = wish;
        let found = self.to_be_decided(act, id, &reason).await?;
        let approval = Approval { state: ApprovalState::Rejected, reason, ..found.approval };
        self.commit(act, Stored { approval, version: found.version }).await
    }

    /// Takes it back: nobody is asked any more, or what was approved does not pass.
    ///
    /// # Errors
    /// `Denied` to all but whoever asked and admins; `Immutable` when it ended already.
    pub async fn withdraw(&self, act: &Act, id: &ApprovalId) -> Result<Approval, Fault> {
        let found = self.stored(&act.caller.tenant, id).await?;
        if found.approval.principal != act.caller.principal.name() && act.caller.role < Role::Admin {
            let rule = "only whoever asked, and admins, withdraw an approval";
            return Err(Fault::new(Code::Denied, rule));
        }
        let revision = self.revision(&act.caller.tenant).await?;
        let now = found.approval.as_of(act.at, revision);
        if !now.state.is_open() {
            return Err(ended(&now, revision));
        }
        let approval = Approval { state: ApprovalState::Withdrawn, ..now };
        self.commit(act, Stored { approval, version: found.version }).await
    }

    /// The approval, if the caller may decide about it now.
    async fn to_be_decided(&self, act: &Act, id: &ApprovalId, reason: &str) -> Result<Stored, Fault> {
        check_reason(reason)?;
        let found = self.stored(&act.caller.tenant, id).await?;
        may_decide(act, &found.approval)?;
        let revision = self.revision(&act.caller.tenant).await?;
        let now = found.approval.as_of(act.at, revision);
        match now.state {
            ApprovalState::Pending => Ok(Stored { approval: now, version: found.version }),
            _ => Err(ended(&now, revision)),
        }
    }

    async fn commit(&self, act: &Act, changed: Stored) -> Result<Approval, Fault> {
        let tenant = &act.caller.tenant;
        let approval =
            Approval { decided_by: Some(act.caller.principal.name()), decided_at: Some(act.at), ..changed.approval };
        let scope = self.scope_of(tenant, &approval).await?;
        let deed = Deed {
            subject: format!("approval/{}", approval.id),
            stream: "approvals",
            changes: vec![written(tenant, &approval, Some(&scope), Expect::Version(changed.version))?],
            answer: Answer::shown(200, &approval)?,
            also: None,
        };
        self.parts.journal.commit(act, deed).await?;
        // Nobody may be waiting.
        let _heard = self.decided.send(approval.id.clone());
        Ok(approval)
    }
}

/// Two pairs of eyes: who wants something does not also allow it, whatever the role.
fn may_decide(act: &Act, approval: &Approval) -> Result<(), Fault> {
    match &act.caller.principal {
        Principal::Agent { .. } | Principal::System => {
            Err(Fault::new(Code::Denied, "only people decide about approvals"))
        }
        principal if principal.name() == approval.principal => {
            Err(Fault::new(Code::Denied, "whoever asked for an approval cannot decide about it"))
        }
        Principal::Key { .. } | Principal::User { .. } => Ok(()),
    }
}

fn stands(act: &Act, wish: &StandingWish) -> Result<Standing, Fault> {
    if !STANDING_MS.contains(&wish.for_ms) {
        let rule = format!("an approval stands from {} ms to {} ms", STANDING_MS.start(), STANDING_MS.end());
        return Err(Fault::new(Code::Validation, rule).at("/standing/for_ms"));
    }
    if wish.uses.is_some_and(|uses| !USES.contains(&uses)) {
        let rule = format!("`uses` must be from {} to {}", USES.start(), USES.end());
        return Err(Fault::new(Code::Validation, rule).at("/standing/uses"));
    }
    Ok(Standing { until: act.at.plus_ms(wish.for_ms), uses_left: wish.uses })
}

fn check_reason(reason: &str) -> Result<(), Fault> {
    if reason.chars().count() <= APPROVAL_REASON_LENGTH_MAX && stays_on_its_line(reason) {
        return Ok(());
    }
    let rule = format!("a reason has at most {APPROVAL_REASON_LENGTH_MAX} characters and stays on one line");
    Err(Fault::new(Code::Validation, rule).at("/reason"))
}

/// Why it is too late.
fn ended(approval: &Approval, policy_revision: u64) -> Fault {
    let who = approval.decided_by.as_deref().unwrap_or("somebody");
    let (code, rule) = match approval.state {
        ApprovalState::Expired if approval.is_stale(policy_revision) => {
            let rule = "the policies were changed since it was asked for; whoever wants it asks again";
            (Code::StateInvalid, rule.to_owned())
        }
        ApprovalState::Expired => (Code::StateInvalid, format!("it expired at {}", approval.expires_at)),
        ApprovalState::Withdrawn => (Code::Immutable, format!("it was withdrawn by `{who}`")),
        ApprovalState::Rejected => (Code::Immutable, format!("it was rejected already, by `{who}`")),
        ApprovalState::Used => (Code::Immutable, format!("it was approved already, by `{who}`, and is used")),
        ApprovalState::Pending | ApprovalState::Approved => {
            (Code::Immutable, format!("it was approved already, by `{who}`"))
        }
    };
    Fault::new(code, rule).with("state", approval.state.as_str())
}
