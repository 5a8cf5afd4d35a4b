//! Rotation of secrets by programs: how far each is, who may say what, and what becomes of a
//! value that was proposed. A proposed value is kept until it is used or another one is
//! proposed: it may be the only one that works at the other end.
//!
//! Must not know: how a program is run.

use aegis_ledger::journal::Answer;
use aegis_model::api::{RotationProposal, RotationSet, RotationValues};
use aegis_model::port::{Occupant, Rotations};
use aegis_model::record::{Expect, Kind, ListQuery};
use aegis_model::rotation::{RotationDue, RotationFailure, RotationRecord, RotationStep, RotationTask};
use aegis_model::secret::{OVERLAP_MS_DEFAULT, SecretInfo, SecretRecord};
use aegis_model::tenant::TenantState;
use aegis_model::{Act, Code, Fault, SecretName, TenantId, Timestamp};
use async_trait::async_trait;
use zeroize::Zeroizing;

use crate::secret_versions as versions;
use crate::secrets::{OVERLAP_MS_MAX, deed, put_secret, taken, told, within};
use crate::{Tenancy, read};

/// How secrets that programs rotate are found in the index.
pub(crate) const ROTATED: &str = "yes";
/// How long after the first failure it is tried again; twice as long after each further one.
const RETRY_MS: u64 = 60_000;
/// And at most so long.
const RETRY_MS_MAX: u64 = 24 * 60 * 60 * 1_000;
/// Documents that are read at once.
const PAGE: usize = 200;
/// Longest reason that is kept of a failure.
const REASON_LENGTH_MAX: usize = 200;

impl Tenancy {
    /// Has that version of an agent rotate the secret from now on.
    ///
    /// # Errors
    /// `NotFound` when the tenant has no such secret.
    pub async fn rotation_set(
        &self,
        act: &Act,
        name: &SecretName,
        (wish, agent_version): (RotationSet, u64),
    ) -> Result<SecretInfo, Fault> {
        within("/overlap_ms", wish.overlap_ms, OVERLAP_MS_MAX)?;
        let (mut record, version) = self.secret_there(&act.caller.tenant, name).await?;
        // Another program may go on with what the one before proposed.
        let proposed = record.rotation.take().and_then(|rotation| rotation.proposed);
        record.rotation = Some(RotationRecord {
            agent: wish.agent,
            agent_version,
            overlap_ms: wish.overlap_ms.unwrap_or(OVERLAP_MS_DEFAULT),
            wanted: false,
            step: None,
            // No box of an earlier program is asked for by this number.
            attempts: act.at.as_millis(),
            proposed,
            failures: 0,
            last_failure: None,
            retry_after: None,
        });
        self.secret_commit(act, &record, Expect::Version(version)).await
    }

    /// Has the program rotate the secret now.
    ///
    /// # Errors
    /// `StateInvalid` when no program rotates it.
    pub async fn rotation_start(&self, act: &Act, name: &SecretName) -> Result<SecretInfo, Fault> {
        let (mut record, version) = self.secret_there(&act.caller.tenant, name).await?;
        let rotation = record.rotation.as_mut().ok_or_else(|| no_program(name))?;
        (rotation.wanted, rotation.retry_after) = (true, None);
        self.secret_commit(act, &record, Expect::Version(version)).await
    }

    /// Has no program rotate the secret any more. A value that was proposed is gone.
    ///
    /// # Errors
    /// `StateInvalid` when no program rotates it.
    pub async fn rotation_remove(&self, act: &Act, name: &SecretName) -> Result<(), Fault> {
        let (mut record, version) = self.secret_there(&act.caller.tenant, name).await?;
        record.rotation.take().ok_or_else(|| no_program(name))?;
        let changes = vec![put_secret(&act.caller.tenant, &record, Expect::Version(version))?];
        self.journal.commit(act, deed(name, changes, Answer::empty())).await.map(drop)
    }

    /// What the program in that box works with. That it was given it is recorded.
    ///
    /// # Errors
    /// `Denied` when the box is not there for that, now.
    pub async fn rotation_read(
        &self,
        act: &Act,
        name: &SecretName,
        occupant: &Occupant,
    ) -> Result<RotationValues, Fault> {
        let tenant = &act.caller.tenant;
        let (record, rotation, _) = self.rotation_under_way(tenant, name, occupant.task()).await?;
        let step = rotation.step.ok_or_else(no_say)?;
        let current = match step {
            RotationStep::Propose => Some(text(&self.secret_read(tenant, &record.name, None, act.at).await?)?),
            RotationStep::Verify => None,
        };
        let proposed = match &rotation.proposed {
            Some(sealed) => match self.vault.unseal(tenant, &place(name), sealed).await {
                Ok(value) => Some(text(&value)?),
                // Another one can be proposed instead of one that cannot be opened.
                Err(fault) if fault.code() == Code::Tampered && step == RotationStep::Propose => None,
                Err(fault) => return Err(fault),
            },
            None => None,
        };
        let mut deed = deed(name, Vec::new(), Answer::Secret);
        if let Some(session) = occupant.session() {
            deed.subject = format!("{}/session/{session}", deed.subject);
        }
        self.journal.commit(act, deed).await?;
        Ok(RotationValues { secret: name.clone(), step, current, proposed })
    }

    /// Keeps the value that the program in that box proposes. It is not used yet.
    ///
    /// # Errors
    /// `Denied` when the box is not there for that, now; `Validation` when the value is the one
    /// that is used, or out of bounds.
    pub async fn rotation_propose(
        &self,
        act: &Act,
        (name, proposal): (&SecretName, RotationProposal),
        occupant: &Occupant,
    ) -> Result<(), Fault> {
        let value = taken(proposal.value)?;
        let tenant = &act.caller.tenant;
        let (mut record, mut rotation, version) = self.rotation_under_way(tenant, name, occupant.task()).await?;
        if rotation.step != Some(RotationStep::Propose) {
            return Err(no_say());
        }
        if *self.secret_read(tenant, name, None, act.at).await? == *value.as_bytes() {
            return Err(Fault::new(Code::Validation, "the new value is the same as the one before").at("/value"));
        }
        rotation.proposed = Some(self.vault.seal(tenant, &place(name), value.as_bytes()).await?);
        record.rotation = Some(rotation);
        let changes = vec![put_secret(tenant, &record, Expect::Version(version))?];
        self.journal.commit(act, deed(name, changes, Answer::empty())).await.map(drop)
    }

    /// The rotation that a task is of, if it still has a say.
    async fn rotation_under_way(
        &self,
        tenant: &TenantId,
        name: &SecretName,
        task: Option<&RotationTask>,
    ) -> Result<(SecretRecord, RotationRecord, u64), Fault> {
        let task = task.filter(|task| task.secret == *name).ok_or_else(no_say)?;
        let (record, version) = self.secret_there(tenant, name).await?;
        let its_own =
            |rotation: &&RotationRecord| rotation.step == Some(task.step) && rotation.attempts == task.attempt;
        let rotation = record.rotation.as_ref().filter(its_own).cloned().ok_or_else(no_say)?;
        Ok((record, rotation, version))
    }

    /// The rotations of one tenant that are to be worked on.
    async fn rotations_due(&self, tenant: &TenantId, now: Timestamp) -> Result<Vec<RotationDue>, Fault> {
        let (mut due, mut after) = (Vec::new(), None);
        loop {
            let query = ListQuery {
                kind: Kind::Secret,
                tenant: tenant.clone(),
                index: Some(("rotated", ROTATED.to_owned())),
                after: after.take(),
                newest_first: false,
                limit: PAGE,
            };
            let records = self.store().list(&query).await?;
            for record in &records {
                due.extend(what_is_due(tenant, &read(record)?, now));
            }
            match records.last() {
                Some(last) if records.len() == PAGE => after = Some(last.key.id.clone()),
                _ => return Ok(due),
            }
        }
    }
}

/// What is to be done for a secret now.
fn what_is_due(tenant: &TenantId, record: &SecretRecord, now: Timestamp) -> Option<RotationDue> {
    let rotation = record.rotation.as_ref()?;
    let current = versions::current(record)?;
    let old = current.created_at.plus_ms(record.rotate_every_ms) <= now;
    let resting = rotation.retry_after.is_some_and(|at| now < at);
    if resting || !(old || rotation.wanted || rotation.step.is_some()) {
        return None;
    }
    let verify = rotation.step == Some(RotationStep::Verify) && rotation.proposed.is_some();
    Some(RotationDue {
        tenant: tenant.clone(),
        secret: record.name.clone(),
        agent: rotation.agent.clone(),
        version: rotation.agent_version,
        step: if verify { RotationStep::Verify } else { RotationStep::Propose },
    })
}

#[async_trait]
impl Rotations for Tenancy {
    async fn due(&self, now: Timestamp) -> Result<Vec<RotationDue>, Fault> {
        let (mut due, mut after) = (Vec::new(), None);
        loop {
            let tenants = self.tenant_list(after.take(), PAGE).await?;
            for tenant in tenants.iter().filter(|tenant| tenant.state == TenantState::Active) {
                due.extend(self.rotations_due(&tenant.id, now).await?);
            }
            match tenants.last() {
                Some(last) if tenants.len() == PAGE => after = Some(last.id.to_string()),
                _ => return Ok(due),
            }
        }
    }

    async fn begin(&self, act: &Act, due: &RotationDue) -> Result<RotationTask, Fault> {
        let name = &due.secret;
        let (mut record, version) = self.secret_there(&due.tenant, name).await?;
        // What was found due may have changed since: the program, or what is to be done.
        if what_is_due(&due.tenant, &record, act.at).as_ref() != Some(due) {
            return Err(no_say());
        }
        let rotation = record.rotation.as_mut().ok_or_else(|| no_program(name))?;
        rotation.attempts += 1;
        rotation.step = Some(due.step);
        let task = RotationTask { secret: name.clone(), step: due.step, attempt: rotation.attempts };
        self.secret_commit(act, &record, Expect::Version(version)).await?;
        Ok(task)
    }

    async fn done(&self, act: &Act, task: &RotationTask) -> Result<bool, Fault> {
        let tenant = &act.caller.tenant;
        let (mut record, mut rotation, version) = self.rotation_under_way(tenant, &task.secret, Some(task)).await?;
        let nothing = || Fault::new(Code::StateInvalid, "the program ended without having proposed a value");
        let sealed = rotation.proposed.clone().ok_or_else(nothing)?;
        let rotated = task.step == RotationStep::Verify;
        if rotated {
            let value = self.vault.unseal(tenant, &place(&task.secret), &sealed).await?;
            let value = Zeroizing::new(text(&value)?);
            let sealed = self.secret_seal(act, &record, &value).await?;
            versions::drop_ended(&mut record, act.at);
            versions::rotate(&mut record, sealed, act.at.plus_ms(rotation.overlap_ms));
            (rotation.step, rotation.proposed, rotation.wanted) = (None, None, false);
            (rotation.failures, rotation.last_failure, rotation.retry_after) = (0, None, None);
        } else {
            rotation.step = Some(RotationStep::Verify);
        }
        record.rotation = Some(rotation);
        self.secret_commit(act, &record, Expect::Version(version)).await?;
        Ok(rotated)
    }

    async fn failed(&self, act: &Act, task: &RotationTask, reason: &str) -> Result<SecretInfo, Fault> {
        let (mut record, mut rotation, version) =
            self.rotation_under_way(&act.caller.tenant, &task.secret, Some(task)).await?;
        let wait_ms = RETRY_MS.saturating_mul(1 << rotation.failures.min(20)).min(RETRY_MS_MAX);
        rotation.failures = rotation.failures.saturating_add(1);
        rotation.retry_after = Some(act.at.plus_ms(wait_ms));
        let reason = reason.chars().filter(|letter| !letter.is_control()).take(REASON_LENGTH_MAX).collect();
        rotation.last_failure = Some(RotationFailure { at: act.at, step: task.step, reason });
        // What was proposed and does not work is proposed anew; the program is shown what it was.
        rotation.step = Some(RotationStep::Propose);
        rotation.attempts += 1;
        record.rotation = Some(rotation);
        self.secret_commit(act, &record, Expect::Version(version)).await?;
        told(&record, act.at)
    }
}

/// Somebody gave the secret another value by hand: whatever is under way for it has no say any
/// more, and what was wanted has been done.
pub(crate) fn overtaken(record: &mut SecretRecord, retry_after: Option<Timestamp>) {
    if let Some(rotation) = &mut record.rotation {
        rotation.attempts += 1;
        (rotation.step, rotation.wanted, rotation.retry_after) = (None, false, retry_after);
    }
}

/// Where a proposed value lies, as it is sealed for.
fn place(name: &SecretName) -> String {
    format!("secret/{name}/proposed")
}

fn text(value: &[u8]) -> Result<String, Fault> {
    String::from_utf8(value.to_vec()).map_err(Fault::internal)
}

fn no_program(name: &SecretName) -> Fault {
    Fault::new(Code::StateInvalid, format!("no program rotates secret `{name}`"))
}

fn no_say() -> Fault {
    Fault::new(Code::Denied, "this box is not there to rotate that secret, or not any more")
}

#[cfg(test)]
#[path = "rotation_tests.rs"]
mod tests;
