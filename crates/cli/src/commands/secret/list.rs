//! `aegis secret list`.

use aegis_model::secret::SecretInfo;

use super::due;
use crate::commands::listing::{Limit, collect};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Style, Table, short_time};

/// List the secrets, without their values
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis secret list
  aegis secret list --output json")]
pub(crate) struct Arguments {
    #[command(flatten)]
    limit: Limit,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let page = context.wait(collect(arguments.limit, async |query| client.secret_list(&query).await))?;
    context.show(&page, |style| table(&page.items, style))
}

fn table(secrets: &[SecretInfo], style: Style) -> String {
    let mut table = Table::new(&["SECRET", "VERSION", "SET", "DESCRIPTION", "ROTATION"]);
    for secret in secrets {
        let set = secret.versions.iter().find(|version| version.number == secret.version);
        let set = set.map(|version| short_time(version.created_at)).unwrap_or_default();
        let (name, number) = (secret.name.to_string(), secret.version.to_string());
        table.row([name, number, set, secret.description.clone(), due(secret)]);
        table.paint_last(if secret.overdue { Style::bad } else { Style::good });
    }
    table.render(style, "no secrets")
}
