//! `aegis session logs`.

use std::time::Duration;

use aegis_model::api::LogQuery;
use aegis_model::life::session::State;
use aegis_model::run::LogLine;
use aegis_model::{RunId, SessionId};
use aegis_sdk::Client;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Format, clean, short_time};

/// How often is asked for more.
const ASK_EVERY: Duration = Duration::from_millis(300);
/// How many lines are asked for at once.
const LINES: u32 = 500;

/// Show what the agent wrote to its log in a session
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis session logs ada
  aegis session logs -f ada")]
pub(crate) struct Arguments {
    /// The session
    id: SessionId,
    /// Go on until the session has ended
    #[arg(long, short)]
    follow: bool,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let Arguments { id, follow } = arguments;
    show(context, (&client, id, None), async || {
        if !follow {
            return Ok(true);
        }
        Ok(matches!(client.session_view(id).await?.session.state, State::Ended(_)))
    })
}

/// Shows the lines of a log until `over` says that no more come.
pub(crate) fn show(
    context: &mut Context,
    (client, id, run_id): (&Client, &SessionId, Option<RunId>),
    over: impl AsyncFn() -> Result<bool, aegis_sdk::ClientError>,
) -> Result<(), Failure> {
    let mut query = LogQuery { after: 0, limit: Some(LINES), run_id };
    loop {
        // Asked first: what comes between the two questions is still seen.
        let is_over = context.wait(over())?;
        loop {
            let lines = context.wait(client.session_logs(id, &query))?;
            query.after = lines.next;
            for line in &lines.items {
                let text = drawn(context, line)?;
                context.terminal.write_line(&text)?;
            }
            if lines.items.is_empty() {
                break;
            }
        }
        if is_over {
            return Ok(());
        }
        #[expect(clippy::disallowed_methods, reason = "the pause between two questions is the task itself")]
        context.wait(async {
            tokio::time::sleep(ASK_EVERY).await;
            Ok::<_, Failure>(())
        })?;
    }
}

/// One line; for programs one JSON object.
fn drawn(context: &Context, line: &LogLine) -> Result<String, Failure> {
    if context.global.output != Format::Text {
        return serde_json::to_string(line).map_err(|error| Failure::internal(error.to_string()));
    }
    let time = context.terminal.data_style().faint(&short_time(line.at));
    Ok(format!("{time}  {}", clean(&line.text)))
}
