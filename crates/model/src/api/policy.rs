//! `/policies`: what is asked of them, tested on them, applied and replayed.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::caller::Role;
use crate::counter::Counter;
use crate::decision::{Decision, PolicyLayer, ReasonClass};
use crate::id::{AgentName, DecisionId, KeyId};
use crate::policy::{Policy, PolicyChange, PolicyMode};
use crate::time::Timestamp;

/// A rule of one of the three policy sets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyRule {
    /// Which set.
    pub layer: PolicyLayer,
    /// The rule's id.
    pub id: String,
    /// The rule, in Cedar.
    pub text: String,
    /// Whether it counts, or is only reported on; absent for what is not the tenant's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<PolicyMode>,
    /// The agent whose grant it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentName>,
    /// For a rule that came near: what would have had to be different (`condition`,
    /// `principal` or `resource`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

/// Which rules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyListQuery {
    /// Also the grants of this agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentName>,
}

/// The policy in force for a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyList {
    /// Every rule.
    pub items: Vec<PolicyRule>,
    /// The revision of the tenant's own set; 0 is what a tenant begins with.
    pub revision: u64,
    /// SHA-256 over the platform's and the tenant's sets, in hexadecimal.
    pub policy_hash: String,
}

/// Who would act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum PolicySubject {
    /// A holder of a key with this role.
    Key {
        /// The role.
        role: Role,
        /// A certain key, if it matters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<KeyId>,
    },
    /// An agent.
    Agent {
        /// The agent.
        name: AgentName,
        /// The version whose grants count; the one that `default` points to when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<u64>,
    },
}

/// On what it would act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyResource {
    /// `Tenant`, `Agent`, `Key`, `Host`, `Tool`, `Model`, `Secret` or `Volume`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its name.
    pub id: String,
}

/// An act that nobody does: a question to the policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyAsk {
    /// Who; the caller when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<PolicySubject>,
    /// What: the name of an operation, or of a grant's action such as `connect`.
    pub action: String,
    /// On what; the tenant itself when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<PolicyResource>,
    /// Circumstances: booleans, whole numbers, texts, lists of texts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub context: BTreeMap<String, Value>,
    /// When; now when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// What counters have come to; as they are where this says nothing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counts: BTreeMap<String, i64>,
}

/// The answer with its reasons, as operators see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyExplanation {
    /// The answer.
    pub decision: Decision,
    /// The rules that decided.
    pub determining: Vec<PolicyRule>,
    /// Rules that would permit it if their conditions held: what would unlock it.
    pub nearest: Vec<PolicyRule>,
}

/// What a test case expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    /// It should be allowed.
    Allow,
    /// It should be denied.
    Deny,
}

/// One test case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyCase {
    /// What it shows.
    pub name: String,
    /// The act.
    pub ask: PolicyAsk,
    /// What should come out.
    pub expect: Expected,
}

/// Test cases, run against the live policy or a draft of the tenant's set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyTest {
    /// The tenant's set as it would be; the live one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft: Option<PolicyDraft>,
    /// The cases.
    #[schemars(length(min = 1, max = 1000))]
    pub cases: Vec<PolicyCase>,
}

/// What came out of one case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyCaseResult {
    /// The case.
    pub name: String,
    /// Whether it came out as expected.
    pub passed: bool,
    /// The answer.
    pub decision: Decision,
}

/// What came out of all cases.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyTestResult {
    /// Whether every case came out as expected.
    pub passed: bool,
    /// Case by case.
    pub results: Vec<PolicyCaseResult>,
}

/// A tenant's set as it would be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum PolicyDraft {
    /// All of it in one text, in Cedar.
    Text(String),
    /// Policy by policy.
    Set(PolicyDraftSet),
}

/// A tenant's set, policy by policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyDraftSet {
    /// The policies.
    pub policies: Vec<Policy>,
    /// The counters that they look at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counters: Vec<Counter>,
}

/// A set that shall take the place of the tenant's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyApply {
    /// The policies: all of them, not only those that are new.
    #[schemars(length(max = 10_000))]
    pub policies: Vec<Policy>,
    /// The counters that they look at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub counters: Vec<Counter>,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1000))]
    pub reason: String,
    /// Only if this is the revision in force; whichever it is when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_revision: Option<u64>,
}

/// One policy that shall be in force, under the name in the path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicySet {
    /// Whether it counts; it does when absent.
    #[serde(default)]
    pub mode: PolicyMode,
    /// One rule or several, in Cedar.
    pub text: String,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1000))]
    pub reason: String,
}

/// An earlier revision that shall be in force again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyRollback {
    /// The revision; 0 is what a tenant begins with.
    pub revision: u64,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1000))]
    pub reason: String,
}

/// What a draft would change about the set in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyDiff {
    /// The revision in force.
    pub revision: u64,
    /// Policy by policy, in the order of their names; those that stay as they are are left out.
    pub policies: Vec<PolicyDifference>,
    /// Whether the counters differ.
    pub counters_change: bool,
}

/// What would change about one policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyDifference {
    /// Which.
    pub name: String,
    /// How.
    pub change: PolicyChange,
    /// As it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Policy>,
    /// As it would be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Policy>,
}

/// A draft that recorded decisions shall be put to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyReplay {
    /// The tenant's set as it would be.
    pub draft: PolicyDraft,
    /// Only decisions that were made since then; as far back as there are any when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// At most so many decisions, the newest; 10,000 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 50_000))]
    pub limit: Option<u32>,
}

/// What a draft would have said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyReplayed {
    /// How many decisions were put to it.
    pub examined: u64,
    /// How many would have come out differently.
    pub changed: u64,
    /// How many could not be judged again, because too little was recorded of them.
    pub skipped: u64,
    /// The oldest that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest: Option<Timestamp>,
    /// Those that would have come out differently, newest first; the first 1,000.
    pub changes: Vec<ReplayedDecision>,
}

/// A decision that would have come out differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReplayedDecision {
    /// The decision.
    pub id: DecisionId,
    /// When it was made.
    pub at: Timestamp,
    /// Who acted.
    pub principal: String,
    /// What was asked for.
    pub action: String,
    /// On what.
    pub resource: String,
    /// Whether it was allowed.
    pub was_allowed: bool,
    /// Whether it would be.
    pub would_be_allowed: bool,
    /// Why, in one word.
    pub class: ReasonClass,
    /// The rules of the draft that would decide.
    pub policies: Vec<String>,
}
