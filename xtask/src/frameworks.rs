//! Agents written with other people's frameworks, unchanged, in real boxes: their packages are
//! installed below the target directory, deployed to a server of ours, and invoked. Needs the
//! registries of Python and Node, so it is no part of the tests.

use std::fs;
use std::path::{Path, PathBuf};

use crate::clients::Clients;
use crate::failure::Failure;
use crate::house::House;
use crate::process::{Call, say};
use crate::server::Server;

/// How the packages of an agent are installed.
#[derive(Clone, Copy)]
enum Packages {
    Pip,
    Npm,
}

/// An agent, and what it is to answer.
struct Framework {
    folder: &'static str,
    name: &'static str,
    packages: Packages,
    answers: &'static [Asked],
}

/// Arguments of `aegis invoke`, and everything that it prints, white space aside.
type Asked = (&'static [&'static str], &'static str);

const FRAMEWORKS: &[Framework] = &[
    Framework {
        folder: "examples/agentcore-hello",
        name: "agentcore-hello",
        packages: Packages::Pip,
        answers: &[(&["--input", r#"{"name":"Ada"}"#], r#"{"greeting":"Hello,Ada!"}"#)],
    },
    Framework {
        folder: "tests/frameworks/agentcore",
        name: "agentcore",
        packages: Packages::Pip,
        answers: &[
            (&["--input", "{}", "--session", "ada"], r#"{"session":"ada"}"#),
            (&["--input", r#"{"count":2}"#, "--session", "ada"], r#"[{"number":0},{"number":1}]"#),
            (
                &["--input", r#"{"count":2}"#, "--session", "ada", "--stream"],
                r#"{"number":0}{"number":1}[{"number":0},{"number":1}]"#,
            ),
        ],
    },
    Framework {
        folder: "tests/frameworks/fastapi",
        name: "fastapi",
        packages: Packages::Pip,
        answers: &[
            (&["--input", r#"{"name":"Ada"}"#], r#"{"greeting":"Hello,Ada!"}"#),
            (&["--input", r#"{"name":"Ada","count":2}"#], r#"["Hello,Ada!","Hello,Ada!"]"#),
        ],
    },
    Framework {
        folder: "tests/frameworks/express",
        name: "express",
        packages: Packages::Npm,
        answers: &[
            (&["--input", r#"{"name":"Ada"}"#], r#"{"greeting":"Hello,Ada!"}"#),
            (&["--input", r#"{"name":"Ada","count":2}"#], r#"[{"number":0},{"number":1}]"#),
        ],
    },
];

/// The example for whose framework packages are needed, with them beside its code.
///
/// # Errors
/// When the packages cannot be installed here.
pub fn example(house: &House) -> Result<PathBuf, Failure> {
    FRAMEWORKS.first().ok_or_else(|| Failure::Server("there is no such example".to_owned()))?.install(house)
}

/// Tries every framework, and fails with the first that does not work.
pub fn run(house: &House) -> Result<(), Failure> {
    let folders = FRAMEWORKS.iter().map(|framework| framework.install(house)).collect::<Result<Vec<_>, _>>()?;
    let clients = Clients::install(house)?;
    let server = Server::start(house, "frameworks", &clients.config())?;
    clients.ask(house, &server)?;
    for (framework, folder) in FRAMEWORKS.iter().zip(&folders) {
        server.aegis(house).with(["agent", "deploy"]).with([folder]).run()?;
        for asked in framework.answers {
            framework.ask(house, &server, asked)?;
        }
    }
    say(&format!("{} agents of other people's frameworks work", FRAMEWORKS.len()));
    Ok(())
}

impl Framework {
    /// A copy of the agent with its packages beside its code.
    fn install(&self, house: &House) -> Result<PathBuf, Failure> {
        let (from, to) = (house.root.join(self.folder), house.scratch(&format!("framework-{}", self.name))?);
        copy(&from, &to)?;
        let source = to.join("src");
        match self.packages {
            Packages::Pip => pip(&to, &source)?,
            Packages::Npm => {
                let call = Call::new("npm", &to).with(["install", "--silent", "--no-audit", "--no-fund"]);
                call.run()?;
                let (made, beside) = (to.join("node_modules"), source.join("node_modules"));
                fs::rename(&made, &beside).map_err(Failure::file(&made))?;
            }
        }
        Ok(to)
    }

    fn ask(&self, house: &House, server: &Server, (arguments, expected): &Asked) -> Result<(), Failure> {
        let found = server.aegis(house).with(["invoke", self.name]).with(*arguments).read()?;
        let found: String = found.split_whitespace().collect();
        say(&format!("{} {}: {found}", self.name, arguments.join(" ")));
        if found == *expected {
            return Ok(());
        }
        Err(Failure::Server(format!("got `{found}` from `{}`, and not `{expected}`", self.name)))
    }
}

/// Packages for the Python that boxes see, whichever one installs them.
fn pip(folder: &Path, source: &Path) -> Result<(), Failure> {
    let version = "import sys; print('%d.%d' % sys.version_info[:2])";
    let version = Call::new("/usr/bin/python3", folder).with(["-c", version]).read()?;
    let call = Call::new("python3", folder).with(["-m", "pip", "install", "--quiet", "--only-binary", ":all:"]);
    // What else is installed on this machine does not matter to a folder of their own.
    let call = call.with(["--no-warn-conflicts"]).variable("PIP_ROOT_USER_ACTION", "ignore");
    let call = call.with(["--python-version", version.trim(), "--requirement", "requirements.txt", "--target"]);
    call.with([source]).run()
}

fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::create_dir_all(to).map_err(Failure::file(to))?;
    for entry in fs::read_dir(from).map_err(Failure::file(from))? {
        let entry = entry.map_err(Failure::file(from))?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target)?;
        } else {
            fs::copy(&path, &target).map_err(Failure::file(&path))?;
        }
    }
    Ok(())
}
