//! The names of Cedar's entities: every type, action, role and group, made once.
//! Must not know requests.

use std::collections::HashSet;
use std::str::FromStr as _;
use std::sync::LazyLock;

use aegis_model::Role;
use cedar_policy::{Entity, EntityId, EntityTypeName, EntityUid};

use crate::action::ActionName;
use crate::request::{ResourceType, SubjectKind};

/// The type of every action.
const ACTION: &str = "Action";
/// What a principal acts as.
pub(crate) const ROLE: &str = "Role";
/// The server itself.
pub(crate) const SYSTEM: &str = "System";
/// The type of people for whom another issuer vouches.
pub(crate) const USER: &str = "User";
/// Everything below a name, for wildcards of hosts.
pub(crate) const DOMAIN: &str = "Domain";
/// All tools of one server, for wildcards of tools.
pub(crate) const TOOLSET: &str = "Toolset";

/// What somebody says about an intent: an entity, because only an entity has tags, which may be
/// called anything.
pub(crate) const DOCUMENT: &str = "Document";

/// The names of entities, made once.
pub(crate) struct Names {
    subjects: [EntityTypeName; 4],
    resources: [EntityTypeName; ResourceType::ALL.len()],
    domain: EntityTypeName,
    toolset: EntityTypeName,
    document: EntityUid,
    roles: [EntityUid; Role::ALL.len()],
    actions: Vec<KnownAction>,
}

/// An action with the group it is in.
pub(crate) struct KnownAction {
    /// The action as an entity, its group as the parent.
    pub(crate) entity: Entity,
    /// The action.
    pub(crate) uid: EntityUid,
    /// The group.
    pub(crate) group: EntityUid,
}

/// The one copy.
static NAMES: LazyLock<Names> = LazyLock::new(Names::make);

#[expect(clippy::expect_used, reason = "only the constants of this crate are given, and every one is an identifier")]
fn entity_type(name: &str) -> EntityTypeName {
    EntityTypeName::from_str(name).expect("type names are identifiers")
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

impl Names {
    /// The names.
    pub(crate) fn get() -> &'static Self {
        &NAMES
    }

    fn make() -> Self {
        let action = entity_type(ACTION);
        let role = entity_type(ROLE);
        let known = |name: ActionName| {
            let (uid, group) = (uid(&action, name.as_str()), uid(&action, name.group()));
            let entity = Entity::new_no_attrs(uid.clone(), HashSet::from([group.clone()]));
            KnownAction { entity, uid, group }
        };
        Self {
            subjects: ["Key", "Agent", USER, SYSTEM].map(entity_type),
            resources: ResourceType::ALL.map(|kind| entity_type(kind.as_str())),
            domain: entity_type(DOMAIN),
            toolset: entity_type(TOOLSET),
            document: uid(&entity_type(DOCUMENT), "said"),
            roles: Role::ALL.map(|name| uid(&role, name.as_str())),
            actions: ActionName::all().map(known).collect(),
        }
    }

    /// A principal.
    pub(crate) fn subject(&self, kind: SubjectKind, id: &str) -> EntityUid {
        let [key, agent, user, system] = &self.subjects;
        let kind = match kind {
            SubjectKind::Key => key,
            SubjectKind::Agent => agent,
            SubjectKind::User => user,
            SubjectKind::System => system,
        };
        uid(kind, id)
    }

    /// A thing that is acted on.
    pub(crate) fn resource(&self, kind: ResourceType, id: &str) -> EntityUid {
        let [tenant, agent, key, host, tool, model, secret, volume, intent] = &self.resources;
        let kind = match kind {
            ResourceType::Tenant => tenant,
            ResourceType::Agent => agent,
            ResourceType::Key => key,
            ResourceType::Host => host,
            ResourceType::Tool => tool,
            ResourceType::Model => model,
            ResourceType::Secret => secret,
            ResourceType::Volume => volume,
            ResourceType::Intent => intent,
        };
        uid(kind, id)
    }

    /// Everything below a name.
    pub(crate) fn domain(&self, name: &str) -> EntityUid {
        uid(&self.domain, name)
    }

    /// All tools of one server.
    pub(crate) fn toolset(&self, name: &str) -> EntityUid {
        uid(&self.toolset, name)
    }

    /// What is said about an intent; a request has at most one.
    pub(crate) fn document(&self) -> EntityUid {
        self.document.clone()
    }

    /// A role.
    pub(crate) fn role(&self, role: Role) -> EntityUid {
        let [viewer, operator, admin, platform_admin] = &self.roles;
        let found = match role {
            Role::Viewer => viewer,
            Role::Operator => operator,
            Role::Admin => admin,
            Role::PlatformAdmin => platform_admin,
        };
        found.clone()
    }

    /// An action with the group it is in; absent only if the table of actions were broken.
    pub(crate) fn action(&self, name: ActionName) -> Option<&KnownAction> {
        self.actions.get(name.position())
    }

    /// Every action with the group it is in.
    pub(crate) fn actions(&self) -> &[KnownAction] {
        &self.actions
    }
}

/// All tools of the server that the tool's name begins with, if it names one.
pub(crate) fn toolset_of(tool: &str) -> Option<&str> {
    let (toolset, name) = tool.split_once('/')?;
    let server = toolset.strip_prefix("mcp:")?;
    (!server.is_empty() && !name.is_empty()).then_some(toolset)
}
