//! The older AEGIS form of the manifest (`version: "1.0"`, `agent:`), turned into the present
//! one, with a note for every field about what it became. Places stay those of the older text.
//! Must not know: what the present form allows; the result is checked like any other.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use super::problem::{ManifestProblem, Place, child};
use super::schema_walk::walk;
use super::tree::{Content, Entry, Node};
use super::units::quoted;
use crate::id::name_problem;

/// The older form.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Older {
    version: Value,
    agent: OlderAgent,
    #[serde(default)]
    permissions: OlderPermissions,
    #[serde(default)]
    #[schemars(length(max = 256))]
    tools: Vec<String>,
    #[serde(default)]
    #[schemars(extend("maxProperties" = 256))]
    env: BTreeMap<String, String>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OlderAgent {
    name: String,
    runtime: String,
    #[serde(default)]
    memory: bool,
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct OlderPermissions {
    network: OlderNetwork,
    fs: OlderFiles,
    execution_time: Option<String>,
    memory: Option<String>,
    cpu_quota: Option<f64>,
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct OlderNetwork {
    #[schemars(length(max = 256))]
    allow: Vec<String>,
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct OlderFiles {
    #[schemars(length(max = 64))]
    read: Vec<String>,
    #[schemars(length(max = 64))]
    write: Vec<String>,
}

static SCHEMA: LazyLock<Value> = LazyLock::new(super::schema_of::<Older>);

/// Whether a tree is meant to be in the older form.
pub(super) fn is_older_form(tree: &Node) -> bool {
    tree.get("apiVersion").is_none() && (tree.get("version").is_some() || tree.get("agent").is_some())
}

/// Which field of the present form came from which of the older one.
#[derive(Debug, Default)]
pub(super) struct Origins(Vec<(String, String)>);

impl Origins {
    fn record(&mut self, present: &str, older: &str) {
        self.0.push((present.to_owned(), older.to_owned()));
    }

    /// Lets problems point to the fields that their reader wrote.
    pub(super) fn restore(&self, problems: Vec<ManifestProblem>) -> Vec<ManifestProblem> {
        let restore = |mut problem: ManifestProblem| {
            let above = |present: &str| {
                problem.pointer.strip_prefix(present).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            let origins = self.0.iter().filter(|(present, _)| above(present));
            let nearest = origins.max_by_key(|(present, _)| present.len()).map(|(_, older)| older.clone());
            problem.pointer = nearest.unwrap_or_default();
            problem
        };
        problems.into_iter().map(restore).collect()
    }
}

/// A manifest of the older form in the present one.
pub(super) struct Converted {
    pub(super) tree: Node,
    pub(super) notes: Vec<String>,
    pub(super) origins: Origins,
}

/// Turns the older form into the present one.
pub(super) fn convert(tree: &Node) -> Result<Converted, Vec<ManifestProblem>> {
    let mut problems = walk(tree, &SCHEMA);
    if let Some(version) = tree.get("version")
        && !matches!(version.to_value(), Value::String(text) if text == "1.0")
        && version.to_value().as_f64() != Some(1.0)
    {
        let problem = version.place.problem("/version", "the older form of the manifest has only the version `1.0`");
        problems.push(problem.advise("or write `apiVersion: aegis/v1`, the present form"));
    }
    let command = tree.at("/agent/runtime").and_then(|node| match (node.text()?, command_of(node.text()?)) {
        (_, Some(command)) => Some(command),
        (text, None) => {
            let message = format!("the runtime {} of the older form cannot be carried over", quoted(text));
            let advice = "use the present form with `spec.runtime.command`";
            problems.push(node.place.problem("/agent/runtime", message).advise(advice));
            None
        }
    });
    let older = Older::deserialize(tree.to_value());
    match (older, command) {
        (Ok(older), Some(command)) if problems.is_empty() => Ok(Conversion::new(tree).run(&older, command)),
        (Err(error), _) if problems.is_empty() => Err(vec![Place::START.problem("", error.to_string())]),
        _ => Err(problems),
    }
}

/// The command that a runtime of the older form stood for.
fn command_of(runtime: &str) -> Option<[&'static str; 2]> {
    match runtime.split([':', '@', ' ']).next().unwrap_or_default() {
        "python" | "python3" => Some(["python3", "agent.py"]),
        "node" | "nodejs" => Some(["node", "agent.js"]),
        _ => None,
    }
}

struct Conversion<'a> {
    tree: &'a Node,
    notes: Vec<String>,
    origins: Origins,
}

type Fields = Vec<(&'static str, Node)>;

impl<'a> Conversion<'a> {
    fn new(tree: &'a Node) -> Self {
        Self { tree, notes: Vec::new(), origins: Origins::default() }
    }

    fn run(mut self, older: &Older, command: [&'static str; 2]) -> Converted {
        let start = self.tree.place;
        let name = self.name(&older.agent.name);
        let mut spec: Fields = vec![("runtime", self.runtime(&older.agent.runtime, command))];
        self.push(&mut spec, "resources", Self::resources, older);
        self.push(&mut spec, "permissions", Self::permissions, older);
        if older.agent.memory {
            let place = self.place("/agent/memory", "/spec/memory");
            spec.push(("memory", map(place, vec![("enabled", Node { place, content: Content::Bool(true) })])));
            self.note("`agent.memory: true` became `spec.memory.enabled: true`");
        }
        let env = self.env(older);
        if !env.entries().is_empty() {
            spec.push(("env", env));
        }
        let fields = vec![
            ("apiVersion", text(start, "aegis/v1")),
            ("kind", text(start, "Agent")),
            ("metadata", map(start, vec![("name", name)])),
            ("spec", map(start, spec)),
        ];
        Converted { tree: map(start, fields), notes: self.notes, origins: self.origins }
    }

    /// Adds a part that is made of fields, unless there are none.
    fn push(&mut self, spec: &mut Fields, name: &'static str, make: fn(&mut Self, &Older) -> Fields, older: &Older) {
        let fields = make(self, older);
        if !fields.is_empty() {
            spec.push((name, map(self.tree.place_of("/permissions"), fields)));
        }
    }

    fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Where the older field stands; remembers what it became.
    fn place(&mut self, older: &str, present: &str) -> Place {
        self.origins.record(present, older);
        self.tree.place_of(older)
    }

    fn name(&mut self, given: &str) -> Node {
        let place = self.place("/agent/name", "/metadata/name");
        let meant = slug(given);
        if name_problem(given).is_none() || name_problem(&meant).is_some() {
            return text(place, given);
        }
        self.note(format!("`agent.name` {} became `metadata.name` `{meant}`", quoted(given)));
        text(place, &meant)
    }

    fn runtime(&mut self, given: &str, command: [&'static str; 2]) -> Node {
        let place = self.place("/agent/runtime", "/spec/runtime");
        let [program, file] = command;
        self.note(format!(
            "`agent.runtime` {} became `spec.runtime.command` `[\"{program}\", \"{file}\"]` with `source: .`; \
             the version of {program} is the one in the box",
            quoted(given)
        ));
        self.note("`spec.runtime.isolation` is `strongest`, as the older form named none");
        let command = list(place, vec![text(place, program), text(place, file)]);
        let isolation = text(place, "strongest");
        map(place, vec![("isolation", isolation), ("command", command), ("source", text(place, "."))])
    }

    fn resources(&mut self, older: &Older) -> Fields {
        let mut fields = Vec::new();
        if let Some(share) = older.permissions.cpu_quota {
            let place = self.place("/permissions/cpu_quota", "/spec/resources/cpu");
            let cpu = Number::from_f64(share).map_or(Content::Null, Content::Number);
            fields.push(("cpu", Node { place, content: cpu }));
            self.note(format!("`permissions.cpu_quota: {share}` became `spec.resources.cpu`"));
        }
        if let Some(given) = &older.permissions.memory {
            let place = self.place("/permissions/memory", "/spec/resources/memory");
            let binary = binary_unit(given);
            self.note(format!(
                "`permissions.memory` {} became `spec.resources.memory` {}",
                quoted(given),
                quoted(&binary)
            ));
            fields.push(("memory", text(place, &binary)));
        }
        if let Some(given) = &older.permissions.execution_time {
            let place = self.place("/permissions/execution_time", "/spec/resources/timeout");
            self.note(format!("`permissions.execution_time` {} became `spec.resources.timeout`", quoted(given)));
            fields.push(("timeout", text(place, given)));
        }
        fields
    }

    fn permissions(&mut self, older: &Older) -> Fields {
        let place = self.tree.place_of("/permissions");
        let parts = [
            ("network", self.network(&older.permissions.network.allow)),
            ("filesystem", self.files(&older.permissions.fs)),
            ("tools", self.tools(&older.tools)),
        ];
        let present = parts.into_iter().filter(|(_, items)| !items.is_empty());
        present.map(|(name, items)| (name, list(place, items))).collect()
    }

    fn network(&mut self, hosts: &[String]) -> Vec<Node> {
        let mut grants = Vec::new();
        for (index, given) in hosts.iter().enumerate() {
            let present = child("/spec/permissions/network", index);
            let place = self.place(&child("/permissions/network/allow", index), &present);
            let (host, port) = host_and_port(given);
            let port = Node { place, content: Content::Number(Number::from(port)) };
            self.note(format!(
                "`permissions.network.allow` {} became port {} of that host",
                quoted(given),
                port.to_value()
            ));
            grants.push(map(place, vec![("host", text(place, host)), ("ports", list(place, vec![port]))]));
        }
        grants
    }

    fn files(&mut self, files: &OlderFiles) -> Vec<Node> {
        let mut grants = Vec::new();
        for (access, paths) in [("write", &files.write), ("read", &files.read)] {
            for (index, given) in paths.iter().enumerate() {
                let path = given.trim_end_matches('/');
                let covered = access == "read" && files.write.iter().any(|other| other.trim_end_matches('/') == path);
                if covered || own_directory(path) {
                    let why = if covered { "it may be written as well" } else { "the box has it anyway" };
                    self.note(format!("`permissions.fs.{access}` {} needs no grant: {why}", quoted(given)));
                    continue;
                }
                let present = child("/spec/permissions/filesystem", grants.len());
                let place = self.place(&child(&child("/permissions/fs", access), index), &present);
                let volume = slug(path.trim_start_matches(['.', '/']));
                self.note(format!(
                    "`permissions.fs.{access}` {} became the volume `{volume}`: a box sees no directory of the host",
                    quoted(given)
                ));
                let access = text(place, access);
                grants.push(map(
                    place,
                    vec![("path", text(place, path)), ("access", access), ("volume", text(place, &volume))],
                ));
            }
        }
        grants
    }

    fn tools(&mut self, tools: &[String]) -> Vec<Node> {
        let mut patterns = Vec::new();
        for (index, given) in tools.iter().enumerate() {
            let place = self.place(&child("/tools", index), &child("/spec/permissions/tools", index));
            let whole_server = given.starts_with("mcp:") && !given.contains('/');
            let pattern = if whole_server { format!("{given}/*") } else { given.clone() };
            if whole_server {
                self.note(format!("`tools` {} became {}", quoted(given), quoted(&pattern)));
            }
            patterns.push(text(place, &pattern));
        }
        patterns
    }

    fn env(&mut self, older: &Older) -> Node {
        let mut entries = Vec::new();
        for (key, value) in &older.env {
            let place = self.place(&child("/env", key), &child("/spec/env", key));
            match value.strip_prefix("secret:") {
                Some(secret) => self.note(format!(
                    "`env` {} was not carried over: no secret enters a box; bind {} to its host under `spec.permissions.secrets`",
                    quoted(key),
                    quoted(secret)
                )),
                None => entries.push(Entry { key: key.clone(), place, value: text(place, value) }),
            }
        }
        Node { place: self.tree.place_of("/env"), content: Content::Map(entries) }
    }
}

/// Directories that every box has for its agent.
fn own_directory(path: &str) -> bool {
    let inside = |root: &str| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    !path.split('/').any(|part| part == "..") && (inside("/tmp") || inside("/workspace"))
}

/// Splits `https://host:8443/` into the host and its port; `https` is meant where nothing is said.
fn host_and_port(given: &str) -> (&str, u16) {
    let (scheme, rest) = given.split_once("://").unwrap_or(("https", given));
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let standard = if scheme == "http" { 80 } else { 443 };
    match rest.rsplit_once(':').map(|(host, port)| (host, port.parse::<u16>())) {
        Some((host, Ok(port))) if port != 0 => (host, port),
        _ => (rest, standard),
    }
}

/// `512MB` as `512Mi`: the older form counted memory in binary units under decimal names.
fn binary_unit(given: &str) -> String {
    let digits = given.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = given.split_at_checked(digits).unwrap_or((given, ""));
    match unit.trim().to_ascii_uppercase().as_str() {
        "K" | "KB" | "KIB" => format!("{number}Ki"),
        "M" | "MB" | "MIB" => format!("{number}Mi"),
        "G" | "GB" | "GIB" => format!("{number}Gi"),
        _ => given.to_owned(),
    }
}

/// A name made of a text: lower case, `-` for everything else.
fn slug(text: &str) -> String {
    let plain = |char: char| if char.is_ascii_alphanumeric() { char.to_ascii_lowercase() } else { '-' };
    let name: String = text.chars().map(plain).take(63).collect();
    name.trim_matches('-').to_owned()
}

fn text(place: Place, text: &str) -> Node {
    Node { place, content: Content::Text(text.to_owned()) }
}

fn list(place: Place, items: Vec<Node>) -> Node {
    Node { place, content: Content::List(items) }
}

fn map(place: Place, fields: Fields) -> Node {
    let entries = fields.into_iter().map(|(key, value)| Entry { key: key.to_owned(), place, value });
    Node { place, content: Content::Map(entries.collect()) }
}
