//! The suites that every adapter of a port must pass, and the fakes that fail on purpose.
//! Used by tests only. Must not know any adapter.
#![expect(clippy::panic, clippy::expect_used, reason = "a suite fails by panicking")]

pub mod agent_http;
pub mod key_wrap;
pub mod objects;
pub mod runtime;
pub mod store;
