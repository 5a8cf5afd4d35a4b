//! Secrets: list, view, set, rotate, roll back, delete, and read.
//!
//! A value lies sealed under the tenant's data key, for its name and its version, and is opened
//! in here only. Must not know: who asks for a value, or what for.

use aegis_ledger::journal::{Answer, Deed};
use aegis_model::api::{SecretRotate, SecretSet};
use aegis_model::record::{Change, Expect, Kind, ListQuery, Put, RecordKey};
use aegis_model::secret::{
    OVERLAP_MS_DEFAULT, ROTATE_EVERY_MS_DEFAULT, SECRET_SIZE_MAX_BYTES, SecretInfo, SecretRecord, SecretValue,
};
use aegis_model::{Act, Code, Fault, SecretName, TenantId, Timestamp};
use zeroize::Zeroizing;

use crate::rotation::{ROTATED, overtaken};
use crate::secret_versions::{self as versions, Sealed};
use crate::{Tenancy, read};

/// Longest description.
const DESCRIPTION_LENGTH_MAX: usize = 200;
/// A version becomes at most that old before another one is due.
const ROTATE_EVERY_MS_MAX: u64 = 10 * 365 * 24 * 60 * 60 * 1_000;
/// A version overlaps for at most that long.
pub(crate) const OVERLAP_MS_MAX: u64 = 30 * 24 * 60 * 60 * 1_000;
/// How secrets that are there are found in the index.
const LIVE: &str = "live";
/// And those that were deleted.
const DELETED: &str = "deleted";

impl Tenancy {
    /// The secrets of a tenant, in the order of their names, without their values.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn secret_list(&self, act: &Act, after: Option<String>, limit: usize) -> Result<Vec<SecretInfo>, Fault> {
        let query = ListQuery {
            kind: Kind::Secret,
            tenant: act.caller.tenant.clone(),
            index: Some(("state", LIVE.to_owned())),
            after,
            newest_first: false,
            limit,
        };
        let records = self.store().list(&query).await?;
        let told = records.iter().map(|record| Ok(versions::info(&read(record)?, act.at)));
        told.filter_map(Result::transpose).collect()
    }

    /// A secret and its versions, without a value.
    ///
    /// # Errors
    /// `NotFound` when the tenant has no such secret.
    pub async fn secret_view(&self, act: &Act, name: &SecretName) -> Result<SecretInfo, Fault> {
        let (record, _) = self.secret_there(&act.caller.tenant, name).await?;
        told(&record, act.at)
    }

    /// Creates a secret, or gives it another value at once: what it was before is gone.
    ///
    /// # Errors
    /// `Validation` when the value or what goes with it is out of bounds.
    pub async fn secret_set(&self, act: &Act, name: &SecretName, wish: SecretSet) -> Result<SecretInfo, Fault> {
        let value = taken(wish.value)?;
        check_description(wish.description.as_deref())?;
        within("/rotate_every_ms", wish.rotate_every_ms, ROTATE_EVERY_MS_MAX)?;
        let found = self.secret_find(&act.caller.tenant, name).await?;
        let expect = found.as_ref().map_or(Expect::Absent, |(_, version)| Expect::Version(*version));
        let latest = found.as_ref().map_or(0, |(record, _)| record.latest);
        let there = found.map(|(record, _)| record).filter(|record| !record.versions.is_empty());
        let mut record = there.unwrap_or_else(|| fresh(act, name, latest));
        record.description = wish.description.unwrap_or(record.description);
        record.rotate_every_ms = wish.rotate_every_ms.unwrap_or(record.rotate_every_ms);
        let sealed = self.secret_seal(act, &record, &value).await?;
        versions::replace(&mut record, sealed);
        overtaken(&mut record, None);
        // Whatever was proposed followed from a value that is not to count any more.
        if let Some(rotation) = &mut record.rotation {
            rotation.proposed = None;
        }
        self.secret_commit(act, &record, expect).await
    }

    /// Gives a secret another value; the one before can still be read for a while.
    ///
    /// # Errors
    /// `NotFound` when the tenant has no such secret, `Validation` when the value is out of
    /// bounds or the same as before.
    pub async fn secret_rotate(&self, act: &Act, name: &SecretName, wish: SecretRotate) -> Result<SecretInfo, Fault> {
        let value = taken(wish.value)?;
        within("/overlap_ms", wish.overlap_ms, OVERLAP_MS_MAX)?;
        let tenant = &act.caller.tenant;
        let (mut record, version) = self.secret_there(tenant, name).await?;
        // A rotation that rotates nothing would only look like one.
        if *self.secret_read(tenant, name, None, act.at).await? == *value.as_bytes() {
            return Err(Fault::new(Code::Validation, "the new value is the same as the one before").at("/value"));
        }
        let sealed = self.secret_seal(act, &record, &value).await?;
        let until = act.at.plus_ms(wish.overlap_ms.unwrap_or(OVERLAP_MS_DEFAULT));
        versions::drop_ended(&mut record, act.at);
        versions::rotate(&mut record, sealed, until);
        overtaken(&mut record, None);
        self.secret_commit(act, &record, Expect::Version(version)).await
    }

    /// Goes back to the value before the last rotation; the one of the rotation is gone.
    ///
    /// # Errors
    /// `NotFound` when the tenant has no such secret, `StateInvalid` when no version overlaps,
    /// `Tampered` when the one that does cannot be opened: then nothing changes.
    pub async fn secret_rollback(&self, act: &Act, name: &SecretName) -> Result<SecretInfo, Fault> {
        let tenant = &act.caller.tenant;
        let (mut record, version) = self.secret_there(tenant, name).await?;
        let back = versions::overlapping(&record, act.at).map(|version| version.number);
        if back.is_some() {
            // Nobody is helped by going back to what cannot be read.
            self.secret_read(tenant, name, back, act.at).await?;
        }
        versions::roll_back(&mut record, act.at)?;
        // It is as old as it was, and nobody wants the same rotation again at once.
        let rest_until = act.at.plus_ms(record.rotate_every_ms);
        overtaken(&mut record, Some(rest_until));
        self.secret_commit(act, &record, Expect::Version(version)).await
    }

    /// Deletes a secret with all its versions. The name can be used again.
    ///
    /// # Errors
    /// `NotFound` when the tenant has no such secret.
    pub async fn secret_delete(&self, act: &Act, name: &SecretName) -> Result<(), Fault> {
        let (mut record, version) = self.secret_there(&act.caller.tenant, name).await?;
        record.versions.clear();
        record.rotation = None;
        record.description.clear();
        let changes = vec![put_secret(&act.caller.tenant, &record, Expect::Version(version))?];
        self.journal.commit(act, deed(name, changes, Answer::empty())).await.map(drop)
    }

    /// The value of a secret: of the version that is used, or of the one that is asked for, if
    /// it can be read now. Wiped from memory when it is dropped.
    ///
    /// Nothing is decided or recorded here: whoever hands the value to somebody has had that
    /// decided and recorded before.
    ///
    /// # Errors
    /// `NotFound` when there is no such secret, version or tenant, `StateInvalid` when the
    /// version is retired, `Tampered` when what is sealed cannot be opened.
    pub async fn secret_read(
        &self,
        tenant: &TenantId,
        name: &SecretName,
        number: Option<u64>,
        now: Timestamp,
    ) -> Result<Zeroizing<Vec<u8>>, Fault> {
        if !self.tenant_is_active(tenant).await? {
            return Err(Fault::not_found("secret", name.as_str()));
        }
        let (record, _) = self.secret_there(tenant, name).await?;
        let version = match number {
            None => versions::current(&record),
            Some(number) => record.versions.iter().find(|version| version.number == number),
        };
        let version = version.ok_or_else(|| {
            Fault::new(Code::NotFound, format!("secret `{name}` has no version {}", number.unwrap_or_default()))
        })?;
        let sealed = versions::readable(version, now).ok_or_else(|| {
            Fault::new(Code::StateInvalid, format!("version {} of secret `{name}` is retired", version.number))
        })?;
        self.vault.unseal(tenant, &place(name, version.number), sealed).await
    }

    /// Seals a value as the next version of a secret.
    pub(crate) async fn secret_seal(&self, act: &Act, record: &SecretRecord, value: &str) -> Result<Sealed, Fault> {
        let place = place(&record.name, versions::next_number(record));
        let sealed = self.vault.seal(&act.caller.tenant, &place, value.as_bytes()).await?;
        Ok(Sealed { sealed, at: act.at, by: act.caller.principal.name() })
    }

    pub(crate) async fn secret_commit(
        &self,
        act: &Act,
        record: &SecretRecord,
        expect: Expect,
    ) -> Result<SecretInfo, Fault> {
        let info = told(record, act.at)?;
        let changes = vec![put_secret(&act.caller.tenant, record, expect)?];
        self.journal.commit(act, deed(&record.name, changes, Answer::shown(200, &info)?)).await?;
        Ok(info)
    }

    /// A secret that is there.
    pub(crate) async fn secret_there(
        &self,
        tenant: &TenantId,
        name: &SecretName,
    ) -> Result<(SecretRecord, u64), Fault> {
        let found = self.secret_find(tenant, name).await?;
        let there = found.filter(|(record, _)| !record.versions.is_empty());
        there.ok_or_else(|| Fault::not_found("secret", name.as_str()))
    }

    /// A secret that is there or was once.
    async fn secret_find(&self, tenant: &TenantId, name: &SecretName) -> Result<Option<(SecretRecord, u64)>, Fault> {
        let Some(record) = self.store().get(&secret_key(tenant, name)).await? else {
            return Ok(None);
        };
        Ok(Some((read(&record)?, record.version)))
    }
}

/// Where a value lies, as it is sealed for.
fn place(name: &SecretName, number: u64) -> String {
    format!("secret/{name}/{number}")
}

fn secret_key(tenant: &TenantId, name: &SecretName) -> RecordKey {
    RecordKey::new(Kind::Secret, tenant.clone(), name.as_str())
}

/// A secret without a version yet.
fn fresh(act: &Act, name: &SecretName, latest: u64) -> SecretRecord {
    SecretRecord {
        name: name.clone(),
        description: String::new(),
        rotate_every_ms: ROTATE_EVERY_MS_DEFAULT,
        created_at: act.at,
        created_by: act.caller.principal.name(),
        latest,
        versions: Vec::new(),
        rotation: None,
    }
}

pub(crate) fn told(record: &SecretRecord, now: Timestamp) -> Result<SecretInfo, Fault> {
    versions::info(record, now).ok_or_else(|| Fault::not_found("secret", record.name.as_str()))
}

/// Takes a value over, to be wiped. What it must be like is said, what it is like is not.
pub(crate) fn taken(value: SecretValue) -> Result<Zeroizing<String>, Fault> {
    let value = Zeroizing::new(value.into_text());
    if value.is_empty() || value.len() > SECRET_SIZE_MAX_BYTES {
        let rule = format!("a value has 1 to {SECRET_SIZE_MAX_BYTES} bytes");
        return Err(Fault::new(Code::Validation, rule).at("/value"));
    }
    Ok(value)
}

fn check_description(description: Option<&str>) -> Result<(), Fault> {
    let wrong = |text: &str| text.chars().count() > DESCRIPTION_LENGTH_MAX || text.chars().any(char::is_control);
    match description.is_some_and(wrong) {
        true => {
            let rule = "the description has at most 200 characters and no control characters";
            Err(Fault::new(Code::Validation, rule).at("/description"))
        }
        false => Ok(()),
    }
}

pub(crate) fn within(pointer: &str, asked: Option<u64>, max: u64) -> Result<(), Fault> {
    match asked.is_some_and(|ms| ms == 0 || ms > max) {
        true => Err(Fault::new(Code::Validation, format!("it must be from 1 to {max} ms")).at(pointer)),
        false => Ok(()),
    }
}

pub(crate) fn deed(name: &SecretName, changes: Vec<Change>, answer: Answer) -> Deed {
    Deed { subject: format!("secret/{name}"), stream: "secrets", changes, answer, also: None }
}

pub(crate) fn put_secret(tenant: &TenantId, record: &SecretRecord, expect: Expect) -> Result<Change, Fault> {
    let state = if record.versions.is_empty() { DELETED } else { LIVE };
    let rotated = record.rotation.as_ref().map(|_| ("rotated", ROTATED.to_owned()));
    Ok(Change::Put(Put {
        key: secret_key(tenant, &record.name),
        expect,
        body: serde_json::to_vec(record).map_err(Fault::internal)?.into(),
        index: [Some(("state", state.to_owned())), rotated].into_iter().flatten().collect(),
        terminal: false,
    }))
}

#[cfg(test)]
#[path = "secrets_tests.rs"]
pub(crate) mod tests;
