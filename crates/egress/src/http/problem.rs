//! Why bytes are refused, and the status an agent is told. Must not know: how it is told.

/// Why a message is refused. A problem of a response has a status too, but it is the host's
/// fault: whoever speaks to the agent answers 502 then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpProblem {
    /// A line ends without a carriage return.
    #[error("a line feed stands without a carriage return")]
    BareLineFeed,
    /// A carriage return inside a line.
    #[error("a carriage return stands without a line feed")]
    BareCarriageReturn,
    /// A control character that is no part of the grammar.
    #[error("a head holds a control character")]
    ControlByte,
    /// An empty line where a message has to begin.
    #[error("an empty line stands before the message")]
    EmptyLine,
    /// The head does not fit.
    #[error("a head is longer than `{0}` bytes")]
    HeadTooLong(usize),
    /// More header lines than a head may have.
    #[error("a head has more than `{0}` headers")]
    TooManyHeaders(usize),
    /// The target does not fit.
    #[error("a request target is longer than `{0}` bytes")]
    TargetTooLong(usize),
    /// Not three parts with one space between.
    #[error("the request line is malformed")]
    BadRequestLine,
    /// Not a token, too long, or a known method in the wrong case.
    #[error("the method is malformed")]
    BadMethod,
    /// Neither `HTTP/1.1` nor `HTTP/1.0`.
    #[error("the version is not spoken here")]
    UnknownVersion,
    /// A status line that is not one.
    #[error("the status line is malformed")]
    BadStatusLine,
    /// A header that goes on in the next line.
    #[error("a header is folded")]
    FoldedHeader,
    /// A header line without a colon.
    #[error("a header has no colon")]
    HeaderWithoutColon,
    /// A header whose name is not a token.
    #[error("the name of a header is malformed")]
    BadHeaderName,
    /// A header whose value holds what it may not.
    #[error("the value of a header is malformed")]
    BadHeaderValue,
    /// A header that some readers take for one that frames or routes the message.
    #[error("the header `{0}` passes for another")]
    DisguisedHeader(String),
    /// A header that is written from the structure, and by nobody else.
    #[error("the header `{0}` is not for others to set")]
    ReservedHeader(String),
    /// A header that may stand once stands more often.
    #[error("the header `{0}` is repeated")]
    Repeated(&'static str),
    /// A target in none of the known forms.
    #[error("the request target is malformed")]
    BadTarget,
    /// A form of target that does not go with the method.
    #[error("the request target does not go with the method")]
    TargetNotForMethod,
    /// An absolute target that is not `http`.
    #[error("the scheme of the request target is not served")]
    SchemeNotServed,
    /// A name or password before the host.
    #[error("the request target holds user information")]
    UserInformation,
    /// A fragment, which never leaves a program.
    #[error("the request target holds a fragment")]
    Fragment,
    /// A host that cannot be one.
    #[error("the host is malformed")]
    BadHost,
    /// A port that cannot be one, or one that has to be there and is not.
    #[error("the port is malformed")]
    BadPort,
    /// Nobody says whom the request is for.
    #[error("the host header is missing")]
    MissingHost,
    /// The target and the `Host` header name different hosts.
    #[error("the host header names another host than the request target")]
    HostMismatch,
    /// A byte that may not stand in a path as it is.
    #[error("the path holds a character that has to be escaped")]
    BadPath,
    /// A percent sign without two hexadecimal digits.
    #[error("the path holds a malformed escape")]
    BadEscape,
    /// A control character in disguise.
    #[error("the path holds an escaped control character")]
    EscapedControl,
    /// A path that leaves its root.
    #[error("the path leads above its root")]
    AboveRoot,
    /// A dot segment with parameters, which some servers take for a plain one.
    #[error("the path holds a dot segment with parameters")]
    DisguisedDotSegment,
    /// A byte that may not stand in a query.
    #[error("the query holds a character that has to be escaped")]
    BadQuery,
    /// Two ways to tell where the body ends.
    #[error("both a content length and a transfer encoding are given")]
    LengthAndEncoding,
    /// A length that is not plain digits, or too many of them.
    #[error("the content length is malformed")]
    BadContentLength,
    /// A transfer encoding other than `chunked`, once.
    #[error("the transfer encoding is not spoken here")]
    UnknownTransferEncoding,
    /// A transfer encoding where the version has none.
    #[error("a transfer encoding is given in a version that has none")]
    EncodingInOldVersion,
    /// A body where none can be.
    #[error("a body is announced where none can be")]
    BodyNotAllowed,
    /// A `Connection` header that is no list of tokens.
    #[error("the connection header is malformed")]
    BadConnection,
    /// A `Connection` header that would take away what belongs to the message.
    #[error("the connection header names `{0}`")]
    ConnectionNames(String),
    /// An expectation other than `100-continue`.
    #[error("the expectation is not known")]
    UnknownExpectation,
    /// A WebSocket handshake that is none.
    #[error("the websocket handshake is malformed")]
    BadWebSocket,
    /// A chunk whose size is malformed or too big.
    #[error("the size of a chunk is malformed")]
    BadChunkSize,
    /// A chunk extension that is too long or holds a control character.
    #[error("a chunk extension is malformed")]
    BadChunkExtension,
    /// A chunk that does not end where it says.
    #[error("a chunk does not end where it has to")]
    BadChunkEnd,
    /// The connection ended before the body did.
    #[error("the body ended early")]
    Truncated,
    /// A request that is answered here and never sent on.
    #[error("a request for a tunnel is not sent on")]
    NotForwarded,
}

impl HttpProblem {
    /// The status of the refusal, when the problem is one of a request.
    pub fn status(&self) -> u16 {
        match self {
            Self::TargetTooLong(_) => 414,
            Self::UnknownExpectation => 417,
            Self::HeadTooLong(_) | Self::TooManyHeaders(_) => 431,
            Self::UnknownTransferEncoding => 501,
            Self::UnknownVersion => 505,
            _ => 400,
        }
    }
}
