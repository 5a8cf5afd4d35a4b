//! `aegis up`: starts the server of this machine. Must not know: what a server consists of.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use aegis_server::{Ready, UpOptions};

use crate::context::Context;
use crate::failure::Failure;
use crate::passphrase::{ask_for, refused};
use crate::profile::{self, Profile};

/// Start Aegis on this machine
///
/// The first start creates keys and an admin API key in `admin.key` in the data directory, and
/// a profile, so that the next command just works. `ready URL` on stdout says that it serves.
/// Ctrl-C ends it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis up
  aegis up --data-dir ./data --listen 127.0.0.1:7710")]
pub(crate) struct Arguments {
    /// Where everything is kept
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The address of the API; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// The address of the metrics
    #[arg(long, value_name = "ADDRESS")]
    metrics_listen: Option<SocketAddr>,
    /// For work on Aegis itself: readable logs
    #[arg(long)]
    dev: bool,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let mut options = UpOptions {
        data_dir: arguments.data_dir.clone(),
        listen: arguments.listen,
        metrics_listen: arguments.metrics_listen,
        config_file: context.environment.config_file.clone(),
        passphrase: None,
        dev: arguments.dev,
    };
    ask_for(context, &mut options)?;
    let ended = aegis_server::run(&options, |ready| announce(context, ready));
    ended.map_err(|error| refused(&error))
}

/// Says that the server serves, and how to go on.
fn announce(context: &mut Context, ready: &Ready) {
    // A server whose output nobody reads serves all the same.
    let _ = context.terminal.write_line(&format!("ready {}", ready.url));
    let remembered = remember(context, ready);
    if !context.terminal.messages_are_read || !ready.first_start {
        return;
    }
    let style = context.terminal.message_style();
    if let Ok(key) = fs::read_to_string(&ready.admin_key) {
        context.tell(&format!("admin API key: {}", style.strong(key.trim())));
    }
    context.tell(&format!("kept in {}, shown only this once", ready.admin_key.display()));
    if remembered {
        context
            .tell("next, in another terminal:\n  aegis init hello\n  aegis agent deploy hello\n  aegis invoke hello");
    }
}

/// Writes the profile, so that the next command finds this server; says whether it did.
fn remember(context: &mut Context, ready: &Ready) -> bool {
    let Some(path) = context.environment.profile.clone() else {
        context.tell("`HOME` is not set: no profile is written; set AEGIS_URL and AEGIS_API_KEY for other commands");
        return false;
    };
    if let Some(other) = other_server(&path) {
        let left = format!("the profile {} is for `{other}` and stays as it is", path.display());
        context.tell(&format!("{left}; set AEGIS_URL and AEGIS_API_KEY to use this server"));
        return false;
    }
    let key_file = fs::canonicalize(&ready.admin_key).unwrap_or_else(|_| ready.admin_key.clone());
    let written = profile::write(&path, &Profile { key_file: Some(key_file), ..Profile::of(&reachable(&ready.url)) });
    if let Err(error) = &written {
        context.warn(&format!("cannot write the profile {}: {error}", path.display()));
    }
    written.is_ok()
}

/// The address under which this machine reaches a server that listens on all of its addresses.
fn reachable(url: &str) -> String {
    url.replacen("://0.0.0.0:", "://127.0.0.1:", 1).replacen("://[::]:", "://[::1]:", 1)
}

/// The server of a profile that somebody wrote for another machine: not ours to replace.
fn other_server(path: &Path) -> Option<String> {
    match profile::read(path) {
        Ok(Some(profile)) if !is_this_machine(&profile.url) => Some(profile.url),
        Ok(_) => None,
        Err(_) => Some("something that cannot be read".to_owned()),
    }
}

fn is_this_machine(url: &str) -> bool {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")).unwrap_or(url);
    let host = rest.split('/').next().unwrap_or_default();
    let is_loopback = host.parse::<SocketAddr>().is_ok_and(|address| address.ip().is_loopback());
    is_loopback || host.split(':').next().is_some_and(|name| matches!(name, "localhost" | "127.0.0.1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profile_names_an_address_that_can_be_reached() {
        for (url, expected) in [
            ("http://0.0.0.0:7700", "http://127.0.0.1:7700"),
            ("https://[::]:7700", "https://[::1]:7700"),
            ("http://10.0.0.0:7700", "http://10.0.0.0:7700"),
        ] {
            assert_eq!(reachable(url), expected);
        }
    }

    #[test]
    fn a_profile_for_another_machine_is_not_replaced() {
        for url in ["http://127.0.0.1:7700", "http://localhost:7700/", "https://[::1]:7700", "http://127.0.0.1"] {
            assert!(is_this_machine(url), "{url}");
        }
        for url in ["https://aegis.example", "http://127.0.0.1.evil.example", "http://10.0.0.1:7700", ""] {
            assert!(!is_this_machine(url), "{url}");
        }
    }
}
