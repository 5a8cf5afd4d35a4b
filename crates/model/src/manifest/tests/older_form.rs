//! The older AEGIS form: what it becomes, what is said about it, and where its mistakes are.

use super::{lines, problems, valid};

const OLDER: &str = r#"version: "1.0"
agent: {name: research-bot, runtime: "python:3.11", memory: false}
permissions:
  network: {allow: [api.github.com, "https://example.com:8443/", "http://plain.example"]}
  fs: {read: [/data/in, /tmp], write: [/data/out/]}
  execution_time: 300s
  memory: 512MB
  cpu_quota: 0.5
tools: ["mcp:gmail", http_call]
env: {LOG_LEVEL: info, GMAIL_KEY: "secret:gmail-key"}
"#;

#[test]
fn the_older_form_becomes_the_present_one() {
    let present = r#"
apiVersion: aegis/v1
kind: Agent
metadata: {name: research-bot}
spec:
  runtime: {isolation: strongest, command: [python3, agent.py], source: .}
  resources: {cpu: 500m, memory: 512Mi, timeout: 5m}
  permissions:
    network:
      - {host: api.github.com, ports: [443]}
      - {host: example.com, ports: [8443]}
      - {host: plain.example, ports: [80]}
    filesystem:
      - {path: /data/out, access: write, volume: data-out}
      - {path: /data/in, access: read, volume: data-in}
    tools: ["mcp:gmail/*", http_call]
  env: {LOG_LEVEL: info}
"#;
    assert_eq!(valid(OLDER).manifest, valid(present).manifest);
    assert!(valid(present).notes.is_empty());
}

#[test]
fn every_change_is_told() {
    let notes = valid(OLDER).notes.join("\n");
    assert_eq!(
        notes,
        [
            "`agent.runtime` `python:3.11` became `spec.runtime.command` `[\"python3\", \"agent.py\"]` with `source: .`; \
             the version of python3 is the one in the box",
            "`spec.runtime.isolation` is `strongest`, as the older form named none",
            "`permissions.cpu_quota: 0.5` became `spec.resources.cpu`",
            "`permissions.memory` `512MB` became `spec.resources.memory` `512Mi`",
            "`permissions.execution_time` `300s` became `spec.resources.timeout`",
            "`permissions.network.allow` `api.github.com` became port 443 of that host",
            "`permissions.network.allow` `https://example.com:8443/` became port 8443 of that host",
            "`permissions.network.allow` `http://plain.example` became port 80 of that host",
            "`permissions.fs.write` `/data/out/` became the volume `data-out`: a box sees no directory of the host",
            "`permissions.fs.read` `/data/in` became the volume `data-in`: a box sees no directory of the host",
            "`permissions.fs.read` `/tmp` needs no grant: the box has it anyway",
            "`tools` `mcp:gmail` became `mcp:gmail/*`",
            "`env` `GMAIL_KEY` was not carried over: no secret enters a box; bind `gmail-key` to its host under \
             `spec.permissions.secrets`",
        ]
        .join("\n")
    );
}

fn check(old: &str, new: &str, expected: &[&str]) {
    assert_eq!(OLDER.matches(old).count(), 1, "`{old}` must be there once");
    assert_eq!(lines(&problems(OLDER.replace(old, new).as_bytes())), expected.join("\n"), "{new}");
}

#[test]
fn mistakes_in_the_older_form_point_to_the_older_text() {
    check("tools:", "tolls:", &["line 9, column 1: a manifest has no field `tolls` (did you mean `tools`?) @ /tolls"]);
    check(
        "memory: false",
        "memory: true",
        &[
            "line 2, column 61: `spec.memory` is not supported yet (remove the field; this version of Aegis would not honour it) @ /agent/memory",
        ],
    );
    check(
        "python:3.11",
        "ruby:3",
        &[
            "line 2, column 38: the runtime `ruby:3` of the older form cannot be carried over (use the present form with `spec.runtime.command`) @ /agent/runtime",
        ],
    );
    check(
        "api.github.com",
        "\"*\"",
        &[
            "line 4, column 21: `spec.permissions.network[0].host`: `*` is not a host: a wildcard may stand only first, as `*.` before a domain @ /permissions/network/allow/0",
        ],
    );
    check(
        "version: \"1.0\"",
        "version: \"2.0\"",
        &[
            "line 1, column 10: the older form of the manifest has only the version `1.0` (or write `apiVersion: aegis/v1`, the present form) @ /version",
        ],
    );
    check(
        "execution_time: 300s",
        "execution_time: 300",
        &[
            "line 6, column 19: `permissions.execution_time` must be a text, found a number (did you mean `\"300\"`?) @ /permissions/execution_time",
        ],
    );
    check(
        "/data/in",
        "../secrets",
        &[
            "line 5, column 15: `spec.permissions.filesystem[1].path`: `../secrets` is not a path in the box: it must begin with `/` @ /permissions/fs/read/0",
        ],
    );
}

#[test]
fn a_name_that_is_none_is_told_when_it_is_changed() {
    let parsed = valid(&OLDER.replace("research-bot", "Research_Bot"));
    assert_eq!(parsed.manifest.metadata.name.as_str(), "research-bot");
    assert_eq!(
        parsed.notes.first().map(String::as_str),
        Some("`agent.name` `Research_Bot` became `metadata.name` `research-bot`")
    );
}
