//! `aegis tenant create`.

use aegis_model::TenantId;
use aegis_model::api::TenantCreate;

use crate::context::Context;
use crate::failure::Failure;

/// Create a tenant
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis tenant create acme
  aegis key create --tenant acme --role admin")]
pub(crate) struct Arguments {
    /// Its name
    id: TenantId,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let tenant = context.wait(client.tenant_create(&TenantCreate { id: arguments.id.clone() }))?;
    context.show(&tenant, |_| format!("tenant `{}` is created", tenant.id))?;
    context.tell(&format!("its first key: `aegis key create --tenant {} --role admin`", tenant.id));
    Ok(())
}
