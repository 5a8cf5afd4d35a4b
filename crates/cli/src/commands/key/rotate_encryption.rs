//! `aegis key rotate-encryption`.

use crate::context::Context;
use crate::failure::Failure;
use crate::output::clean;

/// Seal the tenants' keys under a new key-encryption key, and destroy the one before
///
/// The server goes on serving meanwhile. If it is interrupted nothing is lost: the next start,
/// or the same command again, completes it. The values of secrets are not sealed anew; they are
/// under the tenants' own keys. Takes a platform admin.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A backup made before opens with the key ring that belongs to it: keep both or neither.

Examples:
  aegis key rotate-encryption
  aegis key rotate-encryption --output json | jq -r .key")]
pub(crate) struct Arguments {}

pub(crate) fn run(context: &mut Context, _: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let rotated = context.wait(client.encryption_key_rotate())?;
    context.show(&rotated, |_| {
        format!("the keys of {} tenants are sealed under key `{}` now", rotated.tenants, clean(&rotated.key))
    })
}
