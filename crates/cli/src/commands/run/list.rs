//! `aegis run list`.

use aegis_model::api::RunListQuery;
use aegis_model::run::RunSummary;
use aegis_model::{AgentName, SessionId};

use crate::commands::listing::{Limit, collect};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Style, Table, short_time};

/// List the runs, newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis run list --limit 20
  aegis run list --agent triage")]
pub(crate) struct Arguments {
    /// Only those of this agent
    #[arg(long, value_name = "NAME")]
    agent: Option<AgentName>,
    /// Only those of this session
    #[arg(long, value_name = "ID")]
    session: Option<SessionId>,
    #[command(flatten)]
    limit: Limit,
}

pub(crate) fn run(context: &mut Context, arguments: Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let Arguments { agent, session, limit } = arguments;
    let page = context.wait(collect(limit, async |page| {
        let (agent, session_id) = (agent.clone(), session.clone());
        client.run_list(&RunListQuery { limit: page.limit, cursor: page.cursor, agent, session_id }).await
    }))?;
    context.show(&page, |style| table(&page.items, style))
}

fn table(runs: &[RunSummary], style: Style) -> String {
    let mut table = Table::new(&["RUN", "AGENT", "VERSION", "STATE", "CODE", "BEGUN", "TOOK"]);
    for run in runs {
        table.row([
            run.id.to_string(),
            run.agent.to_string(),
            run.version.to_string(),
            run.state.as_str().to_owned(),
            run.code.clone().unwrap_or_default(),
            short_time(run.created_at),
            run.latency_ms.map(|took| format!("{took} ms")).unwrap_or_default(),
        ]);
    }
    table.render(style, "no runs; begin one with `aegis invoke`")
}
