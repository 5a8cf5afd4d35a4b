//! `aegis doctor`: what this machine can do. Must not know: how it is found out.

use std::path::PathBuf;

use aegis_server::{CheckState, DoctorReport, UpOptions};

use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Style, Table};

/// Say what this machine can do, and how to fix what it cannot
///
/// Ends with 1 if something that is configured does not work.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis doctor
  aegis doctor --output json")]
pub(crate) struct Arguments {
    /// The data directory to check
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let options = UpOptions {
        data_dir: arguments.data_dir.clone(),
        config_file: context.environment.config_file.clone(),
        ..UpOptions::default()
    };
    let report = aegis_server::doctor(&options);
    context.show(&report, |style| draw(&report, style))?;
    if report.is_well() { Ok(()) } else { Err(Failure::Said(1)) }
}

fn draw(report: &DoctorReport, style: Style) -> String {
    let mut table = Table::new(&["STATE", "CHECK", "FOUND", "FIX"]);
    for check in &report.checks {
        let (state, paint): (&str, fn(Style, &str) -> String) = match (check.state, check.configured) {
            (CheckState::Ok, _) => ("ok", Style::good),
            (CheckState::Missing, false) => ("missing", Style::warn),
            (CheckState::Missing, true) => ("missing", Style::bad),
            (CheckState::Failed, _) => ("failed", Style::bad),
        };
        let fix = check.fix.clone().unwrap_or_default();
        table.row([state.to_owned(), check.name.clone(), check.found.clone(), fix]);
        table.paint_first(paint);
    }
    table.render(style, "nothing was checked")
}
