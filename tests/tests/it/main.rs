//! The product from outside: one file per promise, each test with a server of its own.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests of whole processes: they start programs, watch the clock, and end when the world is not as it should be"
)]

mod alerts;
mod approvals;
mod authorization;
mod bundles;
mod cli;
mod crashes;
mod denials;
mod door;
mod egress;
mod faults;
mod freeze;
mod http_agents;
mod idempotency;
mod issuer;
mod keys;
mod ledger;
mod lifecycle;
mod limits;
mod logins;
mod memory;
mod operations;
mod orbit;
mod policies;
mod policy_past;
mod policy_sets;
mod rotation;
mod run_faults;
mod runs;
mod secrets;
mod signatures;
mod tamper;
mod tokens;
