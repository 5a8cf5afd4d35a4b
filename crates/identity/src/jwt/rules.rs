//! From claims to a tenant and a role: rules that somebody wrote, the first that fits, nothing
//! if none does. Must not know: how a token was verified, or which tenants there are.

use aegis_model::{Role, TenantId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::claims::Claims;

const PATH_LENGTH_MAX: usize = 256;

/// Rules in their order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClaimRules(pub Vec<ClaimRule>);

/// One rule: every test has to hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimRule {
    /// The issuer it is about; a rule is never about every issuer.
    pub issuer: String,
    /// The tests; without any, the rule is about everybody whom the issuer vouches for.
    #[serde(default)]
    pub when: Vec<ClaimTest>,
    /// The tenant that it leads to.
    pub tenant: TenantId,
    /// The role there.
    pub role: Role,
}

/// One test of one claim. A claim that is missing or of another type fails it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ClaimTest {
    /// The claim is exactly this.
    Equals {
        /// Which.
        claim: ClaimPath,
        /// This.
        value: ClaimValue,
    },
    /// The claim is a list that has this text in it.
    Contains {
        /// Which.
        claim: ClaimPath,
        /// This.
        value: String,
    },
    /// The claim is a text of words with spaces between them, as `scope` is, and has this one.
    ScopeWord {
        /// Which.
        claim: ClaimPath,
        /// This.
        word: String,
    },
}

/// What a claim can be equal to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ClaimValue {
    /// `true` or `false`.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// A text.
    Text(String),
}

/// Where a claim is: `scope`, `realm_access.roles`, or, because names with `://` are never
/// taken apart, `https://example.com/roles`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClaimPath(String);

/// A text that names no claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a claim is named by 1 to 256 characters, with something before and after every point")]
pub struct ClaimPathError;

/// What a rule leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The tenant.
    pub tenant: TenantId,
    /// The role there.
    pub role: Role,
    /// The place of the rule, from 0, for saying why.
    pub rule: usize,
}

impl ClaimRules {
    /// What the first fitting rule leads to; `None` if none fits, which means no access.
    pub fn grant(&self, claims: &Claims) -> Option<Grant> {
        let (rule, found) = self.0.iter().enumerate().find(|(_, rule)| rule.fits(claims))?;
        Some(Grant { tenant: found.tenant.clone(), role: found.role, rule })
    }
}

impl ClaimRule {
    fn fits(&self, claims: &Claims) -> bool {
        self.issuer == claims.issuer && self.when.iter().all(|test| test.holds(&claims.all))
    }
}

impl ClaimTest {
    fn holds(&self, claims: &Map<String, Value>) -> bool {
        match self {
            Self::Equals { claim, value } => claim.find(claims).is_some_and(|found| value.is(found)),
            Self::Contains { claim, value } => {
                let items = claim.find(claims).and_then(Value::as_array);
                items.is_some_and(|items| items.iter().any(|item| item.as_str() == Some(value)))
            }
            Self::ScopeWord { claim, word } => {
                let words = claim.find(claims).and_then(Value::as_str);
                words.is_some_and(|words| !word.is_empty() && words.split(' ').any(|given| given == word))
            }
        }
    }
}

impl ClaimValue {
    fn is(&self, found: &Value) -> bool {
        match self {
            Self::Flag(flag) => found.as_bool() == Some(*flag),
            Self::Number(number) => found.as_i64() == Some(*number),
            Self::Text(text) => found.as_str() == Some(text),
        }
    }
}

impl ClaimPath {
    /// The value there.
    fn find<'c>(&self, claims: &'c Map<String, Value>) -> Option<&'c Value> {
        if self.0.contains("://") {
            return claims.get(&self.0);
        }
        let mut names = self.0.split('.');
        let first = claims.get(names.next()?)?;
        names.try_fold(first, |value, name| value.as_object()?.get(name))
    }
}

impl TryFrom<String> for ClaimPath {
    type Error = ClaimPathError;

    fn try_from(text: String) -> Result<Self, ClaimPathError> {
        let whole = text.contains("://") || text.split('.').all(|name| !name.is_empty());
        if whole && (1..=PATH_LENGTH_MAX).contains(&text.len()) { Ok(Self(text)) } else { Err(ClaimPathError) }
    }
}

impl From<ClaimPath> for String {
    fn from(path: ClaimPath) -> Self {
        path.0
    }
}
