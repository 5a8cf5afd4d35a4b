//! `aegis policy test`.

use std::path::{Path, PathBuf};

use aegis_model::api::{PolicyTest, PolicyTestResult};
use aegis_model::manifest;

use super::{because, word};
use crate::context::Context;
use crate::diagnostics;
use crate::failure::Failure;
use crate::input;
use crate::output::{Style, Table};

/// Larger files are not test cases.
const FILE_SIZE_MAX_BYTES: u64 = 512 * 1024;

/// Run test cases against the live policy, or against a draft
///
/// The file holds `cases`, each with `name`, `ask` (`subject`, `action`, `resource`, `context`)
/// and `expect` (`allow` or `deny`), and perhaps a `draft` of the tenant's own set, in Cedar.
/// Ends with 1 when a case does not come out as expected.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis policy test cases.yaml
  aegis policy test - < cases.json")]
pub(crate) struct Arguments {
    /// The cases, in YAML or JSON; `-` for stdin
    file: PathBuf,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let test = read(context, &arguments.file)?;
    let client = context.client()?;
    let result = context.wait(client.policy_test(&test))?;
    context.show(&result, |style| draw(&result, style))?;
    let failed = result.results.iter().any(|case| !case.passed);
    if result.passed && !failed { Ok(()) } else { Err(Failure::Said(1)) }
}

fn read(context: &mut Context, path: &Path) -> Result<PolicyTest, Failure> {
    let bytes = input::read(context, path, FILE_SIZE_MAX_BYTES)?;
    let value = manifest::document(&bytes).map_err(|problem| {
        let style = context.terminal.message_style();
        let text = diagnostics::render(path, &bytes, &[problem], style);
        context.tell(&text);
        Failure::Said(2)
    })?;
    serde_json::from_value(value).map_err(|error| {
        let message = format!("`{}` holds no test cases: {error}", path.display());
        Failure::usage(message, "see `aegis policy test --help` for their form")
    })
}

fn draw(result: &PolicyTestResult, style: Style) -> String {
    let mut table = Table::new(&["", "CASE", "DECISION", "WHY"]);
    for case in &result.results {
        let decision = &case.decision;
        let reason = decision.reasons.iter().find(|reason| reason.allowed == decision.allowed);
        let why = reason.map(|reason| format!("{}: {}", reason.layer.as_str(), because(reason)));
        let why = why.unwrap_or_else(|| word(&decision.class));
        let allowed = if decision.allowed { "allow" } else { "deny" };
        let mark = if case.passed { "✓" } else { "✗" };
        table.row([mark.to_owned(), case.name.clone(), allowed.to_owned(), why]);
        table.paint_first(if case.passed { Style::good } else { Style::bad });
    }
    let passed = result.results.iter().filter(|case| case.passed).count();
    let count = format!("{passed} of {} as expected", result.results.len());
    let painted = if passed == result.results.len() { style.good(&count) } else { style.bad(&count) };
    format!("{}\n{painted}", table.render(style, "no cases"))
}
