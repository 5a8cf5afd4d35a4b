//! The table of API operations: one row says name, method, path, what it acts on, how strong
//! a role it needs and whether a freeze stops it. Router, authorization, OpenAPI, ledger and
//! metrics all read this table, so an operation that is not here cannot be served.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How strong a role an operation needs: the groups of actions that roles are permitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActionGroup {
    /// Looking.
    Read,
    /// Working: invoke, simulate, approve.
    Operate,
    /// Changing what the tenant has.
    Administer,
    /// Managing tenants.
    Platform,
    /// What nobody but an agent in its box may do.
    Inside,
}

impl ActionGroup {
    /// Every group, weakest first, and the one of no role last.
    pub const ALL: [Self; 5] = [Self::Read, Self::Operate, Self::Administer, Self::Platform, Self::Inside];

    /// The group as it is written in policies.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Operate => "operate",
            Self::Administer => "administer",
            Self::Platform => "platform",
            Self::Inside => "inside",
        }
    }
}

/// What an operation does to the world, which decides what a freeze does to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Nothing; a freeze lets it pass and it is counted, not recorded.
    Read,
    /// It changes state; a freeze stops it and it is recorded.
    Change,
    /// It stops something, or is the kill switch itself; recorded, never stopped by a freeze
    /// of the tenant.
    Control,
}

/// What kind of thing an operation acts on: the resource type in policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResourceKind {
    /// The caller's tenant itself: collections and everything that has no name of its own.
    Tenant,
    /// An agent, by the path's `name`.
    Agent,
    /// An API key, by the path's `key_id`.
    Key,
    /// A secret, by the path's `name`.
    Secret,
}

impl ResourceKind {
    /// The type as it is written in policies.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "Tenant",
            Self::Agent => "Agent",
            Self::Key => "Key",
            Self::Secret => "Secret",
        }
    }

    /// The path parameter that names the resource, if it has a name of its own.
    pub const fn parameter(self) -> Option<&'static str> {
        match self {
            Self::Tenant => None,
            Self::Agent | Self::Secret => Some("name"),
            Self::Key => Some("key_id"),
        }
    }
}

/// HTTP methods the API uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// Read.
    Get,
    /// Create or act.
    Post,
    /// Set.
    Put,
    /// Remove.
    Delete,
}

impl Method {
    /// The method as it is written in a request.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

macro_rules! operations {
    ($($variant:ident $name:literal $method:ident $path:literal $group:ident $effect:ident $resource:ident $summary:literal;)*) => {
        /// Every operation of the API.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum Operation {
            $(#[doc = $summary] #[serde(rename = $name)] $variant,)*
        }

        impl Operation {
            /// All operations, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name in policies, ledger, metrics and OpenAPI.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// The HTTP method.
            pub const fn method(self) -> Method {
                match self { $(Self::$variant => Method::$method),* }
            }

            /// The path below `/api/v1`.
            pub const fn path(self) -> &'static str {
                match self { $(Self::$variant => $path),* }
            }

            /// How strong a role it needs.
            pub const fn group(self) -> ActionGroup {
                match self { $(Self::$variant => ActionGroup::$group),* }
            }

            /// What it does to the world.
            pub const fn effect(self) -> Effect {
                match self { $(Self::$variant => Effect::$effect),* }
            }

            /// What it acts on.
            pub const fn resource(self) -> ResourceKind {
                match self { $(Self::$variant => ResourceKind::$resource),* }
            }

            /// One sentence for people.
            pub const fn summary(self) -> &'static str {
                match self { $(Self::$variant => $summary),* }
            }
        }
    };
}

operations! {
    AgentList "agent_list" Get "/agents" Read Read Tenant "List the agents.";
    AgentDeploy "agent_deploy" Post "/agents" Operate Change Tenant "Deploy a new version of an agent from its manifest, with or without a bundle.";
    AgentView "agent_view" Get "/agents/{name}" Read Read Agent "Show an agent.";
    AgentDelete "agent_delete" Delete "/agents/{name}" Administer Change Agent "Delete an agent and its endpoints.";
    VersionList "version_list" Get "/agents/{name}/versions" Read Read Agent "List the versions of an agent, newest first.";
    VersionView "version_view" Get "/agents/{name}/versions/{version}" Read Read Agent "Show a version with its manifest and grants.";
    VersionRevoke "version_revoke" Post "/agents/{name}/versions/{version}/revoke" Administer Control Agent "Take the approval of a version's grants back; what it holds open by them is closed.";
    VersionApprove "version_approve" Post "/agents/{name}/versions/{version}/approve" Administer Change Agent "Approve the grants that a version asks for.";
    EndpointList "endpoint_list" Get "/agents/{name}/endpoints" Read Read Agent "List the endpoints of an agent.";
    EndpointView "endpoint_view" Get "/agents/{name}/endpoints/{endpoint}" Read Read Agent "Show an endpoint.";
    EndpointSet "endpoint_set" Put "/agents/{name}/endpoints/{endpoint}" Administer Change Agent "Point an endpoint to a version.";
    EndpointDelete "endpoint_delete" Delete "/agents/{name}/endpoints/{endpoint}" Administer Change Agent "Delete an endpoint.";
    AgentInvoke "agent_invoke" Post "/agents/{name}/invocations" Operate Change Agent "Give an agent something to do.";
    AgentObserve "agent_observe" Post "/agents/{name}/observations" Administer Change Agent "Give an agent something to do in a session whose missing grants are reported instead of enforced.";
    RunList "run_list" Get "/runs" Read Read Tenant "List the runs, newest first.";
    RunView "run_view" Get "/runs/{run_id}" Read Read Tenant "Show a run with its input and its outcome.";
    RunEvents "run_events" Get "/runs/{run_id}/events" Read Read Tenant "Follow what a run says, as server-sent events.";
    RunCancel "run_cancel" Post "/runs/{run_id}/cancel" Operate Control Tenant "Stop a run.";
    RunRetry "run_retry" Post "/runs/{run_id}/retry" Operate Change Tenant "Do again what a run did not succeed in; a new run.";
    SessionList "session_list" Get "/sessions" Read Read Tenant "List the sessions.";
    SessionView "session_view" Get "/sessions/{session_id}" Read Read Tenant "Show a session, and what its box uses.";
    SessionLogs "session_logs" Get "/sessions/{session_id}/logs" Read Read Tenant "Read what the agent wrote to its log in a session.";
    SessionExec "session_exec" Post "/sessions/{session_id}/exec" Operate Change Tenant "Start a program in a session's box; with `Upgrade: aegis-exec` on a connection of its own.";
    SessionFileGet "session_file_get" Get "/sessions/{session_id}/files/{path}" Operate Read Tenant "Read a file below `/workspace` of a session's box.";
    SessionFilePut "session_file_put" Put "/sessions/{session_id}/files/{path}" Operate Change Tenant "Write a file below `/workspace` of a session's box.";
    SessionEnd "session_end" Delete "/sessions/{session_id}" Operate Control Tenant "End a session: everything in its box is dead when this answers.";
    KeyList "key_list" Get "/keys" Administer Read Tenant "List the API keys, without their secrets.";
    KeyCreate "key_create" Post "/keys" Administer Change Tenant "Create an API key; its secret is shown once.";
    KeyRevoke "key_revoke" Delete "/keys/{key_id}" Administer Control Key "Revoke an API key at once.";
    IdentityView "identity_view" Get "/identity" Read Read Tenant "Say who asks, as this server knows it.";
    IdentityToken "identity_token" Post "/identity/tokens" Inside Change Tenant "Issue a short-lived token by which a session proves to one other who it is.";
    IdentityKeyRotate "identity_key_rotate" Post "/identity/keys" Platform Change Tenant "Sign the tokens of sessions with a new key; the one before is published until its last token has expired.";
    EncryptionKeyRotate "encryption_key_rotate" Post "/keys/encryption/rotate" Platform Change Tenant "Seal the tenants' keys under a new key-encryption key, and destroy the one before.";
    SecretList "secret_list" Get "/secrets" Operate Read Tenant "List the secrets, without their values.";
    SecretView "secret_view" Get "/secrets/{name}" Operate Read Secret "Show a secret and its versions, without a value.";
    SecretSet "secret_set" Put "/secrets/{name}" Administer Change Secret "Set a secret; what it was before is gone at once.";
    SecretRotate "secret_rotate" Post "/secrets/{name}/rotate" Administer Change Secret "Give a secret a new value, while the one before can still be read.";
    SecretRollback "secret_rollback" Post "/secrets/{name}/rollback" Administer Change Secret "Go back to the value before the last rotation, while it overlaps.";
    RotationSet "rotation_set" Put "/secrets/{name}/rotation" Administer Change Secret "Have a program rotate a secret whenever that is due.";
    RotationStart "rotation_start" Post "/secrets/{name}/rotation" Administer Change Secret "Have the program rotate the secret now.";
    RotationRemove "rotation_remove" Delete "/secrets/{name}/rotation" Administer Change Secret "Have no program rotate the secret any more.";
    RotationRead "rotation_read" Post "/secrets/{name}/rotation/read" Inside Change Secret "Give a rotation program the values that it works with.";
    RotationPropose "rotation_propose" Post "/secrets/{name}/rotation/propose" Inside Change Secret "Propose the value that a rotation program made.";
    SecretDelete "secret_delete" Delete "/secrets/{name}" Administer Change Secret "Delete a secret; its values are gone at once.";
    TenantList "tenant_list" Get "/tenants" Platform Read Tenant "List the tenants.";
    TenantCreate "tenant_create" Post "/tenants" Platform Change Tenant "Create a tenant.";
    TenantDelete "tenant_delete" Delete "/tenants/{tenant}" Platform Change Tenant "Delete a tenant; its keys stop working at once, its ledger stays.";
    PolicyList "policy_list" Get "/policies" Read Read Tenant "List the rules of the three policy sets.";
    PolicyApply "policy_apply" Put "/policies" Administer Change Tenant "Put a set of policies in force in place of the tenant's own.";
    PolicyRollback "policy_rollback" Post "/policies/rollback" Administer Change Tenant "Put an earlier revision of the tenant's policies in force again.";
    PolicySet "policy_set" Put "/policies/{policy}" Administer Change Tenant "Put one policy in force beside the others, or in place of the one of its name.";
    PolicyDelete "policy_delete" Delete "/policies/{policy}" Administer Change Tenant "Take one policy out of force.";
    PolicyRevisionList "policy_revision_list" Get "/policies/revisions" Read Read Tenant "List the revisions of the tenant's policies, newest first.";
    PolicyRevisionView "policy_revision_view" Get "/policies/revisions/{revision}" Read Read Tenant "Show a revision of the tenant's policies.";
    PolicyDiff "policy_diff" Post "/policies/diff" Operate Read Tenant "Check a draft, and say what it would change about the policies in force.";
    PolicyReplay "policy_replay" Post "/policies/replay" Operate Read Tenant "Put recorded decisions to a draft, and list those that would come out differently.";
    PolicyTest "policy_test" Post "/policies/test" Operate Read Tenant "Run test cases against the live policy or a draft.";
    PolicyExplain "policy_explain" Post "/policies/explain" Operate Read Tenant "Say whether an act would be allowed, and why.";
    Dispatch "dispatch" Post "/dispatch" Operate Change Tenant "Ask for an intent: it is governed, done by its agent, and answered with the decision.";
    IntentList "intent_list" Get "/intents" Read Read Tenant "List the intents.";
    IntentView "intent_view" Get "/intents/{service}/{intent}" Read Read Tenant "Show an intent.";
    IntentSet "intent_set" Put "/intents/{service}/{intent}" Administer Change Tenant "Register an intent, or change what does it.";
    IntentDelete "intent_delete" Delete "/intents/{service}/{intent}" Administer Change Tenant "Forget an intent.";
    GovernanceList "governance_list" Get "/governance" Read Read Tenant "List the governance records.";
    GovernanceView "governance_view" Get "/governance/{service}/{intent}" Read Read Tenant "Show the record that governs an intent.";
    GovernanceSet "governance_set" Put "/governance/{service}/{intent}" Administer Change Tenant "Set the record that governs an intent.";
    GovernanceDelete "governance_delete" Delete "/governance/{service}/{intent}" Administer Change Tenant "Delete the record that governs an intent; nobody may ask for it then.";
    ApprovalList "approval_list" Get "/approvals" Read Read Tenant "List what somebody has to approve, or has decided, newest first.";
    ApprovalView "approval_view" Get "/approvals/{approval_id}" Read Read Tenant "Show an approval; with `wait_ms`, once it is not pending any more.";
    ApprovalApprove "approval_approve" Post "/approvals/{approval_id}/approve" Operate Change Tenant "Let the act pass that somebody else has asked for: once, or for a while.";
    ApprovalDeny "approval_deny" Post "/approvals/{approval_id}/deny" Operate Change Tenant "Reject the act that somebody else has asked for.";
    ApprovalWithdraw "approval_withdraw" Post "/approvals/{approval_id}/withdraw" Operate Control Tenant "Take back what was asked for, or what was approved and is not used yet.";
    DecisionList "decision_list" Get "/decisions" Read Read Tenant "List the decisions about what agents wanted to reach, newest first.";
    LedgerCheckpoint "ledger_checkpoint" Get "/ledger/checkpoint" Read Read Tenant "Sign and show the head of the tenant's ledger.";
    LedgerEntries "ledger_entries" Get "/ledger/entries" Read Read Tenant "Read ledger entries by position.";
    LedgerProof "ledger_proof" Get "/ledger/proof" Read Read Tenant "Prove that an entry is in the ledger.";
    LedgerKeyRotate "ledger_key_rotate" Post "/ledger/keys" Administer Change Tenant "Sign checkpoints with a new key; the one before signs along until the next change.";
    LedgerConsistency "ledger_consistency" Get "/ledger/consistency" Read Read Tenant "Prove that a later ledger extends an earlier one.";
    FreezeList "freeze_list" Get "/freeze" Read Read Tenant "List what is frozen.";
    FreezeSet "freeze_set" Post "/freeze" Administer Control Tenant "Freeze everything, a tenant, an agent or a key.";
    FreezeLift "freeze_lift" Post "/thaw" Administer Control Tenant "Lift a freeze.";
}

impl Operation {
    /// Whether its answer may take as long as a run does, or as somebody thinks.
    pub const fn waits(self) -> bool {
        matches!(
            self,
            Self::AgentInvoke
                | Self::AgentObserve
                | Self::ApprovalView
                | Self::Dispatch
                | Self::RunEvents
                | Self::SessionExec
        )
    }

    /// Whether its body holds a secret: then no message repeats what is wrong with the body.
    pub const fn carries_secret(self) -> bool {
        matches!(self, Self::SecretSet | Self::SecretRotate | Self::RotationPropose)
    }

    /// Whether it is about approvals themselves: what decides about them never needs one.
    pub const fn is_about_approvals(self) -> bool {
        matches!(
            self,
            Self::ApprovalList
                | Self::ApprovalView
                | Self::ApprovalApprove
                | Self::ApprovalDeny
                | Self::ApprovalWithdraw
        )
    }

    /// The operation of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|operation| operation.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_routes_are_unique() {
        let mut names = std::collections::BTreeSet::new();
        let mut routes = std::collections::BTreeSet::new();
        for operation in Operation::ALL {
            assert!(names.insert(operation.as_str()));
            assert!(routes.insert((operation.method().as_str(), operation.path())));
        }
    }

    #[test]
    fn a_named_resource_has_its_parameter_in_the_path() {
        for operation in Operation::ALL {
            if let Some(parameter) = operation.resource().parameter() {
                assert!(operation.path().contains(&format!("{{{parameter}}}")), "{operation:?}");
            }
        }
    }

    #[test]
    fn what_changes_state_is_never_a_get() {
        for operation in Operation::ALL {
            assert!(operation.method() != Method::Get || operation.effect() == Effect::Read, "{operation:?}");
        }
    }
}
