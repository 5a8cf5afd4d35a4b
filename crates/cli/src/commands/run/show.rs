//! `aegis run show`.

use aegis_model::RunId;
use aegis_model::run::Run;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Style, clean, clean_lines, short_time, size, to_yaml};

/// Show a run with its input and what became of it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis run show run_01jd9v3c4m5n6p7q8r9s0t1v2w
  aegis run show run_01jd9v3c4m5n6p7q8r9s0t1v2w --output json")]
pub(crate) struct Arguments {
    /// The run
    id: RunId,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let run = context.wait(client.run_view(&arguments.id))?;
    context.show(&run, |style| draw(&run, style))
}

/// A run in lines.
pub(super) fn draw(run: &Run, style: Style) -> String {
    let mut fields = vec![
        ("run", run.id.to_string()),
        ("agent", format!("{} version {}", run.agent, run.version)),
        ("session", run.session_id.to_string()),
        ("state", run.state.as_str().to_owned()),
        ("begun", format!("by {}, {}", run.started_by, short_time(run.created_at))),
        ("decision", run.decision.id.clone()),
        ("correlation id", run.correlation_id.as_str().to_owned()),
    ];
    if let Some(first) = &run.retry_of {
        fields.push(("repeats", first.to_string()));
    }
    if let Some(outcome) = &run.outcome {
        let usage = &outcome.usage;
        fields.extend([
            ("code", outcome.code.clone()),
            ("message", outcome.message.clone()),
            ("took", format!("{} ms", outcome.latency_ms)),
            ("used", format!("{} ms processor, {} memory", usage.cpu_ms, size(usage.memory_peak_bytes))),
        ]);
    }
    let longest = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut lines: Vec<String> = fields
        .iter()
        .map(|(name, value)| {
            let gap = " ".repeat(longest - name.len());
            format!("{}{gap}  {}", style.faint(&format!("{name}:")), clean(value))
        })
        .collect();
    lines.push(block("input", &to_yaml(&run.input), style));
    if let Some(outcome) = &run.outcome {
        lines.push(block("output", &to_yaml(&outcome.output), style));
        let log = outcome.details.get("log").and_then(serde_json::Value::as_array);
        let log: Vec<&str> = log.into_iter().flatten().filter_map(serde_json::Value::as_str).collect();
        if !log.is_empty() {
            lines.push(block("end of its log", &log.join("\n"), style));
        }
    }
    lines.join("\n")
}

fn block(name: &str, text: &str, style: Style) -> String {
    let text = clean_lines(text);
    let indented: Vec<String> = text.lines().map(|line| format!("  {line}")).collect();
    format!("{}\n{}", style.faint(&format!("{name}:")), indented.join("\n"))
}
