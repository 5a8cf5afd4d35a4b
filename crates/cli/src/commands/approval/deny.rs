//! `aegis approval deny`.

use aegis_model::ApprovalId;
use aegis_model::api::ApprovalDeny;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::clean;

/// Reject an act that somebody else has asked for
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis approval deny apr_01jd9v3c4m5n6p7q8r9s0t1v2w --reason 'not on a Friday'")]
pub(crate) struct Arguments {
    /// The approval
    id: ApprovalId,
    /// Why: whoever asked is told
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

pub(crate) fn run(context: &mut Context, arguments: Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let approval = context.wait(client.approval_deny(&arguments.id, &ApprovalDeny { reason: arguments.reason }))?;
    context.show(&approval, |style| {
        let act = clean(&format!("{} on {}", approval.operation.as_str(), approval.resource));
        format!("{}: {act}, asked for by {}", style.bad("rejected"), clean(&approval.principal))
    })
}
