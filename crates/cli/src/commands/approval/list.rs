//! `aegis approval list`.

use aegis_model::api::ApprovalListQuery;
use aegis_model::approval::{Approval, ApprovalState};

use crate::commands::listing::{Limit, collect};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Style, Table, short_time};

/// List what somebody has to approve, or has decided, newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis approval list
  aegis approval list --state pending --output json")]
pub(crate) struct Arguments {
    /// Only those in this state
    #[arg(long, value_name = "STATE", value_parser = clap::builder::PossibleValuesParser::new(words()))]
    state: Option<String>,
    #[command(flatten)]
    limit: Limit,
}

fn words() -> Vec<&'static str> {
    ApprovalState::ALL.iter().map(|state| state.as_str()).collect()
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let state = ApprovalState::ALL.into_iter().find(|state| arguments.state.as_deref() == Some(state.as_str()));
    let page = context.wait(collect(arguments.limit, async |page| {
        client.approval_list(&ApprovalListQuery { limit: page.limit, cursor: page.cursor, state }).await
    }))?;
    context.show(&page, |style| table(&page.items, style))
}

fn table(approvals: &[Approval], style: Style) -> String {
    let mut table = Table::new(&["APPROVAL", "ACT", "ON", "ASKED BY", "UNTIL", "STATE"]);
    for approval in approvals {
        table.row([
            approval.id.to_string(),
            approval.operation.as_str().to_owned(),
            approval.resource.clone(),
            approval.principal.clone(),
            short_time(approval.expires_at),
            approval.state.as_str().to_owned(),
        ]);
        table.paint_last(match approval.state {
            ApprovalState::Pending => Style::warn,
            ApprovalState::Approved | ApprovalState::Used => Style::good,
            ApprovalState::Rejected | ApprovalState::Withdrawn | ApprovalState::Expired => Style::bad,
        });
    }
    table.render(style, "no approvals")
}
