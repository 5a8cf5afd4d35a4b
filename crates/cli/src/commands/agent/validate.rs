//! `aegis agent validate`: reads a manifest without a server.

use std::path::PathBuf;

use aegis_model::manifest::{ManifestProblem, Parsed};
use serde_json::json;

use crate::context::Context;
use crate::diagnostics;
use crate::failure::Failure;
use crate::manifest_file::ManifestFile;
use crate::output::{Format, clean};

/// Check a manifest; no server is asked
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis agent validate
  aegis agent validate agents/triage/agent.yaml --output json")]
pub(crate) struct Arguments {
    /// The manifest, the directory that holds `agent.yaml`, or `-` for stdin
    #[arg(default_value = ".")]
    path: PathBuf,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let file = ManifestFile::find(context, &arguments.path)?;
    match file.parse() {
        Ok(parsed) => valid(context, &file, &parsed),
        Err(problems) => Err(invalid(context, &file, &problems)),
    }
}

fn valid(context: &mut Context, file: &ManifestFile, parsed: &Parsed) -> Result<(), Failure> {
    let name = &parsed.manifest.metadata.name;
    let answer = json!({"valid": true, "name": name, "notes": parsed.notes, "problems": []});
    context.show(&answer, |_| format!("`{}` is valid: agent `{name}`", file.path.display()))?;
    if context.global.output == Format::Text {
        tell_notes(context, &parsed.notes);
    }
    Ok(())
}

/// Shows what is wrong, and gives the failure that ends the verb.
pub(super) fn invalid(context: &mut Context, file: &ManifestFile, problems: &[ManifestProblem]) -> Failure {
    if context.global.output == Format::Text {
        let style = context.terminal.message_style();
        let text = diagnostics::render(&file.path, &file.bytes, problems, style);
        context.tell(&text);
        return Failure::Said(2);
    }
    let answer = json!({"valid": false, "notes": [], "problems": problems});
    match context.show(&answer, |_| String::new()) {
        Ok(()) => Failure::Said(2),
        Err(failure) => failure,
    }
}

/// Says what an older form became.
pub(super) fn tell_notes(context: &mut Context, notes: &[String]) {
    for note in notes {
        context.tell(&format!("note: {}", clean(note)));
    }
}
