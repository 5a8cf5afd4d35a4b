//! A call of one operation before it is sent: path, query, body. Must not know: the network.

use aegis_model::Operation;
use aegis_model::operation::Method;
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

/// What every path of the API begins with.
const PREFIX: &str = "/api/v1";

/// A call of one operation.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) operation: Operation,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) body: Option<(String, Bytes)>,
    pub(crate) last_event: Option<u64>,
    pub(crate) switching: Option<&'static str>,
    pub(crate) executable: bool,
}

impl Request {
    /// A call without parameters.
    pub(crate) fn of(operation: Operation) -> Self {
        Self {
            operation,
            path: format!("{PREFIX}{}", operation.path()),
            query: Vec::new(),
            body: None,
            last_event: None,
            switching: None,
            executable: false,
        }
    }

    /// Fills a parameter of the path in. Names and numbers need no escaping: their types keep
    /// to letters, digits, `-` and `_`.
    pub(crate) fn at(mut self, parameter: &str, value: impl ToString) -> Self {
        self.path = self.path.replace(&format!("{{{parameter}}}"), &value.to_string());
        self
    }

    /// Adds the fields of `query` that are set.
    pub(crate) fn query(mut self, query: &impl Serialize) -> Self {
        if let Ok(Value::Object(fields)) = serde_json::to_value(query) {
            let pairs = fields.into_iter().filter_map(|(name, value)| text(value).map(|text| (name, text)));
            self.query.extend(pairs);
        }
        self
    }

    /// Fills the rest of the path in. Everything but letters, digits, `-._~` and slashes is escaped.
    pub(crate) fn at_path(self, path: &str) -> Self {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
        let escaped = path.bytes().map(|byte| match byte {
            byte if plain(byte) => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        });
        self.at("path", escaped.collect::<String>())
    }

    /// The connection is to speak that protocol from then on.
    pub(crate) fn switching(mut self, protocol: &'static str) -> Self {
        self.switching = Some(protocol);
        self
    }

    /// The file that is sent can be executed.
    pub(crate) fn executable(mut self, executable: bool) -> Self {
        self.executable = executable;
        self
    }

    /// Goes on after an event that was heard already.
    pub(crate) fn after(mut self, event: u64) -> Self {
        self.last_event = (event > 0).then_some(event);
        self
    }

    /// Adds a body in JSON.
    pub(crate) fn json(self, body: &impl Serialize) -> Self {
        // INVARIANT: the bodies of the API are structs with text keys, which always serialise.
        let bytes = serde_json::to_vec(body).unwrap_or_default();
        self.body("application/json".to_owned(), Bytes::from(bytes))
    }

    /// Adds a body.
    pub(crate) fn body(mut self, content_type: String, bytes: Bytes) -> Self {
        self.body = Some((content_type, bytes));
        self
    }

    /// Whether the request carries an idempotency key.
    pub(crate) fn takes_idempotency_key(&self) -> bool {
        self.operation.method() == Method::Post
    }

    /// Whether a second arrival has no second effect: it only reads, it sets to a given value,
    /// or the server recognises the repeat by its key. A second delete would answer "not found".
    pub(crate) fn is_repeatable(&self) -> bool {
        self.operation.method() != Method::Delete
    }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(yes.to_string()),
        _ => None,
    }
}
