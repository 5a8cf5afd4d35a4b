//! The one error table: every code with its category, and through the category its HTTP
//! status, exit code, default tries and recovery mode. `Fault` is a failure on its way out.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What kind of failure a code is. Decides exit code, tries and recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Category {
    /// The request cannot be read.
    Malformed,
    /// The request can be read but breaks a rule.
    Validation,
    /// Nobody known is asking.
    Auth,
    /// Somebody known may not do this.
    Permission,
    /// There is no such thing, or not for this tenant.
    NotFound,
    /// It contradicts what is there.
    Conflict,
    /// Somebody pulled the kill switch.
    Frozen,
    /// The money is spent.
    Budget,
    /// Too often.
    RateLimit,
    /// No room to take the work now.
    Capacity,
    /// A resource of the machine or the box is used up.
    Resource,
    /// The agent failed, not Aegis.
    Agent,
    /// It took too long.
    Timeout,
    /// Somebody else could not be reached.
    Network,
    /// It may work the next time.
    Transient,
    /// A defect or a broken invariant.
    Internal,
}

/// What a caller, or the recovery engine, should do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Recovery {
    /// Change the request.
    FixRequest,
    /// Present a valid credential.
    Authenticate,
    /// Ask somebody who may grant it.
    AskForPermission,
    /// Read the present state, then decide again.
    Reread,
    /// Wait, then try the same again.
    RetryWithJitter,
    /// Repair the agent.
    FixAgent,
    /// A person has to look at it.
    Escalate,
}

/// How often and how far apart a failed act may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Tries {
    /// Attempts in all, the first included.
    pub attempts_max: u32,
    /// The first pause.
    pub pause_min_ms: u64,
    /// The longest pause.
    pub pause_max_ms: u64,
}

/// One attempt, no pause.
const ONCE: Tries = Tries { attempts_max: 1, pause_min_ms: 0, pause_max_ms: 0 };

impl Category {
    /// The exit code of the command line.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Agent => 1,
            Self::Malformed | Self::Validation => 2,
            Self::NotFound => 3,
            Self::Auth | Self::Permission => 4,
            Self::Conflict => 5,
            Self::Network => 6,
            Self::Timeout => 7,
            Self::Budget | Self::RateLimit | Self::Capacity | Self::Resource => 8,
            Self::Frozen => 9,
            Self::Transient | Self::Internal => 10,
        }
    }

    /// How often a failure of this kind is tried by default.
    pub const fn tries(self) -> Tries {
        match self {
            Self::RateLimit => Tries { attempts_max: 3, pause_min_ms: 1_000, pause_max_ms: 30_000 },
            Self::Timeout => Tries { attempts_max: 2, pause_min_ms: 200, pause_max_ms: 5_000 },
            Self::Network | Self::Transient => Tries { attempts_max: 3, pause_min_ms: 100, pause_max_ms: 5_000 },
            _ => ONCE,
        }
    }

    /// What to do about it.
    pub const fn recovery(self) -> Recovery {
        match self {
            Self::Malformed | Self::Validation => Recovery::FixRequest,
            Self::Auth => Recovery::Authenticate,
            Self::Permission => Recovery::AskForPermission,
            Self::NotFound | Self::Conflict => Recovery::Reread,
            Self::Agent => Recovery::FixAgent,
            Self::RateLimit | Self::Capacity | Self::Timeout | Self::Network | Self::Transient => {
                Recovery::RetryWithJitter
            }
            Self::Frozen | Self::Budget | Self::Resource | Self::Internal => Recovery::Escalate,
        }
    }

    /// Whether the same request may succeed later without anybody changing anything.
    pub const fn retryable(self) -> bool {
        matches!(self.recovery(), Recovery::RetryWithJitter)
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal, $category:ident, $status:literal, $suggestion:literal;)*) => {
        /// Every code Aegis answers with. A code is never renamed or given another meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum Code {
            $($(#[$doc])* #[serde(rename = $text)] $variant,)*
        }

        impl Code {
            /// All codes, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The code as it is written in an answer.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            /// The kind of failure.
            pub const fn category(self) -> Category {
                match self { $(Self::$variant => Category::$category),* }
            }

            /// The HTTP status.
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status),* }
            }

            /// What to do next, said to a person.
            pub const fn suggestion(self) -> &'static str {
                match self { $(Self::$variant => $suggestion),* }
            }
        }
    };
}

codes! {
    /// The body is not the JSON or YAML it should be.
    Malformed = "ERR_MALFORMED", Malformed, 400, "send a well-formed body of the documented form";
    /// The path exists, the method does not.
    MethodNotAllowed = "ERR_METHOD_NOT_ALLOWED", Malformed, 405, "use a method that the `Allow` header names";
    /// The body or the headers are larger than allowed.
    TooLarge = "ERR_TOO_LARGE", Malformed, 413, "send less, or raise the limit in the server's configuration";
    /// The content type is not one the operation takes.
    UnsupportedMediaType = "ERR_UNSUPPORTED_MEDIA_TYPE", Malformed, 415, "send one of the content types the operation takes";
    /// The Host header names a host this server does not answer for.
    HostNotAllowed = "ERR_HOST_NOT_ALLOWED", Malformed, 400, "add the host to `http.hosts` in the server's configuration";
    /// A field breaks a rule.
    Validation = "ERR_VALIDATION", Validation, 422, "correct the field that `details.pointer` names";
    /// A manifest breaks a rule.
    ManifestInvalid = "ERR_MANIFEST_INVALID", Validation, 422, "correct the manifest at the lines given and run `aegis agent validate`";
    /// A bundle is damaged, hostile or too large.
    BundleInvalid = "ERR_BUNDLE_INVALID", Validation, 422, "pack the bundle again with `aegis agent deploy DIR`";
    /// A policy does not parse or does not fit the schema.
    PolicyInvalid = "ERR_POLICY_INVALID", Validation, 422, "correct what `details.problems` names and run `aegis policy test`";
    /// No credential came with the request.
    Unauthenticated = "ERR_UNAUTHENTICATED", Auth, 401, "send an API key as `X-API-Key` or `Authorization: Bearer`";
    /// The credential is unknown, damaged, revoked or expired.
    CredentialInvalid = "ERR_CREDENTIAL_INVALID", Auth, 401, "create a new key with `aegis key create`";
    /// The policy says no.
    Denied = "ERR_DENIED", Permission, 403, "ask an admin of your tenant; operators see why with `aegis policy explain`";
    /// A web page of another origin is asking.
    OriginNotAllowed = "ERR_ORIGIN_NOT_ALLOWED", Permission, 403, "add the origin to `http.origins` in the server's configuration";
    /// There is no such thing for this tenant.
    NotFound = "ERR_NOT_FOUND", NotFound, 404, "list what there is and check the name";
    /// The path is not part of the API.
    NoSuchRoute = "ERR_NO_SUCH_ROUTE", NotFound, 404, "see /openapi.json for the paths there are";
    /// A thing of that name is there already.
    AlreadyExists = "ERR_ALREADY_EXISTS", Conflict, 409, "choose another name, or use what is there";
    /// Somebody else changed it in between.
    Conflict = "ERR_CONFLICT", Conflict, 409, "read it again and repeat the change on what is there now";
    /// The thing can no longer change.
    Immutable = "ERR_IMMUTABLE", Conflict, 409, "make a new one; this one is final";
    /// The state of the thing does not allow this.
    StateInvalid = "ERR_STATE_INVALID", Conflict, 409, "bring it into a state that allows this first";
    /// The idempotency key was used with another request.
    IdempotencyMismatch = "ERR_IDEMPOTENCY_MISMATCH", Conflict, 409, "use a new Idempotency-Key for a new request";
    /// The first answer showed a secret and is not kept.
    IdempotencySecret = "ERR_IDEMPOTENCY_SECRET", Conflict, 409, "the secret was shown once; revoke it and create a new one";
    /// All work here is stopped.
    Frozen = "ERR_FROZEN", Frozen, 423, "an admin lifts it with `aegis thaw TARGET`; `aegis freeze` lists what is frozen";
    /// The budget does not cover this.
    BudgetExceeded = "ERR_BUDGET_EXCEEDED", Budget, 402, "raise the budget or wait for the next period";
    /// Too many requests.
    RateLimited = "ERR_RATE_LIMITED", RateLimit, 429, "wait as long as `Retry-After` says";
    /// The server has all the work it can take.
    Overloaded = "ERR_OVERLOADED", Capacity, 503, "try again shortly";
    /// The server is going down.
    Draining = "ERR_DRAINING", Capacity, 503, "try again shortly; the server is stopping";
    /// The disk is full.
    StorageFull = "ERR_STORAGE_FULL", Resource, 507, "free space on the disk that holds the data directory";
    /// This machine has no boxes of that kind.
    IsolationAbsent = "ERR_ISOLATION_ABSENT", Resource, 507, "run `aegis doctor`: it says what this machine lacks for such boxes";
    /// A box could not be set up, or broke.
    BoxFailed = "ERR_BOX_FAILED", Transient, 503, "try again; if it stays, run `aegis doctor` and look at the server's log";
    /// The agent could not be started.
    AgentStartFailed = "ERR_AGENT_START_FAILED", Agent, 424, "check `spec.runtime.command` and what the bundle holds";
    /// The agent used more memory than it has.
    AgentOutOfMemory = "ERR_AGENT_OUT_OF_MEMORY", Agent, 424, "raise `spec.resources.memory`, or let the agent use less";
    /// What the agent answered is not an answer.
    AgentAnswerInvalid = "ERR_AGENT_ANSWER_INVALID", Agent, 424, "answer with one JSON document of at most 1 MiB: alone on stdout, or as the body of a server's answer";
    /// Somebody stopped the run.
    RunCancelled = "ERR_RUN_CANCELLED", Conflict, 409, "somebody cancelled the run; `aegis run retry` does it again";
    /// The kill switch, or somebody who ended the session, stopped the run.
    RunKilled = "ERR_RUN_KILLED", Frozen, 423, "somebody killed it; `aegis freeze` lists what is frozen";
    /// The box or the server went away under the run.
    RunCrashed = "ERR_RUN_CRASHED", Transient, 503, "`aegis run retry` does it again, in a new session";
    /// The agent failed.
    AgentFailed = "ERR_AGENT_FAILED", Agent, 424, "read what the agent itself says, and repair it";
    /// The request took too long.
    TimedOut = "ERR_TIMED_OUT", Timeout, 504, "try again, or allow more time";
    /// The request came too slowly.
    RequestTimedOut = "ERR_REQUEST_TIMED_OUT", Timeout, 504, "send the whole request at once";
    /// The server cannot be reached.
    Unreachable = "ERR_UNREACHABLE", Network, 502, "check the address, and that the server runs: `aegis up`";
    /// The store cannot answer now.
    StoreUnavailable = "ERR_STORE_UNAVAILABLE", Transient, 503, "try again; if it stays, look at the server's log";
    /// Something stored is not what was stored.
    Tampered = "ERR_TAMPERED", Internal, 500, "run `aegis audit verify` and restore the last good backup";
    /// A defect.
    Internal = "ERR_INTERNAL", Internal, 500, "report it with the correlation id";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

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
    fn status_and_category_belong_together() {
        for code in Code::ALL {
            let fits = match code.category() {
                Category::Malformed => matches!(code.status(), 400 | 405 | 413 | 415),
                Category::Validation => code.status() == 422,
                Category::Auth => code.status() == 401,
                Category::Permission => code.status() == 403,
                Category::NotFound => code.status() == 404,
                Category::Conflict => code.status() == 409,
                Category::Frozen => code.status() == 423,
                Category::Budget => code.status() == 402,
                Category::RateLimit => code.status() == 429,
                Category::Capacity | Category::Transient => code.status() == 503,
                Category::Resource => code.status() == 507,
                Category::Agent => code.status() == 424,
                Category::Timeout => code.status() == 504,
                Category::Network => code.status() == 502,
                Category::Internal => code.status() == 500,
            };
            assert!(fits, "{code} has status {}", code.status());
        }
    }

    #[test]
    fn codes_are_unique_and_well_formed() {
        let mut seen = std::collections::BTreeSet::new();
        for code in Code::ALL {
            assert!(seen.insert(code.as_str()), "{code} twice");
            assert!(code.as_str().starts_with("ERR_") && !code.suggestion().is_empty());
        }
    }

    #[test]
    fn only_what_may_be_tried_again_has_more_than_one_try() {
        for code in Code::ALL {
            if code.category().tries().attempts_max > 1 {
                assert!(code.category().retryable(), "{code}");
            }
        }
    }

    #[test]
    fn the_cause_never_reaches_the_caller() {
        let fault = Fault::internal(std::io::Error::other("secret path"));
        let text = serde_json::to_string(&fault.envelope("cor_1")).unwrap_or_default();
        assert!(!text.contains("secret path") && text.contains("ERR_INTERNAL"));
        assert!(fault.source().is_some());
    }
}
