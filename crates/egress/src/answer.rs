//! What a program inside is told when it is not let out: a code, a reason in one word, and a
//! handle by which people find the whole record. Nothing that would be a map of the rules.
//! Must not know: how it was decided, and over what it is sent.

use aegis_model::outward::Refusal;
use aegis_model::{Code, DecisionId, Fault};

use crate::dial::DialProblem;
use crate::http::{HttpProblem, write_refusal};
use crate::room::Room;
use crate::socks::Reply;

/// How something is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tongue {
    /// As the answer to a request of HTTP.
    Http,
    /// As a reply of SOCKS.
    Socks,
    /// In whatever it turns out to speak: whoever connected to a resolved name knows of no proxy.
    Silent,
}

/// Why something was not let out, or did not get anywhere.
#[derive(Debug)]
pub(crate) enum No {
    /// It is refused; with the handle of the record.
    Refused(Refusal, DecisionId),
    /// The host was not reached.
    Unreached(DialProblem),
    /// Nobody can decide or record now.
    Unable(Fault),
}

impl No {
    fn fault(&self, what: &str) -> Fault {
        match self {
            Self::Refused(Refusal::TooMuch, id) => {
                Fault::new(Code::RateLimited, "this session has as many connections, requests or bytes as it may have")
                    .with("reason", Refusal::TooMuch.as_str())
                    .with("decision_id", id.as_str())
            }
            Self::Refused(refusal, id) => {
                Fault::new(Code::EgressDenied, format!("`{what}` may not be reached: {}", refusal.said()))
                    .with("reason", refusal.as_str())
                    .with("decision_id", id.as_str())
                    .with("approval", id.as_str())
            }
            Self::Unreached(problem @ DialProblem::TimedOut(_)) => {
                Fault::new(Code::TimedOut, format!("`{what}` was not reached: {problem}"))
            }
            Self::Unreached(problem) => {
                Fault::new(Code::HostUnreachable, format!("`{what}` was not reached: {problem}"))
            }
            // What went wrong inside is nobody's inside the box.
            Self::Unable(fault) => Fault::new(fault.code(), "nobody can decide about it now, so it does not happen"),
        }
    }

    /// The answer to a request of HTTP.
    pub(crate) fn http(&self, room: &Room, what: &str) -> Vec<u8> {
        let fault = self.fault(what);
        let correlation_id = room.occupant.correlation_id().map_or("", |id| id.as_str());
        written(&fault, fault.code().status(), correlation_id)
    }

    /// The reply of SOCKS.
    pub(crate) fn socks(&self) -> Reply {
        match self {
            Self::Refused(..) => Reply::NotAllowed,
            Self::Unreached(DialProblem::Refused(_)) => Reply::Refused,
            Self::Unreached(_) => Reply::HostUnreachable,
            Self::Unable(_) => Reply::General,
        }
    }
}

/// The answer to a request of HTTP that cannot be read without doubt.
pub(crate) fn unreadable(problem: &HttpProblem) -> Vec<u8> {
    let fault = Fault::new(Code::Malformed, format!("the request is refused: {problem}"))
        .with("reason", Refusal::Malformed.as_str());
    written(&fault, problem.status(), "")
}

/// The answer to a request of HTTP for the proxy itself.
pub(crate) fn misled() -> Vec<u8> {
    let how = "name a host, as in `GET http://host/` or `CONNECT host:443`";
    let fault = Fault::new(Code::Malformed, format!("this is the way out of the box: a proxy; {how}"));
    written(&fault, fault.code().status(), "")
}

/// What is wrong, as a whole answer of HTTP. The connection is closed after it.
fn written(fault: &Fault, status: u16, correlation_id: &str) -> Vec<u8> {
    let body = serde_json::to_string(&fault.envelope(correlation_id)).unwrap_or_default();
    write_refusal(status, &body, false)
}

/// The alert of TLS by which a client learns that it was refused: fatal, access denied.
pub(crate) const TLS_DENIED: [u8; 7] = [21, 3, 3, 0, 2, 2, 49];
