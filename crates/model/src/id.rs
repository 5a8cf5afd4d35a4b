//! Typed ids. Two shapes: *names* that people choose (`^[a-z0-9][a-z0-9-]{0,62}$`) and
//! *generated* ids (`key_01J…`) made from a clock reading and random bytes handed in.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// Longest name a person may choose.
pub const NAME_LENGTH_MAX: usize = 63;
/// The pattern of every name, as it is published in schemas.
pub const NAME_PATTERN: &str = "^[a-z0-9][a-z0-9-]{0,62}$";

/// Why a text is not an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} {given} {problem}", given = quoted(given))]
pub struct IdError {
    what: &'static str,
    given: String,
    problem: &'static str,
}

/// The text in backticks, cut where a hostile one would flood a message.
fn quoted(text: &str) -> String {
    let shown: String = text.chars().take(NAME_LENGTH_MAX + 1).flat_map(char::escape_debug).collect();
    let cut = if text.chars().count() > NAME_LENGTH_MAX + 1 { "…" } else { "" };
    format!("`{shown}{cut}`")
}

/// Says why `text` is not a name, if it is not.
pub fn name_problem(text: &str) -> Option<&'static str> {
    let mut bytes = text.bytes();
    let Some(first) = bytes.next() else {
        return Some("is empty");
    };
    if text.len() > NAME_LENGTH_MAX {
        return Some("is longer than 63 characters");
    }
    if !(first.is_ascii_lowercase() || first.is_ascii_digit()) {
        return Some("must begin with a lower-case letter or a digit");
    }
    if !bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') {
        return Some("may hold only lower-case letters, digits and `-`");
    }
    None
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(extend("pattern" = NAME_PATTERN))]
        pub struct $type(#[schemars(regex(pattern = NAME_PATTERN))] String);

        impl $type {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $type {
            type Error = IdError;
            fn try_from(given: String) -> Result<Self, IdError> {
                match name_problem(&given) {
                    None => Ok(Self(given)),
                    Some(problem) => Err(IdError { what: $what, given, problem }),
                }
            }
        }

        impl FromStr for $type {
            type Err = IdError;
            fn from_str(given: &str) -> Result<Self, IdError> {
                Self::try_from(given.to_owned())
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// The owner of everything. `platform` is the installation's own tenant.
    TenantId, "tenant"
);
name!(
    /// The name of an agent, unique in its tenant.
    AgentName, "agent name"
);
name!(
    /// A name that points to a version of an agent.
    EndpointName, "endpoint name"
);

name!(
    /// The name of a secret, unique in its tenant.
    SecretName, "secret name"
);
name!(
    /// The name of a policy, unique in its set.
    PolicyName, "policy name"
);

impl TenantId {
    /// The tenant that the installation itself acts as.
    pub fn platform() -> Self {
        Self("platform".to_owned())
    }

    /// The tenant that a first start creates.
    pub fn first() -> Self {
        Self("default".to_owned())
    }
}

impl EndpointName {
    /// The endpoint every agent has.
    pub fn default_name() -> Self {
        Self("default".to_owned())
    }
}

/// Characters of a generated id: lower-case Crockford base 32, so that ids sort by time.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters after the prefix of a generated id: 48 bits of time, 80 random bits.
const GENERATED_LENGTH: usize = 26;

/// Writes 48 bits of time and 80 random bits as 26 characters.
fn generated(prefix: &str, at: Timestamp, random: [u8; 10]) -> String {
    let time = u128::from(at.as_millis() & 0xFFFF_FFFF_FFFF) << 80;
    let noise = random.iter().fold(0_u128, |sum, byte| (sum << 8) | u128::from(*byte));
    let bits = time | noise;
    let letters = (0..GENERATED_LENGTH).rev().map(|place| {
        let index = (bits >> (place * 5)) & 31;
        char::from(ALPHABET[index as usize])
    });
    prefix.chars().chain(letters).collect()
}

macro_rules! generated_id {
    ($(#[$doc:meta])* $type:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// What every id of this type begins with.
            pub const PREFIX: &'static str = $prefix;

            /// Makes an id that sorts by `at`.
            pub fn generate(at: Timestamp, random: [u8; 10]) -> Self {
                Self(generated($prefix, at, random))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $type {
            type Error = IdError;
            fn try_from(given: String) -> Result<Self, IdError> {
                let rest = given.strip_prefix($prefix).unwrap_or("");
                let whole = rest.len() == GENERATED_LENGTH && rest.bytes().all(|byte| ALPHABET.contains(&byte));
                if whole {
                    Ok(Self(given))
                } else {
                    Err(IdError { what: "id", given, problem: concat!("is not of the form `", $prefix, "…`") })
                }
            }
        }

        impl FromStr for $type {
            type Err = IdError;
            fn from_str(given: &str) -> Result<Self, IdError> {
                Self::try_from(given.to_owned())
            }
        }

        impl From<$type> for String {
            fn from(id: $type) -> String {
                id.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

generated_id!(
    /// An API key, without its secret.
    KeyId, "key_"
);
generated_id!(
    /// One answer of the policy.
    DecisionId, "dec_"
);
generated_id!(
    /// One unit of work in a session.
    RunId, "run_"
);
generated_id!(
    /// One journaled act in a run.
    StepId, "stp_"
);

generated_id!(
    /// A question to people whether one act may happen, and their answer.
    ApprovalId, "apr_"
);

/// Longest id of a session.
pub const SESSION_ID_LENGTH_MAX: usize = 256;

/// One conversation with one agent. Callers may choose it, so that they need not keep ours.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct SessionId(#[schemars(regex(pattern = "^[A-Za-z0-9][A-Za-z0-9_-]{0,255}$"))] String);

impl SessionId {
    /// Makes an id that sorts by `at`.
    pub fn generate(at: Timestamp, random: [u8; 10]) -> Self {
        Self(generated("ses_", at, random))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SessionId {
    type Error = IdError;
    fn try_from(given: String) -> Result<Self, IdError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let problem = match given.as_bytes() {
            [] => "is empty",
            bytes if bytes.len() > SESSION_ID_LENGTH_MAX => "is longer than 256 characters",
            [first, ..] if !first.is_ascii_alphanumeric() => "must begin with a letter or a digit",
            bytes if !bytes.iter().copied().all(plain) => "may hold only letters, digits, `-` and `_`",
            _ => return Ok(Self(given)),
        };
        Err(IdError { what: "session id", given, problem })
    }
}

impl FromStr for SessionId {
    type Err = IdError;
    fn from_str(given: &str) -> Result<Self, IdError> {
        Self::try_from(given.to_owned())
    }
}

impl From<SessionId> for String {
    fn from(id: SessionId) -> String {
        id.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Longest correlation id that is taken over from a caller.
pub const CORRELATION_LENGTH_MAX: usize = 128;

/// Ties an answer, its log lines, its events and its ledger entries together.
/// Taken from the caller when well-formed, made otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct CorrelationId(String);

impl CorrelationId {
    /// Makes an id that sorts by `at`.
    pub fn generate(at: Timestamp, random: [u8; 10]) -> Self {
        Self(generated("cor_", at, random))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for CorrelationId {
    type Error = IdError;
    fn try_from(given: String) -> Result<Self, IdError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(&byte);
        let problem = match given.len() {
            0 => "is empty",
            length if length > CORRELATION_LENGTH_MAX => "is longer than 128 characters",
            _ if !given.bytes().all(plain) => "may hold only letters, digits and `-_.:/+=`",
            _ => return Ok(Self(given)),
        };
        Err(IdError { what: "correlation id", given, problem })
    }
}

impl FromStr for CorrelationId {
    type Err = IdError;
    fn from_str(given: &str) -> Result<Self, IdError> {
        Self::try_from(given.to_owned())
    }
}

impl From<CorrelationId> for String {
    fn from(id: CorrelationId) -> String {
        id.0
    }
}

impl fmt::Display for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_to_their_pattern() {
        let longest = "a".repeat(63);
        for good in ["a", "0", "a-b", "triage-2", longest.as_str()] {
            assert!(good.parse::<AgentName>().is_ok(), "{good}");
        }
        let too_long = "a".repeat(64);
        for bad in ["", "-a", "A", "a_b", "a.b", "a/b", "ä", "a\n", "a\0", too_long.as_str()] {
            assert!(bad.parse::<AgentName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_session_id_can_be_chosen_and_is_safe_in_a_path() {
        for good in ["a", "user-42_x", "0", &"a".repeat(256)] {
            assert!(good.parse::<SessionId>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "a/b", "a b", "..", "a.b", "ä", &"a".repeat(257)] {
            assert!(bad.parse::<SessionId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn generated_ids_sort_by_time_and_read_back() {
        let early = KeyId::generate(Timestamp::from_millis(1), [0xFF; 10]);
        let late = KeyId::generate(Timestamp::from_millis(2), [0; 10]);
        assert!(early < late);
        assert_eq!(early.as_str().parse::<KeyId>().as_ref(), Ok(&early));
        assert!(early.as_str().parse::<RunId>().is_err());
    }

    #[test]
    fn a_hostile_name_cannot_flood_or_break_a_message() {
        let message = match "x\n".repeat(10_000).parse::<AgentName>() {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        };
        assert!(message.len() < 300 && !message.contains('\n') && !message.is_empty());
    }

    #[test]
    fn a_correlation_id_cannot_carry_a_line_break() {
        assert!("abc\r\nX: y".parse::<CorrelationId>().is_err());
        assert!("4bf92f3577b34da6a3ce929d0e0e4736".parse::<CorrelationId>().is_ok());
    }
}
