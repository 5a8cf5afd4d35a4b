//! Looking at approvals, and waiting for a decision.

use std::time::Duration;

use aegis_model::api::ApprovalListQuery;
use aegis_model::approval::{APPROVAL_WAIT_MAX_MS, Approval, ApprovalState};
use aegis_model::record::{Kind, ListQuery};
use aegis_model::{ApprovalId, Code, Fault, TenantId};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

use super::{Approvals, stored};

/// Records that are read at once while looking for those that are asked for.
const PAGE: usize = 500;

impl Approvals {
    /// The approvals, newest first.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn list(
        &self,
        tenant: &TenantId,
        query: &ApprovalListQuery,
        (mut after, wanted): (Option<String>, usize),
    ) -> Result<Vec<Approval>, Fault> {
        let (now, revision) = (self.parts.clock.now(), self.revision(tenant).await?);
        // What has expired may stand in the store as what it was before.
        let index = query.state.filter(|state| *state != ApprovalState::Expired);
        let index = index.map(|state| ("state", state.as_str().to_owned()));
        let mut found = Vec::new();
        loop {
            let asked = ListQuery {
                kind: Kind::Approval,
                tenant: tenant.clone(),
                index: index.clone(),
                after: after.take(),
                newest_first: true,
                limit: PAGE,
            };
            let records = self.parts.journal.store().list(&asked).await?;
            for record in &records {
                let approval = stored(record)?.approval.as_of(now, revision);
                if query.state.is_none_or(|state| state == approval.state) {
                    found.push(approval);
                }
            }
            match records.last() {
                Some(last) if records.len() == PAGE && found.len() < wanted => after = Some(last.key.id.clone()),
                _ => break,
            }
        }
        found.truncate(wanted);
        Ok(found)
    }

    /// One approval; when it is not pending any more, or that time is over.
    ///
    /// # Errors
    /// `NotFound` when the tenant has none of that id, `Validation` when the wait is too long.
    pub async fn view(&self, tenant: &TenantId, id: &ApprovalId, wait_ms: u64) -> Result<Approval, Fault> {
        if wait_ms > APPROVAL_WAIT_MAX_MS {
            let rule = format!("`wait_ms` must be at most {APPROVAL_WAIT_MAX_MS}");
            return Err(Fault::new(Code::Validation, rule).at("/wait_ms"));
        }
        match timeout(Duration::from_millis(wait_ms), self.decided(tenant, id)).await {
            Ok(decided) => decided,
            Err(_) => self.seen(tenant, id).await,
        }
    }

    /// The approval, once it is not pending any more.
    async fn decided(&self, tenant: &TenantId, id: &ApprovalId) -> Result<Approval, Fault> {
        // From before it is read, so that no decision falls between.
        let mut decided = self.decided.subscribe();
        loop {
            let approval = self.seen(tenant, id).await?;
            if approval.state != ApprovalState::Pending {
                return Ok(approval);
            }
            let left_ms = approval.expires_at.as_millis().saturating_sub(self.parts.clock.now().as_millis());
            // It is read anew, whether it was decided or its time is over.
            let _over = timeout(Duration::from_millis(left_ms.max(1)), told(&mut decided, id)).await;
        }
    }

    async fn seen(&self, tenant: &TenantId, id: &ApprovalId) -> Result<Approval, Fault> {
        let found = self.stored(tenant, id).await?.approval;
        Ok(found.as_of(self.parts.clock.now(), self.revision(tenant).await?))
    }
}

/// Until that one is decided, or may have been.
async fn told(decided: &mut Receiver<ApprovalId>, id: &ApprovalId) {
    loop {
        match decided.recv().await {
            Ok(other) if other != *id => {}
            Ok(_) | Err(RecvError::Lagged(_)) => return,
            // Whoever could decide is gone.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}
