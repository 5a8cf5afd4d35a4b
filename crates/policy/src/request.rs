//! What is asked: who wants to do what to which thing, and under which circumstances.
//! Must not know Cedar.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use aegis_model::governance::Number;
use aegis_model::operation::ResourceKind;
use aegis_model::{Caller, Principal, Role, TenantId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::action::ActionName;

/// What kind of principal asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectKind {
    /// The holder of an API key.
    Key,
    /// An agent in its box.
    Agent,
    /// Somebody for whom another issuer vouches.
    User,
    /// The server itself.
    System,
}

/// Who asks. All of it comes from the credential, or from the door.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// What kind of principal.
    pub kind: SubjectKind,
    /// The key's id or the agent's name.
    pub id: String,
    /// Whose.
    pub tenant: TenantId,
    /// As what. An agent has no role: what is set here for one is not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
}

impl From<&Caller> for Subject {
    fn from(caller: &Caller) -> Self {
        let (kind, id) = match &caller.principal {
            Principal::Key { id } => (SubjectKind::Key, id.to_string()),
            Principal::User { issuer, subject } => (SubjectKind::User, format!("{subject}@{issuer}")),
            Principal::Agent { name } => (SubjectKind::Agent, name.to_string()),
            Principal::System => (SubjectKind::System, "system".to_owned()),
        };
        let role = (kind != SubjectKind::Agent).then_some(caller.role);
        Self { kind, id, tenant: caller.tenant.clone(), role }
    }
}

/// What kind of thing is acted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceType {
    /// A tenant: collections, and everything that has no name of its own.
    Tenant,
    /// An agent.
    Agent,
    /// An API key.
    Key,
    /// A host outside the box, by its normalised name.
    Host,
    /// A tool, as `name` or `mcp:server/name`.
    Tool,
    /// A model.
    Model,
    /// A secret.
    Secret,
    /// A volume.
    Volume,
    /// An intent of a service, as `service/intent`.
    Intent,
}

impl ResourceType {
    /// Every type.
    pub const ALL: [Self; 9] = [
        Self::Tenant,
        Self::Agent,
        Self::Key,
        Self::Host,
        Self::Tool,
        Self::Model,
        Self::Secret,
        Self::Volume,
        Self::Intent,
    ];

    /// The type as it is written in policies.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "Tenant",
            Self::Agent => "Agent",
            Self::Key => "Key",
            Self::Host => "Host",
            Self::Tool => "Tool",
            Self::Model => "Model",
            Self::Secret => "Secret",
            Self::Volume => "Volume",
            Self::Intent => "Intent",
        }
    }
}

impl From<ResourceKind> for ResourceType {
    fn from(kind: ResourceKind) -> Self {
        match kind {
            ResourceKind::Tenant => Self::Tenant,
            ResourceKind::Agent => Self::Agent,
            ResourceKind::Key => Self::Key,
            ResourceKind::Secret => Self::Secret,
        }
    }
}

/// What is acted on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// What kind of thing.
    pub kind: ResourceType,
    /// Its name.
    pub id: String,
    /// Whose. A resource of type `Tenant` is its own: there only `id` counts.
    pub tenant: TenantId,
}

impl Resource {
    /// The tenant as a resource.
    pub fn tenant(tenant: &TenantId) -> Self {
        Self { kind: ResourceType::Tenant, id: tenant.as_str().to_owned(), tenant: tenant.clone() }
    }
}

/// A circumstance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ContextValue {
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Long(i64),
    /// An address, for the attributes that the schema declares as addresses.
    Address {
        /// The address.
        address: IpAddr,
    },
    /// A text.
    Text(String),
    /// Some texts, without order.
    TextSet(BTreeSet<String>),
}

/// A field of the document about an intent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldValue {
    /// Yes or no.
    Flag(bool),
    /// A number, whole or not.
    Number(Number),
    /// A text.
    Text(String),
    /// A list of texts.
    Texts(BTreeSet<String>),
    /// A list of numbers.
    Numbers(BTreeSet<Number>),
    /// A list of nothing, which is both a list of texts and one of numbers.
    EmptyList,
    /// Anything else, of which a rule can see only that it is there.
    Other,
}

/// The whole question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Who.
    pub subject: Subject,
    /// What.
    pub action: ActionName,
    /// To which thing.
    pub resource: Resource,
    /// Under which circumstances, by the names in the schema.
    #[serde(default)]
    pub context: BTreeMap<String, ContextValue>,
    /// When: rules see it as `context.now`, `context.hour` and `context.weekday`, in UTC. A rule
    /// that looks at them when it is absent fails, and so denies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// How far the tenant's counters have come: rules see them as `context.counts.NAME`. A rule
    /// that looks at one that is missing here fails, and so denies.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counts: BTreeMap<String, i64>,
    /// What somebody says about an intent that is to be fulfilled, each field by the names on the
    /// way to it: rules see it as the tags of `context.document`. Of no meaning for other actions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub document: BTreeMap<String, FieldValue>,
}
