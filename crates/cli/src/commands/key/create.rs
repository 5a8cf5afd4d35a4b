//! `aegis key create`.

use aegis_model::api::{KeyCreate, KeyCreated};
use aegis_model::key::KeyKind;
use aegis_model::{Role, TenantId};

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

/// Reads `90s`, `15m`, `12h` or `30d` as milliseconds.
fn duration_ms(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not a time such as `90s`, `15m`, `12h` or `30d`");
    let unit_ms = match text.chars().last() {
        Some('s') => 1_000,
        Some('m') => 60_000,
        Some('h') => 3_600_000,
        Some('d') => 86_400_000,
        _ => return Err(wrong()),
    };
    let number = text.get(..text.len() - 1).unwrap_or_default();
    let number: u64 = number.parse().ok().filter(|number| *number > 0).ok_or_else(wrong)?;
    number.checked_mul(unit_ms).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_unit() {
        for (text, ms) in [("90s", 90_000), ("15m", 900_000), ("12h", 43_200_000), ("30d", 2_592_000_000)] {
            assert_eq!(duration_ms(text), Ok(ms));
        }
        for bad in ["", "s", "0s", "-1s", "1.5h", "30", "1w", "1é", "99999999999999999d", " 1s"] {
            assert!(duration_ms(bad).is_err(), "{bad}");
        }
    }
}
