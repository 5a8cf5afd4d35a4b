//! What a person does in a session's box: starts a program, moves a file. Recorded before it
//! happens, as everything that reaches into a box.

use std::sync::Arc;

use aegis_fleet::session::Seat;
use aegis_ledger::journal::{Answer, Conclusion, Deed};
use aegis_model::boxes::{BoxError, Program};
use aegis_model::exec::{ExecEnding, ExecRequest};
use aegis_model::ledger::EntryDecision;
use aegis_model::port::{LiveBox, Running};
use aegis_model::{Act, Code, Fault, SessionId, TenantId};
use bytes::Bytes;

use super::Runs;

/// How long a program may run that nobody listens to, when nobody says.
const TIMEOUT_DEFAULT_MS: u64 = 60_000;
/// Largest file that is moved.
pub const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A program that somebody started in a session.
pub struct Executing {
    /// The program.
    pub running: Running,
    /// Keeps the session from being idle.
    pub seat: Seat,
}

impl Runs {
    /// Starts a program in a session's box. With `attached`, it runs until it ends or its
    /// connection does.
    ///
    /// # Errors
    /// `NotFound` when no session of that id lives; when the program cannot be started.
    pub async fn session_exec(
        self: &Arc<Self>,
        act: &Act,
        id: &SessionId,
        (request, attached): (&ExecRequest, bool),
    ) -> Result<Executing, Fault> {
        if request.command.is_empty() || request.command.iter().any(|word| word.contains('\0')) {
            return Err(Fault::new(Code::Validation, "`command` names a program and its arguments").at("/command"));
        }
        if request.terminal.is_some() && !attached {
            let rule = "a terminal needs a connection of its own (`Upgrade: aegis-exec`)";
            return Err(Fault::new(Code::Validation, rule).at("/terminal"));
        }
        let seat = self.living(&act.caller.tenant, id)?;
        let busy = Fault::new(Code::StateInvalid, "the same request is being carried out");
        let placeholder = busy.envelope(act.caller.correlation_id.as_str());
        self.note(act, format!("session/{id}/exec"), Answer::shown(busy.code().status(), &placeholder)?).await?;
        let timeout_ms = match request.timeout_ms {
            Some(limit) => limit,
            None if attached => 0,
            None => TIMEOUT_DEFAULT_MS,
        };
        let program = Program {
            arguments: request.command.clone(),
            environment: request.env.clone().into_iter().collect(),
            directory: request.directory.clone(),
            terminal: request.terminal,
            timeout_ms,
        };
        let live = self.home(&seat).await?;
        match live.exec(program).await {
            Ok(running) => Ok(Executing { running, seat }),
            Err(error) => Err(self.not_started(act, id, error).await?),
        }
    }

    /// Records that a program could not be started. Here it was named by a person, not by the
    /// agent's manifest.
    async fn not_started(&self, act: &Act, id: &SessionId, error: BoxError) -> Result<Fault, Fault> {
        let message = error.to_string();
        let fault = match Fault::from(error) {
            fault if fault.code() == Code::AgentFailed => Fault::new(Code::Validation, message.clone()).at("/command"),
            fault => fault,
        };
        let ending = ExecEnding { exit_code: None, reason: Some(message), cpu_ms: 0, memory_peak_bytes: 0 };
        let envelope = fault.envelope(act.caller.correlation_id.as_str());
        let answer = Answer::shown(fault.code().status(), &envelope)?;
        self.exec_ended(act, id, (&ending, Some(answer))).await?;
        Ok(fault)
    }

    /// Records how a program ended; `answer` is kept for a repeated request.
    ///
    /// # Errors
    /// When it cannot be recorded.
    pub async fn exec_ended(
        &self,
        act: &Act,
        id: &SessionId,
        (ending, answer): (&ExecEnding, Option<Answer>),
    ) -> Result<(), Fault> {
        let told = serde_json::to_vec(ending).map_err(Fault::internal)?;
        let changes = match answer {
            Some(answer) => self.journal.later_answer(act, &answer).await?.into_iter().collect(),
            None => Vec::new(),
        };
        let principal = act.caller.principal.name();
        let isolation = self.sessions.find(&act.caller.tenant, id);
        let isolation = isolation.map(|session| self.sessions.isolation(&session.wish.plan).to_owned());
        self.record_end(|| Conclusion {
            tenant: &act.caller.tenant,
            principal: &principal,
            correlation_id: &act.caller.correlation_id,
            operation: act.operation,
            subject: format!("session/{id}/exec"),
            stream: "sessions",
            at: self.clock.now(),
            decision: EntryDecision { allowed: true, id: act.decision.id.to_string(), reason: act.decision.class },
            isolation: isolation.clone(),
            outcome: &told,
            changes: Vec::clone(&changes),
        })
        .await
    }

    /// Writes a file below `/workspace` of a session's box.
    ///
    /// # Errors
    /// `NotFound` when no session of that id lives; when the file cannot be written.
    pub async fn file_put(
        self: &Arc<Self>,
        act: &Act,
        id: &SessionId,
        (path, bytes, executable): (&str, Bytes, bool),
    ) -> Result<(), Fault> {
        let seat = self.living(&act.caller.tenant, id)?;
        self.note(act, format!("session/{id}/files/{path}"), Answer::empty()).await?;
        self.home(&seat).await?.file_put(path, bytes, executable).await.map_err(Fault::from)
    }

    /// Reads a file below `/workspace` of a session's box.
    ///
    /// # Errors
    /// `NotFound` when no session of that id lives, or there is no such file.
    pub async fn file_get(self: &Arc<Self>, tenant: &TenantId, id: &SessionId, path: &str) -> Result<Bytes, Fault> {
        let seat = self.living(tenant, id)?;
        self.home(&seat).await?.file_get(path, FILE_BYTES_MAX).await.map_err(Fault::from)
    }

    fn living(self: &Arc<Self>, tenant: &TenantId, id: &SessionId) -> Result<Seat, Fault> {
        let live = self.sessions.find(tenant, id);
        let live = live.ok_or_else(|| Fault::not_found("session that lives", id.as_str()))?;
        let seat = self.sessions.join(tenant, id, (&live.wish.agent, false))?;
        seat.ok_or_else(|| Fault::not_found("session that lives", id.as_str()))
    }

    async fn home(&self, seat: &Seat) -> Result<Arc<dyn LiveBox>, Fault> {
        seat.session.ready().await?;
        seat.session.live().ok_or_else(|| Fault::new(Code::StateInvalid, "the session has no box"))
    }

    async fn note(&self, act: &Act, subject: String, answer: Answer) -> Result<(), Fault> {
        let deed = Deed { subject, stream: "sessions", changes: Vec::new(), answer, also: None };
        self.journal.commit(act, deed).await.map(drop)
    }
}
