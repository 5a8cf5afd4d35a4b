//! `aegis policy rollback`.

use aegis_model::api::PolicyRollback;

use crate::context::Context;
use crate::failure::Failure;

/// Put an earlier revision of the tenant's policies in force again
///
/// It becomes a new revision, so that nothing of what was in force between is lost. Revision 0
/// is what a tenant begins with.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis policy list --revisions
  aegis policy rollback 3 --reason 'revision 4 kept the night shift out'")]
pub(crate) struct Arguments {
    /// The revision
    #[arg(value_name = "N")]
    revision: u64,
    /// Why, for whoever reads the revisions later
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let wish = PolicyRollback { revision: arguments.revision, reason: arguments.reason.clone() };
    let applied = context.wait(client.policy_rollback(&wish))?;
    context.show(&applied, |style| {
        let revision = style.good(&format!("revision {}", applied.revision));
        format!("{revision} is in force: the same as revision {}", arguments.revision)
    })
}
