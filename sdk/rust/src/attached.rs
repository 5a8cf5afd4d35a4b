//! A program in a box, on a connection of its own. Must not know: terminals, or who types.

use aegis_model::exec::ExecFrame;
use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};

use crate::client::Client;
use crate::error::ClientError;
use crate::request::Request;

/// A program in a box.
pub struct Attached {
    /// What is said to it.
    pub saying: Saying,
    /// What it says.
    pub hearing: Hearing,
}

/// What is said to a program.
pub struct Saying {
    to: WriteHalf<reqwest::Upgraded>,
    url: String,
}

/// What a program says.
pub struct Hearing {
    from: ReadHalf<reqwest::Upgraded>,
    received: BytesMut,
    url: String,
}

impl Attached {
    pub(crate) async fn open(client: &Client, request: Request) -> Result<Self, ClientError> {
        let answer = client.follow(request).await?;
        let url = client.url().to_owned();
        let connection = answer.upgrade().await.map_err(|error| broken(&url, &error))?;
        let (from, to) = tokio::io::split(connection);
        let hearing = Hearing { from, received: BytesMut::new(), url: url.clone() };
        Ok(Self { saying: Saying { to, url }, hearing })
    }
}

impl Saying {
    /// Says something to the program.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn say(&mut self, frame: &ExecFrame) -> Result<(), ClientError> {
        let sent = self.to.write_all(&frame.encode()).await;
        sent.map_err(|error| broken(&self.url, &error))?;
        self.to.flush().await.map_err(|error| broken(&self.url, &error))
    }
}

impl Hearing {
    /// What the program says next; its end is the last.
    ///
    /// # Errors
    /// When the connection is gone before the program has ended, or speaks another protocol.
    pub async fn hear(&mut self) -> Result<ExecFrame, ClientError> {
        loop {
            let problem = |problem: &str| ClientError::Protocol {
                url: self.url.clone(),
                status: None,
                problem: problem.to_owned(),
            };
            match ExecFrame::decode(&mut self.received) {
                Ok(Some(frame)) => return Ok(frame),
                Ok(None) => {}
                Err(error) => return Err(problem(&error.to_string())),
            }
            let read = self.from.read_buf(&mut self.received).await;
            if read.map_err(|error| broken(&self.url, &error))? == 0 {
                return Err(problem("the connection ended before the program did"));
            }
        }
    }
}

fn broken(url: &str, error: &dyn std::error::Error) -> ClientError {
    ClientError::Unreachable { url: url.to_owned(), cause: error.to_string() }
}
