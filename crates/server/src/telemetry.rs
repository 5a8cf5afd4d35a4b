//! Logs on stderr, readable or JSON, with every API key blackened before it is written.

use std::io::{self, IsTerminal, Write};

use aegis_identity::redact;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt, registry};

use crate::config::{LogConfig, LogFormat, LogLevel};

/// Starts logging. Only the first call of a process counts.
pub fn start(config: LogConfig) {
    let level = match config.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    // Other people's crates only speak up when something is wrong.
    let targets = ["adapters", "dispatch", "fleet", "gateway", "ledger", "server", "store", "tenancy"];
    let ours = targets.iter().map(|room| (format!("aegis_{room}"), level));
    let filter = Targets::new().with_default(LevelFilter::WARN.min(level)).with_targets(ours);
    let terminal = io::stderr().is_terminal();
    let json = config.format == LogFormat::Json || (config.format == LogFormat::Auto && !terminal);
    let layer = match json {
        true => fmt::layer().json().flatten_event(true).with_writer(Redacted).boxed(),
        false => fmt::layer().with_ansi(terminal).with_writer(Redacted).boxed(),
    };
    let _ = registry().with(layer.with_filter(filter)).try_init();
}

/// Makes writers that blacken keys.
struct Redacted;

impl<'a> MakeWriter<'a> for Redacted {
    type Writer = RedactedLine;
    fn make_writer(&'a self) -> RedactedLine {
        RedactedLine
    }
}

/// Writes one event to stderr, without keys.
struct RedactedLine;

impl Write for RedactedLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        io::stderr().lock().write_all(redact(&text).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
