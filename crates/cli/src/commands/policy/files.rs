//! Policies in files: what a person keeps beside their code, and what is wrong with it, shown
//! where it stands.
//!
//! A file `NAME.cedar` is the policy `NAME`; `NAME.log-only.cedar` is only reported on. A file
//! of YAML or JSON holds `policies` and `counters`. A directory is all such files in it.

use std::path::{Path, PathBuf};

use aegis_model::api::PolicyDraftSet;
use aegis_model::manifest::{self, ManifestProblem};
use aegis_model::policy::{POLICIES_SIZE_MAX_BYTES, Policy, PolicyMode};
use serde::Deserialize;

use crate::context::Context;
use crate::diagnostics;
use crate::failure::Failure;
use crate::input;
use crate::output::{Format, clean};

/// Larger files hold no policies.
const FILE_SIZE_MAX_BYTES: u64 = 2 * POLICIES_SIZE_MAX_BYTES as u64;
/// How many problems are drawn.
const DRAWN_MAX: usize = 20;
/// The end of the name of a file whose policy is only reported on.
const LOG_ONLY: &str = ".log-only";

/// A set from files, and where each policy came from.
pub(super) struct Files {
    /// The set.
    pub(super) draft: PolicyDraftSet,
    origins: Vec<Origin>,
}

/// Where a policy came from.
struct Origin {
    name: String,
    path: PathBuf,
}

/// What the server says of a policy or a counter that is not valid.
#[derive(Deserialize)]
#[serde(untagged)]
enum Problem {
    Policy { id: String, line: usize, column: usize, message: String },
    Counter { counter: String, message: String },
}

/// Reads policies from files and directories; `-` is stdin, in YAML or JSON.
pub(super) fn read(context: &mut Context, paths: &[PathBuf]) -> Result<Files, Failure> {
    let mut files = Files { draft: PolicyDraftSet::default(), origins: Vec::new() };
    for path in paths {
        for file in opened(path)? {
            files.add(context, &file)?;
        }
    }
    Ok(files)
}

/// The files that a path stands for.
fn opened(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let unreadable = |error: std::io::Error| Failure::unreadable(path, &error);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        if matches!(extension(&file), "cedar" | "yaml" | "yml" | "json") && file.is_file() {
            found.push(file);
        }
    }
    if found.is_empty() {
        let message = format!("`{}` holds no policies", path.display());
        return Err(Failure::usage(message, "policies are files that end in `.cedar`, or `.yaml` with `policies`"));
    }
    found.sort();
    Ok(found)
}

fn extension(path: &Path) -> &str {
    path.extension().and_then(|extension| extension.to_str()).unwrap_or_default()
}

impl Files {
    fn add(&mut self, context: &mut Context, path: &Path) -> Result<(), Failure> {
        let bytes = input::read(context, path, FILE_SIZE_MAX_BYTES)?;
        let read = match extension(path) {
            "cedar" => PolicyDraftSet { policies: vec![cedar(path, bytes)?], counters: Vec::new() },
            _ => document(context, path, &bytes)?,
        };
        let origin = |policy: &Policy| Origin { name: policy.name.to_string(), path: path.to_owned() };
        self.origins.extend(read.policies.iter().map(origin));
        self.draft.policies.extend(read.policies);
        self.draft.counters.extend(read.counters);
        Ok(())
    }

    /// Draws what the server found wrong, where it stands; any other failure is passed on.
    pub(super) fn explained(&self, context: &mut Context, failure: Failure) -> Failure {
        let problems = failure.detail("problems").and_then(|found| serde_json::from_value(found).ok());
        let problems: Vec<Problem> = problems.unwrap_or_default();
        if problems.is_empty() || context.global.output != Format::Text {
            return failure;
        }
        for problem in problems.iter().take(DRAWN_MAX) {
            let text = self.draw(context, problem);
            context.tell(&text);
        }
        if problems.len() > DRAWN_MAX {
            context.tell(&format!("and {} more", problems.len() - DRAWN_MAX));
        }
        Failure::Said(2)
    }

    fn draw(&self, context: &Context, problem: &Problem) -> String {
        let style = context.terminal.message_style();
        let (id, line, column, message) = match problem {
            Problem::Policy { id, line, column, message } => (id, *line, *column, message),
            Problem::Counter { counter, message } => {
                return format!("{} {}", style.bad("error:"), clean(&format!("counter `{counter}`: {message}")));
            }
        };
        // The rules of a policy are called after it: `no-prod/2`.
        let name = id.split('/').next().unwrap_or_default();
        let path = self.origins.iter().find(|origin| origin.name == name).map(|origin| origin.path.as_path());
        let text = self.draft.policies.iter().find(|policy| policy.name.as_str() == name);
        let shown = match path {
            Some(path) if extension(path) == "cedar" => path.to_owned(),
            Some(path) => PathBuf::from(format!("{} (policy {name})", path.display())),
            None => PathBuf::from(name),
        };
        let found =
            ManifestProblem { pointer: String::new(), line, column, message: message.clone(), suggestion: None };
        let source = text.map(|policy| policy.text.as_bytes()).unwrap_or_default();
        diagnostics::render(&shown, source, &[found], style)
    }
}

fn cedar(path: &Path, bytes: Vec<u8>) -> Result<Policy, Failure> {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let (stem, mode) = match stem.strip_suffix(LOG_ONLY) {
        Some(stem) => (stem, PolicyMode::LogOnly),
        None => (stem, PolicyMode::Enforce),
    };
    let unusable = |why: String| Failure::usage(format!("`{}`: {why}", path.display()), "rename or correct the file");
    let name = stem.parse().map_err(|error: aegis_model::id::IdError| unusable(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| unusable("it is not UTF-8".to_owned()))?;
    Ok(Policy { name, mode, text })
}

fn document(context: &mut Context, path: &Path, bytes: &[u8]) -> Result<PolicyDraftSet, Failure> {
    let value = manifest::document(bytes).map_err(|problem| {
        let text = diagnostics::render(path, bytes, &[problem], context.terminal.message_style());
        context.tell(&text);
        Failure::Said(2)
    })?;
    serde_json::from_value(without_history(value)).map_err(|error| {
        let message = format!("`{}` holds no policies: {error}", path.display());
        Failure::usage(message, "it holds `policies`, each with `name` and `text`, and perhaps `counters`")
    })
}

/// A revision as it was shown, without what is said about it: it can be applied again.
fn without_history(mut value: serde_json::Value) -> serde_json::Value {
    if let Some(document) = value.as_object_mut().filter(|document| document.contains_key("policy_hash")) {
        document.retain(|name, _| matches!(name.as_str(), "policies" | "counters"));
    }
    value
}
