//! What can be decided about: the API's operations, what a box may do to the world, and the
//! intents of services.
//! Must not know how either is carried out.

use std::fmt;

use aegis_model::Operation;
use serde::{Deserialize, Serialize};

/// What leaves a box through the door, and needs a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantAction {
    /// Reach a host.
    Connect,
    /// Call a tool.
    CallTool,
    /// Ask a model.
    UseModel,
    /// Invoke another agent.
    InvokeAgent,
    /// Have a secret put into a request.
    UseSecret,
    /// Read below a volume.
    ReadPath,
    /// Write below a volume.
    WritePath,
}

impl GrantAction {
    /// Every action that needs a grant.
    pub const ALL: [Self; 7] = [
        Self::Connect,
        Self::CallTool,
        Self::UseModel,
        Self::InvokeAgent,
        Self::UseSecret,
        Self::ReadPath,
        Self::WritePath,
    ];

    /// The group that all of them are in, as it is written in policies.
    pub const GROUP: &'static str = "grant";

    /// The action as it is written in policies.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::CallTool => "call_tool",
            Self::UseModel => "use_model",
            Self::InvokeAgent => "invoke_agent",
            Self::UseSecret => "use_secret",
            Self::ReadPath => "read_path",
            Self::WritePath => "write_path",
        }
    }
}

/// What is done to an intent of a service, and needs a governance record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntentAction {
    /// Do what the service is asked to do.
    Fulfil,
}

impl IntentAction {
    /// Every action on an intent.
    pub const ALL: [Self; 1] = [Self::Fulfil];

    /// The group that all of them are in, as it is written in policies.
    pub const GROUP: &'static str = "intent";

    /// The action as it is written in policies.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fulfil => "fulfil",
        }
    }
}

/// One action, of any kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ActionName {
    /// An operation of the API.
    Operation(Operation),
    /// Something that leaves a box.
    Grant(GrantAction),
    /// Something that is done to an intent.
    Intent(IntentAction),
}

/// A text that names no action.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no action `{0}`")]
pub struct NoSuchAction(String);

impl ActionName {
    /// Every action there is.
    pub fn all() -> impl Iterator<Item = Self> {
        let operations = Operation::ALL.iter().copied().map(Self::Operation);
        let grants = GrantAction::ALL.into_iter().map(Self::Grant);
        operations.chain(grants).chain(IntentAction::ALL.into_iter().map(Self::Intent))
    }

    /// The action of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::all().find(|action| action.as_str() == name)
    }

    /// The action as it is written in policies.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operation(operation) => operation.as_str(),
            Self::Grant(action) => action.as_str(),
            Self::Intent(action) => action.as_str(),
        }
    }

    /// The group the action is in, as it is written in policies.
    pub const fn group(self) -> &'static str {
        match self {
            Self::Operation(operation) => operation.group().as_str(),
            Self::Grant(_) => GrantAction::GROUP,
            Self::Intent(_) => IntentAction::GROUP,
        }
    }

    /// Where the action stands in the order of [`ActionName::all`].
    pub(crate) const fn position(self) -> usize {
        match self {
            Self::Operation(operation) => operation as usize,
            Self::Grant(action) => Operation::ALL.len() + action as usize,
            Self::Intent(action) => Operation::ALL.len() + GrantAction::ALL.len() + action as usize,
        }
    }
}

impl From<Operation> for ActionName {
    fn from(operation: Operation) -> Self {
        Self::Operation(operation)
    }
}

impl From<GrantAction> for ActionName {
    fn from(action: GrantAction) -> Self {
        Self::Grant(action)
    }
}

impl From<IntentAction> for ActionName {
    fn from(action: IntentAction) -> Self {
        Self::Intent(action)
    }
}

impl TryFrom<String> for ActionName {
    type Error = NoSuchAction;
    fn try_from(name: String) -> Result<Self, NoSuchAction> {
        let shown = || name.chars().take(80).flat_map(char::escape_debug).collect();
        Self::by_name(&name).ok_or_else(|| NoSuchAction(shown()))
    }
}

impl From<ActionName> for String {
    fn from(action: ActionName) -> String {
        action.as_str().to_owned()
    }
}

impl fmt::Display for ActionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_follow_the_order_and_names_are_unique() {
        let mut names = std::collections::BTreeSet::new();
        for (position, action) in ActionName::all().enumerate() {
            assert_eq!(action.position(), position, "{action}");
            assert_eq!(ActionName::by_name(action.as_str()), Some(action));
            assert!(names.insert(action.as_str()), "{action}");
            assert!(!names.contains(action.group()), "{action} is named like its group");
        }
    }
}
