//! Rules that a schema cannot say: which fields go together, which amounts make sense, what
//! is there twice, what looks like a secret. Each rule reads its own part of the manifest and
//! is silent where that part has not the right form, which `schema_walk` has told already.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::amounts::{self, Amount};
use super::permissions::{FilesystemGrant, Injection, NetworkGrant, NetworkProtocol, TlsMode};
use super::problem::{ManifestProblem, child};
use super::schema_walk::dotted;
use super::secret_look;
use super::spec::Resources;
use super::tree::{Content, Node};
use super::units::quoted;

/// Lists every rule that a tree in the present form breaks. `value` is the same tree.
pub(super) fn check(tree: &Node, value: &Value) -> Vec<ManifestProblem> {
    let mut checker = Checker { tree, value, problems: Vec::new() };
    checker.labels();
    checker.runtime();
    checker.resources();
    checker.network();
    checker.filesystem();
    checker.secrets();
    checker.lists();
    checker.env();
    checker.problems
}

/// Longest value of a label.
const LABEL_LENGTH_MAX: usize = 256;
/// Longest argument of a command, and longest value of a variable.
const ARGUMENT_LENGTH_MAX: usize = 32 * 1024;
/// Where TLS is spoken.
const HTTPS: u16 = 443;
/// What to do with a secret.
const SECRET_ADVICE: &str = "keep it out of the manifest and bind it by name under `spec.permissions.secrets`";

/// Variables that the box sets itself.
const BOX_VARIABLES: &[&str] = &[
    "ALL_PROXY",
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_BASE_URL",
    "AWS_ENDPOINT_URL",
    "DOCKER_CONTAINER",
    "HOME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "SSL_CERT_FILE",
];

struct Checker<'a> {
    tree: &'a Node,
    value: &'a Value,
    problems: Vec<ManifestProblem>,
}

impl Checker<'_> {
    /// The part that the pointer leads to, if it has the right form.
    fn part<T: DeserializeOwned>(&self, pointer: &str) -> Option<T> {
        T::deserialize(self.value.pointer(pointer)?).ok()
    }

    /// Whether there is something.
    fn has(&self, pointer: &str) -> bool {
        self.value.pointer(pointer).is_some_and(|value| !value.is_null())
    }

    fn length(&self, pointer: &str) -> usize {
        self.value.pointer(pointer).and_then(Value::as_array).map_or(0, Vec::len)
    }

    fn problem(&self, pointer: &str, message: impl Into<String>) -> ManifestProblem {
        self.tree.place_of(pointer).problem(pointer, message)
    }

    fn report(&mut self, pointer: &str, message: impl Into<String>) {
        let problem = self.problem(pointer, message);
        self.problems.push(problem);
    }

    /// Refuses a text that looks like a secret; the message does not repeat it.
    fn refuse_secret(&mut self, pointer: &str, why: &str) {
        let message = format!("{} looks like a secret: {why}", dotted(pointer));
        let problem = self.problem(pointer, message).advise(SECRET_ADVICE);
        self.problems.push(problem);
    }

    /// The texts of a map or a list, with their pointers and names.
    fn texts(&self, pointer: &str) -> Vec<(String, String, String)> {
        let mut found = Vec::new();
        if let Some(node) = self.tree.at(pointer) {
            node.each_text(pointer, &mut |at, text, _| {
                let name = at.rsplit('/').next().unwrap_or_default();
                found.push((at.to_owned(), name.to_owned(), text.to_owned()));
            });
        }
        found
    }

    fn labels(&mut self) {
        for (pointer, _, text) in self.texts("/metadata/labels") {
            if text.chars().count() > LABEL_LENGTH_MAX || text.contains(['\n', '\r']) {
                self.report(&pointer, format!("{} must be one line of at most 256 characters", dotted(&pointer)));
            }
            if let Some(why) = secret_look::reason(&text) {
                self.refuse_secret(&pointer, why);
            }
        }
    }

    fn runtime(&mut self) {
        let ways = ["/spec/runtime/command", "/spec/runtime/image", "/spec/reasoning"];
        let present: Vec<&str> = ways.into_iter().filter(|way| self.has(way)).collect();
        let spec = self.tree.at("/spec").map(|node| &node.content);
        match present.as_slice() {
            [] if matches!(spec, Some(Content::Map(_))) => {
                let message = "the agent has nothing to run";
                let advice = "name one of `spec.runtime.command`, `spec.runtime.image` and `spec.reasoning`";
                let problem = self.problem("/spec/runtime", message).advise(advice);
                self.problems.push(problem);
            }
            [first, others @ ..] => {
                for other in others {
                    self.report(other, format!("{} and {} exclude each other", dotted(first), dotted(other)));
                }
            }
            [] => {}
        }
        if self.has("/spec/runtime/image") {
            for other in ["/spec/runtime/source", "/spec/runtime/root"] {
                if self.has(other) {
                    self.report(other, format!("{} means nothing beside an image", dotted(other)));
                }
            }
        }
        self.command();
    }

    fn command(&mut self) {
        for (pointer, index, text) in self.texts("/spec/runtime/command") {
            if index == "0" && text.trim().is_empty() {
                self.report(&pointer, "the program of the command is empty");
            }
            if text.len() > ARGUMENT_LENGTH_MAX {
                self.report(&pointer, format!("{} is longer than {ARGUMENT_LENGTH_MAX} bytes", dotted(&pointer)));
            }
            if let Some(why) = secret_look::reason(&text) {
                self.refuse_secret(&pointer, why);
            }
        }
    }

    fn resources(&mut self) {
        const AT: &str = "/spec/resources";
        let part = |name: &str| child(AT, name);
        self.within(&part("cpu"), &amounts::CPU);
        self.within(&part("memory"), &amounts::MEMORY);
        self.within(&part("disk"), &amounts::DISK);
        self.within(&part("timeout"), &amounts::TIMEOUT);
        self.within(&part("idle_timeout"), &amounts::IDLE_TIMEOUT);
        self.within(&part("max_lifetime"), &amounts::MAX_LIFETIME);
        let Some(resources) = self.part::<Resources>(AT) else { return };
        let Some(lifetime) = resources.max_lifetime else { return };
        for (name, time) in [("timeout", resources.timeout), ("idle_timeout", resources.idle_timeout)] {
            if let Some(time) = time.filter(|time| *time > lifetime) {
                let message = format!("`{name}` of `{time}` is longer than `max_lifetime` of `{lifetime}`");
                self.report(&part(name), message);
            }
        }
    }

    fn within<T: DeserializeOwned + PartialOrd + std::fmt::Display>(&mut self, pointer: &str, bounds: &Amount<T>) {
        let Amount { least, most, .. } = bounds;
        if let Some(amount) = self.part::<T>(pointer)
            && (amount < *least || amount > *most)
        {
            let message = format!("{} must be between `{least}` and `{most}`, found `{amount}`", dotted(pointer));
            self.report(pointer, message);
        }
    }

    fn network(&mut self) {
        for index in 0..self.length("/spec/permissions/network") {
            let pointer = child("/spec/permissions/network", index);
            if let Some(grant) = self.part::<NetworkGrant>(&pointer) {
                self.network_grant(&grant, &pointer);
            }
            for list in ["ports", "methods", "paths"] {
                self.no_repetition(&child(&pointer, list));
            }
        }
    }

    /// Where requests are not opened, nothing inside them can be judged.
    fn network_grant(&mut self, grant: &NetworkGrant, pointer: &str) {
        let opaque = match (grant.protocol, grant.tls) {
            (NetworkProtocol::Tcp, _) => "`protocol: tcp`",
            (NetworkProtocol::Http, TlsMode::Passthrough) => "`tls: passthrough`",
            (NetworkProtocol::Http, TlsMode::Intercept) => return self.unopened(grant, pointer),
        };
        let fields = [
            ("methods", grant.methods.is_some()),
            ("paths", grant.paths.is_some()),
            ("websocket", grant.websocket),
            ("tls", grant.protocol == NetworkProtocol::Tcp && grant.tls == TlsMode::Passthrough),
        ];
        for (name, _) in fields.into_iter().filter(|(_, present)| *present) {
            let message = format!("`{name}` cannot be judged with {opaque}: requests are not opened");
            self.report(&child(pointer, name), message);
        }
    }

    /// TLS is not opened yet, so nothing inside it can be judged.
    fn unopened(&mut self, grant: &NetworkGrant, pointer: &str) {
        let fields =
            [("methods", grant.methods.is_some()), ("paths", grant.paths.is_some()), ("websocket", grant.websocket)];
        for (name, _) in fields.into_iter().filter(|(_, present)| *present && grant.ports.contains(&HTTPS)) {
            let at = child(pointer, name);
            let message = format!("`{name}` cannot be judged on port {HTTPS} yet: there TLS is spoken, and not opened");
            let advice = format!("remove `{name}` to grant the host as a whole, or name a port of plain HTTP");
            let problem = self.problem(&at, message).advise(advice);
            self.problems.push(problem);
        }
    }

    fn filesystem(&mut self) {
        let mut seen = BTreeSet::new();
        for index in 0..self.length("/spec/permissions/filesystem") {
            let pointer = child("/spec/permissions/filesystem", index);
            let Some(grant) = self.part::<FilesystemGrant>(&pointer) else { continue };
            if !seen.insert(grant.path.clone()) {
                self.report(&child(&pointer, "path"), format!("the path `{}` is there twice", grant.path));
            }
        }
    }

    fn secrets(&mut self) {
        for index in 0..self.length("/spec/permissions/secrets") {
            let pointer = child(&child("/spec/permissions/secrets", index), "inject");
            if let Some(injection) = self.part::<Injection>(&pointer) {
                self.injection(&injection, &pointer);
            }
        }
    }

    fn injection(&mut self, injection: &Injection, pointer: &str) {
        let places = [
            injection.header.is_some(),
            injection.query.is_some(),
            injection.basic.is_some(),
            injection.sigv4.is_some(),
            injection.oauth2.is_some(),
        ];
        if places.into_iter().filter(|present| *present).count() != 1 {
            let message = "a secret goes to exactly one of `header`, `query`, `basic`, `sigv4` and `oauth2`";
            self.report(pointer, message);
        }
        if let Some(format) = &injection.format {
            self.format(injection, format, &child(pointer, "format"));
        }
        if let Some(query) = injection.query.as_deref()
            && !query.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.~".contains(&byte))
        {
            let message = format!("{} is not the name of a parameter", quoted(query));
            self.report(&child(pointer, "query"), message);
        }
        if let Some(oauth2) = &injection.oauth2
            && !is_token_url(&oauth2.token_url)
        {
            let message = "`token_url` must be `https://`, a host and a path, without user, query or fragment";
            self.report(&child(&child(pointer, "oauth2"), "token_url"), message);
        }
    }

    fn format(&mut self, injection: &Injection, format: &str, pointer: &str) {
        if injection.header.is_none() && injection.query.is_none() {
            self.report(pointer, "`format` goes only with `header` or `query`");
        }
        if format.matches("{value}").count() != 1 {
            self.report(pointer, "`format` must hold `{value}` exactly once");
        }
        if format.contains(['\n', '\r']) {
            self.report(pointer, "`format` must be one line");
        }
        if let Some(why) = secret_look::reason(format) {
            self.refuse_secret(pointer, why);
        }
    }

    fn lists(&mut self) {
        for name in ["network", "tools", "models", "agents", "secrets"] {
            self.no_repetition(&child("/spec/permissions", name));
        }
        self.no_repetition("/spec/reasoning/tools");
    }

    fn no_repetition(&mut self, pointer: &str) {
        let Some(items) = self.value.pointer(pointer).and_then(Value::as_array) else { return };
        let mut seen = BTreeSet::new();
        for (index, item) in items.iter().enumerate() {
            if !seen.insert(item.to_string()) {
                let shown = match item {
                    Value::String(text) => quoted(text),
                    Value::Number(number) => quoted(&number.to_string()),
                    _ => "the same entry".to_owned(),
                };
                self.report(&child(pointer, index), format!("{shown} is there twice"));
            }
        }
    }

    fn env(&mut self) {
        for (pointer, name, text) in self.texts("/spec/env") {
            let upper = name.to_ascii_uppercase();
            if BOX_VARIABLES.contains(&upper.as_str()) || upper.starts_with("AEGIS_") {
                self.report(
                    &pointer,
                    format!("the variable {} is set by the box and cannot be changed", quoted(&name)),
                );
            }
            if text.len() > ARGUMENT_LENGTH_MAX {
                self.report(&pointer, format!("{} is longer than {ARGUMENT_LENGTH_MAX} bytes", dotted(&pointer)));
            }
            if let Some(why) = secret_look::variable_reason(&name, &text) {
                self.refuse_secret(&pointer, why);
            }
        }
    }
}

fn is_token_url(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("https://") else { return false };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = host.split_once(':').map_or((host, "443"), |(host, port)| (host, port));
    let path_is_plain = path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\\@".contains(&byte));
    host.parse::<super::names::Host>().is_ok() && port.parse::<u16>().is_ok_and(|port| port != 0) && path_is_plain
}
