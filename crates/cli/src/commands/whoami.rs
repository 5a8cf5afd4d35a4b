//! `aegis whoami`.

use aegis_model::api::Identity;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::{clean, short_time};

/// Say who you are to the server: tenant, name and role
#[derive(Debug, clap::Args)]
#[command(after_help = "\
In a box, it says which agent and session asks; no key is needed there.

Examples:
  aegis whoami
  aegis whoami --output json | jq -r .tenant")]
pub(crate) struct Arguments {}

pub(crate) fn run(context: &mut Context, _: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let identity = context.wait(client.identity_view())?;
    context.show(&identity, |_| text(&identity))
}

fn text(identity: &Identity) -> String {
    let workload = identity.workload.as_ref();
    let rows = [
        Some(("tenant", identity.tenant.to_string())),
        Some(("principal", clean(&identity.principal.name()))),
        identity.role.map(|role| ("role", role.as_str().to_owned())),
        workload.map(|workload| ("session", workload.session.to_string())),
        workload.map(|workload| ("subject", clean(&workload.subject))),
        identity.expires_at.map(|at| ("until", short_time(at))),
    ];
    let rows = rows.into_iter().flatten().map(|(name, value)| format!("{:<10} {value}", format!("{name}:")));
    rows.collect::<Vec<_>>().join("\n")
}
