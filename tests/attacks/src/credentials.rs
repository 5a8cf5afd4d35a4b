//! Attacks that look for secrets: environments, memory, dumps and files. Never prints what it finds, only where.

use crate::attack::Area::Credentials;
use crate::attack::{Attack, Outcome};
use crate::errno::Errno;
use crate::kernel::guest_memory;
use crate::sys::{call, words};
use crate::walk::{Walk, summary};
use std::ops::ControlFlow;
use std::path::Path;

/// The attacks of this area.
pub const TABLES: &[&[Attack]] = &[&[
    Attack::new(Credentials, "own-environment", "finds a secret in its environment", own_environment),
    Attack::new(Credentials, "other-environments", "finds a secret in another environment", other_environments),
    Attack::new(Credentials, "guest-secrets", "reads the memory of pid 1 for secrets", guest_memory),
    Attack::new(Credentials, "core-limit", "leaves a dump of its memory", core_limit),
    Attack::new(Credentials, "core-limit-raise", "raises the limit of its dumps", core_limit_raise),
    Attack::new(Credentials, "key-files", "finds a file with a key", key_files),
]];

/// Parts of names that secrets have.
const SECRET_NAMES: [&str; 9] =
    ["AWS_", "SECRET", "TOKEN", "PASSWORD", "PASSWD", "API_KEY", "ACCESS_KEY", "PRIVATE_KEY", "CREDENTIAL"];
/// Names that look like it, but say where things are.
const HARMLESS_NAMES: [&str; 4] = ["AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_CA_BUNDLE"];
/// Values that stand where a secret would be.
const HARMLESS_VALUES: [&str; 2] = ["", "placeholder"];
/// What a key of Aegis begins with.
const KEY_PREFIX: &str = "aegis_";

/// The names of the variables in an environment that look like secrets.
fn secrets(environment: &[u8]) -> Vec<String> {
    let entries = environment.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    let variables =
        entries.filter_map(|entry| entry.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())));
    variables.filter(|(name, value)| is_secret(name, value)).map(|(name, _)| name).collect()
}

fn is_secret(name: &str, value: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let is_named = SECRET_NAMES.iter().any(|part| name.contains(part)) && !HARMLESS_NAMES.contains(&name.as_str());
    value.contains(KEY_PREFIX) || (is_named && !HARMLESS_VALUES.contains(&value))
}

fn own_environment() -> Outcome {
    environment("self")
}

fn other_environments() -> Outcome {
    let processes = crate::process::visible();
    let others = processes.keys().filter(|id| **id != std::process::id().cast_signed());
    Outcome::all(others.map(|id| match environment(&id.to_string()) {
        held if held.held => Outcome::held("nothing in other environments"),
        broken => broken,
    }))
}

fn environment(process: &str) -> Outcome {
    let path = format!("/proc/{process}/environ");
    match std::fs::read(&path).map(|environment| secrets(&environment)) {
        Ok(found) if found.is_empty() => Outcome::held(format!("{path}: nothing that looks like a secret")),
        Ok(found) => Outcome::broken(format!("{path}: {}", summary(&found))),
        Err(error) => Outcome::held(format!("{path}: {}", Errno::from(error))),
    }
}

fn core_limit() -> Outcome {
    let mut limit = [0_u8; 16];
    let got = call!(SYS_prlimit64, 0, libc::RLIMIT_CORE, 0, &mut limit);
    match got.map(|_| words(&limit)) {
        Ok([0, 0]) => Outcome::held("both limits are 0"),
        Ok([soft, hard]) => Outcome::broken(format!("the limits are {} and {}", soft as u64, hard as u64)),
        Err(errno) => Outcome::broken(format!("the limits cannot be told: {errno}")),
    }
}

fn core_limit_raise() -> Outcome {
    let limit = [0xff_u8; 16];
    Outcome::refused("prlimit64", call!(SYS_prlimit64, 0, libc::RLIMIT_CORE, &limit, 0))
}

/// Names that files with keys have.
const KEY_FILES: [&str; 9] =
    ["admin.key", "master.key", "ca.key", "id_rsa", "id_ecdsa", "id_ed25519", ".netrc", ".git-credentials", ".pgpass"];

fn key_files() -> Outcome {
    let mut found = Vec::new();
    let walk = Walk { depth: 8, entries_max: 300_000, skip: &["/proc", "/sys", "/dev/pts"] };
    let whole = walk.visit("/", |path, kind| {
        if !kind.is_dir() && is_key_file(path) && std::fs::File::open(path).is_ok() {
            found.push(path.display().to_string());
        }
        ControlFlow::Continue(())
    });
    match (found.is_empty(), whole) {
        (false, _) => Outcome::broken(format!("readable: {}", summary(&found))),
        (true, true) => Outcome::held("no file with a key"),
        (true, false) => Outcome::held("no file with a key in as much as was searched"),
    }
}

fn is_key_file(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| KEY_FILES.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::secrets;

    #[test]
    fn a_secret_is_told_by_its_name_or_its_value() {
        let environment = b"GITHUB_TOKEN=x\0HOME=/workspace\0db_password=y\0URL=http://aegis_sk_1@host\0";
        assert_eq!(secrets(environment), ["GITHUB_TOKEN", "db_password", "URL"]);
    }

    #[test]
    fn a_placeholder_is_no_secret() {
        assert!(secrets(b"OPENAI_API_KEY=placeholder\0AWS_ENDPOINT_URL=http://127.0.0.1\0TOKEN=\0").is_empty());
    }
}
