//! Why a verb did not succeed, and its exit code: always by the one error table.

use std::io;
use std::path::Path;

use aegis_model::error::{ErrorBody, ErrorEnvelope};
use aegis_model::{Code, Fault, Outcome, SessionId};
use aegis_sdk::{ClientError, IssuerError};

use crate::output::{Style, clean};

/// Why a verb did not succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The server said no, or there was no answer.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// This machine said no.
    #[error("{fault}")]
    Local {
        /// What happened.
        fault: Fault,
        /// What to do next, where the table's suggestion does not fit.
        suggestion: Option<String>,
    },
    /// The server could not be started.
    #[error("{message}")]
    Start {
        /// What it said.
        message: String,
        /// With what it ends.
        exit_code: u8,
    },
    /// Everything was said already.
    #[error("ended with {0}")]
    Said(u8),
    /// Whoever read the output went away: no failure.
    #[error("the output was closed")]
    Closed,
}

impl Failure {
    /// Something was typed that cannot be meant.
    pub(crate) fn usage(message: impl Into<String>, suggestion: &str) -> Self {
        Self::Local { fault: Fault::new(Code::Validation, message), suggestion: Some(suggestion.to_owned()) }
    }

    /// There is no such thing.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::Local { fault: Fault::new(Code::NotFound, message), suggestion: None }
    }

    /// The ledger is not what it should be.
    pub(crate) fn tampered(message: impl Into<String>, suggestion: &str) -> Self {
        Self::Local { fault: Fault::new(Code::Tampered, message), suggestion: Some(suggestion.to_owned()) }
    }

    /// This machine does not work as it should.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::Local { fault: Fault::new(Code::Internal, message), suggestion: Some("check this machine".to_owned()) }
    }

    /// A run did not succeed.
    pub(crate) fn run(outcome: &Outcome) -> Self {
        let code = Code::ALL.iter().find(|code| code.as_str() == outcome.code).copied().unwrap_or(Code::AgentFailed);
        let fault = Fault::new(code, outcome.message.clone()).with("outcome", serde_json::json!(outcome));
        Self::Local { fault, suggestion: None }
    }

    /// A program did not rotate a secret.
    pub(crate) fn rotation(message: impl Into<String>, name: &str) -> Self {
        let suggestion = format!("see `aegis secret show {name}`; it is tried again by itself");
        Self::Local { fault: Fault::new(Code::AgentFailed, message), suggestion: Some(suggestion) }
    }

    /// A file that was named cannot be read.
    pub(crate) fn unreadable(path: &Path, error: &io::Error) -> Self {
        Self::usage(format!("cannot read `{}`: {error}", path.display()), "check the path and its permissions")
    }

    /// A file cannot be written.
    pub(crate) fn unwritable(path: &Path, error: &io::Error) -> Self {
        let code = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Code::StorageFull,
            _ => Code::Validation,
        };
        let fault = Fault::new(code, format!("cannot write `{}`: {error}", path.display()));
        Self::Local { fault, suggestion: Some("check the path, its permissions and the space on the disk".to_owned()) }
    }

    /// The exit code.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Client(error) => error.exit_code(),
            Self::Local { fault, .. } => fault.code().category().exit_code(),
            Self::Start { exit_code, .. } | Self::Said(exit_code) => *exit_code,
            Self::Closed => 0,
        }
    }

    /// The session of the run that did not succeed, if it is one that did not.
    pub(crate) fn session(&self) -> Option<SessionId> {
        let body = self.body();
        body.details.get("outcome")?.get("session_id")?.as_str()?.parse().ok()
    }

    /// What the API says in detail.
    pub(crate) fn detail(&self, name: &str) -> Option<serde_json::Value> {
        self.body().details.get(name).cloned()
    }

    /// The failure as the API would say it.
    fn body(&self) -> ErrorBody {
        if let Self::Client(ClientError::Api { body, .. }) = self {
            let suggestion = approval(body).unwrap_or_else(|| body.suggestion.clone());
            return ErrorBody { suggestion, ..(**body).clone() };
        }
        let code = match self {
            Self::Client(error) => error.code(),
            Self::Local { fault, .. } => fault.code(),
            _ => Code::Internal,
        };
        let mut body = Fault::new(code, self.to_string()).envelope("").error;
        if let Self::Local { fault, .. } = self {
            body.message = fault.message().to_owned();
            body.details = fault.details().clone();
        }
        body.suggestion = match self {
            Self::Client(error) => error.suggestion().to_owned(),
            Self::Local { suggestion: Some(suggestion), .. } => suggestion.clone(),
            Self::Start { .. } => String::new(),
            _ => body.suggestion,
        };
        body
    }

    /// The failure for programs: the envelope of the API. `None` when there is nothing to say.
    pub(crate) fn json(&self) -> Option<String> {
        match self {
            Self::Said(_) | Self::Closed => None,
            _ => serde_json::to_string(&ErrorEnvelope { error: self.body() }).ok(),
        }
    }

    /// The failure for people. `None` when there is nothing to say.
    pub(crate) fn text(&self, style: Style) -> Option<String> {
        if matches!(self, Self::Said(_) | Self::Closed) {
            return None;
        }
        let body = self.body();
        let mut text = format!("{} {}", style.bad("error:"), clean(&body.message));
        for name in ["pointer", "reason"] {
            if let Some(value) =
                body.details.get(name).and_then(|value| value.as_str()).filter(|value| !value.is_empty())
            {
                text.push_str(&format!("\n  {name}: {}", clean(value)));
            }
        }
        if let Some(run) = body.details.get("outcome") {
            text.push_str(&of_run(run, style));
        }
        // What went wrong before anybody was asked is in no table.
        if matches!(self, Self::Client(_)) || body.details.contains_key("outcome") {
            text.push_str(&format!("\n  {} {}", style.faint("code:"), body.code));
        }
        if !body.suggestion.is_empty() {
            text.push_str(&format!("\n  {} {}", style.faint("next:"), clean(&body.suggestion)));
        }
        if !body.correlation_id.is_empty() {
            text.push_str(&format!("\n  {} {}", style.faint("correlation id:"), clean(&body.correlation_id)));
        }
        Some(text)
    }
}

impl From<IssuerError> for Failure {
    fn from(error: IssuerError) -> Self {
        let suggestion = Some(error.suggestion().to_owned());
        Self::Local { fault: Fault::new(error.code(), error.to_string()), suggestion }
    }
}

/// What to do where somebody else has to approve it first.
fn approval(body: &ErrorBody) -> Option<String> {
    let id = body.details.get("approval_id")?.as_str().filter(|_| body.code == Code::ApprovalRequired)?;
    Some(format!(
        "`aegis approval wait {id}`, then the same again; somebody else who may operate decides: `aegis approval \
         approve {id}`"
    ))
}

/// Which run it was, and the end of its log.
fn of_run(outcome: &serde_json::Value, style: Style) -> String {
    let log = outcome.pointer("/details/log").and_then(serde_json::Value::as_array);
    let lines = log.into_iter().flatten().filter_map(serde_json::Value::as_str);
    let log: String = lines.map(|line| format!("\n    {}", clean(line))).collect();
    let log = if log.is_empty() { log } else { format!("\n  {}{log}", style.faint("end of the agent's log:")) };
    let id = outcome.get("run_id").and_then(serde_json::Value::as_str).unwrap_or_default();
    format!("{log}\n  {} {}", style.faint("run:"), clean(id))
}

/// An error with its causes on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source()).map(ToString::to_string);
    causes.fold(error.to_string(), |text, cause| if text.contains(&cause) { text } else { format!("{text}: {cause}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(code: Code) -> Failure {
        let body = Box::new(Fault::new(code, "it\u{1b}[31m failed").at("/spec/env").envelope("cor_7").error);
        Failure::Client(ClientError::Api { status: code.status(), body })
    }

    #[test]
    fn exit_codes_are_those_of_the_table() {
        for code in Code::ALL {
            assert_eq!(api(*code).exit_code(), code.category().exit_code(), "{code}");
        }
        assert_eq!(Failure::usage("x", "y").exit_code(), 2);
        assert_eq!(Failure::not_found("x").exit_code(), 3);
        assert_eq!(Failure::tampered("x", "y").exit_code(), 10);
        assert_eq!(Failure::Closed.exit_code(), 0);
    }

    #[test]
    fn a_failure_says_where_what_to_do_and_its_correlation_id() {
        let text = api(Code::ManifestInvalid).text(Style { colour: false }).expect("text");
        assert!(
            text.contains("/spec/env") && text.contains("cor_7") && text.contains("aegis agent validate"),
            "{text}"
        );
    }

    #[test]
    fn a_failure_names_its_code_where_the_server_or_a_run_gave_it_one() {
        let told = |failure: Failure| failure.text(Style { colour: false }).expect("text");
        assert!(told(api(Code::NotFound)).contains("\n  code: ERR_NOT_FOUND\n"));
        assert!(!told(Failure::usage("bad", "do this")).contains("code:"));
    }

    #[test]
    fn what_needs_approval_says_how_to_wait_and_who_decides() {
        let fault = Fault::new(Code::ApprovalRequired, "needs approval").with("approval_id", "apr_7");
        let body = Box::new(fault.envelope("cor_7").error);
        let text = Failure::Client(ClientError::Api { status: 403, body }).text(Style { colour: false }).expect("text");
        assert!(text.contains("aegis approval wait apr_7") && text.contains("aegis approval approve apr_7"), "{text}");
    }

    #[test]
    fn a_message_from_the_server_cannot_draw_on_the_terminal() {
        let text = api(Code::Denied).text(Style { colour: false }).expect("text");
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }

    #[test]
    fn for_programs_a_failure_is_the_envelope_of_the_api() {
        let json = Failure::usage("bad", "do this").json().expect("json");
        let envelope: ErrorEnvelope = serde_json::from_str(&json).expect("an envelope");
        assert_eq!((envelope.error.code, envelope.error.suggestion.as_str()), (Code::Validation, "do this"));
    }
}
