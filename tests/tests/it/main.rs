//! The product from outside: one file per promise, each test with a server of its own.

mod authorization;
mod bundles;
mod cli;
mod faults;
mod freeze;
mod idempotency;
mod ledger;
mod lifecycle;
mod limits;
mod policies;
mod tamper;
