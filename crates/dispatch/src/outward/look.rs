//! Looking at what left boxes, and what was kept from it.

use aegis_model::api::DecisionListQuery;
use aegis_model::outward::OutwardRecord;
use aegis_model::record::{Kind, ListQuery};
use aegis_model::{Fault, TenantId};

use super::Outward;

/// Records that are read at once while looking for those that are asked for.
const PAGE: usize = 500;

impl Outward {
    /// The decisions, newest first.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn list(
        &self,
        tenant: &TenantId,
        query: &DecisionListQuery,
        (mut after, wanted): (Option<String>, usize),
    ) -> Result<Vec<OutwardRecord>, Fault> {
        let by_session = query.session_id.as_ref().map(|id| ("session", id.to_string()));
        let by_refusal = query.refused.then(|| ("refused", "yes".to_owned()));
        let index = by_session.or(by_refusal);
        let mut found = Vec::new();
        loop {
            let asked = ListQuery {
                kind: Kind::Outward,
                tenant: tenant.clone(),
                index: index.clone(),
                after: after.take(),
                newest_first: true,
                limit: PAGE,
            };
            let records = self.journal.store().list(&asked).await?;
            for record in &records {
                let read: OutwardRecord = serde_json::from_slice(&record.body).map_err(Fault::internal)?;
                if is_asked_for(query, &read) {
                    found.push(read);
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
}

fn is_asked_for(query: &DecisionListQuery, record: &OutwardRecord) -> bool {
    query.agent.as_ref().is_none_or(|agent| *agent == record.agent)
        && query.session_id.as_ref().is_none_or(|id| Some(id) == record.session_id.as_ref())
        && query.host.as_ref().is_none_or(|host| *host == record.host)
        && (record.is_unpermitted() || !query.refused)
}
