//! The operations about what may happen: policies, decisions, approvals. No method here decides
//! anything; it must not know more than where each operation is.

use aegis_model::api::{
    ApprovalApprove, ApprovalDeny, ApprovalListQuery, ApprovalViewQuery, DecisionListQuery, Page, PageQuery,
    PolicyApply, PolicyAsk, PolicyDiff, PolicyDraftSet, PolicyExplanation, PolicyList, PolicyListQuery, PolicyReplay,
    PolicyReplayed, PolicyRollback, PolicySet, PolicyTest, PolicyTestResult,
};
use aegis_model::approval::Approval;
use aegis_model::outward::OutwardRecord;
use aegis_model::policy::{PolicyRevision, PolicyRevisionInfo};
use aegis_model::{ApprovalId, Operation, PolicyName};

use super::Answer;
use crate::client::Client;
use crate::request::Request;

/// Approvals.
impl Client {
    /// Lists what somebody has to approve, or has decided, newest first.
    ///
    /// # Errors
    /// See [`ClientError`](crate::ClientError).
    pub async fn approval_list(&self, query: &ApprovalListQuery) -> Answer<Page<Approval>> {
        self.read(Request::of(Operation::ApprovalList).query(query)).await
    }

    /// Shows an approval; with `wait_ms`, once it is not pending any more.
    ///
    /// # Errors
    /// See [`ClientError`](crate::ClientError).
    pub async fn approval_view(&self, id: &ApprovalId, query: &ApprovalViewQuery) -> Answer<Approval> {
        self.read(Request::of(Operation::ApprovalView).at("approval_id", id).query(query)).await
    }

    /// Lets the act pass that somebody else has asked for: once, or for a while.
    ///
    /// # Errors
    /// See [`ClientError`](crate::ClientError).
    pub async fn approval_approve(&self, id: &ApprovalId, wish: &ApprovalApprove) -> Answer<Approval> {
        self.read(Request::of(Operation::ApprovalApprove).at("approval_id", id).json(wish)).await
    }

    /// Rejects the act that somebody else has asked for.
    ///
    /// # Errors
    /// See [`ClientError`](crate::ClientError).
    pub async fn approval_deny(&self, id: &ApprovalId, wish: &ApprovalDeny) -> Answer<Approval> {
        self.read(Request::of(Operation::ApprovalDeny).at("approval_id", id).json(wish)).await
    }

    /// Takes back what was asked for, or what was approved and is not used yet.
    ///
    /// # Errors
    /// See [`ClientError`](crate::ClientError).
    pub async fn approval_withdraw(&self, id: &ApprovalId) -> Answer<Approval> {
        self.read(Request::of(Operation::ApprovalWithdraw).at("approval_id", id)).await
    }
}

/// Policy.
impl Client {
    /// Lists the rules of the three policy sets.
    ///
    /// # Errors
    /// See [`ClientError`](crate::ClientError).
    pub async fn policy_list(&self, query: &PolicyListQuery) -> Answer<PolicyList> {
        self.read(Request::of(Operation::PolicyList).query(query)).await
    }

    /// Puts a set of policies in force in place of the tenant's own.
    ///
    /// # Errors
    /// See [`ClientError`](crate::ClientError).
    pub async fn policy_apply(&self, set: &PolicyApply) -> Answer<PolicyRevisionInfo> {
        self.read(Request::of(Operation::PolicyApply).json(set)).await
    }

    /// Puts an earlier revision of the tenant's policies in force again.
    ///
    /// # Errors
    /// See [`ClientError`](crate::ClientError).
    pub async fn policy_rollback(&self, rollback: &PolicyRollback) -> Answer<PolicyRevisionInfo> {
        self.read(Request::of(Operation::PolicyRollback).json(rollback)).await
    }

    /// Puts one policy in force beside the others, or in place of the one of its name.
    ///
    /// # Errors
    /// See [`ClientError`](crate::ClientError).
    pub async fn policy_set(&self, policy: &PolicyName, set: &PolicySet) -> Answer<PolicyRevisionInfo> {
        self.read(Request::of(Operation::PolicySet).at("policy", policy).json(set)).await
    }

    /// Takes one policy out of force.
    ///
    /// # Errors
    /// See [`ClientError`](crate::ClientError).
    pub async fn policy_delete(&self, policy: &PolicyName) -> Answer<()> {
        self.act(Request::of(Operation::PolicyDelete).at("policy", policy)).await
    }

    /// Lists the revisions of the tenant's policies, newest first.
    ///
    /// # Errors
    /// See [`ClientError`](crate::ClientError).
    pub async fn policy_revision_list(&self, page: &PageQuery) -> Answer<Page<PolicyRevisionInfo>> {
        self.read(Request::of(Operation::PolicyRevisionList).query(page)).await
    }

    /// Shows a revision of the tenant's policies.
    ///
    /// # Errors
    /// See [`ClientError`](crate::ClientError).
    pub async fn policy_revision_view(&self, revision: u64) -> Answer<PolicyRevision> {
        self.read(Request::of(Operation::PolicyRevisionView).at("revision", revision)).await
    }

    /// Checks a draft, and says what it would change about the policies in force.
    ///
    /// # Errors
    /// See [`ClientError`](crate::ClientError).
    pub async fn policy_diff(&self, draft: &PolicyDraftSet) -> Answer<PolicyDiff> {
        self.read(Request::of(Operation::PolicyDiff).json(draft)).await
    }

    /// Puts recorded decisions to a draft, and lists those that would come out differently.
    ///
    /// # Errors
    /// See [`ClientError`](crate::ClientError).
    pub async fn policy_replay(&self, replay: &PolicyReplay) -> Answer<PolicyReplayed> {
        self.read(Request::of(Operation::PolicyReplay).json(replay)).await
    }

    /// Runs test cases against the live policy or a draft.
    ///
    /// # Errors
    /// See [`ClientError`](crate::ClientError).
    pub async fn policy_test(&self, test: &PolicyTest) -> Answer<PolicyTestResult> {
        self.read(Request::of(Operation::PolicyTest).json(test)).await
    }

    /// Says whether an act would be allowed, and why.
    ///
    /// # Errors
    /// See [`ClientError`](crate::ClientError).
    pub async fn policy_explain(&self, ask: &PolicyAsk) -> Answer<PolicyExplanation> {
        self.read(Request::of(Operation::PolicyExplain).json(ask)).await
    }

    /// Lists the decisions about what agents wanted to reach, newest first.
    ///
    /// # Errors
    /// See [`ClientError`](crate::ClientError).
    pub async fn decision_list(&self, query: &DecisionListQuery) -> Answer<Page<OutwardRecord>> {
        self.read(Request::of(Operation::DecisionList).query(query)).await
    }
}
