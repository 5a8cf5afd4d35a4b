//! `aegis session list`.

use aegis_model::AgentName;
use aegis_model::api::SessionListQuery;
use aegis_model::life::session::State;
use aegis_model::run::SessionView;

use crate::commands::listing::{Limit, collect};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Style, Table, short_time, size};

/// List the sessions that live
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis session list
  aegis session list --agent triage --all")]
pub(crate) struct Arguments {
    /// Only those of this agent
    #[arg(long, value_name = "NAME")]
    agent: Option<AgentName>,
    /// Also those that have ended
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    limit: Limit,
}

pub(crate) fn run(context: &mut Context, arguments: Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let Arguments { agent, all, limit } = arguments;
    let page = context.wait(collect(limit, async |page| {
        let agent = agent.clone();
        client.session_list(&SessionListQuery { limit: page.limit, cursor: page.cursor, agent, all }).await
    }))?;
    context.show(&page, |style| table(&page.items, style))
}

/// Sessions in columns.
pub(super) fn table(sessions: &[SessionView], style: Style) -> String {
    let mut table = Table::new(&["SESSION", "AGENT", "VERSION", "STATE", "BOX", "BEGUN", "MEMORY", "PROCESSOR"]);
    for SessionView { session, stats } in sessions {
        let state = match session.state {
            State::Ended(reason) => format!("ended ({})", reason.as_str()),
            open => open.as_str().to_owned(),
        };
        let observed = if session.observed { ", observed" } else { "" };
        table.row([
            session.id.to_string(),
            session.agent.to_string(),
            session.version.to_string(),
            state + observed,
            session.isolation.clone(),
            short_time(session.created_at),
            stats.map(|stats| size(stats.memory_bytes)).unwrap_or_default(),
            stats.map(|stats| format!("{} ms", stats.cpu_us / 1_000)).unwrap_or_default(),
        ]);
    }
    table.render(style, "no sessions; `aegis invoke AGENT --session ID` begins one")
}
