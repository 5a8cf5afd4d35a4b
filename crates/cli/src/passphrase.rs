//! Asks for the passphrase that a server's keys lie under. It comes from a person or from a
//! file, never from the command line or the environment itself. Must not know: what it opens.

use std::path::Path;

use aegis_server::{Passphrase, StartError, UpOptions, asks_passphrase};

use crate::context::Context;
use crate::failure::{Failure, chain};
use crate::terminal::SilentTerminal;

/// Asks for the passphrase if the keys of that directory need one, none is configured and
/// there is somebody to ask. Otherwise whoever opens the keys says what is missing.
pub(crate) fn ask_for(context: &mut Context, options: &mut UpOptions) -> Result<(), Failure> {
    if context.terminal.is_interactive && asks_passphrase(options).map_err(|error| refused(&error))? {
        options.passphrase = Some(ask(context, "passphrase of the keys (not shown while you type): ")?);
    }
    Ok(())
}

/// Asks for a new passphrase, twice.
pub(crate) fn ask_new(context: &mut Context) -> Result<Passphrase, Failure> {
    if !context.terminal.is_interactive {
        return Err(Failure::usage(
            "nobody can be asked for a passphrase",
            "name its file with `--new-passphrase-file`",
        ));
    }
    let new = ask(context, "new passphrase (not shown while you type): ")?;
    if ask(context, "the same again: ")? != new {
        return Err(Failure::usage("the two are not the same", "try again; nothing was changed"));
    }
    Ok(new)
}

/// What the server's side says, with its exit code.
pub(crate) fn refused(error: &StartError) -> Failure {
    Failure::Start { message: chain(error), exit_code: error.exit_code() }
}

fn ask(context: &mut Context, question: &str) -> Result<Passphrase, Failure> {
    let silent = SilentTerminal::enter();
    let line = context.terminal.ask_line(question, Passphrase::INPUT_SIZE_MAX_BYTES + 1);
    drop(silent);
    let line = line.map_err(|error| Failure::unreadable(Path::new("-"), &error))?;
    Passphrase::new(line).map_err(|error| Failure::usage(error.to_string(), "try again"))
}
