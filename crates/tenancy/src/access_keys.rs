//! Keys that sign requests, as clients of AWS do. The secret is kept sealed under the tenant's
//! data key, because whoever verifies a signature needs it.
//!
//! Must not know: what a signature covers.

use aegis_identity::sigv4::{AccessKeyId, SecretAccessKey};
use aegis_model::api::AwsKey;
use aegis_model::key::{KeyRecord, KeySecret};
use aegis_model::{Code, Fault, KeyId, TenantId, Timestamp};

use crate::keys::Made;
use crate::{Authenticated, Tenancy};

/// How the name of a key in signatures begins; the letters of its id follow, so that it is
/// found without a look-up.
const PREFIX: &str = "AEGIS";

/// Whoever holds a key that signs, if the signature holds.
pub struct Signer {
    /// Who.
    pub who: Authenticated,
    /// What he signs with.
    pub secret: SecretAccessKey,
}

impl Tenancy {
    /// Who signs by that name, if the key counts. Nothing is proven by this: the signature is
    /// still to be verified.
    ///
    /// # Errors
    /// When the store cannot answer, or what is sealed was altered.
    pub async fn signer(&self, id: &AccessKeyId, now: Timestamp) -> Result<Option<Signer>, Fault> {
        let Some((record, sealed_secret)) = self.signing_key(id, now).await? else {
            self.vault.unseal_nothing();
            return Ok(None);
        };
        let opened = self.vault.unseal(&record.info.tenant, &place(&record.info.id), &sealed_secret).await?;
        let text = std::str::from_utf8(&opened).map_err(Fault::internal)?;
        let secret = SecretAccessKey::parse(text).map_err(Fault::internal)?;
        Ok(Some(Signer { who: Authenticated::from(record.info), secret }))
    }

    /// The key of that name that counts, and its sealed secret.
    async fn signing_key(&self, id: &AccessKeyId, now: Timestamp) -> Result<Option<(KeyRecord, String)>, Fault> {
        let Some(key) = key_of(id) else { return Ok(None) };
        let Some((record, _)) = self.key_find(&key).await? else { return Ok(None) };
        let KeySecret::Sealed { sealed_secret } = &record.secret else { return Ok(None) };
        let sealed_secret = sealed_secret.clone();
        let in_force = self.is_in_force(&record.info, now).await?;
        Ok(in_force.then_some((record, sealed_secret)))
    }

    /// Makes a key that signs, for that tenant.
    pub(crate) async fn make_access_key(&self, tenant: &TenantId, id: &KeyId) -> Result<Made, Fault> {
        let secret = SecretAccessKey::generate(&self.random()?);
        let sealed_secret = self.vault.seal(tenant, &place(id), secret.reveal().as_bytes()).await?;
        let aws = AwsKey {
            access_key_id: name_of(id)?,
            secret_access_key: secret.reveal().to_owned(),
            region: self.region.clone(),
        };
        Ok(Made { kept: KeySecret::Sealed { sealed_secret }, api_key: None, aws: Some(aws) })
    }
}

/// Where the secret lies, as it is sealed for.
fn place(id: &KeyId) -> String {
    format!("access-key/{id}")
}

/// The name of a key in signatures.
fn name_of(id: &KeyId) -> Result<String, Fault> {
    let letters = id.as_str().strip_prefix(KeyId::PREFIX);
    let letters = letters.ok_or_else(|| Fault::new(Code::Internal, "the id of a key has no prefix"))?;
    Ok(format!("{PREFIX}{}", letters.trim_start_matches('_').to_ascii_uppercase()))
}

/// The key of that name, if it can be the name of one.
fn key_of(id: &AccessKeyId) -> Option<KeyId> {
    let letters = id.as_str().strip_prefix(PREFIX)?;
    let lower = letters.to_ascii_lowercase();
    let written_in_upper_case = letters == lower.to_ascii_uppercase();
    let separator = if KeyId::PREFIX.ends_with('_') { "" } else { "_" };
    written_in_upper_case.then(|| format!("{}{separator}{lower}", KeyId::PREFIX).parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_key_leads_to_it_and_no_other_text_does() {
        let id = KeyId::generate(Timestamp::from_millis(7), [9; 10]);
        let name = name_of(&id).unwrap();
        assert!(name.len() == 31 && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()));
        assert_eq!(key_of(&AccessKeyId::parse(&name).unwrap()), Some(id));
        for wrong in [&name.to_lowercase(), &name[1..], &format!("{name}0"), "AEGIS", "AKIAIOSFODNN7EXAMPLE"] {
            assert_eq!(key_of(&AccessKeyId::parse(wrong).unwrap()), None, "{wrong}");
        }
    }
}
