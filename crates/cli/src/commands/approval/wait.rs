//! `aegis approval wait`.

use aegis_model::api::ApprovalViewQuery;
use aegis_model::approval::{APPROVAL_WAIT_MAX_MS, Approval, ApprovalState};
use aegis_model::{ApprovalId, Category, Code};
use aegis_sdk::{Client, ClientError};

use super::draw;
use crate::commands::duration::duration_ms;
use crate::context::Context;
use crate::failure::Failure;

/// Wait until somebody has decided
///
/// Ends with 0 when it was approved, 4 when it was rejected or withdrawn, 7 when its time is over
/// or nobody has decided yet.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis approval wait apr_01jd9v3c4m5n6p7q8r9s0t1v2w
  aegis approval wait apr_01jd9v3c4m5n6p7q8r9s0t1v2w --timeout 1h")]
pub(crate) struct Arguments {
    /// The approval
    id: ApprovalId,
    /// For how long at most
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration_ms)]
    timeout: u64,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let approval = context.wait(waited(&client, arguments))?;
    context.show(&approval, |style| draw(&approval, style))?;
    match exit_code(approval.state) {
        0 => Ok(()),
        code => Err(Failure::Said(code)),
    }
}

/// One request after the other, as long as the server lets each wait.
async fn waited(client: &Client, arguments: &Arguments) -> Result<Approval, ClientError> {
    let mut left_ms = arguments.timeout;
    loop {
        let wait_ms = left_ms.min(APPROVAL_WAIT_MAX_MS);
        let query = ApprovalViewQuery { wait_ms: Some(wait_ms) };
        let approval = client.approval_view(&arguments.id, &query).await?;
        left_ms -= wait_ms;
        if approval.state != ApprovalState::Pending || left_ms == 0 {
            return Ok(approval);
        }
    }
}

fn exit_code(state: ApprovalState) -> u8 {
    match state {
        ApprovalState::Approved | ApprovalState::Used => 0,
        ApprovalState::Rejected | ApprovalState::Withdrawn => Code::Denied.category().exit_code(),
        ApprovalState::Pending | ApprovalState::Expired => Category::Timeout.exit_code(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_ends_with_zero() {
        let codes = ApprovalState::ALL.map(exit_code);
        assert_eq!(codes, [7, 0, 4, 4, 7, 0]);
    }
}
