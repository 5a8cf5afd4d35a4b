//! `aegis tenant list`.

use aegis_model::tenant::{TenantInfo, TenantState};

use crate::commands::listing::{Limit, collect};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Style, Table, short_time};

/// List the tenants
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis tenant list")]
pub(crate) struct Arguments {
    #[command(flatten)]
    limit: Limit,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let page = context.wait(collect(arguments.limit, async |query| client.tenant_list(&query).await))?;
    context.show(&page, |style| table(&page.items, style))
}

fn table(tenants: &[TenantInfo], style: Style) -> String {
    let mut table = Table::new(&["TENANT", "CREATED", "STATE"]);
    for tenant in tenants {
        table.row([tenant.id.to_string(), short_time(tenant.created_at), tenant.state.as_str().to_owned()]);
        table.paint_last(if tenant.state == TenantState::Active { Style::good } else { Style::bad });
    }
    table.render(style, "no tenants")
}
