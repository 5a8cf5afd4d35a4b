//! `aegis approval withdraw`.

use aegis_model::ApprovalId;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::clean;

/// Take back what you have asked for; as an admin, also what was approved and is not used yet
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis approval withdraw apr_01jd9v3c4m5n6p7q8r9s0t1v2w")]
pub(crate) struct Arguments {
    /// The approval
    id: ApprovalId,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let approval = context.wait(client.approval_withdraw(&arguments.id))?;
    context.show(&approval, |style| {
        let act = clean(&format!("{} on {}", approval.operation.as_str(), approval.resource));
        format!("{}: {act}", style.warn("withdrawn"))
    })
}
