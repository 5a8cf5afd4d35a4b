//! JSON Web Tokens: reading and verifying other issuers', and making our own for workloads.
//!
//! ```text
//! Token::parse ──▶ (look the issuer's keys up) ──▶ Token::verify ──▶ ClaimRules::grant
//!    what the             KeySet, cached            signature,         tenant and role,
//!   token says            by the caller             then claims         or nothing
//! ```
//!
//! Owns the compact form (RFC 7515), keys as JSON (RFC 7517), the standard claims (RFC 7519)
//! and the rules from claims to roles. Must not know: any network (no header of a token makes
//! us fetch anything), the clock, or which issuers are trusted.

mod algorithm;
mod claims;
mod expected;
mod jwk;
mod key_set;
mod rules;
mod spiffe;
mod strict_json;
mod token;
mod workload;

#[cfg(test)]
mod tests;

pub use algorithm::Algorithm;
pub use claims::Claims;
pub use expected::{Expected, Leeway, Presence, TokenType};
pub use jwk::{SkipReason, VerifyingKey};
pub use key_set::{KeySet, KeySetError, Skipped};
pub use rules::{ClaimPath, ClaimPathError, ClaimRule, ClaimRules, ClaimTest, ClaimValue, Grant};
pub use spiffe::{SpiffeId, SpiffeIdError};
pub use strict_json::JsonError;
pub use token::{Token, TokenError};
pub use workload::{Workload, WorkloadError, WorkloadKey};
