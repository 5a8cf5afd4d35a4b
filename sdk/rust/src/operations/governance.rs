//! Policies, intents and what governs them: one method per operation. Nothing else: no method
//! here decides anything.

use aegis_model::api::{
    DecisionListQuery, DispatchRequest, Dispatched, IntentSet, Page, PageQuery, PolicyApply, PolicyAsk, PolicyDiff,
    PolicyDraftSet, PolicyExplanation, PolicyList, PolicyListQuery, PolicyReplay, PolicyReplayed, PolicyRollback,
    PolicySet, PolicyTest, PolicyTestResult,
};
use aegis_model::governance::GovernanceRecord;
use aegis_model::intent::Intent;
use aegis_model::outward::OutwardRecord;
use aegis_model::policy::{PolicyRevision, PolicyRevisionInfo};
use aegis_model::{Operation, PolicyName};

use super::Answer;
use crate::client::Client;
use crate::request::Request;

/// Policy.
impl Client {
    /// Lists the rules of the three policy sets.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn policy_list(&self, query: &PolicyListQuery) -> Answer<PolicyList> {
        self.read(Request::of(Operation::PolicyList).query(query)).await
    }

    /// Puts a set of policies in force in place of the tenant's own.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn policy_apply(&self, set: &PolicyApply) -> Answer<PolicyRevisionInfo> {
        self.read(Request::of(Operation::PolicyApply).json(set)).await
    }

    /// Puts an earlier revision of the tenant's policies in force again.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn policy_rollback(&self, rollback: &PolicyRollback) -> Answer<PolicyRevisionInfo> {
        self.read(Request::of(Operation::PolicyRollback).json(rollback)).await
    }

    /// Puts one policy in force beside the others, or in place of the one of its name.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn policy_set(&self, policy: &PolicyName, set: &PolicySet) -> Answer<PolicyRevisionInfo> {
        self.read(Request::of(Operation::PolicySet).at("policy", policy).json(set)).await
    }

    /// Takes one policy out of force.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn policy_delete(&self, policy: &PolicyName) -> Answer<()> {
        self.act(Request::of(Operation::PolicyDelete).at("policy", policy)).await
    }

    /// Lists the revisions of the tenant's policies, newest first.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn policy_revision_list(&self, page: &PageQuery) -> Answer<Page<PolicyRevisionInfo>> {
        self.read(Request::of(Operation::PolicyRevisionList).query(page)).await
    }

    /// Shows a revision of the tenant's policies.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn policy_revision_view(&self, revision: u64) -> Answer<PolicyRevision> {
        self.read(Request::of(Operation::PolicyRevisionView).at("revision", revision)).await
    }

    /// Checks a draft, and says what it would change about the policies in force.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn policy_diff(&self, draft: &PolicyDraftSet) -> Answer<PolicyDiff> {
        self.read(Request::of(Operation::PolicyDiff).json(draft)).await
    }

    /// Puts recorded decisions to a draft, and lists those that would come out differently.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn policy_replay(&self, replay: &PolicyReplay) -> Answer<PolicyReplayed> {
        self.read(Request::of(Operation::PolicyReplay).json(replay)).await
    }

    /// Runs test cases against the live policy or a draft.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn policy_test(&self, test: &PolicyTest) -> Answer<PolicyTestResult> {
        self.read(Request::of(Operation::PolicyTest).json(test)).await
    }

    /// Says whether an act would be allowed, and why.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn policy_explain(&self, ask: &PolicyAsk) -> Answer<PolicyExplanation> {
        self.read(Request::of(Operation::PolicyExplain).json(ask)).await
    }

    /// Lists the decisions about what agents wanted to reach, newest first.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn decision_list(&self, query: &DecisionListQuery) -> Answer<Page<OutwardRecord>> {
        self.read(Request::of(Operation::DecisionList).query(query)).await
    }
}

/// Intents, and what governs them.
impl Client {
    /// Asks for an intent, and waits for what becomes of it.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn dispatch(&self, request: &DispatchRequest) -> Answer<Dispatched> {
        self.read(Request::of(Operation::Dispatch).json(request)).await
    }

    /// Lists the intents.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn intent_list(&self, page: &PageQuery) -> Answer<Page<Intent>> {
        self.read(Request::of(Operation::IntentList).query(page)).await
    }

    /// Shows an intent.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn intent_view(&self, service: &str, intent: &str) -> Answer<Intent> {
        self.read(Request::of(Operation::IntentView).at("service", service).at("intent", intent)).await
    }

    /// Registers an intent, or changes what does it.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn intent_set(&self, service: &str, intent: &str, set: &IntentSet) -> Answer<Intent> {
        self.read(Request::of(Operation::IntentSet).at("service", service).at("intent", intent).json(set)).await
    }

    /// Forgets an intent.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn intent_delete(&self, service: &str, intent: &str) -> Answer<()> {
        self.act(Request::of(Operation::IntentDelete).at("service", service).at("intent", intent)).await
    }

    /// Lists the governance records.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn governance_list(&self, page: &PageQuery) -> Answer<Page<GovernanceRecord>> {
        self.read(Request::of(Operation::GovernanceList).query(page)).await
    }

    /// Shows the record that governs an intent.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn governance_view(&self, service: &str, intent: &str) -> Answer<GovernanceRecord> {
        self.read(Request::of(Operation::GovernanceView).at("service", service).at("intent", intent)).await
    }

    /// Sets the record that governs an intent, which it names itself.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn governance_set(&self, record: &GovernanceRecord) -> Answer<GovernanceRecord> {
        let request = Request::of(Operation::GovernanceSet);
        self.read(request.at("service", &record.service).at("intent", &record.intent).json(record)).await
    }

    /// Deletes the record that governs an intent.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn governance_delete(&self, service: &str, intent: &str) -> Answer<()> {
        self.act(Request::of(Operation::GovernanceDelete).at("service", service).at("intent", intent)).await
    }
}
