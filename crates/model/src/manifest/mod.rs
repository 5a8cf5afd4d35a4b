//! The declarative `agent.yaml`.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
/// Placeholder until the manifest's real form lands in this file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Manifest {}
