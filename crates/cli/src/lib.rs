//! The command line `aegis`: every verb, its help, its output and its exit code.
//!
//! Owns how a person or a script talks to Aegis. Must not know: how a request is sent (the
//! SDK does), how anything is stored, decided or verified (other rooms do).

mod app;
mod bundle;
mod clock;
mod commands;
mod connection;
mod context;
mod diagnostics;
mod environment;
mod export;
mod failure;
mod input;
mod logins;
mod manifest_file;
mod output;
mod passphrase;
mod private_file;
mod profile;
mod reference;
mod renewal;
mod terminal;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

pub use environment::Environment;
pub use reference::pages;
pub use terminal::Terminal;

use crate::app::App;
use crate::context::Context;

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let environment = Environment::of_process();
    let terminal = Terminal::of_process(environment.no_color);
    ExitCode::from(run(std::env::args_os().collect(), environment, terminal))
}

/// Runs one command line, and returns its exit code.
pub fn run(arguments: Vec<OsString>, environment: Environment, mut terminal: Terminal) -> u8 {
    let app = match App::try_parse_from(arguments) {
        Ok(app) => app,
        Err(error) => return terminal.show_usage(&error),
    };
    let mut context = Context::new(app.global, environment, terminal);
    match commands::perform(&mut context, app.verb) {
        Ok(()) => 0,
        Err(failure) => {
            context.show_failure(&failure);
            failure.exit_code()
        }
    }
}
