//! How data looks: text for people, JSON and YAML for programs. Must not know: any verb.

mod table;
mod text;
mod yaml;

use clap::ValueEnum;

pub(crate) use table::Table;
pub(crate) use text::{clean, clean_lines, plural, short_time, size, width};
pub(crate) use yaml::{scalar, to_yaml};

/// How data is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// As the API answers
    Json,
    /// The same in YAML
    Yaml,
}

/// Whether and how text is coloured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    /// Whether there is colour at all.
    pub(crate) colour: bool,
}

impl Style {
    fn paint(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// What went well.
    pub(crate) fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// What went wrong.
    pub(crate) fn bad(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    /// What must not be overlooked.
    pub(crate) fn warn(self, text: &str) -> String {
        self.paint("1;33", text)
    }

    /// What matters.
    pub(crate) fn strong(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// What matters less.
    pub(crate) fn faint(self, text: &str) -> String {
        self.paint("2", text)
    }
}
