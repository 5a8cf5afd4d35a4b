//! The demonstration after `up`: deploys the demo agent once the server is ready, and shows a
//! governed decision and the record of it. Runs beside the server, which never waits for it.

use std::path::Path;
use std::time::Duration;

use crate::failure::Failure;
use crate::house::House;
use crate::process::{Call, say};

/// Where the demo agent lies.
const AGENT: &str = "examples/hello";
/// How long the server may take to become ready.
const PATIENCE_ROUNDS: u32 = 150;
const PAUSE: Duration = Duration::from_millis(200);

/// Waits for the server at `url`, whose data lies in `data`, and shows what it can do.
pub fn run(house: &House, url: &str, data: &str) -> Result<(), Failure> {
    let key = house.root.join(data).join("admin.key");
    if !ready(house, url, &key) {
        return Ok(());
    }
    if !aegis(house, url, &key).with(["agent", "show", "hello"]).works() {
        aegis(house, url, &key).with(["agent", "deploy", AGENT]).run()?;
    }
    let explain = ["policy", "explain", "--action", "connect", "--as-agent", "hello", "--resource"];
    let deletes = ["Host/api.github.com", "--context", "method=DELETE", "--context", "path=/repos/x"];
    say("may the agent delete a repository? its manifest asked for GET only:");
    aegis(house, url, &key).with(explain).with(deletes).run()?;
    say("and this is the record, signed and checked:");
    aegis(house, url, &key).with(["audit", "list"]).run()?;
    aegis(house, url, &key).with(["audit", "verify"]).run()?;
    say("the server runs until Ctrl-C; in another terminal try `bin/aegis agent list`");
    Ok(())
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
