//! A call: an authenticated, admitted, authorized request as its handler sees it.

use std::str::FromStr;
use std::sync::Arc;

use aegis_model::port::Occupant;
use aegis_model::{Act, Code, Fault, TenantId};
use axum::http::HeaderMap;
use bytes::Bytes;
use hyper::upgrade::OnUpgrade;
use serde::de::DeserializeOwned;

use crate::auth::Holder;
use crate::{App, Rooms};

/// Path parameters, decoded.
pub type Parameters = Vec<(String, String)>;

/// A request whose act is allowed.
pub struct Call {
    /// The server.
    pub app: Arc<App>,
    /// Who does what, by which decision.
    pub act: Act,
    /// From the path.
    pub parameters: Parameters,
    /// From the query string, as sent.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// Whoever holds the credential.
    pub holder: Holder,
    /// Who lives in the box, if the request comes through its door.
    pub occupant: Option<Arc<Occupant>>,
    /// Gives the connection away, if it is to become something else's.
    pub upgrade: Option<OnUpgrade>,
}

impl Call {
    /// The domain rooms.
    pub fn rooms(&self) -> &Rooms {
        &self.app.rooms
    }

    /// The caller's tenant.
    pub fn tenant(&self) -> &TenantId {
        &self.act.caller.tenant
    }

    /// Whoever lives in the box that this comes from.
    ///
    /// # Errors
    /// `StateInvalid` when it comes from elsewhere.
    pub fn occupant(&self) -> Result<&Occupant, Fault> {
        let elsewhere = || Fault::new(Code::StateInvalid, "only an agent in its box can ask for this");
        self.occupant.as_deref().ok_or_else(elsewhere)
    }

    /// A path parameter in its type. What cannot be a name names nothing: 404.
    pub fn parameter<T: FromStr>(&self, name: &str) -> Result<T, Fault> {
        let text = parameter(&self.parameters, name);
        text.parse().map_err(|_| Fault::not_found(name, &text.chars().take(80).collect::<String>()))
    }

    /// The query string in its type.
    pub fn query<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(self.query.as_bytes()));
        serde_path_to_error::deserialize(pairs).map_err(|error| {
            let pointer = pointer(error.path());
            Fault::new(Code::Validation, format!("the query is not valid: {}", sentence(error.inner()))).at(&pointer)
        })
    }

    /// The body in its type.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        self.require_json()?;
        let mut document = serde_json::Deserializer::from_slice(&self.body);
        let value = serde_path_to_error::deserialize(&mut document).map_err(|error| {
            if self.act.operation.carries_secret() { quiet_fault(error.inner()) } else { body_fault(&error) }
        })?;
        document.end().map_err(|error| Fault::new(Code::Malformed, format!("the body is not JSON: {error}")))?;
        Ok(value)
    }

    fn require_json(&self) -> Result<(), Fault> {
        let kind = self.content_type();
        if kind == "application/json" || kind.ends_with("+json") {
            return Ok(());
        }
        Err(Fault::new(Code::UnsupportedMediaType, "the content type must be `application/json`"))
    }

    /// The content type without its parameters, in lower case.
    pub fn content_type(&self) -> String {
        let header = self.headers.get(axum::http::header::CONTENT_TYPE);
        let text = header.and_then(|value| value.to_str().ok()).unwrap_or("");
        text.split(';').next().unwrap_or("").trim().to_ascii_lowercase()
    }
}

/// The parameter of that name; the router has made sure that there is one.
pub fn parameter<'a>(parameters: &'a Parameters, name: &str) -> &'a str {
    parameters.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
}

fn body_fault(error: &serde_path_to_error::Error<serde_json::Error>) -> Fault {
    let inner = error.inner();
    if inner.is_data() {
        return Fault::new(Code::Validation, format!("the body is not valid: {}", sentence(inner)))
            .at(&pointer(error.path()))
            .with("line", inner.line())
            .with("column", inner.column());
    }
    Fault::new(Code::Malformed, format!("the body is not JSON: {}", sentence(inner)))
        .with("line", inner.line())
        .with("column", inner.column())
}

/// What is wrong with a body that holds a secret: only where. What a parser says, or the path to
/// the place, could repeat the secret.
fn quiet_fault(error: &serde_json::Error) -> Fault {
    let (code, message) = match error.is_data() {
        true => (
            Code::Validation,
            "the body is not as `/openapi.json` says; what is wrong is not repeated, because it holds a secret",
        ),
        false => (Code::Malformed, "the body is not JSON; what is wrong is not repeated, because it holds a secret"),
    };
    Fault::new(code, message).with("line", error.line()).with("column", error.column())
}

/// What a parser says, short and without control characters.
fn sentence(error: &impl std::fmt::Display) -> String {
    error.to_string().chars().take(300).flat_map(char::escape_debug).collect()
}

/// A path as a JSON pointer.
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } | Segment::Enum { variant: key } => {
                format!("/{}", key.replace('~', "~0").replace('/', "~1"))
            }
            Segment::Unknown => String::new(),
        })
        .collect()
}
