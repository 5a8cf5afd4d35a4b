//! Questions for addresses and their answers, as bytes: the side that a program in a box asks,
//! and the side that asks the host's resolver.
//!
//! ```text
//!   program ── question ──► Query::read ─► judge ─► reply::… ── answer ──► program
//!                                            │
//!                    resolver ◄─ write_query ┴─ Answers::read ◄─ resolver
//! ```
//!
//! Must not know: sockets, the clock, randomness, and which name may be asked for.

mod answer;
mod message;
mod query;
pub mod reply;

pub use answer::{ADDRESSES_MAX, ALIASES_MAX, Answers, Rcode};
pub use message::{DnsProblem, Flaw, Kind, MESSAGE_BYTES_MAX, framed, unframed};
pub use query::{Query, write_query};

#[cfg(test)]
mod tests;
