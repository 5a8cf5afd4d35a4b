//! The words of the house: typed ids, records, states, the error table and the ports.
//!
//! Owns what every other room talks in. Must not know: any I/O, the clock, randomness,
//! or how a port is implemented.

pub mod act;
pub mod agent;
pub mod api;
pub mod approval;
pub mod boxes;
pub mod caller;
pub mod counter;
pub mod decision;
pub mod error;
pub mod exec;
pub mod freeze;
pub mod governance;
pub mod id;
pub mod intent;
pub mod key;
pub mod ledger;
pub mod life;
pub mod manifest;
pub mod operation;
pub mod outcome;
pub mod outward;
pub mod policy;
pub mod port;
pub mod record;
pub mod rotation;
pub mod run;
pub mod secret;
pub mod security_change;
pub mod suggestion;
pub mod tenant;
pub mod time;

pub use act::Act;
pub use caller::{Caller, Principal, Role};
pub use decision::{Decision, ReasonClass};
pub use error::{Category, Code, Fault};
pub use id::{
    AgentName, ApprovalId, CorrelationId, DecisionId, EndpointName, KeyId, PolicyName, RunId, SecretName, SessionId,
    TenantId,
};
pub use operation::Operation;
pub use outcome::Outcome;
pub use security_change::SecurityChange;
pub use time::Timestamp;
