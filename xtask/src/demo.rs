//! The demonstration after `up`: deploys the example agents once the server is ready, runs
//! them, and shows a governed decision and the record of it all. Runs beside the server, which never waits for it.

use std::path::Path;
use std::time::Duration;

use crate::failure::Failure;
use crate::frameworks;
use crate::house::House;
use crate::process::{Call, say};

/// An agent of `examples/`, and what it is asked.
struct Example {
    name: &'static str,
    needs: &'static str,
    says: &'static str,
    arguments: &'static [&'static str],
}

const ADA: &[&str] = &["--input", "{\"name\": \"Ada\"}"];

const AGENTS: [Example; 4] = [
    Example { name: "hello-python", needs: "/usr/bin/python3", says: "an agent in a sealed box:", arguments: ADA },
    Example { name: "hello-node", needs: "/usr/bin/node", says: "the same in another language:", arguments: ADA },
    Example { name: "hello-http", needs: "/usr/bin/python3", says: "an agent that is a server:", arguments: ADA },
    Example {
        name: "escape-artist",
        needs: "/usr/bin/python3",
        says: "an agent that tries to get out of its box:",
        arguments: &["--stream"],
    },
];
/// How long the server may take to become ready.
const PATIENCE_ROUNDS: u32 = 150;
const PAUSE: Duration = Duration::from_millis(200);

/// Waits for the server at `url`, whose data lies in `data`, and shows what it can do.
pub fn run(house: &House, url: &str, data: &str) -> Result<(), Failure> {
    let key = house.root.join(data).join("admin.key");
    if !ready(house, url, &key) {
        return Ok(());
    }
    for agent in AGENTS.iter().filter(|agent| there(house, agent.needs)) {
        if !aegis(house, url, &key).with(["agent", "show", agent.name]).works() {
            let example = format!("examples/{}", agent.name);
            aegis(house, url, &key).with(["agent", "deploy", example.as_str()]).run()?;
        }
        say(agent.says);
        aegis(house, url, &key).with(["invoke", agent.name]).with(agent.arguments).run()?;
    }
    agentcore(house, url, &key)?;
    say("may the agent delete a repository? it was granted nothing:");
    let explain = ["policy", "explain", "--action", "connect", "--as-agent", "hello-python", "--resource"];
    let deletes = ["Host/api.github.com", "--context", "method=DELETE", "--context", "path=/repos/x"];
    aegis(house, url, &key).with(explain).with(deletes).run()?;
    say("and this is the record, signed and checked:");
    aegis(house, url, &key).with(["audit", "list", "--limit", "10"]).run()?;
    aegis(house, url, &key).with(["audit", "verify"]).run()?;
    say("the server runs until Ctrl-C; in another terminal try `bin/aegis init my-agent`");
    Ok(())
}

/// An agent of somebody else's framework, unchanged. Its packages come from a registry; where
/// that cannot be reached, it is left out.
fn agentcore(house: &House, url: &str, key: &Path) -> Result<(), Failure> {
    let name = "agentcore-hello";
    if !aegis(house, url, key).with(["agent", "show", name]).works() {
        let Ok(folder) = frameworks::example(house) else {
            say("the packages of `bedrock-agentcore` cannot be installed here: the agent that needs them is left out");
            return Ok(());
        };
        aegis(house, url, key).with(["agent", "deploy"]).with([folder]).run()?;
    }
    say("an agent written for Bedrock AgentCore, unchanged:");
    aegis(house, url, key).with(["invoke", name]).with(ADA).run()
}

/// Whether this machine has the interpreter; says so where not.
fn there(house: &House, program: &str) -> bool {
    let found = Call::new(program, &house.root).with(["--version"]).works();
    if !found {
        say(&format!("no `{program}` on this machine: the agent that needs it is left out"));
    }
    found
}

#[expect(clippy::disallowed_methods, reason = "the server is another process; there is no event to wait for")]
/// Whether the server answers before patience ends. One that did not start has said why.
fn ready(house: &House, url: &str, key: &Path) -> bool {
    (0..PATIENCE_ROUNDS).any(|_| {
        std::thread::sleep(PAUSE);
        key.exists() && aegis(house, url, key).with(["agent", "list"]).works()
    })
}

fn aegis(house: &House, url: &str, key: &Path) -> Call {
    let key = std::fs::read_to_string(key).unwrap_or_default();
    Call::new(house.root.join("bin/aegis"), &house.root)
        .variable("AEGIS_URL", url)
        .variable("AEGIS_API_KEY", key.trim())
        .hidden(key.trim())
}
