//! `aegis session cp`: files into a session's box, and out of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use aegis_model::SessionId;
use serde_json::json;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::{clean, size};

/// Copy a file into a session's box, or out of it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis session cp report.csv ada:data/report.csv
  aegis session cp ada:data/summary.txt summary.txt")]
pub(crate) struct Arguments {
    /// A file here, or `SESSION:PATH` below `/workspace` of its box
    from: String,
    /// `SESSION:PATH`, or a file here
    to: String,
}

/// A file in a session's box.
fn inside(text: &str) -> Option<(SessionId, &str)> {
    let (session, path) = text.split_once(':')?;
    let path = path.strip_prefix("/workspace/").unwrap_or(path);
    Some((session.parse().ok()?, path)).filter(|(_, path)| !path.is_empty())
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let bytes = match (inside(&arguments.from), inside(&arguments.to)) {
        (Some((session, path)), None) => {
            let bytes = context.wait(client.session_file_get(&session, path))?;
            let to = Path::new(&arguments.to);
            fs::write(to, &bytes).map_err(|error| Failure::unwritable(to, &error))?;
            bytes.len()
        }
        (None, Some((session, path))) => {
            let from = Path::new(&arguments.from);
            let unreadable = |error| Failure::unreadable(from, &error);
            let bytes = fs::read(from).map_err(unreadable)?;
            let executable = fs::metadata(from).map_err(unreadable)?.permissions().mode() & 0o111 != 0;
            let length = bytes.len();
            context.wait(client.session_file_put(&session, path, bytes.into(), executable))?;
            length
        }
        _ => return Err(Failure::usage("one of the two must be `SESSION:PATH`", "see `aegis session cp --help`")),
    };
    let answer = json!({"from": arguments.from, "to": arguments.to, "bytes": bytes});
    context.show(&answer, |_| clean(&format!("{} copied", size(u64::try_from(bytes).unwrap_or(u64::MAX)))))
}
