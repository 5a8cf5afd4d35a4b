//! Other people's clients, unchanged, against a server of ours: the signers of AWS's SDKs for
//! Python and JavaScript, and people who log in at an OpenID provider that is not ours either.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Child;

use crate::failure::Failure;
use crate::house::House;
use crate::process::Call;
use crate::server::Server;

const FOLDER: &str = "tests/frameworks/clients";

/// The clients with their packages, and the provider.
pub struct Clients {
    folder: PathBuf,
    issuer: String,
    provider: Child,
}

impl Clients {
    /// Installs their packages and starts the provider.
    pub fn install(house: &House) -> Result<Self, Failure> {
        let folder = house.scratch("clients")?;
        for file in ["requirements.txt", "package.json", "sign.py", "sign.mjs", "login.py", "issuer.py"] {
            let from = house.root.join(FOLDER).join(file);
            std::fs::copy(&from, folder.join(file)).map_err(Failure::file(&from))?;
        }
        let pip = Call::new("python3", &folder).with(["-m", "pip", "install", "--quiet", "--requirement"]);
        pip.with(["requirements.txt", "--target", "packages"]).run()?;
        Call::new("npm", &folder).with(["install", "--silent", "--no-audit", "--no-fund"]).run()?;
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.map_err(|error| Failure::Server(error.to_string()))?.port().to_string();
        let provider = python(&folder).with(["issuer.py", &port]).start()?;
        let mut clients = Self { folder, issuer: format!("http://localhost:{port}"), provider };
        let ready = clients.provider.stdout.take().map(|stdout| BufReader::new(stdout).lines().next());
        match ready {
            Some(Some(Ok(_))) => Ok(clients),
            _ => Err(Failure::Server("the OpenID provider did not start".to_owned())),
        }
    }

    /// What a server is told that believes the provider.
    pub fn config(&self) -> String {
        let rule =
            r#"{when = [{contains = {claim = "groups", value = "ops"}}], tenant = "default", role = "operator"}"#;
        let issuer = &self.issuer;
        format!("[[auth.issuers]]\nissuer = \"{issuer}\"\naudiences = [\"aegis\"]\nrules = [{rule}]\n")
    }

    /// Lets each ask.
    pub fn ask(&self, house: &House, server: &Server) -> Result<(), Failure> {
        let key = server.aegis(house).with(["key", "create", "--aws", "--role", "admin", "--output", "json"]).read()?;
        let key = key.trim().replace('\n', "");
        let asks = |call: Call| {
            let call = call.variable("AEGIS_URL", &server.url).variable("ISSUER", &self.issuer);
            call.variable("SIGNING_KEY", &key).hidden(&key).run()
        };
        asks(python(&self.folder).with(["sign.py"]))?;
        asks(Call::new("node", &self.folder).with(["sign.mjs"]))?;
        asks(python(&self.folder).with(["login.py"]))
    }
}

fn python(folder: &std::path::Path) -> Call {
    Call::new("python3", folder).variable("PYTHONPATH", folder.join("packages")).with(["-W", "ignore"])
}

impl Drop for Clients {
    fn drop(&mut self) {
        let _gone = self.provider.kill().and_then(|()| self.provider.wait());
    }
}
