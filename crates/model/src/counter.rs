//! Counters: how often something was allowed, or how much of it, for conditions about the
//! past. A tenant declares them beside its policies; rules look at them as `context.counts`.
//! Must not know how anything is counted.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::manifest::Duration;

/// Most counters of one tenant.
pub const COUNTERS_MAX: usize = 64;
/// The longest window.
pub const WINDOW_MAX_MS: u64 = 31 * 24 * 60 * 60 * 1_000;
/// Into how many steps a window is divided: it moves on by one of them at a time, so what is
/// counted may be older than the window by up to one step, and is never younger.
pub const WINDOW_STEPS: u64 = 60;

/// By what a counter tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CounterKey {
    /// Who acts.
    Principal,
    /// On what.
    Resource,
    /// In which session; what happens in none is counted together.
    Session,
}

impl CounterKey {
    /// The key as it is written in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Principal => "principal",
            Self::Resource => "resource",
            Self::Session => "session",
        }
    }
}

/// A counter as it is declared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Counter {
    /// What rules call it: `context.counts.NAME`.
    #[schemars(regex(pattern = "^[a-z][a-z0-9_]{0,62}$"))]
    pub name: String,
    /// The actions that are counted, once each is allowed.
    #[schemars(length(min = 1))]
    pub actions: Vec<String>,
    /// By what it tells apart; one count for the whole tenant when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub per: Vec<CounterKey>,
    /// Adds this circumstance up, a whole number, instead of counting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sum: Option<String>,
    /// How far back it looks, at most 31 days; for ever when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Duration>,
}
