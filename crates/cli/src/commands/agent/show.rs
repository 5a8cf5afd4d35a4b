//! `aegis agent show`.

use aegis_model::AgentName;
use aegis_model::api::{AgentView, VersionView};

use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Style, clean, clean_lines, plural, short_time, size, to_yaml};

/// Show an agent, or one of its versions with its manifest
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis agent show github-triage
  aegis agent show github-triage --version 3 --output yaml")]
pub(crate) struct Arguments {
    /// The agent
    name: AgentName,
    /// Which version
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    version: Option<u64>,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let Some(number) = arguments.version else {
        let agent = context.wait(client.agent_view(&arguments.name))?;
        return context.show(&agent, |style| draw_agent(&agent, style));
    };
    let version = context.wait(client.version_view(&arguments.name, number))?;
    context.show(&version, |style| draw_version(&version, style))
}

fn draw_agent(agent: &AgentView, style: Style) -> String {
    let fields = [
        ("agent", agent.name.to_string()),
        ("latest version", agent.latest_version.to_string()),
        ("created", short_time(agent.created_at)),
        ("updated", short_time(agent.updated_at)),
    ];
    draw(&fields, style)
}

fn draw_version(version: &VersionView, style: Style) -> String {
    let approved = version.approved_by.as_ref().zip(version.approved_at);
    let approved = approved.map(|(by, at)| format!(" by {by}, {}", short_time(at))).unwrap_or_default();
    let bundle = version.bundle.as_ref().map_or("none".to_owned(), |bundle| {
        format!("{}, {}, sha256 {}", plural(bundle.files, "file"), size(bundle.size_bytes), bundle.digest)
    });
    let fields = [
        ("agent", version.agent.to_string()),
        ("version", version.version.to_string()),
        ("grants", format!("{}{approved}", version.grants.as_str())),
        ("deployed", format!("by {}, {}", version.deployed_by, short_time(version.created_at))),
        ("bundle", bundle),
    ];
    let notes: String = version.notes.iter().map(|note| format!("note: {}\n", clean(note))).collect();
    let manifest = serde_json::to_value(&version.manifest).map(|value| to_yaml(&value)).unwrap_or_default();
    format!("{}\n{notes}{}\n{}", draw(&fields, style), style.faint("manifest:"), indent(&clean_lines(&manifest)))
}

fn draw(fields: &[(&str, String)], style: Style) -> String {
    let longest = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines = fields.iter().map(|(name, value)| {
        let gap = " ".repeat(longest - name.len());
        format!("{}{gap}  {}", style.faint(&format!("{name}:")), clean(value))
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}
