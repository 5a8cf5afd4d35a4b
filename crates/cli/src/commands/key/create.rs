//! `aegis key create`.

use aegis_model::api::{KeyCreate, KeyCreated};
use aegis_model::key::KeyKind;
use aegis_model::{Role, TenantId};

use crate::commands::duration::duration_ms;
use crate::commands::role;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::short_time;

/// Create an API key; it is shown this once
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis key create --role operator --label 'build server'
  aegis key create --role admin --tenant acme --expires-in 30d --output json
  aegis key create --aws --role operator           # for boto3 and other clients of AWS")]
pub(crate) struct Arguments {
    /// As what its holder acts; `viewer` when absent
    #[arg(long, value_parser = role::parser())]
    role: Option<Role>,
    /// Whose; your own tenant when absent
    #[arg(long)]
    tenant: Option<TenantId>,
    /// What it is for
    #[arg(long, default_value = "", value_name = "TEXT")]
    label: String,
    /// A key that signs requests (AWS Signature Version 4) instead of being shown
    #[arg(long)]
    aws: bool,
    /// For how long it works: `90s`, `15m`, `12h` or `30d`; without end when absent
    #[arg(long, value_name = "TIME", value_parser = duration_ms)]
    expires_in: Option<u64>,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let request = KeyCreate {
        role: arguments.role,
        tenant: arguments.tenant.clone(),
        kind: arguments.aws.then_some(KeyKind::Aws),
        label: arguments.label.clone(),
        expires_in_ms: arguments.expires_in,
    };
    let created = context.wait(client.key_create(&request))?;
    context.show(&created, |_| text(&created))?;
    context.warn("this is the only time the key is shown; keep it now");
    Ok(())
}

fn text(created: &KeyCreated) -> String {
    let secret = match (&created.api_key, &created.aws) {
        (_, Some(aws)) => vec![
            ("access_key_id", aws.access_key_id.clone()),
            ("secret_access_key", aws.secret_access_key.clone()),
            ("region", aws.region.clone()),
        ],
        (key, None) => vec![("api_key", key.clone().unwrap_or_default())],
    };
    let mut lines = vec![("key_id", created.key_id.to_string())];
    lines.extend(secret);
    lines.extend(created.expires_at.map(|at| ("expires", short_time(at))));
    let width = lines.iter().map(|(name, _)| name.len() + 1).max().unwrap_or_default();
    let lines = lines.iter().map(|(name, value)| format!("{:<width$} {value}", format!("{name}:")));
    lines.collect::<Vec<_>>().join("\n")
}
