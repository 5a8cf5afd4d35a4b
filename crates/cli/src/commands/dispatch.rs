//! `aegis dispatch`: ask for an intent, as a service does.

use aegis_model::SessionId;
use aegis_model::api::{DispatchRequest, Dispatched};

use super::intent::name::IntentName;
use super::invoke;
use crate::context::Context;
use crate::failure::Failure;

/// Ask for an intent: it is governed, done by its agent, and answered
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis dispatch billing/refund --context '{\"amount\": 12, \"user\": {\"id\": \"u7\"}}'
  aegis dispatch billing/refund --context @order.json --output json")]
pub(crate) struct Arguments {
    /// The service and what it asks for
    #[arg(value_name = "SERVICE/INTENT")]
    name: IntentName,
    /// The circumstances, an object: JSON, `@FILE`, or `-` for stdin
    #[arg(long, short, value_name = "JSON", default_value = "null")]
    context: String,
    /// The agent's session; begun when it is not there, kept until it is idle too long
    #[arg(long, value_name = "ID")]
    session: Option<SessionId>,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let request = DispatchRequest {
        service: arguments.name.service.clone(),
        intent: arguments.name.intent.clone(),
        context: invoke::input(&arguments.context)?,
        session_id: arguments.session.clone(),
    };
    let client = context.client()?;
    let dispatched = context.wait(client.dispatch(&request))?;
    context.show(&dispatched, |_| invoke::shown(&dispatched.outcome.output))?;
    context.tell(&told(&dispatched));
    Ok(())
}

fn told(dispatched: &Dispatched) -> String {
    let governance = &dispatched.governance;
    format!(
        "{} ({:.3} ms); run {} took {} ms",
        governance.reason, governance.decision_time_ms, dispatched.outcome.run_id, dispatched.outcome.latency_ms
    )
}
