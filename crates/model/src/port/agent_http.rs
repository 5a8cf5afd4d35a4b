//! Speaking HTTP with a server in a box.

use async_trait::async_trait;
use bytes::Bytes;

use super::Connection;

/// What a server is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// How.
    pub method: HttpMethod,
    /// For what: a path, as it is written in the request.
    pub path: &'static str,
    /// Header names, in lower case, and their values.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Bytes,
}

/// How a server is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpMethod {
    /// For what is there.
    Get,
    /// To do something.
    Post,
}

/// The head of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpHead {
    /// The status.
    pub status: u16,
    /// What the body is, as the server says it.
    pub content_type: Option<String>,
}

/// Why there is no answer, or no more of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// The connection was closed before a byte of the answer had come.
    #[error("the connection was closed without an answer")]
    Unanswered,
    /// The connection was closed in the middle of the answer.
    #[error("the connection was closed in the middle of the answer")]
    BrokenOff,
    /// What came is not HTTP, or more of it than anybody would take in.
    #[error("the answer cannot be read: {0}")]
    Unreadable(String),
}

/// Speaks HTTP/1.1 and 1.0 on connections that others make.
///
/// Guarantees every adapter keeps (the conformance suite tests them):
/// - who stops waiting, by dropping a future or a conversation, closes its connection; nobody
///   gets the rest of an answer to another's question;
/// - the body of an answer comes piece by piece, each as soon as it is there, and who does not
///   read makes the server wait;
/// - an answer that breaks off is an error, never a short answer, wherever HTTP can tell;
/// - a head has a limit, so that nobody makes this side grow by it.
///
/// Nothing here limits time, or the size of a body: both are the caller's.
#[async_trait]
pub trait AgentHttp: Send + Sync {
    /// Begins a conversation on a connection.
    ///
    /// # Errors
    /// When the connection has ended.
    async fn converse(&self, connection: Connection) -> Result<Box<dyn HttpConversation>, HttpError>;
}

/// Questions and answers on one connection, one after the other.
#[async_trait]
pub trait HttpConversation: Send {
    /// Asks, and waits for the head of the answer.
    ///
    /// # Errors
    /// When the conversation has ended, or ends without a head.
    async fn ask(&mut self, request: HttpRequest) -> Result<HttpHead, HttpError>;

    /// The next piece of the answer's body; `None` at its end.
    ///
    /// # Errors
    /// When it breaks off.
    async fn read(&mut self) -> Result<Option<Bytes>, HttpError>;

    /// Whether another question can follow: the last answer was read to its end, and the server
    /// has not closed the connection since.
    fn is_open(&mut self) -> bool;
}
