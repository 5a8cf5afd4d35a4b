//! `aegis key passphrase`: works on a server that does not run. Must not know: how keys are
//! sealed.

use std::path::PathBuf;

use aegis_server::{UpOptions, change_passphrase, read_passphrase};
use serde_json::json;

use crate::context::Context;
use crate::failure::Failure;
use crate::passphrase::{ask_for, ask_new, refused};

/// Put the keys of a stopped server under a passphrase, under another one, or under none
///
/// The present passphrase is taken from the file that the server's configuration or
/// AEGIS_PASSPHRASE_FILE names, or asked for. Without `--new-passphrase-file` the new one is
/// asked for, too.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
From then on the server needs it at each start: `keys.passphrase_file` in its configuration, or
AEGIS_PASSPHRASE_FILE. Nobody can replace a passphrase that is lost.

Examples:
  aegis key passphrase
  aegis key passphrase --data-dir ./data --new-passphrase-file /run/credentials/new
  aegis key passphrase --remove")]
pub(crate) struct Arguments {
    /// The server's data directory; as for `aegis up` when absent
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The file with the new passphrase
    #[arg(long, value_name = "FILE", conflicts_with = "remove")]
    new_passphrase_file: Option<PathBuf>,
    /// Leave the keys under nothing but the mode of their file
    #[arg(long)]
    remove: bool,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let mut options = UpOptions {
        data_dir: arguments.data_dir.clone(),
        config_file: context.environment.config_file.clone(),
        ..UpOptions::default()
    };
    ask_for(context, &mut options)?;
    let new = match (&arguments.new_passphrase_file, arguments.remove) {
        (_, true) => None,
        (Some(path), false) => Some(read_passphrase(path).map_err(|error| refused(&error))?),
        (None, false) => Some(ask_new(context)?),
    };
    let file = change_passphrase(&options, new.as_ref()).map_err(|error| refused(&error))?;
    let data = json!({"key_ring": file, "passphrase": new.is_some()});
    let state = if new.is_some() { "is under the new passphrase" } else { "is under no passphrase" };
    context.show(&data, |_| format!("`{}` {state}", file.display()))?;
    context.tell(match new {
        Some(_) => "name its file with `keys.passphrase_file`; older copies of the key ring are as they were",
        None => "take `keys.passphrase_file` out of the configuration",
    });
    Ok(())
}
