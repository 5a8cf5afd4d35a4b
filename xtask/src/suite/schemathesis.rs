//! A running server against its own description: schemathesis makes requests from
//! `/openapi.json` and checks that every answer is one that the description promises.
//!
//! Starts its own server on a port of its own, with a data directory of its own, and ends
//! exactly that process.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::mpsc;
use std::time::Duration;

use crate::failure::Failure;
use crate::house::House;
use crate::process::{Call, say};

/// The version every machine tests with.
const REQUIREMENT: &str = "schemathesis==4.32.5";
/// What an answer must keep.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance,unsupported_method,ignored_auth";
/// Requests per operation and phase.
const EXAMPLES_MAX: &str = "40";
/// The same requests in every run.
const SEED: &str = "7700";
/// Longest time until a server says that it is ready.
const READY_SECONDS: u64 = 30;

/// The suite asks without a valid key on purpose, more often than an address may fail.
const CONFIG: &str = "[http]\nfailure_rate_per_second = 1000000\n";

/// Runs the suite.
pub fn run(house: &House) -> Result<(), Failure> {
    let program = install(house)?;
    let call = Call::cargo(&house.root);
    call.with(["build", "--locked", "--package", "aegis-cli", "--bin", "aegis"]).run()?;
    let data = house.scratch("schemathesis-data")?;
    let server = Server::start(house, &data)?;
    let key = admin_key(&data)?;
    let config = house.root.join("tests").join("schemathesis.toml");
    let mut call = Call::new(program, &data);
    if config.exists() {
        call = call.with(["--config-file".as_ref(), config.as_os_str()]);
    }
    let call = call.with(["run", &format!("{}/openapi.json", server.url), "--checks", CHECKS, "--seed", SEED]);
    let call = call.with(["--max-examples", EXAMPLES_MAX, "--header", &format!("X-API-Key: {key}")]);
    call.hidden(&key).run()
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

/// The key that a first start writes.
fn admin_key(data: &Path) -> Result<String, Failure> {
    let path = data.join("admin.key");
    let text = std::fs::read_to_string(&path).map_err(Failure::file(&path))?;
    Ok(text.trim().to_owned())
}

/// A server of ours; ends when it is dropped.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(house: &House, data: &Path) -> Result<Self, Failure> {
        let binary = house.target.join("debug").join("aegis");
        let call = Call::new(binary, data).with(["up".as_ref(), "--data-dir".as_ref(), data.as_os_str()]);
        let call = call.with(["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"]);
        let home = house.scratch("schemathesis-home")?;
        let config = home.join("aegis.toml");
        std::fs::write(&config, CONFIG).map_err(Failure::file(&config))?;
        let call = call.variable("HOME", &home).variable("AEGIS_CONFIG", &config);
        let mut server = Self { child: call.start()?, url: String::new() };
        server.url = server.ready()?;
        Ok(server)
    }

    /// Waits for `ready <url>` on the server's stdout.
    fn ready(&mut self) -> Result<String, Failure> {
        let silent = || Failure::Server("has no stdout".to_owned());
        let lines = BufReader::new(self.child.stdout.take().ok_or_else(silent)?).lines();
        let (sender, receiver) = mpsc::sync_channel(1);
        // The thread reads on after the line, so that the server never writes into a closed pipe.
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some(url) = line.strip_prefix("ready ") {
                    let _first_only = sender.try_send(url.trim().to_owned());
                }
            }
        });
        let late = |_| Failure::Server(format!("ended or did not say `ready <url>` within {READY_SECONDS} s"));
        receiver.recv_timeout(Duration::from_secs(READY_SECONDS)).map_err(late)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let ended = self.child.kill().and_then(|()| self.child.wait());
        if let Err(error) = ended {
            say(&format!("the server under test cannot be ended: {error}"));
        }
    }
}
