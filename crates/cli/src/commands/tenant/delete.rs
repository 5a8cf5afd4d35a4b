//! `aegis tenant delete`.

use aegis_model::TenantId;
use serde_json::json;

use crate::context::Context;
use crate::failure::Failure;

/// Delete a tenant; its keys stop working at once, its ledger stays
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis tenant delete acme
  aegis tenant delete acme --yes")]
pub(crate) struct Arguments {
    /// The tenant
    id: TenantId,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let id = &arguments.id;
    let question = format!("delete tenant `{id}`? its keys stop working at once, its name is never given again");
    context.confirm(arguments.yes, &question)?;
    let client = context.client()?;
    context.wait(client.tenant_delete(id))?;
    context.show(&json!({"id": id, "deleted": true}), |_| format!("tenant `{id}` is deleted"))
}
