//! Govern: may this happen, and is anything frozen? The gate every act passes.
//!
//! Must not know HTTP, how policies are evaluated, or how anything is stored.

pub mod approvals;
mod ask;
mod document;
mod freeze;
mod gate;
pub mod history;
pub mod orbit;
mod outward;
mod policies;
pub mod rotation;
pub mod run;
mod tally;

pub use approvals::{Approvals, ApprovalsParts};
pub use freeze::Freezes;
pub use gate::{Admission, Ask, Gate, Passed};
pub use history::{Counting, Histories};
pub use orbit::{Orbit, OrbitParts};
pub use outward::{Counted, Outward, OutwardParts};
pub use policies::{Judgement, Policies};
pub use rotation::Rotator;
pub use run::Runs;
pub use tally::{DecisionAnswer, DecisionKind, Decisions, DecisionsCounted};
