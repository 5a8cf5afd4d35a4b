//! A running server against its own description: schemathesis makes requests from
//! `/openapi.json` and checks that every answer is one that the description promises.

use std::path::PathBuf;

use crate::failure::Failure;
use crate::house::House;
use crate::process::{Call, say};
use crate::server::Server;

/// The version every machine tests with.
const REQUIREMENT: &str = "schemathesis==4.32.5";
/// What an answer must keep.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance,unsupported_method,ignored_auth";
/// Requests per operation and phase.
const EXAMPLES_MAX: &str = "40";
/// The same requests in every run.
const SEED: &str = "7700";

/// The suite asks without a valid key on purpose, more often than an address may fail.
const CONFIG: &str = "[http]\nfailure_rate_per_second = 1000000\n";

/// Runs the suite.
pub fn run(house: &House) -> Result<(), Failure> {
    let program = install(house)?;
    let server = Server::start(house, "schemathesis", CONFIG)?;
    let config = house.root.join("tests").join("schemathesis.toml");
    let mut call = Call::new(program, &house.scratch("schemathesis")?);
    if config.exists() {
        call = call.with(["--config-file".as_ref(), config.as_os_str()]);
    }
    let call = call.with(["run", &format!("{}/openapi.json", server.url), "--checks", CHECKS, "--seed", SEED]);
    let call = call.with(["--max-examples", EXAMPLES_MAX, "--header", &format!("X-API-Key: {}", server.key)]);
    call.hidden(&server.key).run()
}

/// Installs schemathesis beside the build, once per version.
fn install(house: &House) -> Result<PathBuf, Failure> {
    let folder = house.target.join("xtask").join(REQUIREMENT.replace("==", "-"));
    let program = folder.join("bin").join("schemathesis");
    if Call::new(&program, &house.root).with(["--version"]).works() {
        return Ok(program);
    }
    say("installing schemathesis below the target directory");
    Call::new("python3", &house.root).with(["-m", "venv", "--clear"]).with([&folder]).run()?;
    let pip = Call::new(folder.join("bin").join("pip"), &house.root);
    pip.with(["install", "--quiet", "--disable-pip-version-check", REQUIREMENT]).run()?;
    Ok(program)
}
