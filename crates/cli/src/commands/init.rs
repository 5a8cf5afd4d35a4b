//! `aegis init`: a new agent that runs. The templates are the examples of the repository.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use aegis_model::AgentName;
use serde_json::json;

use crate::context::Context;
use crate::failure::Failure;

/// What a new agent begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Template {
    /// Python: one JSON document in, one out
    Python,
    /// Node.js: one JSON document in, one out
    Node,
    /// Python: a server that keeps running as long as its session
    Http,
}

impl Template {
    /// The agent's name in the template, and its files.
    const fn files(self) -> (&'static str, [(&'static str, &'static str); 2]) {
        match self {
            Self::Python => (
                "hello-python",
                [
                    ("agent.yaml", include_str!("../../../../examples/hello-python/agent.yaml")),
                    ("src/agent.py", include_str!("../../../../examples/hello-python/src/agent.py")),
                ],
            ),
            Self::Node => (
                "hello-node",
                [
                    ("agent.yaml", include_str!("../../../../examples/hello-node/agent.yaml")),
                    ("src/agent.js", include_str!("../../../../examples/hello-node/src/agent.js")),
                ],
            ),
            Self::Http => (
                "hello-http",
                [
                    ("agent.yaml", include_str!("../../../../examples/hello-http/agent.yaml")),
                    ("src/server.py", include_str!("../../../../examples/hello-http/src/server.py")),
                ],
            ),
        }
    }
}

/// Write a new agent that runs
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis init my-agent
  aegis init my-agent --template node
  aegis init my-agent --template http --name greeter")]
pub(crate) struct Arguments {
    /// Where; its last part is the agent's name
    #[arg(default_value = ".")]
    directory: PathBuf,
    /// What to begin with
    #[arg(long, short, value_enum, default_value_t = Template::Python)]
    template: Template,
    /// The agent's name, instead of the directory's
    #[arg(long, value_name = "NAME")]
    name: Option<AgentName>,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let directory = &arguments.directory;
    let name = match &arguments.name {
        Some(name) => name.clone(),
        None => name_of(directory)?,
    };
    let (placeholder, files) = arguments.template.files();
    // All or nothing: what somebody wrote is never overwritten.
    if let Some((taken, _)) = files.iter().find(|(path, _)| directory.join(path).exists()) {
        let problem = format!("`{}` is there already", directory.join(taken).display());
        return Err(Failure::usage(problem, "choose another directory"));
    }
    for (path, text) in files {
        write(&directory.join(path), &text.replace(placeholder, name.as_str()))?;
    }
    let answer = json!({"name": name, "directory": directory, "files": files.map(|(path, _)| path)});
    context.show(&answer, |_| format!("agent `{name}` is in `{}`", directory.display()))?;
    let here = directory.display();
    context.tell(&format!("next:\n  aegis agent deploy {here}\n  aegis invoke {name} --input '{{\"name\": \"Ada\"}}'"));
    Ok(())
}

/// The last part of the directory, if it can be a name.
fn name_of(directory: &Path) -> Result<AgentName, Failure> {
    let whole = std::path::absolute(directory).map_err(|error| Failure::unreadable(directory, &error))?;
    let last = whole.file_name().map(|name| name.to_string_lossy().to_lowercase().replace(['_', ' ', '.'], "-"));
    let last = last.unwrap_or_default();
    last.parse().map_err(|_| {
        let problem = format!("`{last}` cannot be the name of an agent");
        Failure::usage(problem, "give one with `--name`: letters, digits and `-`")
    })
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|error| Failure::unwritable(folder, &error))?;
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create_new(true).open(path);
    let written = file.and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()));
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            Failure::usage(format!("`{}` is there already", path.display()), "choose another directory")
        }
        _ => Failure::unwritable(path, &error),
    })
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_template_is_a_valid_manifest_under_its_new_name() {
        for template in Template::value_variants() {
            let (placeholder, [(_, manifest), (path, _)]) = template.files();
            let renamed = manifest.replace(placeholder, "other");
            let parsed = aegis_model::manifest::parse(renamed.as_bytes()).expect("a manifest");
            assert_eq!(parsed.manifest.metadata.name.as_str(), "other");
            assert!(parsed.notes.is_empty());
            let program = path.strip_prefix("src/").expect("in src");
            let command = parsed.manifest.spec.runtime.command.expect("a command");
            assert!(command.iter().any(|word| word == program), "{command:?}");
        }
    }

    #[test]
    fn a_directory_gives_its_name() {
        assert_eq!(name_of(Path::new("/a/My_Agent.v2")).expect("a name").as_str(), "my-agent-v2");
        assert!(name_of(Path::new("/")).is_err());
    }
}
