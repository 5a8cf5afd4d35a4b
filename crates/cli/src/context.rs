//! What a verb works with: the terminal, the chosen output and the connection.

use std::future::Future;

use aegis_sdk::Client;
use serde::Serialize;
use tokio::runtime::Runtime;

use crate::app::Global;
use crate::connection;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::output::{Format, Style, to_yaml};
use crate::terminal::Terminal;

/// What a verb works with.
pub(crate) struct Context {
    pub(crate) terminal: Terminal,
    pub(crate) environment: Environment,
    pub(crate) global: Global,
    /// One for the whole verb: connections that are kept open belong to it.
    runtime: Option<Runtime>,
}

impl Context {
    pub(crate) fn new(global: Global, environment: Environment, terminal: Terminal) -> Self {
        Self { terminal, environment, global, runtime: None }
    }

    /// A client of the server that was named, with the key that belongs to it.
    pub(crate) fn client(&mut self) -> Result<Client, Failure> {
        connection::open(self)
    }

    /// Waits for work that talks to a server or an issuer.
    pub(crate) fn wait<T, E>(&mut self, work: impl Future<Output = Result<T, E>>) -> Result<T, Failure>
    where
        Failure: From<E>,
    {
        let runtime = match self.runtime.take() {
            Some(runtime) => runtime,
            None => tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|error| Failure::internal(format!("cannot wait for the network: {error}")))?,
        };
        self.runtime.insert(runtime).block_on(work).map_err(Failure::from)
    }

    /// Writes data in the chosen form; `text` draws it for people.
    pub(crate) fn show<T: Serialize>(&mut self, data: &T, text: impl FnOnce(Style) -> String) -> Result<(), Failure> {
        let shown = match self.global.output {
            Format::Text => text(self.terminal.data_style()),
            Format::Json => serde_json::to_string_pretty(data).map_err(|error| Failure::internal(error.to_string()))?,
            Format::Yaml => to_yaml(&serde_json::to_value(data).map_err(|error| Failure::internal(error.to_string()))?),
        };
        if shown.is_empty() { Ok(()) } else { self.terminal.write_line(&shown) }
    }

    /// Says something on stderr.
    pub(crate) fn tell(&mut self, message: &str) {
        self.terminal.tell(message);
    }

    /// Says on stderr what a person must not overlook.
    pub(crate) fn warn(&mut self, message: &str) {
        let line = format!("{} {message}", self.terminal.message_style().warn("warning:"));
        self.terminal.tell(&line);
    }

    /// Asks before something is lost. Without a terminal nobody can be asked, so `--yes` must say it.
    pub(crate) fn confirm(&mut self, yes: bool, question: &str) -> Result<(), Failure> {
        if yes {
            return Ok(());
        }
        if !self.terminal.is_interactive {
            return Err(Failure::usage("nobody can be asked to confirm this", "add `--yes` if it is meant"));
        }
        if self.terminal.ask(question) {
            return Ok(());
        }
        self.tell("nothing was changed");
        Err(Failure::Said(2))
    }

    /// Says why a verb did not succeed.
    pub(crate) fn show_failure(&mut self, failure: &Failure) {
        let text = match self.global.output {
            Format::Json => failure.json(),
            _ => failure.text(self.terminal.message_style()),
        };
        if let Some(text) = text {
            self.terminal.tell(&text);
        }
    }
}
