//! `aegis approval approve`.

use aegis_model::ApprovalId;
use aegis_model::api::{ApprovalApprove, StandingWish};

use crate::commands::duration::duration_ms;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{clean, short_time};

/// Let an act pass that somebody else has asked for
///
/// It passes once, exactly as it was asked for. With `--for`, whatever the same principal asks of
/// the same kind on the same resource passes for that long, with other arguments too.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis approval approve apr_01jd9v3c4m5n6p7q8r9s0t1v2w --reason 'looked at it'
  aegis approval approve apr_01jd9v3c4m5n6p7q8r9s0t1v2w --for 24h --uses 10")]
pub(crate) struct Arguments {
    /// The approval
    id: ApprovalId,
    /// Why
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// For how long, e.g. `24h`; once when absent
    #[arg(long = "for", value_name = "TIME", value_parser = duration_ms)]
    for_ms: Option<u64>,
    /// How often meanwhile; as often as asked for when absent
    #[arg(long, value_name = "N", requires = "for_ms", value_parser = clap::value_parser!(u32).range(1..))]
    uses: Option<u32>,
}

pub(crate) fn run(context: &mut Context, arguments: Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let Arguments { id, reason, for_ms, uses } = arguments;
    let standing = for_ms.map(|for_ms| StandingWish { for_ms, uses });
    let approval = context.wait(client.approval_approve(&id, &ApprovalApprove { reason, standing }))?;
    context.show(&approval, |style| {
        let act = clean(&format!("{} on {}", approval.operation.as_str(), approval.resource));
        let (who, until) = (clean(&approval.principal), short_time(approval.expires_at));
        let often = match &approval.standing {
            None => "once, ".to_owned(),
            Some(standing) => standing.uses_left.map_or_else(String::new, |left| format!("{left} times, ")),
        };
        format!("{}: {who} may {act} {often}until {until}", style.good("approved"))
    })
}
