//! The cases, by what they are about. Each gets an empty home.

pub mod batches;
pub mod counts;
pub mod documents;
pub mod events;
pub mod ledger;
pub mod work;
