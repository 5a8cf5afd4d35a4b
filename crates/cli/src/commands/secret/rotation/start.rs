//! `aegis secret rotation start`.

use std::time::Duration;

use aegis_model::SecretName;
use aegis_model::rotation::{RotationInfo, RotationStep};
use aegis_model::secret::SecretInfo;
use aegis_sdk::{Client, ClientError};

use crate::commands::secret::in_use;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::clean;

/// How often is looked how far it is.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Have the program rotate a secret now, and wait until it has
///
/// Ends with 1 when the program fails; the value before stays in use then.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis secret rotation start db-password
  aegis secret rotation start db-password --no-wait")]
pub(crate) struct Arguments {
    /// The secret
    name: SecretName,
    /// Only begin it
    #[arg(long)]
    no_wait: bool,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let begun = context.wait(client.rotation_start(&arguments.name))?;
    if arguments.no_wait {
        return context.show(&begun, |_| format!("the rotation of secret `{}` begins", begun.name));
    }
    let (mut step, mut now) = (None, begun.clone());
    while !has_ended(&begun, &now) {
        now = context.wait(look_again(&client, &arguments.name))?;
        let current = now.rotation.as_ref().and_then(|rotation| rotation.step);
        if current != step && !has_ended(&begun, &now) {
            context.tell(said_of(current));
        }
        step = current;
    }
    context.show(&now, |_| in_use(&now))?;
    match failure_since(&begun, &now) {
        None => Ok(()),
        Some(why) => {
            let message = format!("the rotation failed: {}; the value before stays in use", clean(&why));
            Err(Failure::rotation(message, arguments.name.as_str()))
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "nobody tells how far a rotation is")]
async fn look_again(client: &Client, name: &SecretName) -> Result<SecretInfo, ClientError> {
    tokio::time::sleep(LOOK_AGAIN).await;
    client.secret_view(name).await
}

const fn said_of(step: Option<RotationStep>) -> &'static str {
    match step {
        None => "waiting for the program to begin",
        Some(RotationStep::Propose) => "the program makes a new value",
        Some(RotationStep::Verify) => "the program verifies the new value",
    }
}

fn has_ended(begun: &SecretInfo, now: &SecretInfo) -> bool {
    now.version != begun.version || failure_since(begun, now).is_some()
}

/// What went wrong since then, if anything did.
fn failure_since(begun: &SecretInfo, now: &SecretInfo) -> Option<String> {
    let failures =
        |secret: &SecretInfo| secret.rotation.as_ref().map_or(0, |rotation: &RotationInfo| rotation.failures);
    let Some(rotation) = &now.rotation else { return Some("the program was removed".to_owned()) };
    let failed = now.version == begun.version && failures(now) > failures(begun);
    failed.then(|| rotation.last_failure.as_ref().map_or_else(String::new, |failure| failure.reason.clone()))
}
