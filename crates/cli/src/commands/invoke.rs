//! `aegis invoke`: give an agent something to do. The answer is on stdout, everything else on
//! stderr.

use std::io::Read;

use aegis_model::api::InvokeRequest;
use aegis_model::manifest::Duration;
use aegis_model::run::Mode;
use aegis_model::{AgentName, EndpointName, Outcome, SessionId};
use aegis_sdk::{Events, Invoked};
use serde_json::Value;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Format, clean_lines};

/// Give an agent something to do
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis invoke hello --input '{\"name\": \"Ada\"}'
  aegis invoke hello --input @question.json --session ada
  aegis invoke hello --input - < question.json
  aegis invoke hello --stream
  aegis invoke hello --observe
  aegis invoke hello --async --output json")]
pub(crate) struct Arguments {
    /// The agent
    agent: AgentName,
    /// What it is given: JSON, `@FILE`, or `-` for stdin; text that is not JSON is given as text
    #[arg(long, short, value_name = "JSON", default_value = "null")]
    input: String,
    /// The session it belongs to; begun when it is not there, kept until it is idle too long
    #[arg(long, value_name = "ID")]
    session: Option<SessionId>,
    /// The endpoint to ask, instead of `default`
    #[arg(long, value_name = "NAME")]
    endpoint: Option<EndpointName>,
    /// After how long it is ended, as `30s` or `5m`
    #[arg(long, value_name = "TIME")]
    timeout: Option<Duration>,
    /// Show what the agent says as it says it, one event a line
    #[arg(long, conflicts_with = "background")]
    stream: bool,
    /// Report what the agent's grants do not allow instead of refusing it, to find out which
    /// grants it needs; the installation's own rules hold all the same, and only an admin may
    #[arg(long)]
    observe: bool,
    /// Do not wait; print the run's id
    #[arg(long = "async", id = "background")]
    background: bool,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let done = carry_out(context, arguments);
    let session = done.as_ref().map_or_else(Failure::session, Clone::clone);
    if let Some(session) = session.filter(|_| arguments.observe) {
        let next = format!("aegis policy denials --session {session} --suggest");
        context.tell(&format!("session `{session}` was observed; see what would have been refused: `{next}`"));
    }
    done.map(drop)
}

/// Does what is asked, and says in which session that was.
fn carry_out(context: &mut Context, arguments: &Arguments) -> Result<Option<SessionId>, Failure> {
    let request = InvokeRequest {
        input: input(&arguments.input)?,
        session_id: arguments.session.clone(),
        endpoint: arguments.endpoint.clone(),
        timeout_ms: arguments.timeout.map(|span| span.as_millis()),
        mode: if arguments.background { Mode::Async } else { Mode::Sync },
    };
    let client = context.client()?;
    let agent = &arguments.agent;
    if arguments.stream {
        let events = match arguments.observe {
            true => context.wait(client.agent_observe_stream(agent, &request))?,
            false => context.wait(client.agent_invoke_stream(agent, &request))?,
        };
        return follow(context, events);
    }
    let invoked = match arguments.observe {
        true => context.wait(client.agent_observe(agent, &request))?,
        false => context.wait(client.agent_invoke(agent, &request))?,
    };
    match invoked {
        Invoked::Ended(outcome) => {
            show_output(context, &outcome)?;
            context.tell(&format!("run {} took {} ms", outcome.run_id, outcome.latency_ms));
            Ok(Some(outcome.session_id))
        }
        Invoked::Begun(begun) => {
            context.show(&begun, |_| begun.run_id.to_string())?;
            context.tell(&format!(
                "it goes on; follow it with `aegis run logs -f {0}`, or look with `aegis run show {0}`",
                begun.run_id
            ));
            Ok(Some(begun.session_id))
        }
    }
}

/// The output alone for people, the whole outcome for programs.
fn show_output(context: &mut Context, outcome: &Outcome) -> Result<(), Failure> {
    context.show(outcome, |_| shown(&outcome.output))
}

/// A text as it is, everything else as JSON.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => clean_lines(text),
        other => serde_json::to_string_pretty(other).unwrap_or_default(),
    }
}

/// Shows events as they come; ends as the run ends, and says in which session that was.
pub(crate) fn follow(context: &mut Context, mut events: Events) -> Result<Option<SessionId>, Failure> {
    while let Some(event) = context.wait(events.next())? {
        if context.global.output != Format::Text {
            let line = serde_json::to_string(&event).map_err(|error| Failure::internal(error.to_string()))?;
            context.terminal.write_line(&line)?;
        } else if event.kind == "event" {
            context.terminal.write_line(&clean_lines(&match &event.data {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            }))?;
        } else if event.kind == "gap" {
            context.warn("some of what it said is not there any more");
        }
        if event.kind == "outcome" {
            return concluded(context, event.data);
        }
    }
    Ok(None)
}

/// The end of a run that was followed: its output, or why there is none.
fn concluded(context: &mut Context, data: Value) -> Result<Option<SessionId>, Failure> {
    let outcome: Outcome = serde_json::from_value(data)
        .map_err(|error| Failure::internal(format!("an outcome of another form: {error}")))?;
    if outcome.code != "OK" {
        return Err(Failure::run(&outcome));
    }
    if context.global.output == Format::Text {
        context.terminal.write_line(&shown(&outcome.output))?;
    }
    context.tell(&format!("run {} took {} ms", outcome.run_id, outcome.latency_ms));
    Ok(Some(outcome.session_id))
}

/// JSON from the command line, a file or stdin. What is not JSON is a text.
pub(crate) fn input(given: &str) -> Result<Value, Failure> {
    let text = match given {
        "-" => {
            let mut text = String::new();
            let read = std::io::stdin().read_to_string(&mut text);
            read.map_err(|error| Failure::usage(format!("cannot read stdin: {error}"), "give the input on stdin"))?;
            text
        }
        _ => match given.strip_prefix('@') {
            Some(path) => {
                let path = std::path::Path::new(path);
                std::fs::read_to_string(path).map_err(|error| Failure::unreadable(path, &error))?
            }
            None => given.to_owned(),
        },
    };
    Ok(serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_json_is_a_text() {
        assert_eq!(input("{\"a\": 1}").expect("input"), json!({"a": 1}));
        assert_eq!(input("hello there").expect("input"), json!("hello there"));
        assert_eq!(input("null").expect("input"), Value::Null);
        assert!(input("@/no/such/file").is_err());
    }
}
