//! Why an issuer did not do what was asked. Nothing here ever holds a token.

use aegis_model::Code;

/// Why an issuer did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssuerError {
    /// The name is not one of an issuer.
    #[error("`{issuer}` is not the address of an issuer: {problem}")]
    AddressInvalid {
        /// The name, without credentials.
        issuer: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The issuer cannot be reached, or the connection broke.
    #[error("cannot reach `{url}`: {cause}")]
    Unreachable {
        /// Where it was asked.
        url: String,
        /// What the network said.
        cause: String,
    },
    /// No answer came in time.
    #[error("no answer from `{url}` within {timeout_ms} ms")]
    TimedOut {
        /// Where it was asked.
        url: String,
        /// How long an answer was waited for.
        timeout_ms: u64,
    },
    /// An answer came, but not one of an issuer that can be believed.
    #[error("`{url}` does not answer as an issuer does: {problem}")]
    Protocol {
        /// Where it was asked.
        url: String,
        /// What is wrong with the answer.
        problem: String,
    },
    /// It says that it is another.
    #[error("asked for the issuer `{asked}`, it says that it is `{said}`")]
    Other {
        /// The name that was asked for.
        asked: String,
        /// The name in its document.
        said: String,
    },
    /// It does not know this way to log in.
    #[error("the issuer `{issuer}` offers no login on another device (RFC 8628)")]
    NoDeviceLogin {
        /// Which.
        issuer: String,
    },
    /// Somebody said no at the issuer.
    #[error("the login was refused at the issuer")]
    Denied,
    /// Nobody finished the login while the code was good.
    #[error("the code ran out before the login was finished")]
    Expired,
    /// The login is over: its refresh token does not count any more.
    #[error("the issuer does not renew the login any more")]
    Ended,
    /// It said no for another reason.
    #[error("the issuer refused: {said}")]
    Refused {
        /// What it said.
        said: String,
        /// Whether it does not know the program, or does not let it do that.
        of_client: bool,
    },
    /// The machine's TLS set-up does not work.
    #[error("TLS cannot be set up: {cause}")]
    Tls {
        /// What it said.
        cause: String,
    },
}

impl IssuerError {
    /// The code of the error table that this failure belongs to.
    pub fn code(&self) -> Code {
        match self {
            Self::Unreachable { .. } => Code::Unreachable,
            Self::TimedOut { .. } | Self::Expired => Code::TimedOut,
            Self::Denied => Code::Denied,
            Self::Ended => Code::Unauthenticated,
            Self::AddressInvalid { .. } | Self::Other { .. } | Self::NoDeviceLogin { .. } | Self::Refused { .. } => {
                Code::Validation
            }
            Self::Protocol { .. } | Self::Tls { .. } => Code::Internal,
        }
    }

    /// What to do next, said to a person.
    pub fn suggestion(&self) -> &str {
        match self {
            Self::AddressInvalid { .. } => "give an address such as `https://login.example.com`",
            Self::Unreachable { .. } | Self::TimedOut { .. } => "check the issuer's address and the network",
            Self::Protocol { .. } => "check that the address is that of an OpenID provider",
            Self::Other { .. } => "name the issuer exactly as it calls itself, if that is the one you trust",
            Self::NoDeviceLogin { .. } => "turn the device authorization grant on at the issuer, or use an API key",
            Self::Denied | Self::Expired | Self::Ended => "run `aegis login`",
            Self::Refused { of_client: true, .. } => {
                "check the client id; at the issuer it has to be a public client that may use the device authorization grant"
            }
            Self::Refused { .. } => "check the client id, the scope and the audience with whoever runs the issuer",
            Self::Tls { .. } => "install the system's CA certificates (package `ca-certificates`)",
        }
    }

    /// Whether it may work when it is asked again.
    pub(super) fn is_trouble(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::TimedOut { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_those_of_the_contract() {
        let text = String::new;
        for (error, exit_code) in [
            (IssuerError::Denied, 4),
            (IssuerError::Ended, 4),
            (IssuerError::Expired, 7),
            (IssuerError::Unreachable { url: text(), cause: text() }, 6),
            (IssuerError::Other { asked: text(), said: text() }, 2),
            (IssuerError::Refused { said: text(), of_client: true }, 2),
        ] {
            assert_eq!(error.code().category().exit_code(), exit_code, "{error}");
        }
    }
}
