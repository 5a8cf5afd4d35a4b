//! The form of `agent.yaml`: what an agent is, what it needs and where its limits lie.
//! What it may do is in `permissions`. Must not know: how text becomes a manifest.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::amounts::{CPU, DISK, IDLE_TIMEOUT, MAX_LIFETIME, MEMORY, PIDS, TIMEOUT};
use super::names::{BundlePath, ImageReference, LabelKey, ModelPattern, Root, ToolPattern, VariableName};
use super::permissions::Permissions;
use super::units::{Cpu, Duration, Memory};
use crate::id::AgentName;

/// The declarative `agent.yaml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The form of the manifest.
    #[serde(rename = "apiVersion")]
    pub api_version: ApiVersion,
    /// What is described.
    pub kind: ManifestKind,
    /// How it is called.
    pub metadata: Metadata,
    /// What it is.
    pub spec: Spec,
}

/// The forms of a manifest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApiVersion {
    /// The first.
    #[default]
    #[serde(rename = "aegis/v1")]
    V1,
}

/// What a manifest can describe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ManifestKind {
    /// An agent.
    #[default]
    Agent,
}

/// How an agent is called.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// The name, unique in its tenant.
    pub name: AgentName,
    /// Marks for people and policies; a value is one line of up to 256 characters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub labels: BTreeMap<LabelKey, String>,
}

/// What an agent is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// How it is run. Exactly one of its `command`, its `image` and `spec.reasoning`.
    #[serde(default)]
    pub runtime: Runtime,
    /// What its box gets.
    #[serde(default, skip_serializing_if = "is_default")]
    pub resources: Resources,
    /// What it asks to be granted; each entry holds when an admin approved the version. What is
    /// absent is denied.
    #[serde(default, skip_serializing_if = "is_default")]
    pub permissions: Permissions,
    /// How much it may use. Kept with the version; nothing is counted yet.
    #[serde(default, skip_serializing_if = "is_default")]
    pub limits: Limits,
    /// An agent without code: a model that reasons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<Reasoning>,
    /// What it remembers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<MemorySettings>,
    /// Boxes that are kept ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<Pool>,
    /// Environment variables. Refused are values that look like secrets, and variables that the
    /// box sets itself, such as `HOME` and `AEGIS_URL`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 256))]
    pub env: BTreeMap<VariableName, String>,
}

/// Whether a part of the manifest says nothing.
fn is_default<T: Default + PartialEq>(part: &T) -> bool {
    *part == T::default()
}

/// How an agent is run. Exactly one of `command`, `image` and the spec's `reasoning`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Runtime {
    /// The kind of box. One that the server cannot make is an error, never a downgrade.
    #[serde(default)]
    pub isolation: Isolation,
    /// The program and its arguments. A word that names a file of the code means that file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub command: Option<Vec<String>>,
    /// A container image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageReference>,
    /// The directory that becomes `/app`, relative to the manifest; `aegis agent deploy` packs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<BundlePath>,
    /// What the box sees as `/`; `host` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<Root>,
    /// How it is spoken to.
    #[serde(default)]
    pub protocol: Protocol,
}

/// The kinds of boxes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Isolation {
    /// A sealed process of the host's kernel.
    Process,
    /// A container.
    Docker,
    /// A virtual machine with its own kernel.
    Microvm,
    /// The strongest that this machine has.
    #[default]
    Strongest,
}

impl Isolation {
    /// The kinds of boxes there are, the strongest first.
    pub const STRONGEST_FIRST: [Self; 3] = [Self::Microvm, Self::Docker, Self::Process];

    /// The kind as it is written in a manifest.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Docker => "docker",
            Self::Microvm => "microvm",
            Self::Strongest => "strongest",
        }
    }
}

/// How an agent is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// JSON in, JSON out.
    #[default]
    Stdio,
    /// `/invocations` and `/ping` on port 8080.
    Http,
    /// The Model Context Protocol.
    Mcp,
    /// Agent to agent.
    A2a,
}

/// What a box gets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Resources {
    /// How much of the processors; beyond it the agent waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = CPU.default, "x-least" = CPU.least, "x-most" = CPU.most))]
    pub cpu: Option<Cpu>,
    /// Memory of everything in the box, `/tmp` included.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = MEMORY.default, "x-least" = MEMORY.least, "x-most" = MEMORY.most))]
    pub memory: Option<Memory>,
    /// Processes and threads.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = PIDS.least, max = PIDS.most), extend("default" = PIDS.default))]
    pub pids: Option<u32>,
    /// Room for files in `/workspace`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = DISK.default, "x-least" = DISK.least, "x-most" = DISK.most))]
    pub disk: Option<Memory>,
    /// The longest a run may take; no longer than `max_lifetime`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = TIMEOUT.default, "x-least" = TIMEOUT.least, "x-most" = TIMEOUT.most))]
    pub timeout: Option<Duration>,
    /// How long a session waits for work before it ends; no longer than `max_lifetime`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = IDLE_TIMEOUT.default, "x-least" = IDLE_TIMEOUT.least, "x-most" = IDLE_TIMEOUT.most))]
    pub idle_timeout: Option<Duration>,
    /// The longest a session may live.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = MAX_LIFETIME.default, "x-least" = MAX_LIFETIME.least, "x-most" = MAX_LIFETIME.most))]
    pub max_lifetime: Option<Duration>,
}

/// How much an agent may use in one run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Money, in cents.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 100_000_000))]
    pub budget_cents: Option<u64>,
    /// Tokens sent to and received from models.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1_000_000_000_000_u64))]
    pub tokens: Option<u64>,
    /// Calls of tools.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1_000_000))]
    pub tool_calls: Option<u32>,
    /// How deep agents may call agents that call agents.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 32))]
    pub depth: Option<u32>,
    /// Agents called at the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1_000))]
    pub fan_out: Option<u32>,
    /// What happens when one of them is reached.
    pub on_exceeded: OnExceeded,
}

/// What happens when a limit is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnExceeded {
    /// The run waits for somebody who raises the limit.
    Pause,
    /// The run ends.
    #[default]
    Stop,
}

/// An agent without code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reasoning {
    /// Which model.
    pub model: ModelPattern,
    /// What it is told.
    #[schemars(length(max = 65_536))]
    pub instructions: String,
    /// What it may call; each must be granted as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub tools: Vec<ToolPattern>,
    /// How often it may think in one run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000))]
    pub max_turns: Option<u32>,
}

/// What an agent remembers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MemorySettings {
    /// Whether it remembers at all.
    pub enabled: bool,
    /// How many memories are recalled for a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 100))]
    pub recall: Option<u32>,
}

/// Boxes that are kept ready.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    /// How many, for the version that the endpoint `default` points to.
    #[schemars(range(max = 100))]
    pub warm: u32,
    /// The input that warms an agent up: one that is a server is given it before its box counts
    /// as ready, any other is run once with it in that box. What it answers is dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warmup: Option<Value>,
}
