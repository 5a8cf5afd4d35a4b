//! Changing a tenant's set: each change puts a whole set in force, as a new revision, in one
//! commit, with its author and its reason.

use std::collections::BTreeMap;
use std::sync::Arc;

use aegis_ledger::journal::{Answer, Deed};
use aegis_model::api::{
    PolicyApply, PolicyDiff, PolicyDifference, PolicyDraft, PolicyDraftSet, PolicyRollback, PolicySet as OnePolicy,
};
use aegis_model::policy::{
    POLICY_REASON_LENGTH_MAX, Policy, PolicyChange, PolicyInForce, PolicyRevision, PolicyRevisionInfo,
};
use aegis_model::record::{Expect, Kind, ListQuery};
use aegis_model::{Act, Code, Fault, Operation, PolicyName, TenantId, Timestamp};
use aegis_policy::{Request, Resource, Subject, ask};

use super::Policies;
use super::draft::{Compiled, compiled};
use super::in_force::{TenantPolicies, pointer_key, revision_key};
use crate::document::{put, read};

/// A set that shall be in force, and what is said of it.
struct Wish {
    draft: PolicyDraftSet,
    reason: String,
    repeats: Option<u64>,
    expected: Option<u64>,
}

impl Policies {
    /// Puts a set in force in place of the tenant's own.
    ///
    /// # Errors
    /// `PolicyInvalid`, naming each problem; `Conflict` when another revision is in force than
    /// was expected; `Validation` when nobody could ever change the set again.
    pub async fn apply(&self, act: &Act, wish: PolicyApply) -> Result<PolicyRevisionInfo, Fault> {
        let PolicyApply { policies, counters, reason, expected_revision: expected } = wish;
        let draft = PolicyDraftSet { policies, counters };
        self.put_in_force(act, Wish { draft, reason, repeats: None, expected }).await
    }

    /// Puts one policy in force beside the others, or in place of the one of its name.
    ///
    /// # Errors
    /// As [`Policies::apply`].
    pub async fn set(&self, act: &Act, name: PolicyName, wish: OnePolicy) -> Result<PolicyRevisionInfo, Fault> {
        let OnePolicy { mode, text, reason } = wish;
        self.change_one(act, reason, |policies| {
            let policy = Policy { name, mode, text };
            match policies.iter_mut().find(|present| present.name == policy.name) {
                Some(present) => *present = policy,
                None => policies.push(policy),
            }
            Ok(())
        })
        .await
    }

    /// Takes one policy out of force.
    ///
    /// # Errors
    /// `NotFound` when there is none of that name; otherwise as [`Policies::apply`].
    pub async fn delete(&self, act: &Act, name: &PolicyName) -> Result<(), Fault> {
        let reason = format!("delete `{name}`");
        let removed = self.change_one(act, reason, |policies| {
            let before = policies.len();
            policies.retain(|policy| policy.name != *name);
            if policies.len() < before { Ok(()) } else { Err(Fault::not_found("policy", name.as_str())) }
        });
        removed.await.map(drop)
    }

    /// Puts an earlier revision in force again, as a new one.
    ///
    /// # Errors
    /// `NotFound` when there is none of that number; otherwise as [`Policies::apply`].
    pub async fn rollback(&self, act: &Act, wish: PolicyRollback) -> Result<PolicyRevisionInfo, Fault> {
        let earlier = self.in_force.revision(&act.caller.tenant, wish.revision).await?;
        let draft = PolicyDraftSet { policies: earlier.policies, counters: earlier.counters };
        let repeats = Some(wish.revision);
        self.put_in_force(act, Wish { draft, reason: wish.reason, repeats, expected: None }).await
    }

    /// The revisions, newest first.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn revision_list(
        &self,
        tenant: &TenantId,
        after: Option<String>,
        limit: usize,
    ) -> Result<Vec<PolicyRevisionInfo>, Fault> {
        let tenant = tenant.clone();
        let query = ListQuery { kind: Kind::PolicyRevision, tenant, index: None, after, newest_first: true, limit };
        let records = self.journal.store().list(&query).await?;
        records.iter().map(|record| read::<PolicyRevision>(record).map(|found| (&found).into())).collect()
    }

    /// One revision with its policies.
    ///
    /// # Errors
    /// `NotFound` when there is none of that number.
    pub async fn revision_view(&self, tenant: &TenantId, revision: u64) -> Result<PolicyRevision, Fault> {
        self.in_force.revision(tenant, revision).await
    }

    /// Checks a draft, and says what it would change.
    ///
    /// # Errors
    /// `PolicyInvalid`, naming each problem.
    pub async fn diff(&self, tenant: &TenantId, draft: PolicyDraftSet) -> Result<PolicyDiff, Fault> {
        let present = self.in_force.of(tenant).await?;
        let draft = compiled(PolicyDraft::Set(draft), "").await?.draft;
        Ok(PolicyDiff {
            revision: present.revision,
            policies: differences(&present.draft.policies, &draft.policies),
            counters_change: present.draft.counters != draft.counters,
        })
    }

    async fn change_one(
        &self,
        act: &Act,
        reason: String,
        change: impl FnOnce(&mut Vec<Policy>) -> Result<(), Fault> + Send,
    ) -> Result<PolicyRevisionInfo, Fault> {
        let present = self.in_force.of(&act.caller.tenant).await?;
        let mut draft = present.draft.clone();
        change(&mut draft.policies)?;
        let expected = Some(present.revision);
        self.put_in_force(act, Wish { draft, reason, repeats: None, expected }).await
    }

    async fn put_in_force(&self, act: &Act, wish: Wish) -> Result<PolicyRevisionInfo, Fault> {
        if wish.reason.chars().count() > POLICY_REASON_LENGTH_MAX {
            let rule = format!("a reason has at most {POLICY_REASON_LENGTH_MAX} characters");
            return Err(Fault::new(Code::Validation, rule).at("/reason"));
        }
        let tenant = &act.caller.tenant;
        let pointer = self.in_force.pointer(tenant).await?;
        let present = pointer.map_or(0, |(revision, _)| revision);
        if let Some(expected) = wish.expected.filter(|expected| *expected != present) {
            let rule = format!("revision {present} is in force, not {expected}; somebody has changed it meanwhile");
            return Err(Fault::new(Code::Conflict, rule).at("/expected_revision").with("revision", present));
        }
        let compiled = compiled(PolicyDraft::Set(wish.draft), "").await?;
        stays_changeable(act, &compiled)?;
        let revision = PolicyRevision {
            revision: present + 1,
            author: act.caller.principal.name(),
            reason: wish.reason,
            applied_at: Some(act.at),
            repeats: wish.repeats,
            policy_hash: aegis_ledger::journal::hex(&compiled.enforced.hash()),
            policies: compiled.draft.policies.clone(),
            counters: compiled.draft.counters.clone(),
        };
        let expect = pointer.map_or(Expect::Absent, |(_, version)| Expect::Version(version));
        self.commit(act, &revision, expect).await.inspect_err(|fault| self.committed_badly(tenant, fault))?;
        self.in_force.adopt(tenant, Arc::new(TenantPolicies::new(revision.revision, compiled)));
        self.renew();
        Ok((&revision).into())
    }

    /// A commit that was refused has changed nothing; of any other nobody knows what became of it.
    fn committed_badly(&self, tenant: &TenantId, fault: &Fault) {
        if fault.code() != Code::Conflict {
            self.in_force.forget(tenant);
            self.renew();
        }
    }

    async fn commit(&self, act: &Act, revision: &PolicyRevision, expect: Expect) -> Result<(), Fault> {
        let tenant = &act.caller.tenant;
        let (number, info) = (revision.revision, PolicyRevisionInfo::from(revision));
        let pointer = PolicyInForce { revision: number };
        let deed = Deed {
            subject: format!("policy/revision/{number}"),
            stream: "policies",
            changes: vec![
                put(revision_key(tenant, number), Expect::Absent, revision, Vec::new(), true)?,
                put(pointer_key(tenant), expect, &pointer, Vec::new(), false)?,
            ],
            answer: match act.operation {
                Operation::PolicyDelete => Answer::empty(),
                _ => Answer::shown(200, &info)?,
            },
            also: None,
        };
        self.journal.commit(act, deed).await.map(drop)
    }
}

/// Whoever puts a set in force must be able to put another one in force after it: otherwise one
/// mistake would shut everybody out for good.
fn stays_changeable(act: &Act, compiled: &Compiled) -> Result<(), Fault> {
    let rules = &compiled.enforced;
    let counters = || compiled.draft.counters.iter().map(|counter| counter.name.clone());
    let may = |operation: Operation, at: Timestamp, count: i64| {
        let request = Request {
            subject: Subject::from(&act.caller),
            action: operation.into(),
            resource: Resource::tenant(&act.caller.tenant),
            context: BTreeMap::new(),
            at: Some(at),
            counts: counters().map(|name| (name, count)).collect(),
            document: BTreeMap::new(),
        };
        ask(rules, &request).allowed
    };
    let always = |operation: Operation| {
        let times = moments(act.at, rules.looks_at().time);
        times.iter().all(|at| [0, i64::MAX].into_iter().all(|count| may(operation, *at, count)))
    };
    if [Operation::PolicyApply, Operation::PolicyRollback].into_iter().all(always) {
        return Ok(());
    }
    let rule = "with this set you could never change the policies again, or not at every time: it must permit \
                `policy_apply` and `policy_rollback` to you, whatever the time and whatever was counted";
    Err(Fault::new(Code::PolicyInvalid, rule).at("/policies"))
}

/// Now; where rules look at the time, also every hour of a week, and far from now.
fn moments(now: Timestamp, time: bool) -> Vec<Timestamp> {
    const HOUR_MS: u64 = 60 * 60 * 1_000;
    const YEAR_MS: u64 = 365 * 24 * HOUR_MS;
    let hours = (0..7 * 24).map(|hour| now.plus_ms(hour * HOUR_MS));
    let years = [1, 10, 100, 1_000].into_iter().map(|year| now.plus_ms(year * YEAR_MS));
    std::iter::once(now).chain(hours.chain(years).filter(|_| time)).collect()
}

fn differences(from: &[Policy], to: &[Policy]) -> Vec<PolicyDifference> {
    let mut names: Vec<&PolicyName> = from.iter().chain(to).map(|policy| &policy.name).collect();
    names.sort_unstable();
    names.dedup();
    let find = |policies: &[Policy], name: &PolicyName| policies.iter().find(|policy| policy.name == *name).cloned();
    let differs = |name: &PolicyName| difference(name, find(from, name), find(to, name));
    names.into_iter().filter_map(differs).collect()
}

fn difference(name: &PolicyName, from: Option<Policy>, to: Option<Policy>) -> Option<PolicyDifference> {
    let change = match (&from, &to) {
        (None, _) => PolicyChange::Added,
        (_, None) => PolicyChange::Removed,
        (Some(from), Some(to)) if from.text != to.text => PolicyChange::Changed,
        (Some(from), Some(to)) if from.mode != to.mode => PolicyChange::ModeChanged,
        _ => return None,
    };
    Some(PolicyDifference { name: name.to_string(), change, from, to })
}
