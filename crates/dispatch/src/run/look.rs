//! Looking at runs and sessions.

use std::sync::Arc;

use aegis_model::api::{LogLines, LogQuery, RunListQuery, SessionListQuery};
use aegis_model::record::{Kind, ListQuery};
use aegis_model::run::{LogLine, Run, RunSummary, Session, SessionView};
use aegis_model::{Code, Fault, RunId, SessionId, TenantId};

use super::Runs;
use super::records::{OPEN, read, run_key, session_key};

impl Runs {
    /// A run, with its input and its outcome.
    ///
    /// # Errors
    /// `NotFound` when the tenant has none of that id.
    pub async fn run_view(&self, tenant: &TenantId, id: &RunId) -> Result<Run, Fault> {
        if let Some(live) = self.live(tenant, id) {
            return Ok(Arc::unwrap_or_clone(live.run()));
        }
        let record = self.store().get(&run_key(tenant, id)).await?;
        read(&record.ok_or_else(|| Fault::not_found("run", id.as_str()))?)
    }

    /// Runs, newest first.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn run_list(
        &self,
        tenant: &TenantId,
        query: &RunListQuery,
        (after, limit): (Option<String>, usize),
    ) -> Result<Vec<RunSummary>, Fault> {
        let by_session = query.session_id.as_ref().map(|id| ("session", id.as_str().to_owned()));
        let by_agent = query.agent.as_ref().map(|name| ("agent", name.as_str().to_owned()));
        let only = |run: &Run| query.agent.as_ref().is_none_or(|name| *name == run.agent);
        let index = by_session.or(by_agent);
        let query = ListQuery { kind: Kind::Run, tenant: tenant.clone(), index, after, newest_first: true, limit };
        let mut found = Vec::new();
        for record in self.store().list(&query).await? {
            let stored: Run = read(&record)?;
            if only(&stored) {
                found.push(self.live(tenant, &stored.id).map_or_else(|| stored.into(), |live| live.summary()));
            }
        }
        Ok(found)
    }

    /// A session, and what its box uses.
    ///
    /// # Errors
    /// `NotFound` when the tenant has none of that id.
    pub async fn session_view(&self, tenant: &TenantId, id: &SessionId) -> Result<SessionView, Fault> {
        let record = self.store().get(&session_key(tenant, id)).await?;
        let stored: Session = read(&record.ok_or_else(|| Fault::not_found("session", id.as_str()))?)?;
        Ok(self.seen(tenant, stored).await)
    }

    /// Sessions, in the order of their ids; those that live, unless all are asked for.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn session_list(
        &self,
        tenant: &TenantId,
        query: &SessionListQuery,
        (after, limit): (Option<String>, usize),
    ) -> Result<Vec<SessionView>, Fault> {
        let by_agent = query.agent.as_ref().map(|name| ("agent", name.as_str().to_owned()));
        let index = if query.all { by_agent } else { Some(("open", OPEN.to_owned())) };
        let only = |session: &Session| query.agent.as_ref().is_none_or(|name| *name == session.agent);
        let asked = ListQuery { kind: Kind::Session, tenant: tenant.clone(), index, after, newest_first: true, limit };
        let mut found = Vec::new();
        for record in self.store().list(&asked).await? {
            let stored: Session = read(&record)?;
            if only(&stored) {
                found.push(self.seen(tenant, stored).await);
            }
        }
        Ok(found)
    }

    /// Lines of a session's log.
    ///
    /// # Errors
    /// `NotFound` when the tenant has no session of that id.
    pub async fn session_logs(
        &self,
        tenant: &TenantId,
        id: &SessionId,
        (query, limit): (&LogQuery, usize),
    ) -> Result<LogLines, Fault> {
        let there = self.store().get(&session_key(tenant, id)).await?;
        there.ok_or_else(|| Fault::not_found("session", id.as_str()))?;
        let wanted = |line: &LogLine| query.run_id.is_none() || line.run_id == query.run_id;
        let unread = |error| Fault::new(Code::StoreUnavailable, "the logs cannot be read now").caused_by(error);
        let (mut items, mut next) = (Vec::new(), query.after);
        while items.is_empty() {
            let read = self.logs.read(tenant, id, next, limit).await.map_err(unread)?;
            let Some(last) = read.last() else { break };
            next = last.number;
            items.extend(read.into_iter().filter(wanted));
        }
        Ok(LogLines { items, next })
    }

    /// What is stored of a session that lives is only that it does.
    async fn seen(&self, tenant: &TenantId, mut session: Session) -> SessionView {
        let Some(live) = self.sessions.find(tenant, &session.id).filter(|_| !session.state.is_terminal()) else {
            return SessionView { session, stats: None };
        };
        session.state = live.state();
        SessionView { session, stats: live.stats().await }
    }
}
