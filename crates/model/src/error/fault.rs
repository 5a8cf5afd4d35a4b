//! A failure on its way out: the envelope that callers see, and `Fault`, which keeps apart what
//! the caller may see and what caused it. Must not know: which codes there are.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Category, Code};

/// The body of every answer that is not a success.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorEnvelope {
    /// What went wrong.
    pub error: ErrorBody,
}

/// What went wrong, for programs and for people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorBody {
    /// The code.
    pub code: Code,
    /// The kind of failure.
    pub category: Category,
    /// One sentence.
    pub message: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// More, by code.
    #[serde(default)]
    pub details: Map<String, Value>,
    /// What to do next.
    pub suggestion: String,
    /// Ties the answer to log lines and ledger entries.
    pub correlation_id: String,
}

/// A failure on its way to a caller: what the caller may see, and apart from it what caused it.
#[derive(Clone, Debug)]
pub struct Fault(Box<Parts>);

#[derive(Clone, Debug)]
struct Parts {
    code: Code,
    message: String,
    details: Map<String, Value>,
    cause: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Fault {
    /// A failure with its public sentence.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self(Box::new(Parts { code, message: message.into(), details: Map::new(), cause: None }))
    }

    /// There is no such thing, or not for this tenant.
    pub fn not_found(what: &str, name: &str) -> Self {
        Self::new(Code::NotFound, format!("{what} `{}` does not exist", name.escape_debug()))
    }

    /// A broken invariant; the caller learns only that it happened.
    pub fn internal(cause: impl StdError + Send + Sync + 'static) -> Self {
        Self::new(Code::Internal, "an internal error occurred").caused_by(cause)
    }

    /// Adds a detail that the caller sees.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.details.insert(name.to_owned(), value.into());
        self
    }

    /// Names the field, as a JSON pointer.
    #[must_use]
    pub fn at(self, pointer: &str) -> Self {
        self.with("pointer", pointer)
    }

    /// Keeps the cause for the log; callers never see it.
    #[must_use]
    pub fn caused_by(mut self, cause: impl StdError + Send + Sync + 'static) -> Self {
        self.0.cause = Some(Arc::new(cause));
        self
    }

    /// The code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The public sentence.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The public details.
    pub fn details(&self) -> &Map<String, Value> {
        &self.0.details
    }

    /// The answer's body.
    pub fn envelope(&self, correlation_id: &str) -> ErrorEnvelope {
        let code = self.0.code;
        ErrorEnvelope {
            error: ErrorBody {
                code,
                category: code.category(),
                message: self.0.message.clone(),
                retryable: code.category().retryable(),
                details: self.0.details.clone(),
                suggestion: code.suggestion().to_owned(),
                correlation_id: correlation_id.to_owned(),
            },
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl StdError for Fault {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.cause.as_deref().map(|cause| cause as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_never_reaches_the_caller() {
        let fault = Fault::internal(std::io::Error::other("secret path"));
        let text = serde_json::to_string(&fault.envelope("cor_1")).unwrap_or_default();
        assert!(!text.contains("secret path") && text.contains("ERR_INTERNAL"));
        assert!(fault.source().is_some());
    }
}
