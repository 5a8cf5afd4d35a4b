//! The one error table: every code with its category, its HTTP status, what to do about it and
//! what usually causes it; through the category its exit code, default tries and recovery mode.

mod fault;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use fault::{ErrorBody, ErrorEnvelope, Fault};

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
    ($($(#[doc = $doc:literal])+ $variant:ident = $text:literal, $category:ident, $status:literal, $suggestion:literal,
        [$($cause:literal),+ $(,)?];)*) => {
        /// Every code Aegis answers with. A code is never renamed or given another meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum Code {
            $($(#[doc = $doc])+ #[serde(rename = $text)] $variant,)*
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

            /// What it says.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii()),* }
            }

            /// What to do next, said to a person.
            pub const fn suggestion(self) -> &'static str {
                match self { $(Self::$variant => $suggestion),* }
            }

            /// What usually brings it about; after a `;` what to do in that case.
            pub const fn causes(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($cause),+]),* }
            }
        }
    };
}

codes! {
    /// The body is not the JSON or YAML it should be.
    Malformed = "ERR_MALFORMED", Malformed, 400, "send a well-formed body of the documented form",
        ["the body is no JSON; the message says at which line and column it stops being some",
         "the body was cut off, or a multipart body has no boundary"];
    /// The path exists, the method does not.
    MethodNotAllowed = "ERR_METHOD_NOT_ALLOWED", Malformed, 405, "use a method that the `Allow` header names",
        ["the path is right and the operation is another one, for example `PUT` where a `POST` was meant"];
    /// The body, or a file, is larger than allowed.
    TooLarge = "ERR_TOO_LARGE", Malformed, 413, "send less, or raise the limit in the server's configuration",
        ["the body is larger than `http.body_size_max_bytes`, or with a bundle or a file larger than `http.bundle_size_max_bytes`",
         "a file does not fit into a session: raise `spec.resources.disk`"];
    /// The content type is not one the operation takes.
    UnsupportedMediaType = "ERR_UNSUPPORTED_MEDIA_TYPE", Malformed, 415, "send one of the content types the operation takes",
        ["`Content-Type` is missing; the API takes `application/json`, a deployment also `application/yaml` and `multipart/form-data`"];
    /// The Host header names a host this server does not answer for.
    HostNotAllowed = "ERR_HOST_NOT_ALLOWED", Malformed, 400, "add the host to `http.hosts` in the server's configuration",
        ["the server is called by a name or an address that its configuration does not know; the loopback ones are always known",
         "a proxy in front of the server does not pass the `Host` header on"];
    /// A field breaks a rule.
    Validation = "ERR_VALIDATION", Validation, 422, "correct the field that `details.pointer` names",
        ["a field, a parameter of the query or an argument is outside its bounds; the message says which",
         "an agent asks for more memory or processes than the server gives to all boxes together; lower `spec.resources`, or raise `boxes.memory_max_mib` and `boxes.pids_max`",
         "a cursor belongs to another list; begin again without one",
         "the command line cannot read or write a file that was named, or nobody is there to confirm; add `--yes` if it is meant",
         "an API key would go to another machine over plain http; use https"];
    /// A manifest breaks a rule.
    ManifestInvalid = "ERR_MANIFEST_INVALID", Validation, 422, "correct the manifest at the lines given and run `aegis agent validate`",
        ["a field is misspelt, in the wrong place or outside its bounds; the message says where and often what was meant",
         "a field is used whose capability is not there yet; remove it",
         "a value looks like a secret; bind the secret by name under `spec.permissions.secrets`"];
    /// A bundle is damaged, hostile or too large.
    BundleInvalid = "ERR_BUNDLE_INVALID", Validation, 422, "pack the bundle again with `aegis agent deploy DIR`",
        ["`spec.runtime.source` names code, and no bundle came with the manifest; `aegis agent deploy` packs one",
         "the bundle holds a link that leads out of it, a device, or more than it may",
         "the bundle was cut off, or is no `tar.zst`"];
    /// A policy does not parse or does not fit the schema.
    PolicyInvalid = "ERR_POLICY_INVALID", Validation, 422, "correct what `details.problems` names and run `aegis policy test`",
        ["a rule does not parse, or names a type, an action or an attribute that the schema does not have",
         "a rule can never apply"];
    /// No credential came with the request.
    Unauthenticated = "ERR_UNAUTHENTICATED", Auth, 401, "send an API key as `X-API-Key` or `Authorization: Bearer`",
        ["the command line found no key: `AEGIS_API_KEY` is not set, nobody logged in for this server, and there is no profile, or the profile is for another server",
         "a login at an issuer has ended; `aegis login` makes a new one",
         "a proxy removed the header"];
    /// The credential is unknown, damaged, revoked or expired.
    CredentialInvalid = "ERR_CREDENTIAL_INVALID", Auth, 401, "check the credential, and the clock if it is a signature or a token; `aegis key create` makes a new key",
        ["the key is mistyped, revoked or expired, or its tenant is deleted; which one is not told",
         "two credentials came with one request; send one",
         "a signature is for another region or service, out of its time, of a request that was changed on its way, or was used already",
         "a token is of an issuer that the server does not believe, for another audience, or out of its time",
         "the data directory is a new one, and the key belongs to another"];
    /// The policy says no.
    Denied = "ERR_DENIED", Permission, 403, "ask an admin of your tenant; operators see why with `aegis policy explain`",
        ["the role of the key is too weak: an operator deploys and invokes, an admin approves, deletes and makes keys",
         "a rule beyond roles: no key makes or stops a stronger one, and only a platform admin acts on everything or on another tenant",
         "a run ended with it: something in the box broke the rules of its door, and the box was ended"];
    /// The policy asks that somebody approves this act first.
    ApprovalRequired = "ERR_APPROVAL_REQUIRED", Permission, 403, "whoever may operate and did not ask decides with `aegis approval approve ID`; then ask the same again",
        ["a rule of the tenant carries `@approval`; `details.sentence` says who should decide, `aegis approval wait ID` waits for it",
         "it was approved and is done: an approval lets an act pass once, `--for` lets it pass for a while",
         "the request was changed after it was approved: any other argument is another act",
         "the policies were changed since it was approved"];
    /// Something inside a box wants to reach what it has no grant for.
    EgressDenied = "ERR_EGRESS_DENIED", Permission, 403, "an operator sees why with `aegis policy denials`; an admin grants it in the manifest",
        ["no grant of the agent names the host, the port, the method or the path; `aegis policy denials --suggest` writes the grant that would",
         "the host lies at an address that is not public; a grant can name the range with `cidr`",
         "the hello of TLS was not for the host that was asked for, or hides whom it is for"];
    /// A web page of another origin is asking.
    OriginNotAllowed = "ERR_ORIGIN_NOT_ALLOWED", Permission, 403, "add the origin to `http.origins` in the server's configuration",
        ["a web page of another origin calls the API, and `http.origins` does not name that origin"];
    /// There is no such thing for this tenant.
    NotFound = "ERR_NOT_FOUND", NotFound, 404, "list what there is and check the name",
        ["the name or the id is mistyped, or the thing was deleted",
         "it belongs to another tenant: for this key it does not exist",
         "the session has ended; `aegis session list --all` says why"];
    /// The path is not part of the API.
    NoSuchRoute = "ERR_NO_SUCH_ROUTE", NotFound, 404, "see /openapi.json for the paths there are",
        ["`/api/v1` is missing in the path, or a part of it is mistyped",
         "the client is newer than the server"];
    /// A thing of that name is there already.
    AlreadyExists = "ERR_ALREADY_EXISTS", Conflict, 409, "choose another name, or use what is there",
        ["a tenant has that name, or had it: names of tenants are never given again"];
    /// Somebody else changed it in between.
    Conflict = "ERR_CONFLICT", Conflict, 409, "read it again and repeat the change on what is there now",
        ["two callers changed the same thing at the same time, and the other was first"];
    /// The thing can no longer change.
    Immutable = "ERR_IMMUTABLE", Conflict, 409, "make a new one; this one is final",
        ["it ended, or was decided, while the request was on its way"];
    /// The state of the thing does not allow this.
    StateInvalid = "ERR_STATE_INVALID", Conflict, 409, "bring it into a state that allows this first",
        ["the session has ended and its id is not used again; choose another one, or none",
         "the session belongs to another agent",
         "the grants of the version are not approved; `aegis agent approve AGENT VERSION`",
         "the run did not end yet, or succeeded, and cannot be retried",
         "a secret has no version that overlaps, so there is nothing to go back to",
         "a key would freeze or revoke itself; use another one"];
    /// The idempotency key was used with another request.
    IdempotencyMismatch = "ERR_IDEMPOTENCY_MISMATCH", Conflict, 409, "use a new Idempotency-Key for a new request",
        ["a program uses one key for several requests, or builds the body anew with a time or a random value in it"];
    /// The first answer showed a secret and is not kept.
    IdempotencySecret = "ERR_IDEMPOTENCY_SECRET", Conflict, 409, "the secret was shown once; revoke it and create a new one",
        ["a request that makes an API key was repeated; the answer with the secret is never kept"];
    /// All work here is stopped.
    Frozen = "ERR_FROZEN", Frozen, 423, "an admin lifts it with `aegis thaw TARGET`; `aegis freeze` lists what is frozen",
        ["somebody pulled the kill switch for everything, the tenant, the agent or the key; the message says which, since when and why"];
    /// The budget does not cover this.
    BudgetExceeded = "ERR_BUDGET_EXCEEDED", Budget, 402, "raise the budget or wait for the next period",
        ["nothing yet: budgets are kept with a version, and not enforced"];
    /// Too many requests.
    RateLimited = "ERR_RATE_LIMITED", RateLimit, 429, "wait as long as `Retry-After` says",
        ["one key asks faster than `http.key_rate_per_second`; wait, or give each program a key of its own",
         "an address had too many failed authentications; find who guesses, it ends by itself"];
    /// The server has all the work it can take.
    Overloaded = "ERR_OVERLOADED", Capacity, 503, "try again shortly",
        ["all boxes that the server can have are in use, and as many runs wait as may; raise `boxes.memory_max_mib`, `boxes.pids_max` or `boxes.waiting_max`, or let agents ask for less",
         "several large bundles or files arrive at once",
         "a proxy before the server has nobody to ask"];
    /// The server is going down.
    Draining = "ERR_DRAINING", Capacity, 503, "try again shortly; the server is stopping",
        ["the server was told to stop, and takes no new run"];
    /// The disk is full.
    StorageFull = "ERR_STORAGE_FULL", Resource, 507, "free space on the disk that holds the data directory",
        ["the disk of the data directory is full; nothing was changed, and the server goes on by itself once there is space",
         "the disk that the command line writes to is full"];
    /// This machine has no boxes of that kind.
    IsolationAbsent = "ERR_ISOLATION_ABSENT", Resource, 507, "run `aegis doctor`: it says what this machine lacks for such boxes",
        ["the kernel, or the rights of the server's user, do not allow boxes",
         "the manifest names a kind of box that this server cannot make; `process` is the one that it can"];
    /// A box could not be set up, or broke.
    BoxFailed = "ERR_BOX_FAILED", Transient, 503, "try again; if it stays, run `aegis doctor` and look at the server's log",
        ["the machine is short of something that boxes need: loop devices, processes, space on the disk",
         "the set-up of the machine changed while the server ran, for example its cgroups"];
    /// The keys of an issuer of tokens cannot be read.
    IssuerUnreachable = "ERR_ISSUER_UNREACHABLE", Transient, 503, "try again; if it stays, the operator of the server checks `auth.issuers`",
        ["the issuer of the token does not answer, or publishes no keys that can be read",
         "the server's network does not lead to the issuer, or it does not trust its certificate"];
    /// The agent could not be started.
    AgentStartFailed = "ERR_AGENT_START_FAILED", Agent, 424, "check `spec.runtime.command` and what the bundle holds",
        ["the program of the command is neither in the box nor beside the code, or may not be executed",
         "a server ended before it listened; the end of its log stands below the message",
         "a server does not listen on `127.0.0.1:8080`, or takes longer than 30 s until it does"];
    /// The agent used more memory than it has.
    AgentOutOfMemory = "ERR_AGENT_OUT_OF_MEMORY", Agent, 424, "raise `spec.resources.memory`, or let the agent use less",
        ["the agent, what it started, and what it wrote to `/tmp` are together larger than `spec.resources.memory`"];
    /// What the agent answered is not an answer.
    AgentAnswerInvalid = "ERR_AGENT_ANSWER_INVALID", Agent, 424, "answer with one JSON document of at most 1 MiB: alone on stdout, or as the body of a server's answer",
        ["the agent prints something else to stdout; what is not the answer belongs on stderr",
         "the answer is longer than 1 MiB; write a file in `/workspace` and answer with its name",
         "a server answers with something that is no JSON and says it is"];
    /// Somebody stopped the run.
    RunCancelled = "ERR_RUN_CANCELLED", Conflict, 409, "somebody cancelled the run; `aegis run retry` does it again",
        ["`aegis run cancel`, or the session ended while the run was open"];
    /// The kill switch, or somebody who ended the session, stopped the run.
    RunKilled = "ERR_RUN_KILLED", Frozen, 423, "somebody killed it; `aegis freeze` lists what is frozen",
        ["its session was killed with `aegis session kill`",
         "a freeze of everything, the tenant, the agent or the key that began it",
         "the agent or the tenant was deleted"];
    /// The box or the server went away under the run.
    RunCrashed = "ERR_RUN_CRASHED", Transient, 503, "`aegis run retry` does it again, in a new session",
        ["the server was stopped or killed while the run was open",
         "the box was ended from outside, for example by the kernel of a machine without memory"];
    /// The agent failed.
    AgentFailed = "ERR_AGENT_FAILED", Agent, 424, "read what the agent itself says, and repair it",
        ["the agent ended with an exit code other than 0, or by a signal; the end of its log stands below the message, `aegis run logs RUN` has it all",
         "a server answered with a status other than 2xx, or closed the connection without an answer"];
    /// The request took too long.
    TimedOut = "ERR_TIMED_OUT", Timeout, 504, "try again, or allow more time",
        ["the run took longer than `spec.resources.timeout`, or than the caller's `timeout_ms`; waiting for room counts",
         "the session reached `spec.resources.max_lifetime`",
         "the command line, or a proxy, waited for an answer in vain"];
    /// The request came too slowly.
    RequestTimedOut = "ERR_REQUEST_TIMED_OUT", Timeout, 504, "send the whole request at once",
        ["the body of the request took longer than `http.body_timeout_ms` to arrive"];
    /// The server cannot be reached.
    Unreachable = "ERR_UNREACHABLE", Network, 502, "check the address, and that the server runs: `aegis up`",
        ["no server runs there, or it listens on another port",
         "the name of the server cannot be resolved, or a firewall is in between",
         "its certificate is not trusted; name the issuer with `SSL_CERT_FILE`"];
    /// A host outside, which something inside a box may reach, was not reached.
    HostUnreachable = "ERR_HOST_UNREACHABLE", Network, 502, "check the name and the port, and that the host can be reached from the server",
        ["the name does not exist, or no name server answered; the server asks those of its machine, or `egress.name_servers`",
         "nobody takes connections at that port, or the host broke off"];
    /// The store cannot answer now.
    StoreUnavailable = "ERR_STORE_UNAVAILABLE", Transient, 503, "try again; if it stays, look at the server's log",
        ["the disk of the data directory answers with errors, or is gone"];
    /// Something stored is not what was stored.
    Tampered = "ERR_TAMPERED", Internal, 500, "run `aegis audit verify` and restore the last good backup",
        ["somebody changed the database, a file in `objects`, or an exported ledger; stop the server, keep a copy of the directory, and see which row its log names",
         "the key ring belongs to another data directory"];
    /// A defect.
    Internal = "ERR_INTERNAL", Internal, 500, "report it with the correlation id",
        ["a defect of Aegis; the server's log has the cause under the same correlation id",
         "something that is not Aegis answers at that address"];
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
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
    fn every_code_says_what_it_means_and_what_causes_it() {
        for code in Code::ALL {
            assert!(code.meaning().ends_with('.') && !code.meaning().starts_with(' '), "{code}");
            assert!(!code.causes().is_empty(), "{code}");
            for cause in code.causes() {
                let first = cause.chars().next().unwrap_or('A');
                assert!(!first.is_uppercase() && !cause.ends_with('.'), "{code}: {cause}");
                assert_eq!(cause.matches('`').count() % 2, 0, "{code}: {cause}");
            }
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
}
