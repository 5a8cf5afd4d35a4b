//! The adapter of the port `AgentHttp`: hyper's client, on connections that others make. Must
//! not know: what is asked, of whom.

mod conversation;

use aegis_model::port::{AgentHttp, Connection, HttpConversation, HttpError};
use async_trait::async_trait;

use conversation::Conversation;

/// Speaks HTTP with hyper.
#[derive(Clone, Copy, Debug, Default)]
pub struct HyperHttp;

#[async_trait]
impl AgentHttp for HyperHttp {
    async fn converse(&self, connection: Connection) -> Result<Box<dyn HttpConversation>, HttpError> {
        Ok(Box::new(Conversation::begin(connection).await?))
    }
}
