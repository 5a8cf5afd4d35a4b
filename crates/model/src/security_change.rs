//! Changes that whoever watches over an installation wants to hear of: the table of the
//! operations that make them.
//!
//! Must not know: who counts them, or who is told.

use crate::Operation;
use crate::agent::GrantState;
use crate::record::{Change, Kind};

/// What a change of security is a change of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SecurityChange {
    /// A tenant's policies.
    Policy,
    /// What an agent was granted: approved, taken back, or not enforced for a session.
    Grant,
    /// A key: to the API, of signatures, or of the server itself.
    Key,
    /// A secret, or who rotates it.
    Secret,
    /// A tenant.
    Tenant,
    /// The kill switch.
    Freeze,
}

impl SecurityChange {
    /// Every kind of change.
    pub const ALL: [Self; 6] = [Self::Policy, Self::Grant, Self::Key, Self::Secret, Self::Tenant, Self::Freeze];

    /// The word as it is written in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Grant => "grant",
            Self::Key => "key",
            Self::Secret => "secret",
            Self::Tenant => "tenant",
            Self::Freeze => "freeze",
        }
    }

    /// What an act changes by that operation, if it is one to hear of. A deployment is one only
    /// where it approves its own grants, which its changes say.
    pub fn of(operation: Operation, changes: &[Change]) -> Option<Self> {
        match operation {
            Operation::PolicyApply
            | Operation::PolicyRollback
            | Operation::PolicySet
            | Operation::PolicyDelete
            | Operation::GovernanceSet
            | Operation::GovernanceDelete
            | Operation::IntentSet
            | Operation::IntentDelete => Some(Self::Policy),
            Operation::VersionApprove | Operation::VersionRevoke | Operation::AgentObserve => Some(Self::Grant),
            Operation::AgentDeploy => changes.iter().any(approves).then_some(Self::Grant),
            Operation::KeyCreate
            | Operation::KeyRevoke
            | Operation::IdentityKeyRotate
            | Operation::EncryptionKeyRotate
            | Operation::LedgerKeyRotate => Some(Self::Key),
            Operation::SecretSet
            | Operation::SecretRotate
            | Operation::SecretRollback
            | Operation::SecretDelete
            | Operation::RotationSet
            | Operation::RotationRemove => Some(Self::Secret),
            Operation::TenantCreate | Operation::TenantDelete => Some(Self::Tenant),
            Operation::FreezeSet | Operation::FreezeLift => Some(Self::Freeze),
            _ => None,
        }
    }
}

/// Whether a change writes that grants are approved.
fn approves(change: &Change) -> bool {
    let Change::Put(put) = change else { return false };
    let approved = |(column, value): &(&str, String)| *column == "state" && value == GrantState::Approved.as_str();
    put.key.kind == Kind::Grant && put.index.iter().any(approved)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::{ActionGroup, Effect};
    use crate::record::{Expect, Put, RecordKey};

    /// What only admins may do, and is still nothing to hear of.
    const ORDINARY: [Operation; 5] = [
        Operation::AgentDelete,
        Operation::EndpointSet,
        Operation::EndpointDelete,
        // It gives a secret another value by the program that was chosen for it: that is told
        // when it happens.
        Operation::RotationStart,
        // It is one if it approves, which is asked below.
        Operation::AgentDeploy,
    ];

    #[test]
    fn whatever_admins_change_is_either_heard_of_or_known_to_be_ordinary() {
        for operation in Operation::ALL.iter().copied() {
            let strong = matches!(operation.group(), ActionGroup::Administer | ActionGroup::Platform);
            let heard = SecurityChange::of(operation, &[]).is_some();
            if strong && operation.effect() != Effect::Read {
                assert!(heard != ORDINARY.contains(&operation), "`{}`: say which in the table", operation.as_str());
            }
            assert!(!heard || operation.effect() != Effect::Read, "`{}` changes nothing", operation.as_str());
        }
    }

    #[test]
    fn a_deployment_is_heard_of_only_where_it_approves_its_grants() {
        let written = |kind, state: GrantState| {
            let key = RecordKey::new(kind, "acme".parse().unwrap(), "triage");
            let index = vec![("agent", "triage".to_owned()), ("state", state.as_str().to_owned())];
            [Change::Put(Put { key, expect: Expect::Any, body: Vec::new().into(), index, terminal: false })]
        };
        let deployed = |changes: &[Change]| SecurityChange::of(Operation::AgentDeploy, changes);
        assert_eq!(deployed(&written(Kind::Grant, GrantState::Approved)), Some(SecurityChange::Grant));
        assert_eq!(deployed(&written(Kind::Grant, GrantState::Pending)), None);
        assert_eq!(deployed(&written(Kind::Version, GrantState::Approved)), None);
        assert_eq!(deployed(&[]), None);
    }
}
