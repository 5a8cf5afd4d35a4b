//! `aegis secret …`.

mod delete;
mod list;
mod rollback;
mod rotate;
mod rotation;
mod set;
mod show;
mod value;

use aegis_model::secret::SecretInfo;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::short_time;

/// Secrets: kept sealed, never shown
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "Example:\n  aegis secret set github-token --from-file token.txt")]
pub(crate) enum Verb {
    Set(set::Arguments),
    List(list::Arguments),
    Show(show::Arguments),
    Rotate(rotate::Arguments),
    #[command(subcommand)]
    Rotation(rotation::Verb),
    Rollback(rollback::Arguments),
    Delete(delete::Arguments),
}

pub(crate) fn run(context: &mut Context, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Set(arguments) => set::run(context, arguments),
        Verb::List(arguments) => list::run(context, &arguments),
        Verb::Show(arguments) => show::run(context, &arguments),
        Verb::Rotate(arguments) => rotate::run(context, &arguments),
        Verb::Rotation(verb) => rotation::run(context, verb),
        Verb::Rollback(arguments) => rollback::run(context, &arguments),
        Verb::Delete(arguments) => delete::run(context, &arguments),
    }
}

/// The version that is used, and until when another one can still be read.
fn in_use(secret: &SecretInfo) -> String {
    let (name, number) = (&secret.name, secret.version);
    let overlap = secret.versions.iter().find_map(|version| Some((version.number, version.overlaps_until?)));
    let overlap = overlap.map(|(older, until)| format!("; version {older} can be read until {}", short_time(until)));
    format!("secret `{name}` is at version {number}{}", overlap.unwrap_or_default())
}

/// Whether another version is due.
fn due(secret: &SecretInfo) -> String {
    let when = short_time(secret.rotate_after);
    if secret.overdue { format!("overdue since {when}") } else { format!("due {when}") }
}
