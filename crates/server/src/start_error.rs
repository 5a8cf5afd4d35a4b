//! Why the server did not start. The message names the cause and what to do.

use std::net::SocketAddr;
use std::path::PathBuf;

use aegis_adapters::key_ring::KeyRingError;
use aegis_identity::RingError;
use aegis_model::Fault;

use crate::ConfigError;

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data directory cannot be used.
    #[error("data directory `{}` cannot be used: {cause}", path.display())]
    DataDir {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// A file that must be private is not.
    #[error("`{}` can be read by others: run `chmod 600` on it, and think about who has seen it", path.display())]
    NotPrivate {
        /// Which.
        path: PathBuf,
    },
    /// The keys under which everything is sealed are damaged or missing.
    #[error("`{}` {problem}; restore it from your backup, without it this data cannot be opened", path.display())]
    MasterKey {
        /// Where it should be.
        path: PathBuf,
        /// What is wrong.
        problem: &'static str,
    },
    /// The keys were written by a later release.
    #[error("`{}` was written by a newer release: use that one", path.display())]
    NewerKeys {
        /// Where they are.
        path: PathBuf,
    },
    /// The keys are sealed, and nobody said under what.
    #[error(
        "`{}` is under a passphrase: name its file with `keys.passphrase_file` or `AEGIS_PASSPHRASE_FILE`, or start on a terminal to be asked",
        path.display()
    )]
    PassphraseMissing {
        /// Where they are.
        path: PathBuf,
    },
    /// The keys are sealed under something else.
    #[error("the passphrase does not open `{}`", path.display())]
    PassphraseWrong {
        /// Where they are.
        path: PathBuf,
    },
    /// Somebody believes the keys to be sealed, and they are not.
    #[error(
        "a passphrase is configured, but `{}` is under none: set it with `aegis key passphrase`, or take `keys.passphrase_file` out",
        path.display()
    )]
    PassphraseUnused {
        /// Where they are.
        path: PathBuf,
    },
    /// A file with a passphrase cannot be used.
    #[error("passphrase file `{}`: {problem}", path.display())]
    PassphraseFile {
        /// Which.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] aegis_store::OpenError),
    /// Somebody else has the port.
    #[error("`{address}` is in use: stop what listens there, or choose another with `{option}`")]
    PortInUse {
        /// Where.
        address: SocketAddr,
        /// How to choose another.
        option: &'static str,
    },
    /// The address cannot be listened on for another reason.
    #[error("cannot listen on `{address}`: {cause}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        cause: std::io::Error,
    },
    /// The certificates cannot be used.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    /// What is stored cannot be used.
    #[error("what is stored cannot be used: {0}")]
    State(#[source] Fault),
    /// The operating system refused something basic.
    #[error("the operating system refused: {0}")]
    System(#[source] std::io::Error),
}

impl StartError {
    /// The exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) => 2,
            Self::PassphraseMissing { .. } | Self::PassphraseUnused { .. } | Self::PassphraseFile { .. } => 2,
            Self::PassphraseWrong { .. } => 4,
            Self::PortInUse { .. } => 5,
            Self::Store(aegis_store::OpenError::InUse { .. }) => 5,
            Self::State(fault) => fault.code().category().exit_code(),
            _ => 10,
        }
    }
}

impl From<KeyRingError> for StartError {
    fn from(error: KeyRingError) -> Self {
        match error {
            KeyRingError::Missing { path } => Self::MasterKey { path, problem: "is missing" },
            KeyRingError::NotPrivate { path } => Self::NotPrivate { path },
            KeyRingError::Io { path, cause } => Self::DataDir { path, cause },
            KeyRingError::Ring { path, problem } => match problem {
                RingError::Damaged => Self::MasterKey { path, problem: "is damaged" },
                RingError::Newer => Self::NewerKeys { path },
                RingError::PassphraseMissing => Self::PassphraseMissing { path },
                RingError::PassphraseWrong => Self::PassphraseWrong { path },
            },
            error @ (KeyRingError::Entropy(_) | KeyRingError::Cost) => Self::System(std::io::Error::other(error)),
        }
    }
}

impl From<Fault> for StartError {
    fn from(fault: Fault) -> Self {
        Self::State(fault)
    }
}
