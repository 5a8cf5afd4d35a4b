//! `aegis key rotate-identity`.

use serde_json::json;

use crate::context::Context;
use crate::failure::Failure;

/// Sign the identity tokens of sessions with a new key from now on
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The key before is published for two more hours, so that no token that is still good is refused.
Whoever checks tokens reads the keys again when he meets one he does not know.

Examples:
  aegis key rotate-identity")]
pub(crate) struct Arguments {}

pub(crate) fn run(context: &mut Context, _: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    context.wait(client.identity_key_rotate())?;
    context.show(&json!({"rotated": true}), |_| "identity tokens are signed with a new key".to_owned())
}
