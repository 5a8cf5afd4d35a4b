//! `aegis secret show`.

use aegis_model::SecretName;
use aegis_model::rotation::RotationInfo;
use aegis_model::secret::{SecretInfo, SecretState, SecretVersion};

use super::due;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Style, Table, clean, short_time};

/// Show a secret and its versions, without a value
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis secret show github-token")]
pub(crate) struct Arguments {
    /// The secret
    name: SecretName,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let secret = context.wait(client.secret_view(&arguments.name))?;
    context.show(&secret, |style| draw(&secret, style))
}

fn draw(secret: &SecretInfo, style: Style) -> String {
    let created = format!("{} by {}", short_time(secret.created_at), secret.created_by);
    let fields = [
        ("secret:     ", secret.name.to_string()),
        ("description:", secret.description.clone()),
        ("created:    ", created),
        ("rotation:   ", due(secret)),
        ("program:    ", secret.rotation.as_ref().map(program).unwrap_or_default()),
        ("failed:     ", secret.rotation.as_ref().and_then(failure).unwrap_or_default()),
    ];
    let shown = fields.iter().filter(|(_, value)| !value.is_empty());
    let mut lines: Vec<String> =
        shown.map(|(name, value)| format!("{}  {}", style.faint(name), clean(value))).collect();
    lines.push(table(&secret.versions, style));
    lines.join("\n")
}

fn program(rotation: &RotationInfo) -> String {
    let now = rotation.step.map(|step| format!(", at step `{}`", step.as_str())).unwrap_or_default();
    format!("version {} of `{}`{now}", rotation.agent_version, rotation.agent)
}

/// What went wrong last, and when it is tried again.
fn failure(rotation: &RotationInfo) -> Option<String> {
    let last = rotation.last_failure.as_ref()?;
    let again = rotation.retry_after.map(|at| format!("; again {}", short_time(at))).unwrap_or_default();
    Some(format!(
        "{} times, last {} at `{}`: {}{again}",
        rotation.failures,
        short_time(last.at),
        last.step.as_str(),
        last.reason
    ))
}

fn table(versions: &[SecretVersion], style: Style) -> String {
    let mut table = Table::new(&["VERSION", "SET", "BY", "STATE"]);
    for version in versions {
        let until = version.overlaps_until.map(|until| format!(" until {}", short_time(until))).unwrap_or_default();
        let state = format!("{}{until}", version.state.as_str());
        table.row([version.number.to_string(), short_time(version.created_at), version.created_by.clone(), state]);
        table.paint_last(if version.state == SecretState::Retired { Style::faint } else { Style::good });
    }
    table.render(style, "no versions")
}
