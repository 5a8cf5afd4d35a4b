//! `aegis approval show`.

use aegis_model::ApprovalId;
use aegis_model::api::ApprovalViewQuery;

use super::draw;
use crate::context::Context;
use crate::failure::Failure;

/// Show who asks for what, who should decide, and what was decided
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis approval show apr_01jd9v3c4m5n6p7q8r9s0t1v2w")]
pub(crate) struct Arguments {
    /// The approval
    id: ApprovalId,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let approval = context.wait(client.approval_view(&arguments.id, &ApprovalViewQuery::default()))?;
    context.show(&approval, |style| draw(&approval, style))
}
