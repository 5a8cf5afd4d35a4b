//! Whether an agent that is a server is there, and how it says it is. Must not know: what it is
//! asked to do.

use std::time::Duration;

use aegis_model::boxes::BoxError;
use aegis_model::port::{HttpConversation, HttpError, HttpMethod, HttpRequest};
use bytes::Bytes;

use super::{Lines, PING_TIME};

/// How long between the first two tries to reach it; then twice as long, up to the last.
const TRY_AGAIN_FIRST: Duration = Duration::from_millis(1);
const TRY_AGAIN_LAST: Duration = Duration::from_millis(50);
/// Longest answer to how it is.
const PING_BYTES_MAX: usize = 16 * 1024;
/// How a server says that it is not ready yet.
const NOT_YET: u16 = 503;

/// Waits until it is there.
///
/// # Errors
/// When its box has ended.
#[expect(clippy::disallowed_methods, reason = "nobody tells when a server begins to listen")]
pub(super) async fn reach(lines: &Lines) -> Result<(), BoxError> {
    let mut pause = TRY_AGAIN_FIRST;
    while !is_there(lines).await? {
        tokio::time::sleep(pause).await;
        pause = TRY_AGAIN_LAST.min(pause * 2);
    }
    Ok(())
}

/// Whether it takes connections, and does not say that it is not ready.
async fn is_there(lines: &Lines) -> Result<bool, BoxError> {
    let conversation = match lines.fresh().await {
        Ok(conversation) => conversation,
        Err(BoxError::NotListening(_)) => return Ok(false),
        Err(error) => return Err(error),
    };
    // Whatever else it does with the question, it is there.
    let answer = tokio::time::timeout(PING_TIME, ask(lines, conversation)).await;
    Ok(!matches!(answer, Ok(Ok((NOT_YET, _)))))
}

/// Asks how it is: the status of its answer, and the answer.
///
/// # Errors
/// When there is no answer.
pub(super) async fn ask(
    lines: &Lines,
    mut conversation: Box<dyn HttpConversation>,
) -> Result<(u16, Vec<u8>), HttpError> {
    let headers = vec![("host", lines.host())];
    let request = HttpRequest { method: HttpMethod::Get, path: "/ping", headers, body: Bytes::new() };
    let head = conversation.ask(request).await?;
    let mut body = Vec::new();
    while let Some(piece) = conversation.read().await? {
        body.extend_from_slice(&piece);
        if body.len() > PING_BYTES_MAX {
            return Ok((head.status, Vec::new()));
        }
    }
    lines.give_back(conversation);
    Ok((head.status, body))
}
