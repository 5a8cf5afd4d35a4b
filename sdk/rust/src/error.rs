//! Why a call did not succeed, and the exit code that goes with it. Everything is told by the
//! one error table; nothing here ever holds a key.

use aegis_model::error::{Category, Code, ErrorBody};

/// Why a call did not succeed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The server said no.
    #[error("{}", body.message)]
    Api {
        /// The HTTP status.
        status: u16,
        /// What the server said.
        body: Box<ErrorBody>,
    },
    /// The server cannot be reached, or the connection broke.
    #[error("cannot reach `{url}`: {cause}")]
    Unreachable {
        /// The server's address.
        url: String,
        /// What the network said.
        cause: String,
    },
    /// No answer came in time.
    #[error("no answer from `{url}` within {timeout_ms} ms")]
    TimedOut {
        /// The server's address.
        url: String,
        /// How long an answer was waited for.
        timeout_ms: u64,
    },
    /// An answer came, but not one of the API.
    #[error("`{url}` does not answer as Aegis does: {problem}")]
    Protocol {
        /// The server's address.
        url: String,
        /// The HTTP status, where there was one.
        status: Option<u16>,
        /// What is wrong with the answer.
        problem: String,
    },
    /// The address is not one of a server.
    #[error("`{url}` is not the address of a server: {problem}")]
    AddressInvalid {
        /// The address, without credentials.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The key would travel over a network in the clear.
    #[error("refusing to send an API key to `{url}` over plain http")]
    KeyInTheClear {
        /// The server's address.
        url: String,
    },
    /// The API key or another header value cannot be sent.
    #[error("the {what} cannot be sent in a header")]
    HeaderInvalid {
        /// Which one.
        what: &'static str,
    },
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness: {cause}")]
    NoRandomness {
        /// What it said.
        cause: String,
    },
    /// The machine's TLS set-up does not work.
    #[error("TLS cannot be set up: {cause}")]
    Tls {
        /// What it said.
        cause: String,
    },
}

impl ClientError {
    /// The code of the error table that this failure belongs to.
    pub fn code(&self) -> Code {
        match self {
            Self::Api { body, .. } => body.code,
            Self::Unreachable { .. } => Code::Unreachable,
            Self::TimedOut { .. } => Code::TimedOut,
            Self::Protocol { status: Some(status), .. } => code_of_status(*status),
            Self::AddressInvalid { .. } | Self::KeyInTheClear { .. } | Self::HeaderInvalid { .. } => Code::Validation,
            Self::Protocol { status: None, .. } | Self::NoRandomness { .. } | Self::Tls { .. } => Code::Internal,
        }
    }

    /// The exit code of a command that failed for this reason.
    pub fn exit_code(&self) -> u8 {
        self.code().category().exit_code()
    }

    /// What to do next, said to a person.
    pub fn suggestion(&self) -> &str {
        match self {
            Self::Api { body, .. } => &body.suggestion,
            Self::Protocol { .. } => "check that the address is that of an Aegis server of this version",
            Self::AddressInvalid { .. } => "give an address such as `http://127.0.0.1:7700`",
            Self::KeyInTheClear { .. } => {
                "use https, or set `allow_plain_http = true` in the profile if the network is trusted"
            }
            Self::HeaderInvalid { .. } => "check it for line breaks and other characters that are not plain text",
            Self::NoRandomness { .. } => "check the machine",
            Self::Tls { .. } => "install the system's CA certificates (package `ca-certificates`)",
            Self::Unreachable { .. } | Self::TimedOut { .. } => self.code().suggestion(),
        }
    }

    /// What ties the failure to the server's log lines and ledger entries, if it got that far.
    pub fn correlation_id(&self) -> Option<&str> {
        match self {
            Self::Api { body, .. } => Some(body.correlation_id.as_str()).filter(|id| !id.is_empty()),
            _ => None,
        }
    }

    /// The kind of failure.
    pub(crate) fn category(&self) -> Category {
        self.code().category()
    }
}

/// The code for an answer that is not one of Aegis itself, such as a proxy's: what the table
/// says of its status where only a proxy or the network can mean it, otherwise `Internal`.
fn code_of_status(status: u16) -> Code {
    match status {
        401 => Code::Unauthenticated,
        403 => Code::Denied,
        413 => Code::TooLarge,
        429 => Code::RateLimited,
        502 => Code::Unreachable,
        503 => Code::Overloaded,
        504 => Code::TimedOut,
        _ => Code::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protocol(status: u16) -> ClientError {
        ClientError::Protocol { url: String::new(), status: Some(status), problem: String::new() }
    }

    #[test]
    fn exit_codes_are_those_of_the_contract() {
        let url = String::new;
        assert_eq!(ClientError::Unreachable { url: url(), cause: url() }.exit_code(), 6);
        assert_eq!(ClientError::TimedOut { url: url(), timeout_ms: 1 }.exit_code(), 7);
        assert_eq!(ClientError::KeyInTheClear { url: url() }.exit_code(), 2);
        assert_eq!(ClientError::AddressInvalid { url: url(), problem: url() }.exit_code(), 2);
        let expected = [(401, 4), (403, 4), (429, 8), (502, 6), (503, 8), (504, 7), (200, 10), (404, 10), (500, 10)];
        for (status, exit_code) in expected {
            assert_eq!(protocol(status).exit_code(), exit_code, "{status}");
        }
    }

    #[test]
    fn every_code_of_the_table_ends_with_its_own_exit_code() {
        for code in Code::ALL {
            let envelope = aegis_model::Fault::new(*code, "x").envelope("cor_1");
            let error = ClientError::Api { status: code.status(), body: Box::new(envelope.error) };
            assert_eq!(error.exit_code(), code.category().exit_code(), "{code}");
            assert_eq!(error.correlation_id(), Some("cor_1"));
        }
    }
}
