//! `aegis key list`.

use aegis_model::key::KeyInfo;

use crate::commands::listing::{Limit, collect};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Style, Table, short_time};

/// List the API keys, without their secrets
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis key list")]
pub(crate) struct Arguments {
    #[command(flatten)]
    limit: Limit,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let page = context.wait(collect(arguments.limit, async |query| client.key_list(&query).await))?;
    context.show(&page, |style| table(&page.items, style))
}

fn table(keys: &[KeyInfo], style: Style) -> String {
    let mut table = Table::new(&["KEY", "ROLE", "TENANT", "LABEL", "CREATED", "LAST USED", "STATE"]);
    for key in keys {
        let (id, role, tenant) = (key.id.to_string(), key.role.as_str().to_owned(), key.tenant.to_string());
        let used = key.last_used_at.map_or_else(|| "never".to_owned(), short_time);
        table.row([id, role, tenant, key.label.clone(), short_time(key.created_at), used, state(key)]);
        table.paint_last(if key.revoked_at.is_some() { Style::bad } else { Style::good });
    }
    table.render(style, "no keys")
}

/// What a key is good for. Whether an end has passed is the server's clock's to say.
fn state(key: &KeyInfo) -> String {
    match (key.revoked_at, key.expires_at) {
        (Some(at), _) => format!("revoked {}", short_time(at)),
        (None, Some(at)) => format!("until {}", short_time(at)),
        (None, None) => "works".to_owned(),
    }
}
