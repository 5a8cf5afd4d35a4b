//! An act that the policy has allowed, on its way through the domain: who, what, when, by
//! which decision. Whatever commits state commits it as part of an act.

use std::sync::Arc;

use crate::caller::Caller;
use crate::decision::ReasonClass;
use crate::id::DecisionId;
use crate::operation::Operation;
use crate::port::Counted;
use crate::record::Change;
use crate::time::Timestamp;

/// The part of a decision that is written beside what it allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionMark {
    /// The decision's id.
    pub id: DecisionId,
    /// Why, in one word.
    pub class: ReasonClass,
    /// The policy the answer was taken from.
    pub policy_hash: String,
}

/// The caller's wish that a repeated request has no second effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// Names the stored answer: a digest of the caller's key and the operation.
    pub record_id: String,
    /// The version of an expired answer that this one replaces.
    pub replaces: Option<u64>,
}

/// An allowed act.
#[derive(Clone, Debug)]
pub struct Act {
    /// Who.
    pub caller: Caller,
    /// What.
    pub operation: Operation,
    /// When, by the server's clock.
    pub at: Timestamp,
    /// By which decision.
    pub decision: DecisionMark,
    /// SHA-256 over method, path and body of the request.
    pub request_digest: [u8; 32],
    /// Set when the caller sent an idempotency key.
    pub idempotency: Option<Idempotency>,
    /// What is committed with it besides: the decision with all that it was made from.
    pub beside: Vec<Change>,
    /// What it counts for, when rules look at the past.
    pub counted: Option<Arc<dyn Counted>>,
}
