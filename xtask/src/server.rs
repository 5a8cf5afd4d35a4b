//! A server to be tried from outside: started on ports of its own, with a data directory of
//! its own, and ended as exactly that process.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Child;
use std::sync::mpsc;
use std::time::Duration;

use crate::failure::Failure;
use crate::house::House;
use crate::process::{Call, say};

/// Longest time until a server says that it is ready.
const READY_SECONDS: u64 = 30;

/// A server of ours; ends when it is dropped.
pub struct Server {
    child: Child,
    /// Where it serves.
    pub url: String,
    /// The key that its first start wrote.
    pub key: String,
}

impl Server {
    /// Builds the server and starts it, with that configuration and scratch directories of
    /// that name.
    pub fn start(house: &House, name: &str, config: &str) -> Result<Self, Failure> {
        let call = Call::cargo(&house.root);
        call.with(["build", "--locked", "--package", "aegis-cli", "--bin", "aegis"]).run()?;
        let data = house.scratch(&format!("{name}-data"))?;
        let home = house.scratch(&format!("{name}-home"))?;
        let file = home.join("aegis.toml");
        std::fs::write(&file, config).map_err(Failure::file(&file))?;
        let call = Call::new(binary(house), &data).with(["up".as_ref(), "--data-dir".as_ref(), data.as_os_str()]);
        let call = call.with(["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"]);
        let call = call.variable("HOME", &home).variable("AEGIS_CONFIG", &file);
        let mut server = Self { child: call.start()?, url: String::new(), key: String::new() };
        server.url = server.ready()?;
        server.key = admin_key(&data)?;
        Ok(server)
    }

    /// A call of the command line against this server.
    pub fn aegis(&self, house: &House) -> Call {
        let call = Call::new(binary(house), &house.root);
        call.variable("AEGIS_URL", &self.url).variable("AEGIS_API_KEY", &self.key).hidden(&self.key)
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
    /// Asks it to end, so that nothing of its boxes stays on the machine.
    fn drop(&mut self) {
        let asked = Call::new("kill", Path::new("/")).with([self.child.id().to_string()]).works();
        let asked = if asked { Ok(()) } else { self.child.kill() };
        let ended = asked.and_then(|()| self.child.wait());
        if let Err(error) = ended {
            say(&format!("the server under test cannot be ended: {error}"));
        }
    }
}

/// The program that was built.
pub fn binary(house: &House) -> std::path::PathBuf {
    house.target.join("debug").join("aegis")
}

fn admin_key(data: &Path) -> Result<String, Failure> {
    let path = data.join("admin.key");
    let text = std::fs::read_to_string(&path).map_err(Failure::file(&path))?;
    Ok(text.trim().to_owned())
}
