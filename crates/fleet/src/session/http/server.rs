//! The process that is the server: what it writes is the session's log, and its end is told.
//! Must not know: what is asked of it.

use std::sync::{Arc, Mutex, PoisonError};

use aegis_model::boxes::Exit;
use aegis_model::port::{ByteSource, Running};
use aegis_model::{Code, Fault};
use tokio::sync::watch;

use crate::session::log::LineLog;
use crate::session::speech::LogTail;
use crate::session::stdio;

/// The process that is the server.
pub(in crate::session) struct Server {
    tail: Mutex<LogTail>,
    end: watch::Sender<Option<Fault>>,
}

impl Server {
    /// A process that runs; `logs` take in its output and its complaints.
    pub(in crate::session) fn attend(running: Running, logs: [LineLog; 2]) -> Arc<Self> {
        let server = Arc::new(Self { tail: Mutex::default(), end: watch::Sender::new(None) });
        tokio::spawn(Arc::clone(&server).hear_out(running, logs));
        server
    }

    async fn hear_out(self: Arc<Self>, running: Running, logs: [LineLog; 2]) {
        let Running { input, mut output, mut errors, steering } = running;
        drop(input);
        let [said, complained] = &logs;
        tokio::join!(self.keep_all(output.as_mut(), said), self.keep_all(errors.as_mut(), complained));
        let ending = steering.ending().await;
        drop(logs);
        let fault = stdio::failed(&ending).unwrap_or_else(|| {
            let code = if let Exit::Code(code) = ending.exit { code } else { 0 };
            Fault::new(Code::AgentFailed, format!("the agent ended with exit code {code}"))
        });
        self.end.send_replace(Some(fault.with("log", self.log())));
    }

    async fn keep_all(&self, source: &mut dyn ByteSource, log: &LineLog) {
        while let Ok(Some(bytes)) = source.read().await {
            log.take(&bytes);
            self.tail.lock().unwrap_or_else(PoisonError::into_inner).take(&bytes);
        }
    }

    /// The end of its log.
    pub(super) fn log(&self) -> Vec<String> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).lines()
    }

    /// How it ended, once it has.
    pub(super) fn end(&self) -> Option<Fault> {
        self.end.borrow().clone()
    }

    /// Waits until it has ended, and tells how.
    pub(super) async fn ended(&self) -> Fault {
        let mut end = self.end.subscribe();
        let found = end.wait_for(Option::is_some).await.map(|end| end.clone());
        // The sender lives as long as this does.
        found.ok().flatten().unwrap_or_else(|| Fault::new(Code::AgentFailed, "the agent has ended"))
    }
}
