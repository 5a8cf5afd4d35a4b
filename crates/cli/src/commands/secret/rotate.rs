//! `aegis secret rotate`.

use aegis_model::SecretName;
use aegis_model::api::SecretRotate;

use super::{in_use, value};
use crate::commands::duration::duration_ms;
use crate::context::Context;
use crate::failure::Failure;

/// Give a secret a new value, while the one before can still be read
///
/// The value comes from stdin or from a file, and a person is asked for it. One end of line after
/// it is not a part of it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis secret rotate github-token --from-file new-token.txt
  aegis secret rotate db-password --overlap 1h < new-password.txt")]
pub(crate) struct Arguments {
    /// The secret
    name: SecretName,
    #[command(flatten)]
    source: value::Source,
    /// For how long the value before can still be read: `90s`, `15m`, `12h` or `7d`; 24 hours
    /// when absent
    #[arg(long, value_name = "TIME", value_parser = duration_ms)]
    overlap: Option<u64>,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let value = value::read(context, &arguments.source)?;
    let client = context.client()?;
    let request = SecretRotate { value, overlap_ms: arguments.overlap };
    let secret = context.wait(client.secret_rotate(&arguments.name, &request))?;
    context.show(&secret, |_| in_use(&secret))
}
