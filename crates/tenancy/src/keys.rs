//! API keys: create, list, revoke, and find out who holds one.

use aegis_identity::{ApiKey, verify};
use aegis_ledger::journal::{Answer, Deed};
use aegis_model::api::{AwsKey, KeyCreate, KeyCreated};
use aegis_model::key::{KeyInfo, KeyKind, KeyRecord, KeySecret};
use aegis_model::record::{Change, Expect, Kind, ListQuery, Put, RecordKey};
use aegis_model::{Act, Code, Fault, KeyId, Principal, Role, TenantId, Timestamp};

use crate::{Tenancy, read};

/// Longest label of a key.
const LABEL_LENGTH_MAX: usize = 200;

/// Who holds a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticated {
    /// Who.
    pub principal: Principal,
    /// Whose.
    pub tenant: TenantId,
    /// Its role.
    pub role: Role,
    /// From when on the credential is worthless, if it says so itself.
    pub until: Option<Timestamp>,
}

impl From<KeyInfo> for Authenticated {
    fn from(key: KeyInfo) -> Self {
        Self { principal: Principal::Key { id: key.id }, tenant: key.tenant, role: key.role, until: None }
    }
}

/// A key that was just made: what is kept of it, and what is shown.
pub(crate) struct Made {
    pub kept: KeySecret,
    pub api_key: Option<String>,
    pub aws: Option<AwsKey>,
}

impl Tenancy {
    /// Finds out who presents `text`. Every reason to refuse looks the same from outside.
    ///
    /// # Errors
    /// `CredentialInvalid` when the key is damaged, unknown, revoked or expired, or its
    /// tenant is deleted.
    pub async fn authenticate(&self, text: &str, now: Timestamp) -> Result<Authenticated, Fault> {
        let invalid = || Fault::new(Code::CredentialInvalid, "the API key is not valid");
        let key = ApiKey::parse(text).map_err(|error| invalid().caused_by(error))?;
        let (record, _) = self.key_find(key.id()).await?.ok_or_else(invalid)?;
        let holds = match &record.secret {
            KeySecret::Hashed { secret_mac } => verify(&key, &self.pepper, secret_mac),
            KeySecret::Sealed { .. } => false,
        };
        match holds && self.is_in_force(&record.info, now).await? {
            true => Ok(Authenticated::from(record.info)),
            false => Err(invalid()),
        }
    }

    /// Whether a key counts: neither revoked nor expired, and of a tenant that can be used.
    pub(crate) async fn is_in_force(&self, key: &KeyInfo, now: Timestamp) -> Result<bool, Fault> {
        let over = key.expires_at.is_some_and(|end| end <= now) || key.revoked_at.is_some();
        Ok(!over && self.tenant_is_active(&key.tenant).await?)
    }

    /// Makes sure that a credential still holds: a body may take its time to arrive.
    ///
    /// # Errors
    /// `CredentialInvalid` when it was revoked or expired meanwhile, or its tenant deleted.
    pub async fn still_holds(&self, known: &Authenticated, now: Timestamp) -> Result<(), Fault> {
        let invalid = || Fault::new(Code::CredentialInvalid, "the credential is not valid any more");
        let in_force = match &known.principal {
            Principal::Key { id } => match self.key_find(id).await? {
                Some((record, _)) => self.is_in_force(&record.info, now).await?,
                None => false,
            },
            _ => self.tenant_is_active(&known.tenant).await?,
        };
        match in_force && known.until.is_none_or(|until| until > now) {
            true => Ok(()),
            false => Err(invalid()),
        }
    }

    /// Creates a key and shows its secret, this once.
    ///
    /// # Errors
    /// `Denied` when it would be stronger than its creator's or of another tenant.
    pub async fn key_create(&self, act: &Act, wish: KeyCreate) -> Result<KeyCreated, Fault> {
        let role = wish.role.unwrap_or(Role::Viewer);
        let tenant = wish.tenant.clone().unwrap_or_else(|| act.caller.tenant.clone());
        self.key_may_be_created(act, role, &tenant).await?;
        check_wish(&wish)?;
        let id = KeyId::generate(act.at, self.random()?);
        let kind = wish.kind.unwrap_or_default();
        let made = match kind {
            KeyKind::Api => self.make_api_key(id.clone())?,
            KeyKind::Aws => self.make_access_key(&tenant, &id).await?,
        };
        let info = KeyInfo {
            id,
            label: wish.label,
            kind,
            access_key_id: made.aws.as_ref().map(|aws| aws.access_key_id.clone()),
            tenant,
            role,
            created_at: act.at,
            created_by: act.caller.principal.name(),
            expires_at: wish.expires_in_ms.map(|ms| act.at.plus_ms(ms)),
            last_used_at: None,
            revoked_at: None,
        };
        let record = KeyRecord { info, secret: made.kept };
        let deed = Deed {
            subject: format!("key/{}", record.info.id),
            stream: "keys",
            changes: vec![put_key(&record, Expect::Absent)?],
            answer: Answer::Secret,
            also: Some(record.info.tenant.clone()),
        };
        self.journal.commit(act, deed).await?;
        Ok(KeyCreated {
            key_id: record.info.id,
            api_key: made.api_key,
            aws: made.aws,
            role: record.info.role,
            tenant: record.info.tenant,
            expires_at: record.info.expires_at,
        })
    }

    fn make_api_key(&self, id: KeyId) -> Result<Made, Fault> {
        let key = ApiKey::generate(id, self.random()?);
        let kept = KeySecret::Hashed { secret_mac: key.mac(&self.pepper) };
        Ok(Made { kept, api_key: Some(key.reveal()), aws: None })
    }

    async fn key_may_be_created(&self, act: &Act, role: Role, tenant: &TenantId) -> Result<(), Fault> {
        if role > act.caller.role {
            let held = act.caller.role.as_str();
            return Err(Fault::new(
                Code::Denied,
                format!("a key of role `{held}` cannot create one of a stronger role"),
            )
            .at("/role"));
        }
        if *tenant == act.caller.tenant {
            return Ok(());
        }
        if act.caller.role != Role::PlatformAdmin {
            return Err(Fault::new(Code::Denied, "only a platform admin creates keys for other tenants").at("/tenant"));
        }
        if *tenant == TenantId::platform() || !self.tenant_is_active(tenant).await? {
            return Err(Fault::not_found("tenant", tenant.as_str()).at("/tenant"));
        }
        if role == Role::PlatformAdmin {
            return Err(Fault::new(Code::Denied, "another tenant cannot hold a platform admin").at("/role"));
        }
        Ok(())
    }

    /// The keys of a tenant, oldest first, without their secrets.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn key_list(
        &self,
        tenant: &TenantId,
        after: Option<String>,
        limit: usize,
    ) -> Result<Vec<KeyInfo>, Fault> {
        let query = ListQuery {
            kind: Kind::Key,
            tenant: TenantId::platform(),
            index: Some(("tenant", tenant.as_str().to_owned())),
            after,
            newest_first: false,
            limit,
        };
        let mut keys = Vec::new();
        for record in self.store().list(&query).await? {
            keys.push(self.with_use(read::<KeyRecord>(&record)?.info).await?);
        }
        Ok(keys)
    }

    /// One key of a tenant, without its secret.
    ///
    /// # Errors
    /// `NotFound` when the tenant has no such key.
    pub async fn key_view(&self, tenant: &TenantId, id: &KeyId) -> Result<KeyInfo, Fault> {
        let found = self.key_find(id).await?.filter(|(key, _)| key.info.tenant == *tenant);
        found.map(|(key, _)| key.info).ok_or_else(|| Fault::not_found("key", id.as_str()))
    }

    /// Makes sure that the tenant has such a key and that the caller may stop it.
    ///
    /// # Errors
    /// `NotFound` when there is none, `Denied` when it is of a stronger role.
    pub async fn key_may_be_stopped(&self, act: &Act, id: &KeyId) -> Result<(), Fault> {
        no_stronger(act, &self.key_view(&act.caller.tenant, id).await?)
    }

    /// Revokes a key: the next request with it is refused.
    ///
    /// # Errors
    /// `NotFound` when the tenant has no such key, `StateInvalid` for the caller's own.
    pub async fn key_revoke(&self, act: &Act, id: &KeyId) -> Result<(), Fault> {
        if act.caller.principal == (Principal::Key { id: id.clone() }) {
            return Err(Fault::new(Code::StateInvalid, "a key cannot revoke itself; use another one"));
        }
        let found = self.key_find(id).await?.filter(|(key, _)| key.info.tenant == act.caller.tenant);
        let (mut key, version) = found.ok_or_else(|| Fault::not_found("key", id.as_str()))?;
        no_stronger(act, &key.info)?;
        if key.info.revoked_at.is_some() {
            return Ok(());
        }
        key.info.revoked_at = Some(act.at);
        let deed = Deed {
            subject: format!("key/{id}"),
            stream: "keys",
            changes: vec![put_key(&key, Expect::Version(version))?],
            answer: Answer::empty(),
            also: None,
        };
        self.journal.commit(act, deed).await.map(drop)
    }

    pub(crate) async fn key_find(&self, id: &KeyId) -> Result<Option<(KeyRecord, u64)>, Fault> {
        let key = RecordKey::new(Kind::Key, TenantId::platform(), id.as_str());
        let Some(record) = self.store().get(&key).await? else {
            return Ok(None);
        };
        Ok(Some((read(&record)?, record.version)))
    }
}

/// A weaker key stops no stronger one: the last platform admin could not be brought back.
fn no_stronger(act: &Act, key: &KeyInfo) -> Result<(), Fault> {
    match key.role > act.caller.role {
        true => Err(Fault::new(Code::Denied, "a key cannot stop one of a stronger role")),
        false => Ok(()),
    }
}

fn check_wish(wish: &KeyCreate) -> Result<(), Fault> {
    if wish.label.chars().count() > LABEL_LENGTH_MAX || wish.label.chars().any(char::is_control) {
        let rule = "the label has at most 200 characters and no control characters";
        return Err(Fault::new(Code::Validation, rule).at("/label"));
    }
    if wish.expires_in_ms == Some(0) {
        return Err(Fault::new(Code::Validation, "a key must work for at least 1 ms").at("/expires_in_ms"));
    }
    Ok(())
}

pub(crate) fn put_key(key: &KeyRecord, expect: Expect) -> Result<Change, Fault> {
    Ok(Change::Put(Put {
        key: RecordKey::new(Kind::Key, TenantId::platform(), key.info.id.as_str()),
        expect,
        body: serde_json::to_vec(key).map_err(Fault::internal)?.into(),
        index: vec![("tenant", key.info.tenant.as_str().to_owned())],
        // A revoked key never works again: the store itself refuses to change it.
        terminal: key.info.revoked_at.is_some(),
    }))
}
