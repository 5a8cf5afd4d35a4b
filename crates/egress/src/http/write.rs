//! Heads as bytes, from their structure alone. Must not know: the bytes they were read from.

use super::target::{HTTP_PORT, check_host};
use super::{
    BodyFraming, Header, HttpProblem, RequestHead, RequestPath, ResponseFraming, ResponseHead, Target, WebSocket,
};

/// A request as it is sent to `host` in origin form. The caller says which host was allowed;
/// the agent's own spelling of it is not used.
///
/// # Errors
/// When the request asks for a tunnel, which is never sent on, or `host` cannot be a host.
pub fn write_request(head: &RequestHead, host: &str, port: u16, keep_alive: bool) -> Result<Vec<u8>, HttpProblem> {
    check_host(host)?;
    let mut bytes = Vec::new();
    bytes.extend_from_slice(head.method.as_str().as_bytes());
    bytes.push(b' ');
    match &head.target {
        Target::Absolute { path, .. } | Target::Origin(path) => push_path(&mut bytes, path),
        Target::Asterisk => bytes.push(b'*'),
        Target::Authority { .. } => return Err(HttpProblem::NotForwarded),
    }
    bytes.extend_from_slice(b" HTTP/1.1\r\n");
    let authority = if port == HTTP_PORT { host.to_owned() } else { format!("{host}:{port}") };
    push_line(&mut bytes, "host", authority.as_bytes());
    push_headers(&mut bytes, &head.headers);
    match head.framing {
        BodyFraming::None => {}
        BodyFraming::Length(length) => push_length(&mut bytes, length),
        BodyFraming::Chunked => push_line(&mut bytes, "transfer-encoding", b"chunked"),
    }
    match &head.upgrade {
        Some(upgrade) => push_upgrade(&mut bytes, upgrade),
        None if keep_alive => {}
        None => push_line(&mut bytes, "connection", b"close"),
    }
    bytes.extend_from_slice(b"\r\n");
    Ok(bytes)
}

/// A response as it is sent to the agent. `framing` is how the body is sent, which need not be
/// how it came; a body until close closes whatever `keep_alive` says.
pub fn write_response(head: &ResponseHead, keep_alive: bool, framing: ResponseFraming) -> Vec<u8> {
    let mut bytes = status_line(head.status);
    push_headers(&mut bytes, &head.headers);
    match (framing, head.announced_length) {
        (ResponseFraming::Length(length), _) => push_length(&mut bytes, length),
        (ResponseFraming::Chunked, _) => push_line(&mut bytes, "transfer-encoding", b"chunked"),
        // The answer to `HEAD`, or to a question whether something has changed.
        (ResponseFraming::None, Some(length)) => push_length(&mut bytes, length),
        (ResponseFraming::None | ResponseFraming::UntilClose, _) => {}
    }
    if head.is_switching() && head.upgrades_to_websocket {
        push_line(&mut bytes, "connection", b"Upgrade");
        push_line(&mut bytes, "upgrade", b"websocket");
    } else if !head.is_interim() {
        push_connection(&mut bytes, keep_alive && framing != ResponseFraming::UntilClose);
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}

/// A whole response that refuses a request.
pub fn write_refusal(status: u16, body_json: &str, keep_alive: bool) -> Vec<u8> {
    let mut bytes = status_line(status);
    push_line(&mut bytes, "content-type", b"application/json");
    push_line(&mut bytes, "content-length", body_json.len().to_string().as_bytes());
    push_connection(&mut bytes, keep_alive);
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body_json.as_bytes());
    bytes
}

fn push_path(bytes: &mut Vec<u8>, path: &RequestPath) {
    bytes.extend_from_slice(path.path().as_bytes());
    if let Some(query) = path.query() {
        bytes.push(b'?');
        bytes.extend_from_slice(query.as_bytes());
    }
}

fn push_headers(bytes: &mut Vec<u8>, headers: &[Header]) {
    for header in headers {
        push_line(bytes, header.name(), header.value());
    }
}

fn push_line(bytes: &mut Vec<u8>, name: &str, value: &[u8]) {
    bytes.extend_from_slice(name.as_bytes());
    bytes.extend_from_slice(b": ");
    bytes.extend_from_slice(value);
    bytes.extend_from_slice(b"\r\n");
}

fn push_length(bytes: &mut Vec<u8>, length: u64) {
    push_line(bytes, "content-length", length.to_string().as_bytes());
}

fn push_upgrade(bytes: &mut Vec<u8>, upgrade: &WebSocket) {
    push_line(bytes, "connection", b"Upgrade");
    push_line(bytes, "upgrade", b"websocket");
    push_line(bytes, "sec-websocket-version", b"13");
    push_line(bytes, "sec-websocket-key", upgrade.key().as_bytes());
}

/// Said in both cases, for an agent that speaks `HTTP/1.0` takes silence for an end.
fn push_connection(bytes: &mut Vec<u8>, keep_alive: bool) {
    push_line(bytes, "connection", if keep_alive { b"keep-alive" } else { b"close" });
}

fn status_line(status: u16) -> Vec<u8> {
    format!("HTTP/1.1 {status} {}\r\n", reason(status)).into_bytes()
}

fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        102 => "Processing",
        103 => "Early Hints",
        200..=299 => success_reason(status),
        300..=399 => redirection_reason(status),
        400..=499 => request_problem_reason(status),
        500..=599 => server_problem_reason(status),
        _ => "",
    }
}

fn success_reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        203 => "Non-Authoritative Information",
        204 => "No Content",
        205 => "Reset Content",
        206 => "Partial Content",
        207 => "Multi-Status",
        _ => "",
    }
}

fn redirection_reason(status: u16) -> &'static str {
    match status {
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        _ => "",
    }
}

fn request_problem_reason(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        425 => "Too Early",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        451 => "Unavailable For Legal Reasons",
        _ => "",
    }
}

fn server_problem_reason(status: u16) -> &'static str {
    match status {
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        511 => "Network Authentication Required",
        _ => "",
    }
}

#[cfg(test)]
#[path = "write_tests.rs"]
mod tests;
