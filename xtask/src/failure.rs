//! Why a chore failed. One type for the whole program: it only ever ends on the terminal.

use std::error::Error;
use std::path::{Path, PathBuf};

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command line is not one of ours.
    #[error("{0}; `cargo xtask help` lists the verbs")]
    Usage(String),
    /// The program was not started by cargo.
    #[error("start this program with `cargo xtask …`")]
    NotUnderCargo,
    /// A program is not there or may not be started.
    #[error("`{command}` cannot be started")]
    Start {
        /// The whole command line.
        command: String,
        #[source]
        source: std::io::Error,
    },
    /// A program ran and said no.
    #[error("`{command}` ended with {status}")]
    Ended {
        /// The whole command line.
        command: String,
        /// Its exit status.
        status: std::process::ExitStatus,
    },
    /// A file cannot be read, written or removed.
    #[error("cannot use `{}`", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// A file of ours does not have its form.
    #[error("`{path}` is not as it should be: {problem}")]
    Form {
        /// Which file.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// cargo could not describe the workspace.
    #[error("cargo cannot describe the workspace")]
    Metadata(#[source] Box<cargo_metadata::Error>),
    /// House rules are broken; each was printed.
    #[error("{0} house rules are broken")]
    Untidy(usize),
    /// A committed generated file is not what the code generates.
    #[error("{0} generated files have drifted; run `cargo xtask gen` and commit")]
    Drift(usize),
    /// Something the machine lacks and we may not install.
    #[error("this machine lacks {0}")]
    Lacks(String),
    /// The server under test did not do what the suite needs.
    #[error("the server under test {0}")]
    Server(String),
    /// A machine of ours cannot do what it is there for.
    #[error("the machine {0}")]
    Machine(String),
    /// A program in a machine of ours ran and said no.
    #[error("the program in the machine ended with exit code {code}")]
    Inside {
        /// Its exit code.
        code: u8,
    },
    /// A program did not end in the time it had.
    #[error("what still ran after {seconds} s was killed")]
    Late {
        /// How long it had.
        seconds: u64,
    },
    /// A suite failed.
    #[error("suite `{name}` failed")]
    Suite {
        /// Which suite.
        name: &'static str,
        #[source]
        source: Box<Failure>,
    },
}

impl Failure {
    /// For `map_err` on file operations.
    pub fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }

    /// 2 for a wrong command line, 124 for too long (as timeout(1) has it), the code of a
    /// program in a machine, 1 for everything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Late { .. } => 124,
            Self::Inside { code } => *code,
            _ => 1,
        }
    }

    /// The message and the messages of its causes, in one line.
    pub fn with_causes(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        text
    }
}
