//! `aegis governance apply`.

use std::path::{Path, PathBuf};

use aegis_model::governance::GovernanceRecord;
use aegis_model::manifest;
use serde_json::Value;

use crate::context::Context;
use crate::diagnostics;
use crate::failure::Failure;
use crate::input;
use crate::output::clean;

/// Larger files hold no records.
const FILE_SIZE_MAX_BYTES: u64 = 4 * 1024 * 1024;

/// Set governance records from files
///
/// A file holds one record, or a list of them, in YAML or JSON: `service`, `intent`, and what
/// restricts it: `enabled`, `time_restrictions` (`allowed_hours`, `days`, `timezone`),
/// `rate_limits` (`requests_per_minute`, `requests_per_hour`) and `conditions` (`type`, `field`,
/// `operator`, `value`, `description`). A record takes the place of the one that is there.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis governance apply refund.yaml
  aegis governance apply - < records.json")]
pub(crate) struct Arguments {
    /// The files; `-` for stdin
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let mut records = Vec::new();
    for file in &arguments.files {
        records.extend(read(context, file)?);
    }
    let client = context.client()?;
    let mut applied = Vec::with_capacity(records.len());
    for record in records {
        let set = context.wait(client.governance_set(&record)).inspect_err(|_| {
            context.terminal.tell(&clean(&format!("`{}` was not set; what stands before it was", record.id())));
        })?;
        applied.push(set);
    }
    context.show(&applied, |_| {
        let lines = applied.iter().map(|record| format!("`{}` is governed", record.id()));
        lines.collect::<Vec<_>>().join("\n")
    })
}

fn read(context: &mut Context, path: &Path) -> Result<Vec<GovernanceRecord>, Failure> {
    let bytes = input::read(context, path, FILE_SIZE_MAX_BYTES)?;
    let value = manifest::document(&bytes).map_err(|problem| {
        let text = diagnostics::render(path, &bytes, &[problem], context.terminal.message_style());
        context.tell(&text);
        Failure::Said(2)
    })?;
    let all = match value {
        Value::Array(records) => records,
        one => vec![one],
    };
    let record = |value: Value| {
        serde_json::from_value(value).map_err(|error| {
            let message = format!("`{}` holds no governance record: {error}", path.display());
            Failure::usage(message, "see `aegis governance apply --help` for its form")
        })
    };
    all.into_iter().map(record).collect()
}
