//! The policy: may this happen, and why.
//!
//! Owns the Cedar schema, the rules that come with the house, compiling grants and governance
//! records into policies,
//! slicing, the decision and its explanation. An act is allowed only if each of three sets
//! allows it on its own; one set's permit never overrides another set's no.
//!
//! Must not know: the store, the clock, HTTP, or where a policy's text comes from. Pure:
//! the same sets and the same request give the same answer.

#![deny(clippy::indexing_slicing)]

mod action;
mod compile;
mod counter;
mod decide;
mod document;
mod entity;
mod explain;
mod facts;
mod governance;
mod grant;
mod host;
mod looks;
mod nesting;
mod quote;
mod reason;
#[doc(hidden)]
pub mod reference;
mod request;
mod rules;
mod schema;
mod scope;
mod set;
mod slice;
#[cfg(test)]
mod tests;

pub use action::{ActionName, GrantAction, IntentAction};
pub use compile::PolicyProblem;
pub use counter::CounterProblem;
pub use decide::{Sets, Verdict, ask, decide};
pub use document::DocumentProblem;
pub use explain::{Explanation, LayerExplanation, Missing, NearPermit, Rule, explain};
pub use governance::{IntentAsk, governance_policies, governance_reason, intent_request};
pub use grant::{
    GrantProblem, GrantRequest, NetworkGrant, PathAccess, PathGrant, SecretGrant, Transport, grant_policies,
};
pub use looks::Looks;
pub use request::{ContextValue, FieldValue, Request, Resource, ResourceType, Subject, SubjectKind};
pub use rules::{default_tenant_policies, platform_rules, rescue_policies};
pub use schema::schema_text;
pub use set::{PolicySet, PolicySource, SetProblem};
