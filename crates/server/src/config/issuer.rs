//! Whose tokens are believed, and as what they let somebody in.

use aegis_identity::jwt::{ClaimRule, ClaimRules, ClaimTest, Expected};
use aegis_model::{Role, TenantId};
use aegis_tenancy::Trust;
use serde::Deserialize;

use super::ConfigError;

/// An issuer of tokens (OIDC).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerConfig {
    /// Its name, as its tokens say it.
    pub issuer: String,
    /// One of these has to be in a token's `aud`.
    pub audiences: Vec<String>,
    /// Where its keys are; where it says itself, when absent.
    #[serde(default)]
    pub keys: Option<String>,
    /// The first that fits decides; without one, nobody is let in.
    pub rules: Vec<RuleConfig>,
}

/// As what somebody is let in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleConfig {
    /// What his token has to say; every test has to hold.
    #[serde(default)]
    pub when: Vec<ClaimTest>,
    /// Into which tenant.
    pub tenant: TenantId,
    /// As what.
    pub role: Role,
}

impl IssuerConfig {
    pub(super) fn trust(&self) -> Trust {
        let first = self.audiences.first().map(String::as_str).unwrap_or_default();
        let rule = |rule: &RuleConfig| ClaimRule {
            issuer: self.issuer.clone(),
            when: rule.when.clone(),
            tenant: rule.tenant.clone(),
            role: rule.role,
        };
        Trust {
            expected: Expected { audiences: self.audiences.clone(), ..Expected::new(&self.issuer, first) },
            keys_at: self.keys.clone(),
            rules: ClaimRules(self.rules.iter().map(rule).collect()),
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let wrong =
            |problem: &str| Err(ConfigError::Issuer { issuer: self.issuer.clone(), problem: problem.to_owned() });
        if self.issuer.is_empty() || self.audiences.is_empty() || self.audiences.iter().any(String::is_empty) {
            return wrong("`issuer` and `audiences` must not be empty: a token for somebody else would be taken");
        }
        if self.rules.is_empty() {
            return wrong("without `rules` nobody is let in");
        }
        if self.rules.iter().any(|rule| rule.tenant == TenantId::platform()) {
            return wrong("nobody acts in the tenant of the installation itself");
        }
        if self.rules.iter().any(|rule| rule.role >= Role::Admin && rule.when.is_empty()) {
            return wrong("a rule without `when` lets everybody in; not as an admin");
        }
        let foreign = |rule: &RuleConfig| rule.role == Role::PlatformAdmin && rule.tenant != TenantId::first();
        if self.rules.iter().any(foreign) {
            return wrong("only the first tenant can have a platform admin");
        }
        Ok(())
    }
}
