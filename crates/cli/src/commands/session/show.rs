//! `aegis session show`.

use aegis_model::SessionId;

use super::list;
use crate::context::Context;
use crate::failure::Failure;

/// Show a session, and what its box uses
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis session show ada")]
pub(crate) struct Arguments {
    /// The session
    id: SessionId,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let session = context.wait(client.session_view(&arguments.id))?;
    context.show(&session, |style| list::table(std::slice::from_ref(&session), style))
}
