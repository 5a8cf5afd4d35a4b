//! Other people's clients, unchanged, against a server of ours: the signers of AWS's SDKs for
//! Python and JavaScript, and people who log in at OpenID providers that are not ours either: in
//! a browser, and with our command line on another device.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, ChildStdout};

use crate::failure::Failure;
use crate::house::House;
use crate::process::Call;
use crate::server::{Server, binary};

const FOLDER: &str = "tests/frameworks/clients";

const FILES: [&str; 8] = [
    "requirements.txt",
    "package.json",
    "sign.py",
    "sign.mjs",
    "login.py",
    "issuer.py",
    "device_login.mjs",
    "device_issuer.mjs",
];

/// The clients with their packages, and the providers.
pub struct Clients {
    folder: PathBuf,
    browsers: Provider,
    devices: Provider,
}

/// An OpenID provider that runs; ends when it is dropped.
struct Provider {
    issuer: String,
    child: Child,
    /// Kept open: what a program still says must not end it.
    _stdout: BufReader<ChildStdout>,
}

impl Clients {
    /// Installs their packages and starts the providers.
    pub fn install(house: &House) -> Result<Self, Failure> {
        let folder = house.scratch("clients")?;
        for file in FILES {
            let from = house.root.join(FOLDER).join(file);
            std::fs::copy(&from, folder.join(file)).map_err(Failure::file(&from))?;
        }
        let pip = Call::new("python3", &folder).with(["-m", "pip", "install", "--quiet", "--requirement"]);
        pip.with(["requirements.txt", "--target", "packages"]).run()?;
        Call::new("npm", &folder).with(["install", "--silent", "--no-audit", "--no-fund"]).run()?;
        let browsers = Provider::start(python(&folder).with(["issuer.py"]))?;
        let devices = Provider::start(Call::new("node", &folder).with(["device_issuer.mjs"]))?;
        Ok(Self { folder, browsers, devices })
    }

    /// What a server is told that believes the providers.
    pub fn config(&self) -> String {
        let rule =
            r#"{when = [{contains = {claim = "groups", value = "ops"}}], tenant = "default", role = "operator"}"#;
        let believed = |provider: &Provider| {
            let issuer = &provider.issuer;
            let audiences = r#"["aegis", "https://aegis.example"]"#;
            format!("[[auth.issuers]]\nissuer = \"{issuer}\"\naudiences = {audiences}\nrules = [{rule}]\n")
        };
        [&self.browsers, &self.devices].map(believed).concat()
    }

    /// Lets each ask.
    pub fn ask(&self, house: &House, server: &Server) -> Result<(), Failure> {
        let key = server.aegis(house).with(["key", "create", "--aws", "--role", "admin", "--output", "json"]).read()?;
        let key = key.trim().replace('\n', "");
        let asks = |call: Call| {
            let call = call.variable("AEGIS_URL", &server.url).variable("ISSUER", &self.browsers.issuer);
            call.variable("SIGNING_KEY", &key).hidden(&key).run()
        };
        asks(python(&self.folder).with(["sign.py"]))?;
        asks(Call::new("node", &self.folder).with(["sign.mjs"]))?;
        asks(python(&self.folder).with(["login.py"]))?;
        let device = Call::new("node", &self.folder).with(["device_login.mjs"]).variable("AEGIS", binary(house));
        asks(device.variable("DEVICE_ISSUER", &self.devices.issuer))
    }
}

fn python(folder: &std::path::Path) -> Call {
    Call::new("python3", folder).variable("PYTHONPATH", folder.join("packages")).with(["-W", "ignore"])
}

impl Provider {
    /// Starts a program that takes a port and says a line when it serves.
    fn start(program: Call) -> Result<Self, Failure> {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.map_err(|error| Failure::Server(error.to_string()))?.port().to_string();
        let mut child = program.with([&port]).start()?;
        let silent = || Failure::Server("an OpenID provider did not start".to_owned());
        let mut stdout = BufReader::new(child.stdout.take().ok_or_else(silent)?);
        let ready = stdout.read_line(&mut String::new()).is_ok_and(|length| length > 0);
        let provider = Self { issuer: format!("http://localhost:{port}"), child, _stdout: stdout };
        if ready { Ok(provider) } else { Err(silent()) }
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _gone = self.child.kill().and_then(|()| self.child.wait());
    }
}
