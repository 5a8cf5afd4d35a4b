//! From a version's manifest to the plan of its box. Pure, but for looking which words of the
//! command are files of the code.

use std::path::Path;

use aegis_model::api::VersionView;
use aegis_model::boxes::{BoxPlan, BoxResources, Program, RootPlan};
use aegis_model::manifest::{Isolation, Protocol, amounts};
use aegis_model::run::RUN_TIMEOUT_MAX_MS;
use bytes::Bytes;

/// Where the code is seen.
const CODE: &str = "/app";

/// Variables that every agent finds, so that interpreters find its code and say at once what
/// they have to say.
const ENVIRONMENT: [(&str, &str); 3] =
    [("PYTHONPATH", CODE), ("PYTHONUNBUFFERED", "1"), ("PYTHONDONTWRITEBYTECODE", "1")];

/// Where an agent that is a server listens when nobody says.
const PORT_DEFAULT: u16 = 8080;
/// The variable that says it.
const PORT: &str = "PORT";

/// What a version asks of its boxes and sessions.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionPlan {
    /// The kind of box.
    pub isolation: Isolation,
    /// How the agent is spoken to.
    pub protocol: Protocol,
    /// Where it listens, if it is a server.
    pub port: u16,
    /// The program that is the agent.
    pub program: Program,
    /// Its box, without the agent.
    pub plan: BoxPlan,
    /// How long a session waits for work.
    pub idle_ms: u64,
    /// The longest a run may take.
    pub timeout_ms: u64,
    /// How many boxes are kept ready.
    pub warm: usize,
    /// The input that an agent is given before its box counts as ready: one JSON document.
    pub warmup: Option<Bytes>,
}

/// What that version asks for, with its code at `code`.
pub fn session_plan(version: &VersionView, code: Option<&Path>) -> SessionPlan {
    let spec = &version.manifest.spec;
    let resources = &spec.resources;
    let or_default = BoxResources::default();
    let plan = BoxPlan {
        root: RootPlan::Host,
        code: code.map(Path::to_path_buf),
        resources: BoxResources {
            cpu_millis: resources.cpu.map_or(or_default.cpu_millis, |cpu| cpu.as_millis()),
            memory_bytes: resources.memory.map_or(or_default.memory_bytes, |memory| memory.as_bytes()),
            pids: resources.pids.unwrap_or(or_default.pids),
            disk_bytes: resources.disk.map_or(or_default.disk_bytes, |disk| disk.as_bytes()),
            lifetime_ms: resources.max_lifetime.unwrap_or(amounts::MAX_LIFETIME.default).as_millis(),
        },
        agent: None,
    };
    let protocol = spec.runtime.protocol;
    let given = |name: &str| spec.env.iter().find(|(given, _)| given.as_str() == name).map(|(_, value)| value.as_str());
    let port = given(PORT).and_then(|port| port.parse().ok()).filter(|port| *port > 0).unwrap_or(PORT_DEFAULT);
    let serving = (protocol == Protocol::Http).then(|| (PORT.to_owned(), port.to_string()));
    let always = ENVIRONMENT.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).chain(serving);
    let environment = always
        .filter(|(name, _)| given(name).is_none())
        .chain(spec.env.iter().map(|(name, value)| (name.as_str().to_owned(), value.clone())))
        .collect();
    let command = spec.runtime.command.iter().flatten();
    let program =
        Program { arguments: command.map(|word| located(word, code)).collect(), environment, ..Program::default() };
    SessionPlan {
        isolation: spec.runtime.isolation,
        protocol,
        port,
        program,
        plan,
        idle_ms: resources.idle_timeout.unwrap_or(amounts::IDLE_TIMEOUT.default).as_millis(),
        timeout_ms: resources.timeout.unwrap_or(amounts::TIMEOUT.default).as_millis().min(RUN_TIMEOUT_MAX_MS),
        warm: spec.pool.as_ref().map_or(0, |pool| pool.warm as usize),
        warmup: spec.pool.as_ref().and_then(|pool| pool.warmup.as_ref()).map(|input| input.to_string().into()),
    }
}

/// A word of the command that names a file of the code means that file, whatever the working
/// directory is.
fn located(word: &str, code: Option<&Path>) -> String {
    let leads_out = word.split('/').any(|part| part == "..");
    let relative = !word.is_empty() && !word.starts_with(['/', '-']) && !leads_out;
    match code {
        Some(code) if relative && code.join(word).is_file() => {
            format!("{CODE}/{}", word.strip_prefix("./").unwrap_or(word))
        }
        _ => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_names_a_file_of_the_code_means_that_file() {
        let code = tempfile::tempdir().unwrap();
        std::fs::create_dir(code.path().join("lib")).unwrap();
        std::fs::write(code.path().join("agent.py"), "").unwrap();
        std::fs::write(code.path().join("lib/x.py"), "").unwrap();
        let located = |word: &str| located(word, Some(code.path()));
        assert_eq!(located("agent.py"), "/app/agent.py");
        assert_eq!(located("./agent.py"), "/app/agent.py");
        assert_eq!(located("lib/x.py"), "/app/lib/x.py");
        for word in ["lib", "python3", "-agent.py", "/agent.py", "", "missing.py", "lib/../agent.py"] {
            assert_eq!(located(word), word);
        }
        assert_eq!(super::located("agent.py", None), "agent.py");
    }
}
