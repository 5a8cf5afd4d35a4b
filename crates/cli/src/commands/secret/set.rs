//! `aegis secret set`.

use aegis_model::SecretName;
use aegis_model::api::SecretSet;

use super::{in_use, value};
use crate::commands::duration::duration_ms;
use crate::context::Context;
use crate::failure::Failure;

/// Set a secret; what it was before is gone at once
///
/// The value comes from stdin or from a file, and a person is asked for it. One end of line after
/// it is not a part of it. Nothing ever shows it again.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis secret set github-token                       # asks, and shows nothing
  aegis secret set github-token --from-file token.txt
  aegis secret set github-token --description 'reads issues' < token.txt
  aegis secret set db-password --rotate-every 7d --from-file password.txt")]
pub(crate) struct Arguments {
    /// The secret
    name: SecretName,
    #[command(flatten)]
    source: value::Source,
    /// What it is for; as before when absent
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// How old a version becomes before another one is due: `90s`, `15m`, `12h` or `7d`; as
    /// before when absent, 30 days for a new secret
    #[arg(long, value_name = "TIME", value_parser = duration_ms)]
    rotate_every: Option<u64>,
}

pub(crate) fn run(context: &mut Context, arguments: Arguments) -> Result<(), Failure> {
    let value = value::read(context, &arguments.source)?;
    let client = context.client()?;
    let request = SecretSet { value, description: arguments.description, rotate_every_ms: arguments.rotate_every };
    let secret = context.wait(client.secret_set(&arguments.name, &request))?;
    context.show(&secret, |_| in_use(&secret))
}
